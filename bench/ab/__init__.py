"""Two sides measured alternately in one go: revisions of the code, or option sets of a backend."""
