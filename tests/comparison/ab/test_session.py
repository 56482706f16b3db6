"""The order in which two sides are measured, and when there is enough."""

import pytest

from bench.comparison.session import Session, schedule
from bench.comparison.sides import Side, Source, plans
from bench.measure.job import Limits
from bench.pipeline import start_manifest
from bench.plan import Choice
from bench.store.folder import RunFolder
from bench.store.tables import fits_table
from tests.measure.inprocess import InProcess


class Watcher:
    def __init__(self):
        self.seen = []

    def imports(self, framework):
        pass

    def starts(self, side, job):
        self.seen.append((side.source.label, job.planned.cell.scenario, job.round))

    def waits(self):
        pass


@pytest.fixture
def session(fakes, tmp_path, monkeypatch):
    """Two option sets of a fake on two scenarios, in folders of no rounds yet; fits are made in this process."""
    monkeypatch.setattr("bench.comparison.session.Local", InProcess)
    names = ("fake.instrument[cpu=0.001]", "fake.instrument[cpu=0.002]")
    made = plans(names, Choice(scenarios=["correlated-rho95", "s4-linear"], backends=[], reps=2))
    pair = []
    for name, plan in zip("ab", made, strict=True):
        folder = RunFolder.create(tmp_path, name)
        manifest = start_manifest(folder, plan, {})
        for cell in manifest.cells:
            cell.rounds = 0
        folder.write_manifest(manifest)
        pair.append(Side(Source(name), plan, folder))
    return Session((pair[0], pair[1]), Limits(), Watcher())


@pytest.mark.parametrize(
    ("first", "most", "looks"),
    [(5, 20, [5, 8, 13, 20]), (5, 5, [5]), (3, 4, [3, 4]), (3, 100, [3, 5, 8, 13, 21, 34, 55, 88, 100])],
)
def test_looks_grow_up_to_the_most(first, most, looks):
    assert schedule(first, most) == looks


@pytest.mark.slow
def test_every_round_has_each_pair_on_both_sides_next_to_each_other(session):
    looks = list(session.run([3], lambda: set()))
    seen = session.watcher.seen
    assert looks == [3] and len(seen) == 12
    neighbours = [seen[i : i + 2] for i in range(0, 12, 2)]
    for pair in neighbours:
        assert {side for side, *_ in pair} == {"a", "b"}
        assert len({rest for _, *rest in map(lambda s: (s[0], *s[1:]), pair) for rest in [tuple(rest)]}) == 1
    assert {pair[0][0] for pair in neighbours} == {"a", "b"}  # neither side always begins
    for side in session.sides:
        table = fits_table(side.folder)
        assert len(table) == 12 and set(table.status) == {"ok"}


def test_more_rounds_are_made_only_of_what_is_open(session):
    assert list(session.run([3, 5], lambda: {1})) == [3, 5]
    assert session.rounds == {0: 3, 1: 5}
    for side in session.sides:
        table = fits_table(side.folder)
        assert table.groupby("scenario").rep.nunique().to_dict() == {"correlated-rho95": 6, "s4-linear": 10}
        assert set(table.status) == {"ok"}


@pytest.mark.slow
def test_nothing_is_begun_after_the_time_is_up_but_the_first_look_is_reached(session):
    assert list(session.run([3, 100], lambda: {0, 1}, seconds=0.001)) == [3]
    assert session.rounds == {0: 3, 1: 3}


def test_an_interruption_leaves_no_row_without_a_reason(session):
    class Stop(Watcher):
        def waits(self):
            raise KeyboardInterrupt

    list(session.run([3], lambda: set()))
    stopped = Session(session.sides, Limits(), Stop(), rounds=dict(session.rounds))
    with pytest.raises(KeyboardInterrupt):
        list(stopped.run([4], lambda: set()))
    left = [r for s in session.sides for p in s.plan.cells for rep in (6, 7) if (r := s.folder.record(p.cell.id, rep))]
    assert left and {r.status for r in left} == {"interrupted"}
