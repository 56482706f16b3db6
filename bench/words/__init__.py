"""How numbers, names and sentences are written, the same in every format."""
