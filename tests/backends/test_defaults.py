"""The track `defaults` is what the installed frameworks ship: read from their signatures, so that a drift shows."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from bench.catalog.backends import backend
from bench.catalog.places import backend_files
from tests.conftest import ROOT


def ships(module: str, name: str, *parameters: str) -> dict[str, Any]:
    """Default values of a callable's parameters."""
    signature = inspect.signature(getattr(importlib.import_module(module), name))
    return {parameter: signature.parameters[parameter].default for parameter in parameters}


def on_track(name: str) -> dict[str, Any]:
    """A backend's options on the track `defaults`."""
    info = backend(name)
    return {key: option.default for key, option in info.options.items()} | dict(info.defaults)


def test_frameworks_compute_in_their_own_precision() -> None:
    homes = {name: backend(name).home.dtype for name in ("numpyro.nuts", "pyro.nuts", "torch.nuts")}
    assert homes == dict.fromkeys(homes, "float32")


@pytest.mark.needs("numpyro")
def test_numpyro_nuts() -> None:
    track, infer = on_track("numpyro.nuts"), importlib.import_module("numpyro.infer")
    kernel = ships("numpyro.infer", "NUTS", "target_accept_prob", "max_tree_depth", "dense_mass")
    assert list(kernel.values()) == [track["target_accept"], track["max_tree_depth"], track["dense_mass"]]
    run = ships("numpyro.infer", "MCMC", "progress_bar", "chain_method", "num_chains")
    assert run == {"progress_bar": track["progress_bar"], "chain_method": "parallel", "num_chains": 1}
    assert track["aot"] is False  # MCMC.run compiles when it is called
    with pytest.warns(UserWarning, match="not enough devices"):
        mcmc = infer.MCMC(infer.NUTS(lambda: None), num_warmup=1, num_samples=1, num_chains=4)
    assert mcmc.chain_method == track["chain_method"]
    # the settings of both tracks
    shared = ships("numpyro.infer", "NUTS", "step_size", "find_heuristic_step_size", "init_strategy")
    assert shared == {"step_size": 1.0, "find_heuristic_step_size": False, "init_strategy": infer.init_to_uniform}


@pytest.mark.needs("numpyro")
def test_numpyro_hmc() -> None:
    track = on_track("numpyro.hmc")
    kernel = ships("numpyro.infer", "HMC", "target_accept_prob", "trajectory_length", "dense_mass", "num_steps")
    assert list(kernel.values()) == [track["target_accept"], track["trajectory"], track["dense_mass"], None]
    assert (track["jitter"], track["max_steps"], track["aot"]) == (0.0, 0, False)


@pytest.mark.needs("numpyro")
def test_numpyro_svi() -> None:
    track = on_track("numpyro.svi")
    assert ships("numpyro.infer", "Trace_ELBO", "num_particles") == {"num_particles": track["particles"]}
    assert (track["restarts"], track["window"], track["lr_decay"]) == (1, 0, 1.0)


@pytest.mark.needs("pyro")
def test_pyro_hmc() -> None:
    track, kernel = on_track("pyro.hmc"), importlib.import_module("pyro.infer").HMC(potential_fn=lambda sites: 0.0)
    assert kernel.trajectory_length == track["trajectory"] and track["target_accept"] == 0.8
    assert (track["jitter"], track["max_steps"], track["jit_compile"], track["progress_bar"]) == (0.0, 0, False, True)


@pytest.mark.needs("pyro")
def test_pyro_nuts() -> None:
    track, autoguide = on_track("pyro.nuts"), importlib.import_module("pyro.infer.autoguide")
    kernel = ships("pyro.infer", "NUTS", "target_accept_prob", "max_tree_depth", "jit_compile", "full_mass")
    assert list(kernel.values()) == [track["target_accept"], track["max_tree_depth"], track["jit_compile"], False]
    assert ships("pyro.infer", "MCMC", "disable_progbar") == {"disable_progbar": not track["progress_bar"]}
    assert ships("pyro.infer", "NUTS", "init_strategy") == {"init_strategy": autoguide.init_to_uniform}
    assert ships("pyro.infer.autoguide", "init_to_uniform", "radius") == {"radius": 2.0}


@pytest.mark.needs("pyro")
def test_pyro_svi() -> None:
    track = on_track("pyro.svi")
    assert ships("torch.optim", "Adam", "lr") == {"lr": track["lr"]}
    assert ships("pyro.infer", "Trace_ELBO", "num_particles") == {"num_particles": track["particles"]}
    clipped = ships("pyro.optim.clipped_adam", "ClippedAdam", "lr", "lrd")
    assert clipped == {"lr": track["lr"], "lrd": track["lr_decay"]}
    assert (track["restarts"], track["window"], track["batch_size"], track["jit"]) == (1, 0, 0, False)


def test_the_page_of_fairness_has_every_contender_on_both_tracks() -> None:
    """By its name; on the track `defaults` each that has settings of its own there."""
    page = (ROOT / "docs" / "fairness.md").read_text(encoding="utf-8")
    _, matched, defaults = re.split(r"^## (?:Contenders|The track `defaults`)$", page, flags=re.MULTILINE)
    every = [backend(name) for name in backend_files()]
    assert [b.name for b in every if f"`{b.name}`" not in matched] == []
    table = re.findall(r"^\| (`.*?) \|", defaults, re.MULTILINE)
    assert [b.name for b in every if b.defaults and f"`{b.name}`" not in " ".join(table)] == []


@pytest.mark.needs("blackjax")
def test_blackjax() -> None:
    kernel = ships("blackjax.mcmc.nuts", "as_top_level_api", "max_num_doublings", "divergence_threshold")
    tuned = ships("blackjax", "window_adaptation", "target_acceptance_rate", "is_mass_matrix_diagonal")
    track = on_track("blackjax.nuts")
    assert [*kernel.values(), *tuned.values()] == [track["max_tree_depth"], 1000, track["target_accept"], True]
    ensemble = ships("blackjax", "chees_adaptation", "target_acceptance_rate", "max_leapfrog_steps")
    track = on_track("blackjax.chees")
    assert list(ensemble.values()) == [track["target_accept"], track["max_steps"]]
    shipped = ships("blackjax", "chees_adaptation", "mass_matrix_estimation")
    assert shipped == {"mass_matrix_estimation": None} and track["metric"] == "identity"
    ours = on_track("torch.chees")
    shared = ("target_accept", "metric", "step_size", "lr", "max_steps", "ensemble")
    assert {key: ours[key] for key in shared} == {key: track[key] for key in shared}


@pytest.mark.needs("stan")
@pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated:DeprecationWarning")
def test_stan() -> None:
    importlib.import_module("backends.stan.runtime")  # which imports httpstan without its word on distutils
    arguments = importlib.import_module("httpstan.services.arguments")
    nuts, advi = on_track("stan.nuts"), on_track("stan.advi")
    schedule = importlib.import_module("backends.stan.adaptation").SCHEDULE
    given = {"delta": nuts["target_accept"], "max_depth": nuts["max_tree_depth"], "stepsize": 1.0, **schedule}
    assert {name: arguments.lookup_default(arguments.Method.SAMPLE, name) for name in given} == given
    given = {"grad_samples": advi["particles"], "tol_rel_obj": advi["tolerance"]}
    assert {name: arguments.lookup_default(arguments.Method.VARIATIONAL, name) for name in given} == given
