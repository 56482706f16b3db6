"""The mathematics of reference posteriors: exact ones by conjugacy and quadrature, others by importance sampling."""
