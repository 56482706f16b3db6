"""The exact posterior of a family, as a contender that cannot lose on accuracy."""

PACKAGES = ("numpy", "scipy")
