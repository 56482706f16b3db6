"""What `--executor` may name, and what is said of what it may not."""

from __future__ import annotations

import os

import pytest

from bench.errors import UsageError
from bench.measure.cluster import opening

pytest.importorskip("distributed", reason="not installed: pip install 'posterior-bench[dask]'")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dusk", "'dusk' is not allowed; local, dask, an address"),
        ("tcp://127.0.0.1:1", "no scheduler answers there"),
        ("no.toml", "no.toml"),
    ],
)
def test_an_executor_that_cannot_be_is_one_sentence(bench, tmp_path, monkeypatch, text, why):
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 0.5)
    done = bench("run", "-s", "correlated-rho95", "-b", "fake.exact", "--executor", text)
    assert done.code == 2 and why in done.err and not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('type = "slum"', "type = 'slum' is not allowed; one of slurm, pbs, lsf"),
        ('type = "slurm"\ncores = 4', "memory is missing"),
        ('type = "slurm"\ncores = 4\nmemory = "8GB"\nqeue = "x"', "qeue is not allowed; type, jobs, account"),
        ('type = "slurm"\njobs = 0', "jobs = 0 is not allowed"),
    ],
)
def test_a_file_of_a_batch_system_that_cannot_be_names_the_key(tmp_path, content, why):
    pytest.importorskip("dask_jobqueue", reason="not installed: pip install 'posterior-bench[dask]'")
    file = tmp_path / "batch.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=why):
        opening.known(str(file))


@pytest.mark.parametrize(
    ("type_", "line"), [("slurm", "#SBATCH -p long"), ("pbs", "#PBS -q long"), ("lsf", "#BSUB -q long")]
)
def test_a_file_of_a_batch_system_gives_its_job_script(tmp_path, monkeypatch, type_, line):
    jobqueue = pytest.importorskip("dask_jobqueue", reason="not installed: pip install 'posterior-bench[dask]'")
    file = tmp_path / "batch.toml"
    file.write_text(f'type = "{type_}"\njobs = 3\ncores = 8\nprocesses = 4\nmemory = "32GB"\nqueue = "long"\n'
                    'walltime = "02:00"\ninterface = "lo"\n')  # fmt: skip
    scaled = []
    class_ = getattr(jobqueue, opening.BATCH[type_])
    monkeypatch.setattr(class_, "scale", lambda self, jobs: scaled.append(jobs))
    monkeypatch.setattr(class_, "__init__", lambda self, **table: vars(self).update(table=table))
    monkeypatch.setenv("PATH", str(tmp_path))
    submit = class_.job_cls.submit_command.split()[0]
    with pytest.raises(UsageError, match=f"{submit} is not found here; start the run where jobs are submitted"):
        opening.batch(file, [])
    (tmp_path / submit).touch(mode=0o755)
    engine = opening.batch(file, [])
    table = {k: v for k, v in engine.table.items() if k not in ("interface", "scheduler_options", "job_cls")}
    script = class_.job_cls(scheduler="tcp://leader:8786", name="slots", **table).job_script()
    assert line in script and scaled == [3]
    assert "--nworkers 4" in script and "--nthreads 2" in script


def test_what_a_batch_system_says_of_a_job_it_does_not_take_ends_the_run(bench, tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue", reason="not installed: pip install 'posterior-bench[dask]'")
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    file = tmp_path / "batch.toml"
    file.write_text('type = "slurm"\ncores = 2\nmemory = "8GB"\ninterface = "lo"\n')
    done = bench("run", "-s", "correlated-rho95", "-b", "fake.exact", "--executor", str(file))
    assert done.code == 2 and "batch.toml: a job was not taken: sbatch: error: invalid partition" in done.err
