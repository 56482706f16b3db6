"""A figure that a notebook draws, also where pyplot, which would see to that, was never imported."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class Shown(Figure):
    """matplotlib's figure, with the picture that a notebook asks a value for."""

    def _repr_png_(self) -> bytes:
        drawn = BytesIO()
        self.savefig(drawn, format="png")
        return drawn.getvalue()
