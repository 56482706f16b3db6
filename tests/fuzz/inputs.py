"""Inputs of users: valid ones, mutated, and nonsense."""

from __future__ import annotations

import copy
import datetime
import json
import math
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
TABLES = [tomllib.loads(f.read_text()) for f in sorted((ROOT / "scenarios").glob("*.toml"))]
TEXTS = [f.read_text() for f in sorted((ROOT / "scenarios").glob("*.toml"))]

OWN = {k for t in TABLES for k in t}
KEYS = st.sampled_from(sorted(OWN | {"weights", "outside", "low", "n_groups", "normal", "x"}))
EXTREMES = st.sampled_from(
    [0, -1, 1, 2, 2**31, 2**53 + 1, 2**63, 10**12, -(10**12), 10**30, 10**400, 0.0, -0.0, 1e-320, 1e-200, 1e200, 1e308,
     -1e308, 5e-324, math.inf, -math.inf, math.nan, 0.1, 1e12]
)  # fmt: skip
WORDS = st.sampled_from(
    ["none", "flat", "normal", "uniform", "linear", "two_groups", "", "\n", "\x1b[31m", "\0", "\u202e", "ok", "../../x",
     "/etc/passwd", "data/none.csv", "data", ".", "é", "𝒳" * 30, "a" * 5000, "[", "nan", "true", "legacy_normal"]
)  # fmt: skip
NAMES = st.one_of(KEYS, WORDS, st.text(max_size=8))
SCALARS = st.one_of(
    EXTREMES, WORDS, st.booleans(), st.integers(-10, 200), st.floats(width=32), st.text(max_size=20),
    st.just(datetime.date(2026, 1, 1)), st.just(datetime.datetime(2026, 1, 1, 1)),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), EXTREMES, WORDS, st.booleans(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything inside a tree of dicts and lists."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = [] if not path else [path]
    for key, value in inner:
        found += places(value, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn, trees: list[Any], values: st.SearchStrategy[Any] = VALUES, most: int = 3) -> Any:
    """One of the trees with a few of its places replaced, removed, doubled, or joined by something new."""
    tree = copy.deepcopy(draw(st.sampled_from(trees)))
    for _ in range(draw(st.integers(1, most))):
        known = places(tree)
        if not known:
            break
        *path, last = draw(st.sampled_from(known))
        inside = tree
        for key in path:
            inside = inside[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "add", "grow"])):
            case "replace":
                inside[last] = draw(values)
            case "remove":
                del inside[last]
            case "add" if isinstance(inside, dict):
                inside[draw(NAMES)] = draw(values)
            case "grow" if isinstance(inside[last], list):
                inside[last] = inside[last] * draw(st.sampled_from([2, 3, 20_000]))
            case _:
                inside[last] = [inside[last]]
    return tree


def toml(value: Any) -> str:
    """A tree as TOML text: tables inline, keys quoted."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f").replace("\\ud", "x")
    if isinstance(value, int):
        return str(value) if abs(value) < 10**1000 else hex(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(k)} = {toml(v)}' for k, v in value.items())}}}"
    return str(value).replace(" ", "T")


def toml_file(tree: dict[str, Any]) -> bytes:
    """A tree as a TOML file."""
    return "".join(f"{toml(k)} = {toml(v)}\n" for k, v in tree.items()).encode(errors="surrogatepass")


@st.composite
def broken_text(draw: st.DrawFn, texts: list[str]) -> bytes:
    """One of the texts with bytes cut out, put in, or repeated."""
    raw = bytearray(draw(st.sampled_from(texts)).encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["cut", "put", "repeat", "nest"])):
            case "cut":
                del raw[at : at + draw(st.integers(1, 30))]
            case "put":
                raw[at:at] = draw(st.binary(max_size=4) | st.text(max_size=4).map(lambda t: t.encode(errors="replace")))
            case "repeat":
                raw[at:at] = raw[at : at + 40] * draw(st.sampled_from([1, 2, 50]))
            case "nest":
                raw[at:at] = draw(st.sampled_from([b"[", b"{a=", b'"', b"9", b"a."])) * draw(st.sampled_from([2, 5000]))
    return bytes(raw)


SELECTORS = [
    "correlated-rho95", "s4-*", "*", "s?-*", "correlated-rho95[n_obs=[100,1000]]", "s0-uniform[priors.sigma={flat=[]}]",
    "correlated-rho95[priors.sigma={half_cauchy=2},n_obs=33]", "eight-schools[parametrisation=centred]",
    "correlated-rho95[weights=[[1.0,2.0],[3.0,4.0]],noise=[0.1,1]]", "torch.adam[lr=0.05,steps=5000]", "torch.*",
    "pyro.svi[guide=[delta,mvn]]", "numpyro.nuts[chains=2]", "exact.posterior[draws=10]", "numpy.gd", "nosuch",
]  # fmt: skip
PIECES = st.sampled_from(
    ["[", "]", "=", ",", "*", "?", "{", "}", "'", '"', " ", ".", "\n", "\0", "n_obs", "lr", "steps", "chains", "true",
     "nan", "-inf", "1e999", "0x" + "f" * 20, "9" * 5000, "1979-05-27", "[[", "]]", "[" * 60, "[" * 3000, "*" * 40, "é",
     "\udcff", "priors.sigma", "family", "description", "sweep", "s4-linear", "torch", "1_000", "+1", "a=1,a=2",
     "#", "\\"]
)  # fmt: skip


@st.composite
def spliced(draw: st.DrawFn, seeds: list[str], pieces: st.SearchStrategy[str] = PIECES) -> str:
    """One of the texts with pieces put in or cut out, or nothing but pieces."""
    if draw(st.integers(0, 4)) == 0:
        return "".join(draw(st.lists(pieces | st.text(max_size=6), max_size=8)))
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        keep = draw(st.sampled_from([0, 0, 1, 5]))
        text = text[:at] + draw(pieces | st.text(max_size=3)) + text[at + keep :]
    return text
