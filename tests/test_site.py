"""The documentation site: built without a network, all links lead somewhere, its reference is what the code says."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import VERBS
from bench.score.catalog import METRICS
from bench.store.columns import FITS
from tests.conftest import ROOT

pytest.importorskip("mkdocs", reason="the site needs its tools: pip install mkdocs-material 'mkdocstrings[python]'")


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "-f", str(config), "-d", str(site)]
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def test_the_reference_has_every_verb_metric_column_and_option():
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages = module.pages()
    assert [line[9:] for line in pages["cli.md"].splitlines() if line.startswith("## bench ")] == list(VERBS)
    assert "| `--max-disturbance SHARE` | Repeat a child" in pages["cli.md"]
    assert all(f"| `{name}` |" in pages["metrics.md"] for name in METRICS)
    assert all(f"| `{name}` |" in pages["columns.md"] for name in FITS)
    assert "| `torch.adam` | `lr` |" in pages["catalogue.md"]
    for name in ("cli.md", "metrics.md", "columns.md", "catalogue.md"):
        rows = [line for line in pages[name].splitlines() if line.startswith("| ")]
        assert all(len(re.split(r"(?<!\\)\|", row)) in (4, 5, 6, 7, 8) and row.endswith(" |") for row in rows)


@pytest.mark.slow
def test_the_site_is_whole_and_needs_no_network(tmp_path: Path):
    built = build(ROOT / "mkdocs.yml", tmp_path)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = [page for page in tmp_path.rglob("*.html") if "published" not in page.parts]
    assert len(pages) > 20
    for page in pages:
        assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(?:https?:)?//", page.read_text()), page
    found = json.loads((tmp_path / "search" / "search_index.json").read_text())["docs"]
    assert {"cli/", "api/", "metrics/", "gallery/"} <= {entry["location"] for entry in found}
    assert "bench.run" in (tmp_path / "python" / "index.html").read_text()
    assert (tmp_path / "published" / "standard-cpu" / "report.html").is_file()


@pytest.mark.slow
def test_a_dead_link_fails_the_build(tmp_path: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[nowhere](nowhere.md)\n")
    text = re.sub(r"^(hooks|extra_css|nav):.*?(?=^\S|\Z)", "", (ROOT / "mkdocs.yml").read_text(), flags=re.M | re.S)
    (tmp_path / "mkdocs.yml").write_text(text)
    built = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert built.returncode != 0
    assert "nowhere.md" in built.stdout + built.stderr
