"""The templates of every page: HTML is escaped, and text that came from elsewhere is cleaned as it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from bench.words.clean import clean

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(**filters: Callable[..., Any]) -> Environment:
    """The templates of bench/present/html/templates, with these filters besides Jinja's own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("bench.present.html"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_finalized,
    )  # fmt: skip
    templates.filters |= filters
    return templates


def _finalized(value: Any) -> Any:
    """Whatever text a template shows, without what a reader's eye would obey; markup of our own as it is."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
