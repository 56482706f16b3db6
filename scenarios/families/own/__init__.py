"""Models of the user's own, whose densities only frameworks know."""
