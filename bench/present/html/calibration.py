"""calibration.html: one file, no network, no script."""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING

from bench.present.calibration import COLUMNS, METHOD, QUANTITY_COLUMNS, Calibration, cells, quantity_cells, remarks
from bench.words.clean import clean

if TYPE_CHECKING:
    from jinja2 import Template


def render(report: Calibration) -> str:
    """The calibration as one self-contained page; the same verdicts and pictures give the same bytes."""
    return _template().render(
        title=f"Calibration {clean(str(report.run['id']))}",
        report=report,
        columns=COLUMNS,
        quantity_columns=QUANTITY_COLUMNS,
        cells=cells,
        quantity_cells=quantity_cells,
        remarks=remarks,
        method=METHOD,
        images={cell: base64.b64encode(svg.encode()).decode() for cell, svg in report.pictures.items()},
    )


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("bench.present.html"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return env.get_template("calibration.html.j2")
