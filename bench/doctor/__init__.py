"""What of this machine can spoil a measurement, and how small a difference can be seen on it."""
