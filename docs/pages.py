"""What the site has beside the pages of this folder, made when `make docs` builds it: no fact stands twice.

A hook of MkDocs. Pages of files elsewhere (README, architecture, changelog, published runs, example models), and of
what the code itself says (command line, metrics, columns, what there is to run).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from bench.catalog.backends import backend
from bench.cli import VERBS, Verbs
from bench.cli.catalog import LISTERS
from bench.score.catalog import METRICS
from bench.store.columns import TABLES

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "results" / "published"
LINKS = {
    r"\]\(docs/": "](",
    r"\]\(results/published/README\.md\)": "](gallery.md)",
    r"\]\((?:\.\./)?ARCHITECTURE\.md\)": "](architecture.md)",
    r"\]\((?:\.\./)?CHANGELOG\.md\)": "](changelog.md)",
    r"\]\(models/\)": "](models.md)",
}
"""Links that lead somewhere in a checkout, with where they lead on the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the published runs as they are."""
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    for file in sorted(PUBLISHED.rglob("*")):
        if file.is_file() and file.suffix != ".md":
            files.append(File.generated(config, f"published/{file.relative_to(PUBLISHED)}", abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of a checkout become links of the site."""
    for link, there in LINKS.items():
        markdown = re.sub(link, there, markdown)
    return markdown


def pages() -> dict[str, str]:
    """{file of the site: Markdown}."""
    return {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8"),
        "architecture.md": (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "gallery.md": _gallery(),
        "models.md": "\n".join(_models()),
        "cli.md": "\n".join(_command_line()),
        "api.md": API,
        "metrics.md": "\n".join(_metrics()),
        "columns.md": "\n".join(_columns()),
        "catalogue.md": "\n".join(_catalogue()),
    }


API = """# Python API

`import bench` is light: what it needs is imported when it is used. [From Python](python.md) shows it at work.

""" + "\n\n".join(
    f"::: bench.api.{where}"
    for where in ("making.run", "results.load", "results.Run", "results.Page", "comparing.compare",
                  "comparing.Comparison", "models.model")
)  # fmt: skip


def _gallery() -> str:
    """The table of published runs, its links into the copies that lie beside this page."""
    text = (PUBLISHED / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(([\w-]+)/report\.(?:md|html)\)", r"](published/\1/report.html)", text)
    return text.replace("# Published runs", "# Published reports", 1)


def _models() -> Iterator[str]:
    yield "# Example models\n\nFolders of `docs/models` in a checkout, for [a model of your own](own-model.md)."
    for folder in sorted((ROOT / "docs" / "models").iterdir()):
        yield f"\n## {folder.name}\n"
        for file in sorted(folder.glob("*"), key=lambda file: (file.suffix != ".toml", file.name)):
            if file.suffix in (".toml", ".py", ".stan"):
                language = {".py": "python", ".toml": "toml"}.get(file.suffix, "text")
                yield f"`{file.name}`\n\n```{language}\n{file.read_text(encoding='utf-8').rstrip()}\n```\n"


def _command_line() -> Iterator[str]:
    yield "# Command line\n\n`bench VERB`, or `python -m bench VERB`. Names in `-s` and `-b` may be globs.\n"
    group = Verbs(name="bench")
    for verb in VERBS:
        command: Any = group.get_command(None, verb)
        context = command.make_context("bench", [], resilient_parsing=True)
        yield f"## bench {verb}\n"
        for block in command.help.split("\n\n"):
            text = block.removeprefix("\b\n")
            yield f"```text\n{text}\n```\n" if re.search(r"\n {2}|\S {3}", text) else f"{text}\n"
        yield from _table(("option", "meaning"), (_parameter(p, context) for p in command.get_params(context)))


def _parameter(parameter: Any, context: Any) -> tuple[str, str]:
    """What is typed, and its help with the default; `--suite STR` where typer writes `--suite <str>`."""
    names, meaning = parameter.get_help_record(context) or ("", parameter.help)
    if parameter.param_type_name == "argument":
        names = parameter.metavar or parameter.name.upper()
    return "`" + re.sub(r"<(\w+)>", lambda match: match[1].upper(), names) + "`", meaning or ""


def _metrics() -> Iterator[str]:
    yield "# Metrics\n\nWhat `metrics.parquet` and `curves.parquet` hold. What does not apply to a fit has no row.\n"
    yield from _table(
        ("metric", "unit", "better", "kinds", "definition", "source"),
        (
            (f"`{m.name}`", m.unit, m.direction, ", ".join(sorted(m.kinds)), m.definition, m.source)
            for m in METRICS.values()
        ),
    )


def _columns() -> Iterator[str]:
    yield "# Tables and columns\n\nThree tidy tables, as Parquet and as CSV. Columns are added, never removed.\n"
    for name, table in TABLES.items():
        yield f"## {name}\n"
        yield from _table(
            ("column", "type", "what it holds"), ((f"`{k}`", c.type, c.meaning) for k, c in table.items())
        )


def _catalogue() -> Iterator[str]:
    yield "# Scenarios, backends, suites\n\nWhat comes with posterior-bench; `bench list` has yours among them."
    for thing in ("suites", "scenarios", "backends"):
        yield f"\n## {thing.capitalize()}\n"
        rows = [row for row in LISTERS[thing](Path("results")) if not row.get("from")]
        keys = [key for key in rows[0] if key not in ("from", "state")]
        yield from _table(keys, ([f"`{row['name']}`", *(row[key] for key in keys[1:])] for row in rows))
    yield "\n## Options of backends\n\nWhat stands in brackets: `-b 'torch.adam[lr=0.05]'`.\n"
    names = [row["name"] for row in LISTERS["backends"](Path("results")) if not row["from"]]
    options = ((name, o) for name in names for o in backend(name).options.values())
    yield from _table(
        ("backend", "option", "default", "allowed", "meaning"),
        ((f"`{name}`", f"`{o.name}`", o.default, o.allowed, o.help) for name, o in options),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        cells = (re.sub(r"(?<!\\)\|", r"\\|", " ".join(str(cell).split())) for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""
