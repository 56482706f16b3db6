"""Cells, identities and the order of children."""

import pytest

from bench.cell import Cell
from bench.errors import UsageError
from bench.plan import Choice, make
from bench.types import DEVICES


def cell(**changes):
    return Cell(**{
        "scenario": "s0-uniform", "overrides": (), "backend": "torch.sgd", "options": (), "budget": "quick",
        "track": "matched", "device": "cpu", "dtype": "float64", "threads": None, **changes,
    })  # fmt: skip


def test_identity_depends_on_every_axis_the_user_names_and_on_nothing_else():
    variants = [
        cell(), cell(scenario="s4-linear"), cell(overrides=(("n_obs", 5),)), cell(backend="torch.adam"),
        cell(options=(("lr", 0.1),)), cell(budget="standard"), cell(track="defaults"), cell(device="cuda"),
        cell(dtype="float32"), cell(threads=1), cell(options=(("chains", 2),)),
    ]  # fmt: skip
    assert len({v.id for v in variants}) == len(variants)
    assert cell().id == cell().id
    # written down once: identities must not change between versions, or no run can be compared with an older one
    assert cell().id == "8515d5974c73"


def test_the_quick_suite_is_four_scenarios_by_six_backends_with_few_steps():
    plan = make(Choice())
    assert len({p.cell.scenario for p in plan.cells}) == 4
    assert len({p.cell.backend for p in plan.cells}) == 6
    assert len(plan.cells) == 24
    assert all(p.cell.resolved_budget().steps <= 1000 for p in plan.cells)
    assert plan.fits == 48


def test_each_round_runs_each_cell_once_in_a_new_seeded_order():
    plan = make(Choice(rounds=3, reps=2))
    jobs = list(plan.jobs())
    rounds = [[j.planned.cell.id for j in jobs if j.round == r] for r in range(3)]
    assert all(sorted(r) == sorted(rounds[0]) for r in rounds)
    assert rounds[0] != rounds[1] != rounds[2]
    assert [j.position for j in jobs] == list(range(len(jobs)))
    assert jobs == list(make(Choice(rounds=3, reps=2)).jobs())
    assert [list(j.reps) for j in jobs if j.planned.cell.id == rounds[0][0]] == [[0, 1], [2, 3], [4, 5]]


def test_lists_sweep_over_scenarios_and_backends():
    plan = make(Choice(scenarios=["correlated-rho95[n_obs=[50,60]]"], backends=["torch.adam[lr=[0.1,0.2]]"]))
    assert sorted((p.cell.scenario_label, p.cell.backend_label) for p in plan.cells) == [
        (f"correlated-rho95[n_obs={n}]", f"torch.adam[lr={lr}]") for n in (50, 60) for lr in (0.1, 0.2)
    ]


def test_a_cell_named_twice_runs_once():
    assert len(make(Choice(scenarios=["s4-linear", "s4-*"], backends=["numpy.gd"])).cells) == 1


def test_globs_and_suites_are_not_explicit():
    named = make(Choice(scenarios=["s4-linear"], backends=["numpy.gd"]))
    globbed = make(Choice(scenarios=["s4-linear"], backends=["numpy.*"]))
    assert [p.explicit for p in named.cells] == [True]
    assert [p.explicit for p in globbed.cells] == [False]


def test_a_suite_can_be_narrowed_and_the_default_suite_replaced():
    narrowed = make(Choice(suite="sources", scenarios=["s0-*"]))
    assert {p.cell.scenario for p in narrowed.cells} == {"s0-exponential", "s0-uniform"}
    both = make(Choice(suite="sources", scenarios=["s3-*"], backends=["torch.map"]))
    assert {(p.cell.scenario, p.cell.backend) for p in both.cells} == {
        ("s3-best", "torch.map"),
        ("s3-linear", "torch.map"),
    }
    replaced = make(Choice(scenarios=["wide-n1000-p100"]))
    assert len(replaced.cells) == 6


def test_the_gpu_suite_has_every_cell_on_both_devices_unless_one_is_named():
    cells = make(Choice(suite="gpu")).cells
    on = {d: {(p.cell.scenario_label, p.cell.backend_label) for p in cells if p.cell.device == d} for d in DEVICES}
    assert on["cpu"] == on["cuda"] and 2 * len(on["cpu"]) == len(cells)
    assert not [p.unsupported() for p in cells if p.unsupported()]
    assert {p.cell.device for p in make(Choice(suite="gpu", device="cuda")).cells} == {"cuda"}
    assert {p.cell.device for p in make(Choice(suite="tiny")).cells} == {"cpu"}


def test_a_suite_decides_the_precision_unless_one_is_named():
    cells = make(Choice(suite="growth", backends=["torch.map"])).cells
    single = {p.cell.scenario_label for p in cells if p.cell.dtype == "float32"}
    assert single and single < {p.cell.scenario_label for p in cells if p.cell.dtype == "float64"}
    named = make(Choice(suite="growth", backends=["torch.map"], dtype="float32"))
    assert {p.cell.dtype for p in named.cells} == {"float32"}


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(scenarios=["s9"]), "unknown scenario 's9'"),
        (Choice(scenarios=["9" * 5000]), "unknown scenario"),
        (Choice(scenarios=["s4-linear"], backends=["torch.sg"]), "did you mean torch.sgd"),
        (Choice(suite="quik"), "did you mean quick"),
        (Choice(budget="big"), "unknown budget 'big'"),
        (Choice(scenarios=["s4-linear[noise=-1]"], backends=["numpy.gd"]), "noise"),
        (Choice(suite="quick", scenarios=["s4-linear"], backends=["numpy.gd"]), "pairs none of"),
        (Choice(suite="quick", scenarios=["wide-n1000-p100"]), "pairs none of"),
    ],
)
def test_what_cannot_be_planned_is_a_usage_error(choice, words):
    with pytest.raises(UsageError, match=r".") as error:
        make(choice)
    assert words in str(error.value)


def test_adding_a_backend_changes_nobodys_seeds(fakes):
    from bench.data import data_seed

    one = make(Choice(scenarios=["correlated-rho95"], backends=["numpy.gd"]))
    two = make(Choice(scenarios=["correlated-rho95"], backends=["fake.exact", "numpy.gd"]))
    assert one.cells[0].cell.id in {p.cell.id for p in two.cells}
    seeds = [data_seed(p.scenario, seed=0, rep=1) for p in (*one.cells, *two.cells)]
    assert len(set(seeds)) == 1


def test_the_defaults_track_takes_each_frameworks_own_precision_unless_one_is_named():
    chosen = {"scenarios": ["s4-linear"], "backends": ["numpyro.nuts", "numpy.gd"]}
    shipped = make(Choice(**chosen, track="defaults"))
    assert [p.cell.dtype for p in shipped.cells] == ["float32", "float64"]
    assert shipped.cells[0].backend.defaults == {"aot": False, "chain_method": "sequential", "progress_bar": True}
    assert {p.cell.dtype for p in make(Choice(**chosen, track="defaults", dtype="float64")).cells} == {"float64"}
    assert {p.cell.dtype for p in make(Choice(**chosen)).cells} == {"float64"}


def test_the_kind_of_a_cell_may_depend_on_its_options():
    plan = make(Choice(scenarios=["s1-known-noise"], backends=["pyro.svi[guide=[normal,delta]]"]))
    assert {p.cell.backend_label: p.kind for p in plan.cells} == {
        "pyro.svi[guide=normal]": "vi",
        "pyro.svi[guide=delta]": "point",
    }
