"""A run is a folder: atomic records, tidy tables, a schema version."""
