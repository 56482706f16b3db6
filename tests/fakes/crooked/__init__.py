"""Contenders whose log density has the fault that the variable CROOKED names."""

PACKAGES = ("numpy",)
EXTRA = ""


def environment(place, track):
    return {}
