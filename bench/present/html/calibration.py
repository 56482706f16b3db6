"""calibration.html: one file, no network, no script."""

from __future__ import annotations

import base64

from markupsafe import Markup

from bench.present.calibration import COLUMNS, METHOD, QUANTITY_COLUMNS, Calibration, remarks
from bench.present.templates import environment
from bench.words.clean import clean


def render(report: Calibration) -> str:
    """The calibration as one self-contained page; the same verdicts and pictures give the same bytes."""
    return (
        environment()
        .get_template("calibration.html.j2")
        .render(
            title=f"Calibration {clean(report.run.id)}",
            report=report,
            columns=COLUMNS,
            quantity_columns=QUANTITY_COLUMNS,
            remarks=remarks,
            method=METHOD,
            images={cell: _encoded(svg) for cell, svg in report.pictures.items()},
        )
    )


def _encoded(svg: str) -> Markup:
    """A picture for a data URL: letters, digits and `+/=`, which HTML takes as they are."""
    return Markup(base64.b64encode(svg.encode()).decode())  # noqa: S704
