"""How far hand-written torch gets: `python tests/benchmarks/studies/torch_reach.py [small|pyro|large] [--rounds R]`.

All in one run of the harness on one thread, so that ratios are of the same minutes of one machine:
- small: seconds to the error target (b² < 0.01 of every function) on s0-uniform and correlated-rho95, in a warm process
  and from a fresh start (import, compilation, first fit), over those of numpyro.nuts. Goal: the best torch method at
  most 5 times as long warm, and less from a fresh start. With defaults but for `chains` and `draws`, which are what
  many chains are for; beside them NumPyro with a short warmup, and ChEES with the whole of the budget's.
- pyro: effective draws of the worst parameter per second over those of pyro.nuts on s0-uniform. Goal: 20 times.
- large: seconds per effective draw at 10 000 rows and 50 features over those of numpyro.nuts. Goal: on par, and a
  hundredth for torch.sufficient.
A goal that is missed is printed as any other figure. Minutes each; pyro.nuts takes most of them.
"""

from __future__ import annotations

import argparse
import tempfile

import pandas as pd

import bench

MANY = "chains=64,draws=50"
SHARED = ("torch.nuts", "torch.chees", f"torch.chees[{MANY}]", f"torch.sufficient[{MANY}]")
PARTS = {
    "small": (
        ["s0-uniform", "correlated-rho95"],
        ["numpyro.nuts", "numpyro.nuts[warmup=200]", *SHARED[1:], f"torch.chees[{MANY},settle=false,start=uniform]"],
    ),
    "pyro": (["s0-uniform"], ["pyro.nuts[warmup=250,draws=250]", *SHARED]),
    "large": (
        ["wide-n1000-p100[n_obs=10000,n_features=50]"],
        ["numpyro.nuts[warmup=300,draws=300]", *SHARED[2:], "torch.sufficient[chains=256,draws=50]"],
    ),
}


def table(run: bench.Run) -> pd.DataFrame:
    """A row per scenario and contender: seconds to the target warm and from a fresh start, and per effective draw."""
    fits, metrics = run.fits, run.metrics
    labels = fits.drop_duplicates("cell").set_index("cell")
    of_cell = metrics[metrics["part"].fillna("") == ""].pivot_table("value", "cell", "metric", "median")
    imports = fits[fits["cold"]].groupby("cell")["seconds_import"].median()
    rows = []
    for cell, row in labels.iterrows():
        found = of_cell.loc[cell] if cell in of_cell.index else pd.Series(dtype=float)
        rows.append({
            "scenario": row["scenario"],
            "contender": f"{row['backend']} {row['options'] or ''}".strip(),
            "status": "/".join(sorted(set(fits[fits["cell"] == cell]["status"]))),
            "warm": found.get("time_to_accuracy"),
            "fresh": found.get("time_to_accuracy_cold", float("nan")) + imports.get(cell, float("nan")),
            "per_draw": 1.0 / found.get("ess_per_second", float("nan")),
        })  # fmt: skip
    return pd.DataFrame(rows)


def show(found: pd.DataFrame, rival: str) -> None:
    """Every figure beside its ratio to the rival's."""
    for scenario, rows in found.groupby("scenario", sort=False):
        base = rows[rows["contender"].str.startswith(rival)].iloc[0]
        print(f"\n{scenario}: seconds to the target warm, from a fresh start, per effective draw; ratios to {rival}")
        for _, row in rows.iterrows():
            figures = (f"{row[name]:9.3g} s ({row[name] / base[name]:6.3g}×)" for name in ("warm", "fresh", "per_draw"))
            print(f"  {row['contender']:60} {row['status']:8}", *figures)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    for part in chosen.parts:
        scenarios, backends = PARTS[part]
        with tempfile.TemporaryDirectory() as place:
            run = bench.run(
                scenarios, backends, budget="standard", rounds=chosen.rounds, reps=3, threads=1, results=place,
                timeout=900.0, progress=lambda line: print(line, end="\r", flush=True),
            )  # fmt: skip
            show(table(run), backends[0].partition("[")[0])


if __name__ == "__main__":
    main()
