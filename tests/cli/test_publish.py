"""`bench publish`: folders that stand by themselves, and the pages over them."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from tests import in_process


def published(copied_run, *args):
    return in_process.run("publish", "r", "--to", "public", *args, cwd=copied_run.parents[1])


def contents(place: Path) -> dict[str, bytes]:
    return {str(f.relative_to(place)): f.read_bytes() for f in sorted(place.rglob("*")) if f.is_file()}


def test_a_run_is_a_folder_of_report_tables_and_environment_with_pages_of_the_same_bytes(copied_run):
    place = copied_run.parents[1] / "public"
    assert published(copied_run, "--name", "b", "--about", "two <fakes>").code == 0
    done = published(copied_run, "--name", "a")
    assert done.code == 0 and "one of 2 in" in done.out
    files = {
        "report.html",
        "report.md",
        "run.json",
        "environment.txt",
        "fits.csv",
        *(f"{table}.parquet" for table in ("fits", "metrics", "curves")),
    }
    assert {f.name for f in (place / "a").iterdir()} == files
    markdown, page = (place / "README.md").read_text(), (place / "index.html").read_text()
    assert markdown.index("[a](a/report.md)") < markdown.index("[b](b/report.md)")
    assert "two &lt;fakes&gt;" in markdown and "two &lt;fakes&gt;" in page and "1 scenario × 2 backends" in page
    assert "command: python -m bench run -s correlated" in (place / "a" / "environment.txt").read_text()
    before = contents(place)
    (place / "scenarios" / "gone.html").write_text("of a run that is no longer there")
    assert published(copied_run, "--name", "b").code == 0
    assert contents(place) == before, "what it compares is kept, too"
    again = in_process.run("publish", "public/a", "--to", "public", cwd=place.parent)
    assert again.code == 0 and contents(place) == before, "written anew where it is"
    _pages_lead_everywhere(place, before)


def test_scores_of_each_of_many_parameters_are_left_out_and_all_others_stay(copied_run, monkeypatch):
    monkeypatch.setattr("bench.cli.publish.MOST_PARTS", 2)
    place = copied_run.parents[1] / "public"
    assert published(copied_run).code == 0
    before, after = (pd.read_parquet(folder / "metrics.parquet") for folder in (copied_run, place / "r"))
    parts = before[before["part"] != ""].groupby(["cell", "rep", "metric"], dropna=False)["part"].transform("count")
    many = parts.index[parts > 2]
    assert 0 < len(many) < len(parts), "some scores have two parts or fewer"
    pd.testing.assert_frame_equal(after, before.drop(many).reset_index(drop=True))
    kept = contents(place)
    assert in_process.run("publish", "public/r", "--to", "public", cwd=place.parent).code == 0
    assert contents(place) == kept


def _pages_lead_everywhere(place: Path, files: dict[str, bytes]) -> None:
    """Every link of the site is a file of it; a page per scenario and backend has a row per run."""
    pages = {name: text.decode() for name, text in files.items() if name.endswith(".html") and "report" not in name}
    assert len([name for name in pages if name.startswith("scenarios/")]) == 1
    assert len([name for name in pages if name.startswith("backends/")]) == 2
    for name, text in pages.items():
        for link in re.findall(r'href="([^"]+)"', text):
            assert (place / name).parent.joinpath(unquote(unescape(link)).partition("#")[0]).is_file(), (name, link)
        if "/" in name:
            assert {run for run in ("a", "b") if f">{run}</a>" in text} == {"a", "b"}
            assert text.count('<th scope="row">') == 2 * (2 if name.startswith("scenarios/") else 1)


def test_what_cannot_be_published_is_said(copied_run):
    assert all(published(copied_run, "--name", name).code == 2 for name in ("../b", "..", "backends", "style.css"))
    precious = copied_run.parents[1] / "precious" / "own"
    precious.mkdir(parents=True)
    refused = published(copied_run, "--to", "precious", "--name", "own")
    assert refused.code == 2 and "holds no published run" in refused.err and precious.is_dir()
    manifest = json.loads((copied_run / "run.json").read_text())
    (copied_run / "run.json").write_text(json.dumps({**manifest, "state": "interrupted"}))
    refused = published(copied_run)
    assert refused.code == 2 and "is interrupted; first: " in refused.err
    (copied_run / "run.json").write_text(json.dumps(manifest))
    (copied_run / "metrics.parquet").unlink()
    refused = published(copied_run)
    assert refused.code == 2 and "has no metrics.parquet" in refused.err
    assert not (copied_run.parents[1] / "public").exists()
