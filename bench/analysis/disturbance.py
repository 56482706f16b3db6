"""Whether other work on the machine disturbed the fits of a run."""

from __future__ import annotations

import pandas as pd

from bench.analysis.tables import RunTables, parts
from bench.measure.noise import DISTURBED
from bench.store.manifest import Run

SHARE = 0.2
"""Of the fits may be hit before their medians are doubted."""


def disturbance(tables: RunTables, fits: pd.DataFrame) -> str:
    """Why the seconds of these fits cannot be trusted: other work on the machine; empty if they can.

    Told from the CPU time that others had during each fit, where the machine offers it; else from the load average, in
    which a fit's own threads count, so that only what exceeds all CPUs by half of one is other work.
    """
    causes = ((name, _disturbed(run, own)) for name, run, own in parts(tables.run, fits))
    return "; ".join(f"{cause} in {name}" if name else cause for name, cause in causes if cause)


def _disturbed(run: Run, fits: pd.DataFrame) -> str:
    if "disturbance" in fits and not (share := fits["disturbance"].dropna()).empty:
        hit = share[share > DISTURBED]
        if len(hit) <= SHARE * len(share):
            return ""
        return f"others had up to {100 * hit.max():.0f} % of the CPUs' time during {len(hit)} of {len(share)} fits"
    cores = run.host.cpus
    load = pd.to_numeric(fits["load_average"], errors="coerce").dropna()
    if cores is None or load.empty:
        return ""
    hit = load[load > cores + 0.5]
    if len(hit) <= SHARE * len(load):
        return ""
    return f"load average up to {hit.max():.1f} on {cores} CPUs during {len(hit)} of {len(load)} fits"
