"""The parts of report.html, one file per part: each turns sections into plain values that the template shows."""
