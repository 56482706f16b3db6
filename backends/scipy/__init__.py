"""SciPy, on the families' own densities."""

PACKAGES = ("numpy", "scipy")
