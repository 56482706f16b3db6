"""report.md for a comment: golden words per verdict, and lengths that no service drops.

BENCH_GOLDEN=write python -m pytest tests/reports/test_markdown.py      writes the golden files anew: read the diff
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analysis.combined import Source, combine
from bench.analysis.sections import report, sections
from bench.analysis.tables import RunTables
from bench.present import markdown
from tests.comparison.runs import with_facts
from tests.present.conftest import FAKES, Fake

GOLDEN = Path(__file__).parent / "golden"
NUTS = Fake("numpyro.nuts", "mcmc", 0.12, 0.004, importing=0.0, seed=2)
SVI = Fake("pyro.svi", "vi", 0.08, 0.41, {"guide": "normal"}, seed=4)
HOST = {"cpu": "A CPU", "logical_cpus": 2, "memory_bytes": 8 << 30, "system": "Linux 6"}
SETS: dict[str, tuple[Fake, ...]] = {
    "clear": FAKES,
    "no difference": (NUTS, dataclasses.replace(NUTS, backend="numpyro.twin", spread=0.3, seed=12), SVI),
    "equivalent": (NUTS, dataclasses.replace(NUTS, backend="numpyro.twin", seed=12), SVI),
    "trade-off": (NUTS, Fake("pyro.nuts", "mcmc", 2.0, 0.0005, seed=3), SVI),
    "split": (dataclasses.replace(NUTS, compile=5.0), Fake("pyro.nuts", "mcmc", 2.0, 0.004, divergences=0.5, seed=3)),
    "only one": (NUTS, SVI, FAKES[6], FAKES[8]),
    "none": (SVI, FAKES[6], FAKES[8]),
}


def side_by_side(make: Callable[..., RunTables]) -> RunTables:
    a, b = make((NUTS, SVI)), make((NUTS, Fake("pyro.nuts", "mcmc", 2.0, 0.004, seed=3)))
    gpu = with_facts(a, host={**HOST, "cpu": "B CPU", "gpu": "A GPU"})
    a, b = (with_facts(r, host=HOST) for r in (a, b))
    return combine([Source("monday", a), Source("friday", b), Source("on-gpu", gpu)])


def upper(text: str) -> str:
    """What is there before the long tables: those have tests of their own."""
    return text.partition("<details><summary>Every row")[0]


@pytest.mark.parametrize("name", [*SETS, "side by side"])
def test_the_words_of_every_kind_of_verdict(make: Callable[..., RunTables], name: str):
    tables = side_by_side(make) if name == "side by side" else make(SETS[name])
    if name in SETS:
        state = sections(tables)[0].verdict.state
        assert state == {"no difference": "no difference shown"}.get(name, name)
    made = upper(markdown.render(report(tables)))
    file = GOLDEN / f"{name.replace(' ', '-')}.md"
    if os.environ.get("BENCH_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(made)
    assert made == file.read_text()


def test_what_is_not_installed_is_said_once_with_one_command(make: Callable[..., RunTables]) -> None:
    gone = {"blackjax.nuts": "blackjax", "stan.nuts": "httpstan", "stan.advi": "httpstan"}
    absent = [
        Fake(name, "mcmc", status="unavailable", reason=f"{what} is not installed; bench install {name.split('.')[0]}")
        for name, what in gone.items()
    ]
    nowhere = Fake("torch.nuts", "mcmc", status="unavailable", reason="cuda was asked for; torch found none")
    tables = make((NUTS, *absent, nowhere), scenarios=("s0", "s1"))
    text = markdown.render(report(tables))
    assert (
        "> Not installed, so not compared: blackjax.nuts, stan.advi and stan.nuts; bench install blackjax stan" in text
    )
    assert "> Not available here: torch.nuts: cuda was asked for; torch found none." in text
    assert "| scenario | `numpyro.nuts` |\n" in text  # no column of the matrix has nothing in it
    assert "- s0, s1 × `stan.nuts`: **not available**: httpstan is not installed; bench install stan\n" in text


def fits_limits(text: str) -> None:
    assert len(text) <= 30_000 and text.count("\n") < 200
    assert text.startswith("<!-- bench-report -->\n### Which backend\n")
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize(
    ("scenarios", "backends", "cut"),
    [
        (1, 8, ""),
        (8, 8, "the rows of each scenario and the list of versions"),
        (50, 5, "the matrix"),
        (190, 1, "everything but"),
    ],
)
def test_the_report_fits_into_a_comment_and_says_what_was_cut(
    make: Callable[..., RunTables], scenarios: int, backends: int, cut: str
):
    names = tuple(f"s{i:03}-of-a-name-as-long-as-they-are" for i in range(scenarios))
    fakes = tuple(dataclasses.replace(f, backend=f"{f.backend}{i}") for i, f in enumerate((FAKES[:4] * 2)[-backends:]))
    text = markdown.render(report(make(fakes, scenarios=names, reps=2, rounds=1)))
    fits_limits(text)
    assert ("Cut here for length" in text) == bool(cut)
    assert cut in text
    assert len(re.findall(r"^- \*\*No verdict\*\*", text, re.MULTILINE)) == min(scenarios, 12)
    if scenarios > 12:
        assert f"{scenarios - 12} verdicts more" in text
    if cut != "everything but":
        assert all(f"| {name.replace('_', chr(92) + '_')} |" in text for name in names)


def test_texts_long_beyond_reason_are_cut_too(make: Callable[..., RunTables]):
    fakes = [Fake("a.b", "mcmc", 1.0, 0.002, {"k": "x" * 3000 + str(i)}, seed=i) for i in range(14)]
    fits_limits(markdown.render(report(make(tuple(fakes), reps=2, rounds=1))))


def test_the_choice_names_every_one_of_the_best_group(make: Callable[..., RunTables]):
    lines = markdown.render(report(make(SETS["no difference"]))).splitlines()
    row = next(line for line in lines if line.startswith("| s0-exponential | each further fit | **"))
    assert "**`numpyro.nuts`** or **`numpyro.twin`**" in row or "**`numpyro.twin`** or **`numpyro.nuts`**" in row
    assert "no difference shown" in row
