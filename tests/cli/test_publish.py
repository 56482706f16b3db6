"""`bench publish`: folders that stand by themselves, and their index."""

from __future__ import annotations

import json

from tests import in_process


def published(copied_run, *args):
    return in_process.run("publish", "r", "--to", "public", *args, cwd=copied_run.parents[1])


def test_a_run_is_a_folder_of_report_and_tables_with_an_index_of_the_same_bytes(copied_run):
    place = copied_run.parents[1] / "public"
    assert published(copied_run, "--name", "b", "--about", "two <fakes>").code == 0
    done = published(copied_run, "--name", "a")
    assert done.code == 0 and "one of 2 in" in done.out
    files = {
        "report.html",
        "report.md",
        "run.json",
        "fits.csv",
        *(f"{table}.parquet" for table in ("fits", "metrics", "curves")),
    }
    assert {f.name for f in (place / "a").iterdir()} == files
    assert (place / "a" / "report.html").read_bytes() == (copied_run / "report.html").read_bytes()
    markdown, page = (place / "README.md").read_text(), (place / "index.html").read_text()
    assert markdown.index("[a](a/report.md)") < markdown.index("[b](b/report.md)")
    assert "two &lt;fakes&gt;" in markdown and "two &lt;fakes&gt;" in page and "1 scenario × 2 backends" in page
    before = {f: f.read_bytes() for f in place.rglob("*") if f.is_file()}
    assert published(copied_run, "--name", "a").code == 0
    assert {f: f.read_bytes() for f in place.rglob("*") if f.is_file()} == before


def test_what_cannot_be_published_is_said(copied_run):
    assert published(copied_run, "--name", "../b").code == 2
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
