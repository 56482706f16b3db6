"""Speed and quality of a run held against a baseline: one verdict, one exit code, and a benchmark missing is said."""
