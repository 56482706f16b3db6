"""A run's folder: what is written is read back, whole or not at all."""

import dataclasses
import json

import h5py
import numpy as np
import pytest

from bench.disk.durable import write_json
from bench.errors import UsageError
from bench.store import arrays, netcdf
from bench.store.folder import RunFolder
from bench.store.logs import LOG_LIMIT
from bench.store.records import Record
from bench.types import Checkpoint, Estimate, Fit


def a_fit(chains=2, draws=5):
    rng = np.random.default_rng(0)
    return Fit(
        kind="vi",
        draws={"weights": rng.normal(size=(chains, draws, 3)), "sigma": rng.uniform(size=(chains, draws))},
        stats={"gradients": 7, "diverging": np.zeros((chains, draws), bool)},
        moments={"weights": (np.ones(3), np.full(3, 2.0)), "sigma": (np.array(0.5), np.array(0.1))},
        notes=("a note",),
    )


def some_checkpoints():
    return [
        Checkpoint(step, step / 10, float(step), Estimate({"weights": np.full(3, step), "sigma": np.array(1.0)},
                   {"weights": np.ones(3), "sigma": np.array(2.0)}, objective=-1.5))
        for step in (1, 2, 4)
    ]  # fmt: skip


def same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize("convert", [False, True])
def test_a_fit_survives_npz_and_netcdf_bit_for_bit(tmp_path, convert):
    fit, npz = a_fit(), tmp_path / "draws.npz"
    arrays.save(npz, fit, some_checkpoints())
    if convert:
        netcdf.convert(npz, tmp_path / "draws.nc", {"backend": "x"})
        assert not npz.exists()
        with h5py.File(tmp_path / "draws.nc"):  # by whoever: a notebook keeps it open
            loaded = netcdf.load(tmp_path / "draws.nc")
        back, checkpoints = arrays.unpack(loaded, "vi", {"gradients": 7}, ["a note"])
    else:
        back, checkpoints = arrays.unpack(arrays.read(npz), "vi", {"gradients": 7}, ["a note"])
    same(fit.draws, back.draws)
    same(fit.stats, back.stats)
    assert back.notes == fit.notes
    for name, (mean, sd) in fit.moments.items():
        np.testing.assert_array_equal(back.moments[name], (mean, sd))
    assert [(c.step, c.seconds, c.gradients, c.estimate.objective) for c in checkpoints] == [
        (1, 0.1, 1.0, -1.5), (2, 0.2, 2.0, -1.5), (4, 0.4, 4.0, -1.5),
    ]  # fmt: skip
    same(checkpoints[1].estimate.mean, some_checkpoints()[1].estimate.mean)
    same(checkpoints[2].estimate.sd, some_checkpoints()[2].estimate.sd)


@pytest.mark.needs("arviz")
def test_arviz_opens_draws_nc(tmp_path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arviz announces its own coming refactoring when imported
        import arviz

    fit = a_fit()
    arrays.save(tmp_path / "draws.npz", fit, some_checkpoints())
    netcdf.convert(tmp_path / "draws.npz", tmp_path / "draws.nc", {})
    data = arviz.from_netcdf(str(tmp_path / "draws.nc"))
    np.testing.assert_array_equal(data.posterior["weights"].to_numpy(), fit.draws["weights"])
    assert data.posterior["weights"].dims[:2] == ("chain", "draw")
    assert "diverging" in data.sample_stats


def a_record(**changes):
    return dataclasses.replace(
        Record(cell="abc", rep=0, round=0, position=0, cold=True, status="ok", seconds={"sample": 1.5}), **changes
    )


def test_records_round_trip_and_a_damaged_one_reads_as_missing(tmp_path):
    folder = RunFolder.create(tmp_path, "one")
    record = a_record(notes=["x"], stats={"gradients": 3.0})
    folder.write_fit(record, None, b"log")
    assert folder.record("abc", 0) == record
    assert (folder.fit("abc", 0) / "log.txt").read_bytes() == b"log"
    (folder.fit("abc", 0) / "record.json").write_text('{"cell": "abc"')
    assert folder.record("abc", 0) is None
    assert folder.record("abc", 1) is None


def test_a_fit_written_again_replaces_the_old_one_and_logs_are_capped(tmp_path):
    folder = RunFolder.create(tmp_path, "one")
    folder.write_fit(a_record(status="failed"), None, b"")
    folder.write_fit(a_record(), None, b"x" * (2 * LOG_LIMIT))
    assert folder.record("abc", 0).status == "ok"
    assert (folder.fit("abc", 0) / "log.txt").stat().st_size == LOG_LIMIT
    assert [p.name for p in (folder.path / "fits").iterdir()] == ["abc-0"]


def test_nan_never_reaches_a_json_file(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_run_names_are_unique_and_checked(tmp_path):
    RunFolder.create(tmp_path, "one")
    with pytest.raises(UsageError, match="'one' exists"):
        RunFolder.create(tmp_path, "one")
    for bad in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(UsageError, match="not allowed"):
            RunFolder.create(tmp_path, bad)
    assert len({RunFolder.create(tmp_path, None).name for _ in range(3)}) == 3


def test_runs_of_another_schema_or_with_a_damaged_manifest_are_refused(tmp_path):
    folder = RunFolder.create(tmp_path, "one")
    (folder.path / "run.json").write_text(json.dumps({"schema": 0}))
    with pytest.raises(UsageError, match="schema 0"):
        folder.manifest()
    (folder.path / "run.json").write_text("{")
    with pytest.raises(UsageError, match="not readable"):
        folder.manifest()
    with pytest.raises(UsageError, match=r"unknown run.*did you mean one"):
        RunFolder.open(tmp_path, "on")


def test_damage_anywhere_in_the_draws_is_an_error_or_changes_numbers_only(tmp_path):
    """Headers have checksums; without, HDF5 may end the whole process that reads them."""
    arrays = {"draw/w": np.ones((2, 5, 3)), "stat/divergent": np.zeros((2, 5), bool), "moment/mean/w": np.zeros(3)}
    npz, nc = tmp_path / "draws.npz", tmp_path / "draws.nc"
    np.savez(npz, **arrays)
    netcdf.convert(npz, nc, {"created": "by a test"})
    content, damaged = nc.read_bytes(), 0
    for at in range(0, len(content), 11):
        nc.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            assert {name: a.shape for name, a in netcdf.load(nc).items()} == {n: a.shape for n, a in arrays.items()}
        except (OSError, RuntimeError, ValueError, KeyError):
            damaged += 1
    assert damaged > 100
