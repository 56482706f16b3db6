"""Stan's programs: their density, the gradients its NUTS takes, where its chains run, and what is built when.

A program takes half a minute to build, so the normal suite translates all of them and builds one, that of a linear
regression which the contract of backends builds as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.catalog.scenarios import load, scenario
from bench.data import dataset, family
from bench.types import Budget, Dataset, Diverged, Parameter, Place, Prior, Unavailable, Unsupported

pytestmark = pytest.mark.needs("stan")

EACH = Prior("student_t", ((3.0, 4.0, 5.0), (0.0, 0.5, -0.5), (1.0, 2.0, 3.0)))
PRIORS: dict[str, dict[str, Prior]] = {
    "normal": {
        "weights": Prior("normal", (0.5, 3.0)),
        "bias": Prior("student_t", (3.0, 0.5, 2.0)),
        "sigma": Prior("exponential", (2.0,)),
    },
    "cauchy": {"weights": EACH, "bias": Prior("cauchy", (0.5, 2.0)), "sigma": Prior("log_normal", (0.3, 0.7))},
    "half": {"weights": Prior("flat"), "sigma": Prior("half_cauchy", (1.0,))},
    "bounds": {"weights": Prior("uniform", (-20.0, 30.0)), "sigma": Prior("uniform", (0.5, 10.0))},
    "known": {"weights": Prior("normal", (0.0, 3.0)), "bias": Prior("flat"), "sigma": Prior("known", (0.5,))},
}
"""Priors of a linear regression, in which every kind is seen, and arguments for each element; half have no bias."""
LAWS: dict[str, dict[str, Any]] = {
    "logistic": {"offset": {"normal": [0, 1]}},
    "logistic[probit]": {"link": "probit"},
    "binomial": {"offset": {"normal": [0, 1]}},
    "binomial[probit]": {"link": "probit"},
    "poisson-exposure": {},
    "negative-binomial": {},
    "gamma": {"priors.shape": {"uniform": [0.5, 9]}, "offset": {"normal": [0, 1]}},
    "gamma[known]": {"priors.shape": {"known": 0.7}},
    "robust-unknown-df": {"priors.sigma": {"half_normal": 2.0}},
    "robust": {},
    "s3-best": {},
    "eight-schools": {},
    "eight-schools-centred": {},
    "varying-intercept": {},
    "varying-intercept-poisson": {},
    **{
        f"varying-intercept-poisson[{name}]": {"likelihood": name.partition("-")[0], **said}
        for name, said in (
            ("student_t", {"noise": 0.5, "priors.sigma": {"exponential": 1}}),
            ("bernoulli", {"offset": {"normal": [0, 1]}, "parametrisation": "centred"}),
            ("binomial-probit", {"trials": [1, 9], "link": "probit"}),
            ("negative_binomial", {"phi": 2.0, "priors.phi": {"log_normal": [1, 1.5]}}),
            ("gamma", {"shape": 2.0, "priors.shape": {"log_normal": [1, 1.5]}, "offset": {"normal": [0, 1]}}),
        )
    },
}


def linear_of(priors: dict[str, Prior]) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))

    def parameter(name: str) -> Parameter:
        prior, shape = priors[name], (3,) if name == "weights" else ()
        support = (0.0 if name == "sigma" else -np.inf, np.inf)
        return Parameter(name, shape, *(prior.args if prior.name == "uniform" else support))

    parameters = tuple(parameter(name) for name, prior in priors.items() if prior.name != "known")
    return Dataset("linear", parameters, {"x": x, "y": x.sum(1) + rng.standard_normal(40)}, priors)


def data_of(case: str) -> Dataset:
    if case in PRIORS:
        return linear_of(PRIORS[case])
    name, changes = case.partition("[")[0], LAWS[case]
    sizes = {"n_obs": 40} if {"gamma", "binomial", "logistic"} & {name} else {}
    return dataset(scenario(name, {**sizes, **changes}), seed=0, rep=0)


@pytest.fixture
def models() -> ModuleType:
    return importlib.import_module("backends.stan.models")


@pytest.fixture
def runtime() -> Iterator[ModuleType]:
    module = importlib.import_module("backends.stan.runtime")
    yield module
    module.start(Place())


@pytest.mark.filterwarnings("ignore:path is deprecated:DeprecationWarning")  # of how httpstan finds its translator
@pytest.mark.parametrize("case", [*PRIORS, *LAWS])
def test_every_program_is_one(case: str, models: ModuleType) -> None:
    """By Stan's own translator, which says as much of names, types and shapes as the compiler would."""
    translate = importlib.import_module("httpstan.compile").compile
    cpp, _ = translate(models.program(data_of(case)), "a_model")
    assert "class a_model" in cpp


@pytest.mark.slow
@pytest.mark.parametrize("case", [*PRIORS, *LAWS])
def test_density_and_gradient_match_the_family(case: str, models: ModuleType) -> None:
    assert_matches(models, data_of(case))


@pytest.mark.slow
@pytest.mark.parametrize("law", ["varying_intercept", "poisson", "logistic", "robust"])
def test_intercepts_by_group_need_no_features(law: str, models: ModuleType) -> None:
    """A function for linear models is then given a column of zeros; of none, some make a density of 0."""
    data = dataset(scenario("varying-intercept"), seed=0, rep=0)
    names = ("mu", "tau", "a", *(["sigma"] if law in ("varying_intercept", "robust") else []))
    kept = {name: prior for name, prior in data.priors.items() if name in names}
    kept |= {"df": Prior("known", (4.0,))} if law == "robust" else {}
    y = {"poisson": np.rint(np.abs(data.arrays["y"])), "logistic": data.arrays["y"] > 0.0}.get(law, data.arrays["y"])
    arrays = {**data.arrays, "x": np.empty((len(y), 0)), "y": y.astype(float)}
    parameters = tuple(p for p in data.parameters if p.name in names)
    sites = tuple(p for p in data.sites if p.name in (*names, "eta"))
    named = {"family": law} if law == "varying_intercept" else {"family": "grouped_regression", "law": law}
    assert_matches(models, Dataset(parameters=parameters, arrays=arrays, priors=kept, coordinates=sites, **named))


def assert_matches(models: ModuleType, data: Dataset) -> None:
    z = np.random.default_rng(1).uniform(-2, 2, (6, data.dim))
    value, gradient = models.log_density(data, z)
    expected, slope = family(data.family).log_density(data, z)
    # Stan leaves out constants; both sides are sums of tens of terms of up to 1e3, rounded at 1e-16 relative.
    size = np.ptp(expected)
    np.testing.assert_allclose(value - value.mean(), expected - expected.mean(), rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 * np.abs(slope).max())


@pytest.mark.slow
def test_own_models_are_programs_whose_parameters_go_by_name(models: ModuleType, tmp_path: Path) -> None:
    """A matrix, which Stan stores by columns and the harness by rows."""
    (tmp_path / "data.json").write_text(json.dumps({"rows": 2, "y": [[0, 1, 2], [3, 4, 5.5]]}))
    (tmp_path / "model.toml").write_text(
        'description = "m"\n[parameters]\nm = {shape = ["rows", 3]}\ns = {lower = 0}\n[data]\nfile = "data.json"\n'
    )
    (tmp_path / "model.stan").write_text(
        "data { int rows; array[rows, 3] real y; } parameters { real<lower=0> s; matrix[rows, 3] m; }\n"
        "model { s ~ exponential(1); for (i in 1:rows) m[i] ~ normal(to_row_vector(y[i]), s); }"
    )
    data = dataset(load(tmp_path / "model.toml"), seed=0, rep=0)
    z = np.random.default_rng(2).uniform(-1, 1, (4, data.dim))
    value, gradient = models.log_density(data, z)
    centred, scale = z[:, :6] - data.arrays["y"].ravel(), np.exp(z[:, 6])
    wanted = stats.norm.logpdf(centred, 0.0, scale[:, None]).sum(1) - scale + z[:, 6]
    np.testing.assert_allclose(value - value[0], wanted - wanted[0], rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(gradient[:, :6], -centred / scale[:, None] ** 2, rtol=1e-12)


def test_one_build_serves_data_of_every_size_and_chains_in_processes_draw_the_same(
    linear: Callable[..., Dataset], contender: Callable[..., Any], runtime: ModuleType
) -> None:
    made = contender("stan.nuts", linear(), draws=100)
    built, larger = runtime.compile_seconds(), linear(n=70, weights=(1.0, 2.0, -1.0))
    alone, clock = made.fit(larger)
    made.program.place = Place(threads=2)
    before = runtime.peak_bytes_beside()
    beside, _ = made.fit(larger)
    assert runtime.compile_seconds() == built and set(clock.seconds) == {"transfer", "warmup+sample"}
    assert all(np.array_equal(alone.draws[name], beside.draws[name]) for name in larger.names)
    assert alone.draws["weights"].shape == (4, 100, 3)
    # Two forks, each with a tape and buffers: more than nothing, less than an interpreter each.
    assert before < runtime.peak_bytes_beside() < 2**28


@pytest.mark.slow
@pytest.mark.parametrize("draws", [60, 200], ids=["no window", "windows"])
def test_every_gradient_is_counted(draws: int, linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    """By a program that prints when it is evaluated: its gradients, and the density of the start without one."""
    models, nuts = (importlib.import_module(f"backends.stan.{name}") for name in ("models", "nuts"))
    printing = models.program(linear()).replace("model {\n", 'model {\n  print("evaluated");\n')
    made = contender("stan.nuts", linear(), draws=draws)
    made.program.written = printing
    nuts.compile(made.program, linear())
    state = made.method.fit(made.program, linear(), 3, SimpleClock())
    evaluated = sum(log.count(b'"info:evaluated') for _, log, _ in state[-1])
    found = nuts.draw(state).stats
    assert evaluated == found["gradients"] + 4
    assert found["gradients"] == found["gradients_warmup"] + found["num_steps"].sum()


def test_the_metric_is_updated_as_stan_schedules_it() -> None:
    updates = importlib.import_module("backends.stan.adaptation").updates
    assert updates(1000) == [99, 149, 249, 449, 949]  # the Stan reference manual's figure, counted from 0
    assert updates(500) == [99, 149, 249, 449] and updates(150) == [99] and updates(149) == []


def test_a_search_takes_two_gradients_for_each_step_size() -> None:
    count = importlib.import_module("backends.stan.adaptation").search_gradients
    # From 1 to 1/4: the first trial, those of 1, 1/2 and 1/4; and the gradient of the start.
    assert count(np.full((1, 10), 0.25), np.full((1, 10), 0.8), 10, 0.8) == 1 + 2 * 4


def test_what_is_missing_is_said(runtime: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unsupported, match="float64 only"):
        runtime.start(Place(dtype="float32"))
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    with pytest.raises(Unavailable, match=r"no-such-compiler is not on the path; install g\+\+"):
        runtime.start(Place())
    monkeypatch.undo()


def test_a_built_program_is_kept_for_a_run_only_and_said_to_be_reused(
    runtime: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builds: list[Path] = []

    def build(program: str, name: str, scratch: Path, kept: Path | None, library: Path | None) -> Path:
        builds.append(scratch)
        if kept is not None:
            kept.touch()
        return scratch

    monkeypatch.setattr(runtime, "_build", build)
    monkeypatch.setattr(runtime, "_load", lambda file: SimpleNamespace(file=file))
    monkeypatch.setattr(runtime, "_kept", None)
    monkeypatch.setattr(runtime, "_reused", 0)
    fresh = runtime.extension.__wrapped__
    fresh("a program"), fresh("a program")
    assert len(set(builds)) == 2 and runtime.reused_compiled() == 0
    assert not any(folder.exists() for folder in builds)
    runtime.reuse_compiled(str(tmp_path))
    fresh("a program")
    assert len(builds) == 3 and runtime.reused_compiled() == 0
    assert fresh("a program").file.parent == tmp_path
    assert len(builds) == 3 and runtime.reused_compiled() == 1
    fresh("a program", tmp_path / "advi.o")  # which the extension without it is not
    assert len(builds) == 4 and runtime.reused_compiled() == 1


def test_a_translator_that_is_late_is_started_anew_and_that_is_said(
    runtime: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = iter([True, True, False])

    async def build(program: str) -> None:
        if next(late, True):
            raise subprocess.TimeoutExpired("stanc", 1)

    monkeypatch.setattr(runtime.httpstan.models, "build_services_extension_module", build)
    runtime._translate_and_compile("a program")
    assert runtime.complaints() == ("stanc did not end within a second 2 times, which compile seconds include",)
    assert runtime.complaints() == ()
    with pytest.raises(RuntimeError, match="within the second that httpstan gives it, 20 times"):
        runtime._translate_and_compile("a program")


@pytest.mark.slow
def test_a_chain_without_a_start_says_what_stan_says(linear: Callable[..., Dataset]) -> None:
    nuts, models = (importlib.import_module(f"backends.stan.{name}") for name in ("nuts", "models"))
    data, budget = linear(), Budget("test", 2, 10, 10, 1, 1, 1, 60.0)
    program = nuts.build(data, budget, nuts.Options(), Place())
    program.written = models.program(data).replace("model {\n", "model {\n  target += negative_infinity();\n")
    nuts.compile(program, data)
    with pytest.raises(Diverged, match="Initialization failed"):
        nuts.draw(nuts.fit(program, data, 1, SimpleClock()))


class SimpleClock:
    """Phases without seconds."""

    def __call__(self, phase: str) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


def test_draws_of_advi_have_the_density_that_is_stated_of_them_in_the_order_of_the_family() -> None:
    variational = importlib.import_module("backends.stan.variational")
    factor, places = np.array([[0.5, 0.0, 0.0], [1.0, 2.0, 0.0], [-0.3, 0.4, 0.1]]), np.array([2, 0, 1])
    q = variational.Approximation(np.array([1.0, -2.0, 3.0]), factor, 1, 0, 0, True, places)
    z, log_q = q.sample(20_000, np.random.default_rng(0))
    normal = stats.multivariate_normal(q.mean[places], (factor @ factor.T)[np.ix_(places, places)])
    np.testing.assert_allclose(log_q, normal.logpdf(z), rtol=1e-10, atol=1e-10)
    error = np.sqrt(np.diag(normal.cov) / len(z))
    assert (np.abs(z.mean(0) - normal.mean) < 5 * error).all()


def test_the_program_is_asked_for_its_density_in_its_own_order_of_scalars() -> None:
    """By a function in C's place that reads memory as it does: a row after another."""
    variational = importlib.import_module("backends.stan.variational")

    def density(given: bytes, seed: int, n: int, dim: int, z: int, values: int) -> int:
        rows, to = ((ctypes.c_double * size).from_address(at) for size, at in ((n * dim, z), (n, values)))
        to[:] = (np.array(rows).reshape(n, dim) @ [1.0, 10.0, 100.0]).tolist()
        return int(given != b"{}")

    of = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_char_p, ctypes.c_uint, ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p
    )
    extension = SimpleNamespace(library=SimpleNamespace(bench_density=of(density)))
    q = variational.Approximation(np.arange(3.0), np.eye(3), 1, 0, 0, True, np.array([2, 0, 1]))
    z, _ = q.sample(5, np.random.default_rng(0))
    values = variational.log_density(extension, q, z, "{}", 1)
    np.testing.assert_allclose(values, z @ [100.0, 1.0, 10.0], rtol=1e-14)
    with pytest.raises(RuntimeError, match="refuses them now"):
        variational.log_density(extension, q, z, "[]", 1)


def test_what_advi_is_compiled_to_is_kept_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By stand-ins for the compiler: the real one takes a minute, and is asked by `make test-slow`."""
    library = importlib.import_module("backends.stan.variational").library.__wrapped__
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho no such header >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(RuntimeError, match="Stan's ADVI cannot be compiled: no such header"):
        library()
    assert not list((tmp_path / "stan").iterdir())
    compiler.write_text('#!/bin/sh\nfor last; do :; done\necho object > "$last"\n')
    kept = library()
    assert kept.read_text() == "object\n" and [kept] == list((tmp_path / "stan").iterdir())
    compiler.write_text("#!/bin/sh\nexit 1\n")
    assert library() == kept
    monkeypatch.setenv("CXX", f"{compiler} -m64")
    with pytest.raises(RuntimeError):  # another compiler makes another object
        library()
