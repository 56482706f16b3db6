"""What is the right answer of a data set: its reference posterior."""
