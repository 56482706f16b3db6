"""Mini-batches of rows in memory and of rows in a file: every row once per pass, scaled as all of them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from backends._shared import stream
from bench import chunks
from bench.data import family
from bench.types import Dataset, Place, Prior, Unsupported
from tests.conftest import ROOT

PLAIN = {"particles": 1, "restarts": 1, "window": 0, "lr_decay": 1.0, "lr": 0.02}


def in_file(data: Dataset, rows: int) -> Dataset:
    """The same rows, to be read so many at a time."""
    return replace(data, arrays={name: chunks.written([x]) for name, x in data.arrays.items()}, chunk_rows=rows)


@pytest.mark.parametrize(("chunk", "size"), [(0, 20), (10, 20), (30, 20), (7, 25), (200, 100)])
def test_a_pass_has_every_row_once_and_reads_the_file_once(
    chunk: int, size: int, linear: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = linear(n=100)
    data, read = in_file(whole, chunk) if chunk else whole, list[int]()
    each = chunks.each

    def counted(*args: Any) -> chunks.Pieces:
        for part in each(*args):
            read.append(len(part["y"]))
            yield part

    monkeypatch.setattr(chunks, "each", counted)
    rows = stream.Stream(data, 3)
    passes = [[rows.take(size) for _ in range(100 // size)] for _ in range(2)]
    assert sum(read) == 200
    y, order = np.sort(whole.arrays["y"]), []
    for batches in passes:
        taken = np.concatenate([batch["y"] for batch in batches])
        np.testing.assert_array_equal(np.sort(taken), y)
        for batch in batches:
            at = [whole.arrays["y"].tolist().index(value) for value in batch["y"]]
            np.testing.assert_array_equal(batch["x"], whole.arrays["x"][at])
        order.append(taken)
    assert not np.array_equal(*order) and not np.array_equal(order[0], whole.arrays["y"])
    plain = stream.Stream(data, 3, shuffle=False)
    np.testing.assert_array_equal(np.concatenate([plain.take(10)["y"] for _ in range(10)]), whole.arrays["y"])


def test_what_has_no_rows_has_no_batches(linear: Callable[..., Dataset], two_groups: Callable[[], Dataset]) -> None:
    stream.check(linear(n=50), 50)
    for data, size in ((linear(n=50), 51), (linear(n=50), -1), (two_groups(), 5)):
        with pytest.raises(Unsupported, match=rf"batch_size={size}: only a regression"):
            stream.check(data, size)


@pytest.mark.needs("torch")
def test_torch_takes_the_same_steps_on_rows_of_a_file(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    whole = linear(n=100)
    found = []
    for data in (whole, in_file(whole, 30)):
        fit, clock = contender("torch.minibatch", data, steps=25, batch_size=20, shuffle=False).fit(data)
        assert fit.stats["gradients"] == pytest.approx(5.0)
        assert clock.checkpoints[-1].gradients == pytest.approx(clock.checkpoints[-1].step / 5)
        found.append((fit.draws, clock.checkpoints[-1].estimate.objective))
    for name in whole.names:  # the residuals behind sigma are summed by chunks: a few roundings
        np.testing.assert_allclose(found[0][0][name], found[1][0][name], rtol=1e-13)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-13)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("options", "off"),
    [
        # what a fixed step leaves is √(lr/2b)·noise = 0.0014 of each weight; five of these, and of a tenth of it
        ({"lr": 0.02}, 0.007),
        ({"lr": 0.02, "lr_decay": 0.01}, 0.0007),
        # of Adam, whose steps are lr times its own gradients over their size, a few of the last: 0.0005
        ({"optimiser": "adam", "lr": 0.05, "lr_decay": 0.01}, 0.002),
    ],
)
def test_torch_ends_near_the_least_squares_fit(
    options: dict[str, Any], off: float, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = in_file(linear(n=1000, noise=0.1), 70)
    fit, _ = contender("torch.minibatch", data, steps=1500, batch_size=50, **options).fit(data)
    best = family("linear").optimum(data, "least_squares")[0]
    np.testing.assert_allclose(fit.draws["weights"][0, 0], best["weights"], atol=off)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("torch.minibatch", options) for options in ({"batch_size": 0}, {"lr_decay": 0.0}, {"lr_decay": 2.0})),
        *(("torch.adam", options) for options in ({"batch_size": 51}, {"batch_size": -1}, {"lr_decay": 0.0})),
    ],
)
def test_settings_without_a_meaning_are_refused(
    name: str, options: dict[str, Any], linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match=f"{next(iter(options))}="):
        contender(name, linear(), **options)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("objective", ["map", "map_unconstrained"])
@pytest.mark.parametrize("gradient", ["auto", "autograd"])
@pytest.mark.parametrize("family_of", ["linear", "logistic", "robust"])
def test_the_mean_gradient_over_the_batches_of_a_pass_is_that_of_all_rows(
    family_of: str, gradient: str, objective: str, request: pytest.FixtureRequest
) -> None:
    """A strong prior, so that to count it once per batch would show."""
    torch = importlib.import_module("torch")
    batches, descent = (importlib.import_module(f"backends.torch.{name}") for name in ("batches", "descent"))
    data = request.getfixturevalue(family_of)(location=Prior("normal", (3.0, 0.1)))
    size = len(data.arrays["y"]) // 5
    make = partial(descent.evaluation, objective, data, choice=gradient)
    theta = torch.full((data.dim,), 0.7, dtype=torch.float64)
    of_all = make(descent.models.to_tensors(data.arrays, Place()))(theta)[1]
    steps = batches.gradients(make, in_file(data, 2 * size), Place(), size, 1)
    found = torch.stack([next(steps)(theta) for _ in range(5)])
    assert (found.std(0) > 0).all()  # each batch has another
    torch.testing.assert_close(found.mean(0), of_all, rtol=1e-11, atol=1e-9)  # sums in another order


@pytest.mark.needs("torch")
def test_adam_on_batches_of_a_file_ends_at_the_ridge_solution(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """With sigma known the mode is (X'X/σ² + 1/s²)⁻¹ (X'y/σ²), from sums over the rows."""
    whole = linear(n=1000, location=Prior("normal", (0.0, 0.05)), sigma=Prior("known", (1.0,)))
    data = in_file(whole, 70)
    made = contender("torch.adam", data, steps=1200, batch_size=50, lr=0.05, lr_decay=0.001)
    fit, clock = made.fit(data)
    x = np.column_stack([whole.arrays["x"], np.ones(1000)])
    precision = x.T @ x + np.eye(3) / 0.05**2
    mode, sd = np.linalg.solve(precision, x.T @ whole.arrays["y"]), np.sqrt(np.diag(np.linalg.inv(precision)))
    found = np.append(fit.draws["weights"][0, 0], fit.draws["bias"][0, 0])
    # noise of a batch leaves about √(lr·…) of the last, smallest steps: a twentieth of a posterior sd is ample
    np.testing.assert_array_less(np.abs(found - mode), 0.05 * sd)
    assert fit.stats["gradients"] == pytest.approx(60.0) and fit.stats["objective"] == "map"
    last = clock.checkpoints[-1]
    assert last.gradients == pytest.approx(last.step / 20)
    assert last.estimate.objective == pytest.approx(family("linear").objective(whole, "map", last.estimate.mean))


@pytest.mark.needs("pyro")
def test_pyro_scales_fed_rows_as_all(linear: Callable[..., Dataset]) -> None:
    """Rows twice over have the log likelihood of one half, doubled: exactly what a plate of half of them must say."""
    pyro, torch = importlib.import_module("pyro"), importlib.import_module("torch")
    models = importlib.import_module("backends.pyro.models")
    half = linear(n=30)
    twice = in_file(replace(half, arrays={name: np.concatenate([x, x]) for name, x in half.arrays.items()}), 30)
    params = {"weights": torch.tensor([1.0, -2.0]), "bias": torch.tensor(0.3), "sigma": torch.tensor(0.8)}
    values = []
    for batch, arrays in ((None, twice.arrays), (30, half.arrays)):
        model = pyro.poutine.condition(models.model(twice, Place(), batch), params)
        args = models.to_tensors({name: np.array(x) for name, x in arrays.items()}, twice, Place())
        values.append(float(pyro.poutine.trace(model).get_trace(*args).log_prob_sum()))
    assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.needs("pyro")
@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_pyro_is_fed_from_a_file(jit: bool, linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    data = in_file(linear(n=100, sigma=Prior("known", (1.0,))), 30)
    settings = {**PLAIN, "particles": 4, "steps": 300, "lr": 0.1, "lr_decay": 0.01, "jit": jit}
    fit, clock = contender("pyro.svi", data, batch_size=20, **settings).fit(data)
    assert fit.stats["gradients"] == pytest.approx(300 * 4 * 20 / 100)
    assert clock.checkpoints[-1].gradients == pytest.approx(clock.checkpoints[-1].step * 4 / 5)
    exact = family("linear").reference(data)
    for name in data.names:  # an sd and a half: what noise of a fifth of the rows leaves after 60 passes at most
        assert np.all(np.abs(fit.moments[name][0] - exact.mean[name]) < 1.5 * exact.sd[name])


@pytest.mark.needs("numpyro")
def test_numpyro_scales_fed_rows_as_all(linear: Callable[..., Dataset]) -> None:
    models = importlib.import_module("backends.numpyro.models")
    log_density = importlib.import_module("numpyro.infer.util").log_density
    half = linear(n=30)
    twice = replace(half, arrays={name: np.concatenate([x, x]) for name, x in half.arrays.items()})
    params = {"weights": np.array([1.0, -2.0]), "bias": 0.3, "sigma": 0.8}
    importlib.import_module("jax").config.update("jax_enable_x64", True)
    values = [float(log_density(models.model(twice), models.to_arrays(at.arrays, twice, Place()), {}, params)[0])
              for at in (twice, half)]  # fmt: skip
    assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.needs("numpyro")
def test_numpyro_counts_shares_and_compiles_nothing(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = in_file(linear(n=60), 25)
    made = contender("numpyro.svi", data, steps=40, batch_size=20, **PLAIN)
    before = made.runtime.compile_seconds()
    fit, clock = made.fit(data)
    assert made.runtime.compile_seconds() == before
    assert fit.stats["gradients"] == pytest.approx(40 / 3)
    assert clock.checkpoints[-1].gradients == pytest.approx(clock.checkpoints[-1].step / 3)


@pytest.mark.slow
@pytest.mark.needs("numpyro")
def test_batches_of_all_rows_are_the_whole(linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    data = linear(n=60)
    whole, _ = contender("numpyro.svi", data, steps=40, **PLAIN).fit(data)
    for rows in (data, in_file(data, 25)):
        fit, _ = contender("numpyro.svi", rows, steps=40, batch_size=60, **PLAIN).fit(rows)
        assert fit.stats["gradients"] == 40
        # the same sums in another order, whose roundings 40 steps of Adam carry on
        np.testing.assert_allclose(fit.moments["weights"][0], whole.moments["weights"][0], rtol=1e-8)


@pytest.mark.slow
@pytest.mark.needs("numpyro")
def test_numpyro_reaches_the_posterior_by_batches(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = in_file(linear(n=200, sigma=Prior("known", (1.0,))), 70)
    settings = {**PLAIN, "particles": 8, "steps": 3000, "lr_decay": 0.01}
    fit, _ = contender("numpyro.svi", data, batch_size=50, **settings).fit(data)
    exact = family("linear").reference(data)
    for name in data.names:  # the features are nearly independent: mean-field sds are those of the posterior
        mean, sd = fit.moments[name]
        np.testing.assert_allclose(mean, exact.mean[name], atol=0.25 * exact.sd[name].max())
        np.testing.assert_allclose(sd, exact.sd[name], rtol=0.25)


FIT = """
import json, sys
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.measure.residency import peak_bytes
from tests.backends.conftest import make_contender
name, options = sys.argv[1], json.loads(sys.argv[2])
peaks = []
for n in (20_000, 2_000_000):
    data = dataset(scenario("out-of-core", {"n_obs": n, "chunk_rows": 20_000}), seed=0, rep=0)
    make_contender(name, data, steps=200, **options).fit(data)
    peaks.append(peak_bytes())
print(peaks[1] - peaks[0], sum(array.nbytes for array in data.arrays.values()))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("torch.minibatch", {}, marks=pytest.mark.needs("torch")),
        pytest.param("pyro.svi", PLAIN, marks=pytest.mark.needs("pyro")),
        pytest.param("numpyro.svi", PLAIN, marks=pytest.mark.needs("numpyro")),
    ],
)
def test_memory_of_a_pass_is_that_of_a_few_chunks(name: str, options: dict[str, Any]) -> None:
    """A pass over 2 000 000 rows in a process that has made one over a hundredth of them."""
    command = [sys.executable, "-c", FIT, name, json.dumps({**options, "batch_size": 10_000})]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    more, size = map(int, done.stdout.split())
    assert size == 2_000_000 * 11 * 8
    assert more < 0.2 * size  # 20 chunks: allocators and compilers keep some; all rows would be five times that
