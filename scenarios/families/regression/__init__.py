"""Regressions: a linear predictor and the law of the observations around it."""
