"""Scenario files, and the statistics of the model families they name."""
