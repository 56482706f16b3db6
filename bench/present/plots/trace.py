"""Trace: every chain over its draws, beside the marginal of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.present import palette
from bench.present.plots import canvas
from bench.present.plots.subject import Marginals, Part, Subject, bins, draws, left_out, parts, truth
from bench.score.problem import Scored
from bench.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMIT = 8
COLUMNS = 500
"""Bins of a chain; a longer one is drawn by the lowest and highest draw of each, so that no excursion is lost."""


def why_not(subject: Subject) -> str:
    """A trace is of Markov chains."""
    kind = subject.scored.fit.kind
    return "" if kind == "mcmc" else f"it is for Markov chains, and this fit is of kind {kind}"


def draw(subject: Subject) -> Figure:
    """The LIMIT scalars of the largest R-hat, one row each."""
    scored, problem = subject.scored, subject.scored.problem
    order, worst = _by_r_hat(scored)
    shown = order[:LIMIT]
    picture = canvas.figure(10.0, 1.1 + 1.65 * len(shown))
    grid = picture.subplots(len(shown), 2, squeeze=False, width_ratios=(3, 1), sharey="row")
    marginals = Marginals.of(problem)
    chains, length = scored.draws.shape[:2]
    for (left, right), part in zip(grid, shown, strict=True):
        _chains(left, draws(subject, part))
        _marginal(right, draws(subject, part), marginals, part)
        for axes in (left, right):
            canvas.mark(axes, truth(problem, part), canvas.TRUTH, along="y")
            if marginals is not None:
                canvas.mark(axes, marginals.moments(part)[0], canvas.EXACT_MEAN, along="y")
        left.set_ylabel(part.name)
        _divergences(left, scored)
    each = -(-length // COLUMNS)
    grid[-1, 0].set_xlabel(f"draw after warmup{f' (lowest and highest of every {each})' if each > 1 else ''}")
    grid[-1, 1].set_xlabel("density per unit of the parameter")
    sentence = f"{subject.title}: {chains} chains of {length} draws; {worst}"
    canvas.caption(picture, sentence, left_out("{} parameters of the largest R-hat", len(order), len(shown)))
    return picture


def _by_r_hat(scored: Scored) -> tuple[list[Part], str]:
    """Scalars, largest R-hat first (one without R-hat before all), and what that R-hat is."""
    scalars = parts(scored.problem)
    if scored.diagnostics is None:
        return scalars, "too few for an R-hat."
    r_hat = scored.diagnostics.r_hat[: len(scalars)]
    order = [scalars[i] for i in np.argsort(-np.nan_to_num(r_hat, nan=np.inf), kind="stable")]
    value = r_hat[order[0].column]
    if not np.isfinite(value):
        return order, f"{order[0].name} does not move in some chain and has no R-hat."
    return order, f"the largest R-hat is {value:.3f}, of {order[0].name}."


def _chains(axes: Axes, chains: Array) -> None:
    for i, chain in enumerate(chains):
        at, values = thinned(chain)
        colour = palette.COLOURS[i % len(palette.COLOURS)]
        axes.plot(at, values, color=colour, linewidth=0.6, alpha=0.75, label=f"chain {i}" if len(chains) <= 6 else None)
    axes.margins(x=0.01)


def thinned(chain: Array) -> tuple[Array, Array]:
    """Positions and values to draw: all, or lowest and highest of each bin in the order in which they came."""
    each = -(-len(chain) // COLUMNS)
    if each == 1:
        return np.arange(len(chain), dtype=float), chain
    starts = np.arange(0, len(chain), each)
    at = np.array([[a + chain[a : a + each].argmin(), a + chain[a : a + each].argmax()] for a in starts])
    at.sort(axis=1)
    return at.ravel().astype(float), chain[at.ravel()]


def _marginal(axes: Axes, chains: Array, marginals: Marginals | None, part: Part) -> None:
    flat = chains.ravel()
    if np.ptp(flat) > 0.0:
        axes.hist(
            flat,
            bins=bins(flat),
            density=True,
            orientation="horizontal",
            color=canvas.FILL,
            label="all draws",
            linewidth=0,
        )
    if marginals is not None:
        x, density = marginals.density(part)
        inside = (x >= flat.min()) & (x <= flat.max())
        axes.plot(density[inside], x[inside], **canvas.EXACT)
    axes.tick_params(labelleft=False)


def _divergences(axes: Axes, scored: Scored) -> None:
    diverging = np.asarray(scored.fit.stats.get("diverging", np.zeros((1, 1))), dtype=bool)
    at = np.flatnonzero(diverging.any(axis=0))
    if len(at):
        height = np.full(len(at), 0.02)
        axes.plot(
            at, height, "|", color=palette.INK, markersize=7, transform=axes.get_xaxis_transform(), label="divergence"
        )
