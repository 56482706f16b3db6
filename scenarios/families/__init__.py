"""Model families in float64 NumPy and SciPy: simulation, density, and the exact posterior where there is one."""
