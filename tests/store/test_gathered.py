"""Rows that come by the fit, in any order, are the table that they would be at once, in less memory."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from bench.store import tables
from bench.store.folder import RunFolder
from bench.store.gathered import Gathered

KEYS = [("r", "a", "s[n=1]", "x.y"), ("r", "b", "s[n=1]", "x.z")]
ROWS = {
    "metrics": [[(0, "b2", "weights[0]", 0.1), (0, "r_hat_max", "", 1.0)], [], [(None, "n_eq", "", 1e300)]],
    "curves": [[(3, 2**40, 0.1, 0.2, 3.0, "b2_avg", -1.5)], [], [(4, 1, 0.0, 0.2, 0.0, "objective", 1 / 3)]],
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("places", [(0, 1, 2), (2, 0, 1), ()])
def test_rows_of_fits_that_come_in_any_order_are_the_table_in_order(name, places):
    gathered, keys = Gathered(name), [KEYS[0], KEYS[1], KEYS[1]]
    for place in places:
        gathered.add(place, keys[place], ROWS[name][place])
    rows = [(*keys[place], *row) for place in sorted(places) for row in ROWS[name][place]]
    pd.testing.assert_frame_equal(gathered.frame(), tables.table(name, rows), check_exact=True)


def test_a_row_takes_little_more_than_its_numbers():
    gathered, fits, each = Gathered("metrics"), 50, 200
    tracemalloc.start()
    for fit in range(fits):
        gathered.add(fit, KEYS[0], [(fit, f"metric{i % 20}", f"weights[{i}]", i / 7) for i in range(each)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / (fits * each) < 40.0, "4 numbers of 8 bytes, and each text once; as tuples they take 200"


def test_a_long_table_is_made_text_in_parts(tmp_path, monkeypatch):
    frame = pd.DataFrame({"text": ["=1", "b", None, "ä", "x,y"], "value": [0.1, np.nan, 3.0, 1 / 3, -0.0]})
    whole = tables.defused(frame).to_csv(index=False)
    for rows in (1, 2, 5, 100):
        monkeypatch.setattr(tables, "CSV_ROWS", rows)
        tables.write(RunFolder(tmp_path), "metrics", frame)
        assert (tmp_path / "metrics.csv").read_text(encoding="utf-8") == whole
