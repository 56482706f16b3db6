"""Waiting times, a family that a package offers."""
