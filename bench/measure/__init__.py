"""A child process per cell and round."""
