"""Contenders whose every property is known, to calibrate the harness."""

PACKAGES = ("numpy",)
EXTRA = ""


def environment(place, track):
    return {"FAKE_PLACE": f"{place.device} {place.dtype}"}
