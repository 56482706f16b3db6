"""Numbers in, numbers out: intervals, ratios, slopes, steps, smoothed importance weights."""
