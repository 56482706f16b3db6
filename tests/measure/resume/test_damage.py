"""What is damaged or of somebody else is named and left out, by every verb."""

import json
import shutil

import pandas as pd
import pytest


@pytest.fixture
def copied(finished_run, place):
    shutil.copytree(finished_run, place.run)
    shutil.copytree(finished_run, place.path / "results" / "q")
    return place


def fit_of(place, backend, rep):
    manifest = json.loads((place.run / "run.json").read_text())
    cell = next(c["id"] for c in manifest["cells"] if c["backend"] == backend)
    return place.run / "fits" / f"{cell}-{rep}"


RECORDS = {
    "torn": lambda r: json.dumps(r)[:40],
    "not text": lambda r: b"\xff\xfe\x00",
    "a list": lambda r: "[1, 2]",
    "deep": lambda r: "[" * 100_000,
    "of another fit": lambda r: json.dumps(r | {"rep": 7}),
    "unknown status": lambda r: json.dumps(r | {"status": "great"}),
    "seconds in words": lambda r: json.dumps(r | {"seconds": {"sample": "long"}}),
    "negative seconds": lambda r: json.dumps(r | {"seconds": {"sample": -1.0}}),
    "infinite seconds": lambda r: json.dumps(r | {"seconds": {"sample": float("inf")}}),
    "a number as notes": lambda r: json.dumps(r | {"notes": 3}),
    "half of it": lambda r: json.dumps({"cell": r["cell"]}),
    "empty": lambda r: "",
}


@pytest.mark.parametrize("damage", RECORDS)
def test_a_damaged_record_is_a_row_that_names_the_damage(copied, damage):
    from bench.store.folder import RunFolder
    from bench.store.tables import fits_table

    file = fit_of(copied, "fake.exact", 1) / "record.json"
    content = RECORDS[damage](json.loads(file.read_text()))
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    folder = RunFolder(copied.run)
    row = fits_table(folder).query("backend == 'fake.exact' and rep == 1").iloc[0]
    assert row.status == "interrupted" and row.reason.startswith("record.json is damaged (")
    assert list(folder.damage) == [str(file.relative_to(copied.run))]


@pytest.mark.slow
def test_every_verb_goes_on_past_damage_and_names_it(copied):
    (fit_of(copied, "fake.exact", 1) / "record.json").write_text("{")
    (fit_of(copied, "fake.instrument", 0) / "draws.nc").write_bytes(b"\x89HDF then nothing")
    ledger = copied.run / "children.jsonl"
    ledger.write_text('nonsense\n[3]\n{"cell": 1}\n' + ledger.read_text() + '{"torn')
    said = copied.bench("score", "r")
    assert said.count("warning: ") == 3, said
    assert "record.json is damaged" in said and "draws.nc is damaged" in said and "children.jsonl is damaged" in said
    assert "3 damaged, the first is line 1" in said
    fits = pd.read_parquet(copied.run / "fits.parquet")
    assert sorted(fits.status) == ["interrupted", "interrupted", "ok", "ok"]
    assert fits[fits.status == "ok"].started.notna().all()
    assert len(pd.read_parquet(copied.run / "metrics.parquet").query("rep.notna()").groupby(["cell", "rep"])) == 2
    for verb in (("report", "r"), ("compare", "q", "r"), ("export", "r", "--to", "out"),
                 ("plot", "r", "-s", "*", "--kind", "posterior"), ("info", "r")):  # fmt: skip
        process = copied.start(*verb)
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, 1, 6) and "Traceback" not in err, (verb, err)
    assert "draws.nc is damaged" in copied.bench("plot", "r", "-s", "*", "-b", "fake.instrument", "--rep", "0",
                                                 "--kind", "posterior", code=2)  # fmt: skip


def test_damaged_tables_are_made_again_or_named(copied):
    for name in ("fits", "metrics"):
        (copied.run / f"{name}.parquet").write_bytes(b"PAR1 and no more")
    said = copied.bench("report", "r")
    assert "fits.parquet is damaged" in said and "metrics.parquet is damaged" in said
    assert "first: bench score r" in copied.bench("export", "r", code=2)
    said = copied.bench("query", "select run, count(*) as n from fits group by run order by run", "--format", "csv")
    assert "r,8" in said  # both call themselves r; the fits of one come from its records
    assert "fits.parquet: not there" not in copied.bench("check", "r", code=3)
    copied.bench("score", "r")
    copied.bench("check", "r")


OF_OTHERS = ["{", "[]", '{"schema": 1}', '{"schema": 99}', '{"name": "of another program"}']


def test_damaged_and_foreign_runs_are_left_out_of_what_reads_all_runs(copied):
    results, names = copied.path / "results", [f"r{i}" for i in range(len(OF_OTHERS))]
    for name, content in zip(names, OF_OTHERS, strict=True):
        shutil.copytree(copied.run, results / name, ignore=shutil.ignore_patterns("fits.*"))
        (results / name / "run.json").write_text(content)
    shutil.rmtree(copied.run)
    said = copied.bench("query", "select count(*) as n from fits", "--format", "csv")
    assert "\n4\n" in said
    assert all(f"warning: results/{name}/run.json is damaged" in said for name in names)
    listed = json.loads(copied.bench("list", "runs", "--json"))
    assert {row["name"]: row["state"] for row in listed} == {"q": "finished"} | dict.fromkeys(names, "damaged")
    assert "q/report.html" in copied.bench("report", "latest")
    for name in names:
        for verb in ("score", "report", "check"):
            said = copied.bench(verb, name, code=2)
            assert f"results/{name}" in said and len(said.strip().splitlines()) == 1
