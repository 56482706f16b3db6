"""Scenarios made of what other collections have."""
