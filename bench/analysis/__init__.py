"""Tables of runs in, summaries out: states of cells, diagnostics, sections, verdicts. No renderer, no file."""
