"""Each family as a PyMC model: those of PyMC, and the log density PyMC makes of it."""

from backends._shared.pymc_models import MODELS, log_density, model

__all__ = ["MODELS", "log_density", "model"]
