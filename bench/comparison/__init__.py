"""Two runs → verdicts with intervals: tables in, dataclasses and text out."""
