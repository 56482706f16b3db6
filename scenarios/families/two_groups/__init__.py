"""The comparison of two groups of observations."""
