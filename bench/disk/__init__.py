"""How anything is put on disk and read from it: whole or not at all, and never more than a file holds."""
