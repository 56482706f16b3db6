"""Independent draws from the exact posterior: the fit is right whatever its framework's density is."""

from backends.fake.exact import Options, build, compile, draw, fit

__all__ = ["Options", "build", "compile", "draw", "fit"]

KIND = "mcmc"
