"""Simulation-based calibration: truths from the prior, and where they fall among the draws of each fit."""
