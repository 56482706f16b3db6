"""The contract of a backend, held against every file of every framework."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from bench.catalog.backends import BackendInfo, backend
from bench.catalog.places import backend_files
from bench.check import answers
from bench.data import family
from bench.measure.clock import WallClock
from bench.measure.validity import checkpoints, complaint
from bench.types import Dataset, Fit, Place, Prior

DATASETS = {"sigma": "linear", "known": "linear", "groups": "two_groups"}
CASES = [
    (name, key)
    for name in backend_files()
    for key, fam in DATASETS.items()
    if fam in backend(name).families and (name != "stan.advi" or key == "sigma")  # the programs are those of stan.nuts
]
# Settings under which the slow ones reach their own optimum within the steps of these tests.
SETTINGS: dict[str, dict[str, Any]] = {
    "torch.adam": {"lr": 0.05, "steps": 800},
    "torch.map": {"lr": 0.05, "steps": 800},
    "pyro.map": {"lr": 0.1, "steps": 600},
    "torch.metropolis": {"draws": 2400, "thin": 6},
    "torch.nuts": {"draws": 100},
    "torch.hmc": {"draws": 100},
    "torch.chees": {"draws": 150},
    "torch.sufficient": {"draws": 150},
    "pyro.nuts": {"draws": 100},
    "pyro.hmc": {"draws": 100},
    "numpyro.map": {"lr": 0.1},
    "stan.advi": {"steps": 5000},
}
SLOW = {
    ("torch.nuts", "groups"),
    ("torch.hmc", "groups"),
    ("torch.map", "groups"),
    ("torch.chees", "known"),
    ("torch.sufficient", "known"),
    ("torch.chees", "groups"),
    ("pyro.map", "groups"),
    ("numpyro.nuts", "known"),
    ("numpyro.nuts", "groups"),
    *((name, key) for name in ("numpyro.hmc", "numpyro.map", "numpyro.svi") for key in ("known", "groups")),
    *((name, key) for name in ("pyro.nuts", "pyro.hmc", "pymc.nuts", "nutpie.nuts") for key in DATASETS),
    ("stan.advi", "sigma"),
    ("stan.nuts", "known"),
    ("stan.nuts", "groups"),
    *((f"blackjax.{method}", key) for method in ("nuts", "chees") for key in ("known", "groups")),
    *((f"blackjax.{method}", key) for method in ("mclmc", "pathfinder") for key in DATASETS),
}
"""A millisecond per gradient and more, thousands of steps, or seconds of compilation: their other tests, and the other
cases, stand for them in the normal suite."""
SHORT = {"sklearn.ols", "scipy.laplace", "torch.laplace", "torch.lbfgs", "blackjax.pathfinder", "stan.advi"}
"""Done in one step or a few, or in one call of a library: they have no history to look at."""
ITERATED = [(n, k) for n, k in CASES if backend(n).kind in ("point", "vi") and n not in SHORT]
POINTS = [(n, k) for n, k in CASES if backend(n).kind == "point"]
SAMPLED = [(n, k) for n, k in CASES if backend(n).kind in ("mcmc", "exact")]


def settings(info: BackendInfo) -> dict[str, Any]:
    return {"steps": 1000 if info.kind == "point" else 300} | SETTINGS.get(info.name, {})


def draws_of(info: BackendInfo) -> int:
    chosen = settings(info)
    return int(chosen.get("draws", 500) // chosen.get("thin", 1))


def marked(cases: list[tuple[str, str]]) -> list[Any]:
    return [pytest.param(*case, marks=pytest.mark.slow) if case in SLOW else case for case in cases]


class Fits:
    """Fits of one program, the first of seed 1."""

    def __init__(self, info: BackendInfo, data: Dataset, contender: Callable[..., Any], **shorter: int) -> None:
        self.info, self.data = info, data
        self.contender = contender(info.name, data, **settings(info) | shorter)
        self.fit, self.clock = self.repeated(1)

    def repeated(self, seed: int) -> tuple[Fit, WallClock]:
        """Another fit of the same program."""
        return self.contender.fit(self.data, seed)


@pytest.fixture(scope="module")
def dataset(linear: Callable[..., Dataset], two_groups: Callable[[], Dataset]) -> Callable[[str], Dataset]:
    start = {"weights": [0.0, 0.0], "bias": 0.0, "sigma": 1.0}
    made = {
        "sigma": lambda: linear(start=start),
        "known": lambda: linear(bias=None, location=Prior("flat"), sigma=Prior("known", (1.0,))),
        "groups": two_groups,
    }
    return lambda key: made[key]()


# Cases are parameters of the module, so that all tests of a case follow one another: processes that share the tests do
# not make its fits twice.
@pytest.fixture(scope="module")
def fits(dataset: Callable[[str], Dataset], contender: Callable[..., Any]) -> Callable[[str, str], Fits]:
    return cache(lambda name, key: Fits(backend(name), dataset(key), contender))


@pytest.mark.parametrize(("name", "key"), marked(CASES), scope="module")
def test_draws_are_named_shaped_and_finite(fits: Callable[[str, str], Fits], name: str, key: str) -> None:
    found = fits(name, key)
    assert complaint(found.fit, found.data, found.info.kind) == ""
    assert all(value.dtype == np.float64 for value in found.fit.draws.values())
    size = next(iter(found.fit.draws.values())).shape[:2]
    assert size == {"point": (1, 1), "vi": (1, 4000)}.get(found.info.kind, (4, draws_of(found.info)))
    if found.info.kind == "vi":
        assert found.fit.stats["log_q"].shape == size and np.isfinite(found.fit.stats["log_q"]).all()


FIRST = {name: key for name, key in reversed(CASES)}
"""A case of each backend, of which two more fits are made."""
EAGER = ("torch.", "pyro.")
"""They compile nothing, so that another program, of few draws or steps, costs less than fits of the long one."""


@pytest.mark.parametrize(("name", "key"), marked(list(FIRST.items())), scope="module")
def test_seeds_decide_the_draws(
    fits: Callable[[str, str], Fits], dataset: Callable[[str], Dataset], contender: Callable[..., Any], name: str,
    key: str,
) -> None:  # fmt: skip
    few = {"steps": 20} | ({"draws": 12} if backend(name).kind == "mcmc" else {})
    short = name.startswith(EAGER) and name not in SHORT
    case = Fits(backend(name), dataset(key), contender, **few) if short else fits(name, key)
    assert answers.reproducible(case.fit, case.repeated(1)[0]) == ""
    if case.info.kind != "point":  # whose seed decides no more than the start
        assert answers.seeded(case.fit, case.repeated(2)[0]) == ""


@pytest.mark.parametrize(("name", "key"), marked(CASES), scope="module")
def test_work_is_counted_and_timed(fits: Callable[[str, str], Fits], name: str, key: str) -> None:
    found = fits(name, key)
    stats = found.fit.stats
    assert stats["gradients"] == 0 if found.info.kind == "exact" else stats["gradients"] > 0
    assert set(found.clock.seconds) <= {"transfer", "warmup", "sample", "warmup+sample"}  # a program compiles before
    assert set(found.clock.seconds) & {"warmup", "sample", "warmup+sample"}
    if found.info.kind == "point":
        assert stats["objective"] in ("least_squares", "map", "map_unconstrained")
    if found.info.kind == "mcmc":
        assert 0 < stats["gradients_warmup"] < stats["gradients"] <= stats["gradients_executed"]
        assert all(
            value.shape == (4, draws_of(found.info)) for value in stats.values() if isinstance(value, np.ndarray)
        )


@pytest.mark.parametrize(("name", "key"), marked(ITERATED), scope="module")
def test_checkpoints_are_finite_and_named_like_the_draws(fits: Callable[[str, str], Fits], name: str, key: str) -> None:
    found = fits(name, key)
    points = found.clock.checkpoints
    assert len(points) > 20
    assert checkpoints(points, found.data) == ""
    assert [p.seconds for p in points] == sorted(p.seconds for p in points)
    for p in points:
        assert set(p.estimate.mean) == set(found.data.names)
        assert p.estimate.objective is not None and np.isfinite(p.estimate.objective)
        assert (p.estimate.sd is not None) == (found.info.kind == "vi")


@pytest.mark.parametrize(("name", "key"), marked(SAMPLED), scope="module")
def test_draws_agree_with_the_exact_posterior(fits: Callable[[str, str], Fits], name: str, key: str) -> None:
    found = fits(name, key)
    exact = family(found.data.family).reference(found.data)
    for parameter in found.data.names:
        draws = found.fit.draws[parameter]
        # 40 batches of 50 successive draws (of 10 or 40 for the slow ones, whose draws are nearly independent) are long
        # against the autocorrelation of these samplers, so the spread of their means is the Monte-Carlo error; 5 of
        # them come by chance once in 80 000 scalars (t with 39 df).
        means = draws.reshape(40, -1, *draws.shape[2:]).mean(1)
        error = means.std(0, ddof=1) / np.sqrt(40)
        assert np.all(np.abs(means.mean(0) - exact.mean[parameter]) < 5 * error)
        # At 400 effective draws the relative error of an sd is 1/√800 = 3.5 %; 5 of those.
        np.testing.assert_allclose(draws.std((0, 1)), exact.sd[parameter], rtol=0.18)


@pytest.mark.parametrize(
    ("name", "key"), marked([(n, k) for n, k in SAMPLED if backend(n).kind == "mcmc"]), scope="module"
)
def test_a_sampler_states_the_log_density_of_its_draws(fits: Callable[[str, str], Fits], name: str, key: str) -> None:
    """Up to a constant it is the family's, of the unconstrained scale, Jacobian included."""
    case = fits(name, key)
    fam, stated = family(case.data.family), case.fit.stats["log_density"]
    z = fam.unconstrain(case.data, case.fit.draws)
    values = fam.log_density(case.data, z)[0]
    # Rounding of some hundred nats in float64; a draw whose number is its neighbour's is off by a tenth of a nat.
    np.testing.assert_allclose(stated - stated[0, 0], values - values[0, 0], atol=1e-9)


@pytest.mark.parametrize(("name", "key"), marked(POINTS), scope="module")
def test_a_point_is_the_optimum_of_its_own_objective(fits: Callable[[str, str], Fits], name: str, key: str) -> None:
    found = fits(name, key)
    fam, objective = family(found.data.family), found.fit.stats["objective"]
    point = {parameter: value[0, 0] for parameter, value in found.fit.draws.items()}
    gap = fam.objective(found.data, objective, point) - fam.optimum(found.data, objective)[1]
    # Half the square of a distance in posterior sds: 1e-3 of them in each of at most 4 scalars. Rounding of a few
    # hundred nats in float64 may make it negative by 1e-12.
    assert -1e-11 < gap < 4 * 0.5 * 1e-3**2


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * ((n, key) in SLOW)) for n, key in CASES if key == "known"],
)
def test_float32_gives_the_same_answer_to_its_precision(
    name: str, dataset: Callable[[str], Dataset], contender: Callable[..., Any], fits: Callable[[str, str], Fits]
) -> None:
    data = dataset("known")
    made = contender(name, data, place=Place(dtype="float32"), **settings(backend(name)))
    fit, _ = made.fit(data)
    assert complaint(fit, data, backend(name).kind) == ""
    wide = fits(name, "known").fit.draws["weights"]
    # Points differ by rounding; where random numbers are drawn in float32 they are other ones: a third of the
    # posterior sd of 0.14, five Monte-Carlo errors at 250 effective draws.
    tolerance = 1e-4 if backend(name).kind == "point" else 0.05
    np.testing.assert_allclose(fit.draws["weights"].mean((0, 1)), wide.mean((0, 1)), atol=tolerance)


def test_every_file_declares_what_its_module_holds() -> None:
    for name in backend_files():
        info = backend(name)
        assert info.kind in ("point", "vi", "mcmc", "exact") and info.families and info.summary and info.home.packages
        assert all(option.help for option in info.options.values()), f"{name}: an option without help"
