"""What `bench run --resume` makes, and what it refuses."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from bench import pipeline
from bench.measure.executor import End
from bench.measure.resume import changes, missing
from bench.plan import Choice, make
from bench.store.folder import RunFolder
from bench.store.records import Record
from bench.types import STATUSES
from tests.measure.inprocess import InProcess
from tests.measure.resume.conftest import tables

ONE = ("-s", "mine", "-b", "fake.instrument[draws=100]", "--reps", "2", "--rounds", "2", "--name", "r")
QUICK = ("-s", "correlated-rho95", "-b", "fake.instrument", "--name", "r", "--no-score")
FLAKY = '''"""Invalid where a file says so; it times no phase."""
import os
from pathlib import Path
from dataclasses import dataclass
from bench.types import Fit
import numpy as np
KIND = "mcmc"
@dataclass(frozen=True)
class Options:
    pass
def build(data, budget, options, place):
    return budget
def fit(budget, data, seed, clock):
    fault = Path(os.environ["FLAKY"]).read_text()
    rng = np.random.default_rng(seed)
    size = (budget.chains, budget.draws)
    if fault == "invalid":
        size = (budget.chains, 0)
    return {p.name: rng.uniform(0.5, 1.0, (*size, *p.shape)) for p in data.parameters}
def draw(state):
    return Fit("mcmc", state, stats={"gradients": 10})
'''


class Limited(InProcess):
    """Ends the children of `flaky.one` at their limit of time where the file says so."""

    def submit(self, request, into, tick):
        late = request.task["cell"]["backend"] == "flaky.one" and Path(os.environ["FLAKY"]).read_text() == "timeout"
        if late:
            return End(-9, "timeout", request.timeout, 2**20, load_average=0.0, reference_seconds=(0.01, 0.01))
        return super().submit(request, into, tick)


@pytest.fixture
def mine(place):
    """A place with a scenario file of its own."""
    from tests.conftest import ROOT

    folder = place.path / "scenarios"
    folder.mkdir()
    shutil.copy(ROOT / "scenarios" / "correlated-rho95.toml", folder / "mine.toml")
    place.env["BENCH_SCENARIOS"] = str(folder)
    return place


def manifest(place, **changes):
    file = place.run / "run.json"
    found = json.loads(file.read_text())
    file.write_text(json.dumps(found | changes))
    return found


def test_a_round_that_lacks_a_rep_is_made_again_as_a_whole_and_the_others_are_not(mine):
    mine.bench("run", *ONE)
    before = tables(mine.run)
    times = {f.parent.name: f.stat().st_mtime_ns for f in mine.run.glob("fits/*/record.json")}
    cell = next(iter(times)).partition("-")[0]
    shutil.rmtree(mine.run / "fits" / f"{cell}-1")
    assert "reps 1 were not made" in mine.bench("check", "r", code=3)
    mine.bench("run", "--resume", "r")
    after = {f.parent.name: f.stat().st_mtime_ns for f in mine.run.glob("fits/*/record.json")}
    assert {n for n in after if after[n] != times[n]} == {f"{cell}-0", f"{cell}-1"}
    for mine_, other in zip(tables(mine.run), before, strict=True):
        pd.testing.assert_frame_equal(mine_, other)
    records = [json.loads((mine.run / "fits" / f"{cell}-{rep}" / "record.json").read_text()) for rep in range(4)]
    assert records[0]["child"] == records[1]["child"] != records[2]["child"] == records[3]["child"]
    assert len(json.loads((mine.run / "run.json").read_text())["resumed"]) == 1
    mine.bench("check", "r")


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", ["record", "foreign", "draws", "no draws", "interrupted", "several children"])
def test_what_cannot_be_believed_is_made_again(place, finished_run, spoilt):
    shutil.copytree(finished_run, place.run)
    fit = sorted(place.run.glob("fits/*-1"))[0]
    record = json.loads((fit / "record.json").read_text())
    if spoilt == "record":
        (fit / "record.json").write_text('{"cell": "')
    elif spoilt == "foreign":
        (fit / "record.json").write_text(json.dumps(record | {"rep": 0}))
    elif spoilt == "draws":
        (fit / "draws.nc").write_bytes((fit / "draws.nc").read_bytes()[:1000])
    elif spoilt == "no draws":
        (fit / "draws.nc").unlink()
    elif spoilt == "interrupted":
        (fit / "record.json").write_text(json.dumps(record | {"status": "interrupted"}))
    else:
        (fit / "record.json").write_text(json.dumps(record | {"child": "another"}))
    assert "bench run --resume" in place.bench("check", "r", code=3)
    said = place.bench("run", "--resume", "r")
    if spoilt not in ("interrupted", "several children"):
        assert f"warning: {fit.relative_to(place.path)}" in said
    assert "[1/1]" in said
    place.bench("check", "r")


@pytest.mark.slow
def test_a_changed_scenario_version_or_machine_is_refused_by_name_unless_allowed(mine):
    mine.bench("run", *ONE)
    shutil.rmtree(sorted(mine.run.glob("fits/*-0"))[0])
    found = manifest(mine)
    manifest(mine, versions=found["versions"] | {"numpy": "1.0", "torch": "1.0"})
    said = mine.bench("run", "--resume", "r", code=2)
    assert "numpy was 1.0 and is " in said and "torch" not in said  # no fit here can see torch
    assert said.count("\n") == 1 and "--allow-changes" in said
    manifest(mine, versions=found["versions"], host=found["host"] | {"machine": "x", "cpu": "Another CPU"})
    assert "the machine was Another CPU" in mine.bench("run", "--resume", "r", code=2)
    manifest(mine, host=found["host"], cells=[found["cells"][0] | {"backend_digest": "0"}])
    assert "the source of backend fake.instrument has changed" in mine.bench("run", "--resume", "r", code=2)
    manifest(mine, cells=found["cells"])
    file = mine.path / "scenarios" / "mine.toml"
    file.write_text(file.read_text().replace('description = "', 'description = "now '))
    assert "the source of scenario mine has changed" in mine.bench("run", "--resume", "r", code=2)
    mine.bench("run", "--resume", "r", "--allow-changes")
    assert "has changed" in json.loads((mine.run / "run.json").read_text())["resumed"][0]["changes"][0]
    assert "scenario digests differ" in mine.bench("check", "r", code=3)


@pytest.mark.parametrize(
    ("retry", "again"),
    [
        (None, {"interrupted"}),
        ("failed", {"interrupted", "failed", "crashed", "invalid", "memory"}),
        ("timeout", {"interrupted", "timeout"}),
        ("all", {"interrupted", "failed", "crashed", "invalid", "memory", "timeout", "unsupported", "unavailable"}),
    ],
)
def test_which_statuses_each_retry_means(fakes, tmp_path, retry, again):
    made = make(Choice(scenarios=["correlated-rho95"], backends=["fake.exact"], reps=1, rounds=len(STATUSES)))
    folder, cell = RunFolder.create(tmp_path, "r"), made.cells[0].cell.id
    for rep, status in enumerate(STATUSES):
        folder.write_fit(Record(cell, rep, rep, rep, True, status, child=str(rep)))
        if status == "ok":
            (folder.fit(cell, rep) / "draws.npz").write_bytes(empty_zip())
    assert {STATUSES[job.round] for job in missing(folder, made, retry)} == again


def empty_zip():
    held = io.BytesIO()
    zipfile.ZipFile(held, "w").close()
    return b"PK" + held.getvalue()


def test_a_run_that_lacks_no_fit_is_only_scored_whatever_has_changed(mine):
    mine.bench("run", *ONE, "--no-score")
    found = manifest(mine)
    manifest(mine, host=found["host"] | {"machine": "x"})
    assert "[1/" not in mine.bench("run", "--resume", "r")


def test_no_slots_are_started_for_a_run_that_lacks_no_fit(mine):
    pytest.importorskip("distributed")
    mine.bench("run", *ONE, "--no-score")
    assert "slot" not in mine.bench("run", "--resume", "r", "--executor", "tcp://127.0.0.1:1")  # where nobody listens


@pytest.mark.parametrize("status", ["invalid", "timeout"])
def test_retry_makes_again_what_ended_so_and_only_that(place, status):
    folder = place.path / "more" / "flaky"
    folder.mkdir(parents=True)
    for name in ("__init__.py", "runtime.py"):
        shutil.copy(place.path.joinpath(place.env["BENCH_BACKENDS"], "fake", name), folder / name)
    (folder / "one.py").write_text(FLAKY)
    place.env |= {"BENCH_BACKENDS": place.env["BENCH_BACKENDS"] + f":{folder.parent}", "FLAKY": str(place.path / "f")}
    place.executor = Limited
    (place.path / "f").write_text(status)
    place.bench(
        "run",
        "-s",
        "correlated-rho95",
        "-b",
        "flaky.one[draws=100]",
        "-b",
        "fake.instrument[draws=100]",
        "--name",
        "r",
        "--no-score",
        code=3,
    )
    assert pd.read_parquet(place.run / "fits.parquet").status.value_counts().to_dict() == {"ok": 2, status: 2}
    (place.path / "f").write_text("")
    place.bench("run", "--resume", "r", "--no-score", code=3)  # nothing is missing
    other = "failed" if status == "timeout" else "timeout"
    place.bench("run", "--resume", "r", "--retry", other, "--no-score", code=3)
    kept = {f: f.stat().st_mtime_ns for f in place.run.glob("fits/*/record.json") if '"ok"' in f.read_text()}
    place.bench("run", "--resume", "r", "--retry", "timeout" if status == "timeout" else "failed", "--timeout", "60")
    assert set(pd.read_parquet(place.run / "fits.parquet").status) == {"ok"}
    assert len(kept) == 2 and all(f.stat().st_mtime_ns == at for f, at in kept.items())
    place.bench("check", "r")


def test_other_options_are_a_usage_error(place):
    place.bench("run", *QUICK)
    side = place.path / "results" / "side" / "run.json"
    shutil.copytree(place.run, side.parent)
    side.write_text(json.dumps(json.loads(side.read_text()) | {"ab": {"side": "a"}}))
    for args, words in [
        (("--resume", "r", "-b", "torch.*"), "--backend: a resumed run has its options from its beginning"),
        (("--resume", "r", "--threads", "1", "--fresh"), "--threads, --fresh"),
        (("--resume", "r", "--reps", "9"), "--reps"),
        (("--resume", "r", "--name", "x"), "--name"),
        (("--resume", "r", "--retry", "some"), "one of failed, timeout, all"),
        (("--retry", "failed"), "--retry needs a run"),
        (("--allow-changes",), "--allow-changes needs a run"),
        (("--resume", "side"), "is one side of `bench ab`"),
        (("--resume", "q"), "unknown run (in results) 'q'"),
    ]:
        said = place.bench("run", *args, code=2)
        assert words in said and len(said.strip().splitlines()) == 1, said
    place.bench("run", "--resume", "r", "--timeout", "50", "--memory", "2G", "--max-disturbance", "0.9", "--no-score")


def test_a_run_that_somebody_is_making_is_left_alone(place):
    process = place.start("run", "-s", "correlated-rho95", "-b", "fake.faulty[fault=sleep]", "--name", "r")
    place.wait_for(lambda: list(place.run.glob("fits/.*-round*.log")))
    assert "is being made by another process" in place.bench("run", "--resume", "r", code=2)
    assert "running" in place.bench("list", "runs")
    process.kill()
    process.wait()
    place.wait_for(lambda: "broken off" in place.bench("list", "runs"))


@pytest.mark.slow
def test_two_runs_started_at_once_never_share_a_folder(place):
    same_name = [place.start("run", *QUICK) for _ in range(3)]
    ends = sorted((p.communicate(), p.returncode) for p in same_name)
    codes = sorted(code for _, code in ends)
    assert codes == [0, 2, 2]
    assert all("run 'r' exists in results" in err for (_, err), code in ends if code == 2)
    unnamed = [place.start("run", "-s", "correlated-rho95", "-b", "fake.instrument", "--no-score") for _ in range(3)]
    assert [(p.communicate(), p.returncode)[1] for p in unnamed] == [0, 0, 0]
    assert len(list((place.path / "results").glob("*/run.json"))) == 4


def test_whether_fits_were_made_in_slots_matters_once_there_are_some(tmp_path, fakes):
    plan = make(Choice(scenarios=["correlated-rho95"], backends=["fake.exact"], reps=1, rounds=2))
    run, jobs = pipeline.start_manifest(RunFolder.create(tmp_path, "r"), plan, {}), list(plan.jobs())
    assert changes(run, jobs, in_slots=True) == []  # its leader was killed before the first
    assert changes(run, jobs[1:], in_slots=True) == ["fits were not made in slots"]
