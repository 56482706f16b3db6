"""Reports: tables and run facts in, text out; no file, no store, one small module per format."""
