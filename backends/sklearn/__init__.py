"""Scikit-learn."""

PACKAGES = {"sklearn": "scikit-learn", "numpy": "numpy"}
EXTRA = "sklearn"
