"""The statistics of each model family, in float64 NumPy and SciPy.

SciPy is imported whole (`import scipy`): it loads its parts when they are used, and a child that only simulates data
uses none of them, which saves it a quarter of a second.
"""
