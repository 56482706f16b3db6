"""numpyro.nuts on S0, compiled once per child, against plain `MCMC.run`, which compiles on every call.

Prints the median warm seconds of both and their ratio, and the quality of the first, in one run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

BACKENDS = ("numpyro.nuts", "numpyro.nuts[aot=false]")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench", "run", "-s", "s0-uniform", "--results", folder, "--name", "aot"]
        chosen = [word for backend in BACKENDS for word in ("-b", backend)]
        subprocess.run([*command, *chosen, "--reps", "3", "--rounds", "3"], check=True, stdout=subprocess.DEVNULL)
        fits = pd.read_parquet(Path(folder) / "aot" / "fits.parquet")
        metrics = pd.read_parquet(Path(folder) / "aot" / "metrics.parquet")
    warm = fits[~fits.cold.astype(bool)]
    seconds = {}
    for options, rows in warm.groupby("options"):
        name = f"numpyro.nuts[{options}]" if options else "numpyro.nuts"
        fitting = rows.seconds_warmup + rows.seconds_sample
        seconds[options] = float(rows.seconds_total.median())
        print(
            f"{name}: median warm warmup + sampling {fitting.median():.3f} s, "
            f"compile booked {rows.seconds_compile.median():.3f} s, "
            f"total {seconds[options]:.3f} s"
        )
    ahead = metrics[(metrics.cell == fits[fits.options == ""].cell.iloc[0]) & metrics.rep.notna()]
    worst = ahead[ahead.metric.isin(["b2_max", "r_hat_max"])].groupby("metric").value.max()
    print(f"largest b2_max over reps {worst['b2_max']:.4f}, largest r_hat {worst['r_hat_max']:.4f}")
    print(f"ratio of warm seconds, plain over compiled once: {seconds['aot=false'] / seconds['']:.1f}")


if __name__ == "__main__":
    main()
