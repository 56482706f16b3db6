"""One folder per framework, one file per method; `bench.types.Backend` states the contract of a file."""
