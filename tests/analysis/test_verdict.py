"""One test per state of the verdict grammar, and the intervals it stands on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from bench.analysis.contender import OUTCOMES, Contender
from bench.analysis.verdict import verdict
from bench.stats.ratios import Timed, fastest, ratios
from bench.words.sentence import plain

JITTER = (0.0, 0.01, -0.01, 0.005, -0.005)


def met(label: str, seconds: float, *, noise: float = 1.0, flip: float = 1.0, error: float = 0.002) -> Contender:
    times = {r: seconds * math.exp(flip * noise * j) for r, j in enumerate(JITTER)}
    return Contender(label, "met", error=error, seconds=seconds, times=times, reps=15)


def off(label: str, seconds: float, error: float, interval: tuple[float, float] | None = None) -> Contender:
    times = {r: seconds for r in range(5)}
    return Contender(label, "off target", "", error, interval, seconds, times, 15)


def test_clear():
    v = verdict("S", (met("B", 2.5), met("A", 1.2), met("C", 9.0)))
    assert v.state == "clear"
    assert plain(v.sentence) == (
        "Choose A for S: it reaches error 0.01 in 1.20 s warm; B, the next that does, takes 2.1× as long (2.1–2.1)."
    )
    assert v.best_group == ("A",)
    assert "A was faster than B in 5 of 5 paired rounds" in plain(v.how_sure)


def test_clear_says_finishes_when_times_are_of_the_whole_fit():
    v = verdict("S", (met("B", 2.5), met("A", 1.2)), finish=True)
    assert "it finishes within error 0.01 in" in plain(v.sentence)


def test_size_unsure():
    v = verdict("S", (met("A", 1.0), met("B", 1.2, noise=-12.0)))
    r = v.ratios["B"]
    assert 1 < r.low <= 1.1 < r.high
    assert v.state == "size unsure"
    assert "That A is faster is shown; by how much is not." in plain(v.sentence)


def test_small():
    v = verdict("S", (met("A", 1.0), met("B", 1.05)))
    assert v.state == "small"
    assert plain(v.sentence) == (
        "A is faster than B on S, but by less than the 1.1× margin: 1.05× (1.05–1.05). Choose by other needs."
    )


def test_equivalent():
    v = verdict("S", (met("A", 1.0), met("B", 1.005, flip=-1.0)))
    assert v.state == "equivalent"
    assert plain(v.sentence).startswith("A and B are equally fast on S within 1.1×: ratio 1.00 (0.99–1.02)")
    assert v.best_group == ("A", "B")


def test_no_difference_shown():
    v = verdict("S", (met("A", 1.0, noise=10.0), met("B", 1.05, noise=-10.0), met("C", 1.06, noise=-12.0)))
    assert v.state == "no difference shown"
    text = plain(v.sentence)
    assert text.startswith("No difference shown between A, B and C on S: B/A 1.05×")
    assert "With 5 rounds only differences above about" in text
    assert v.best_group == ("A", "B", "C")


def test_trade_off():
    v = verdict("S", (met("A", 1.2, error=0.008), met("B", 9.0, error=0.0005)))
    assert v.state == "trade-off"
    assert "A is fastest to error 0.01 on S (1.20 s); below 0.003 only B gets there" in plain(v.sentence)


def test_no_trade_off_when_the_fastest_is_as_accurate():
    assert verdict("S", (met("A", 1.2, error=0.0004), met("B", 9.0, error=0.0005))).state == "clear"


def test_only_one():
    others = (off("B", 0.5, 0.4), off("C", 0.6, 0.3), Contender("D", "timeout", "over 60 s"))
    v = verdict("S", (met("A", 1.2), *others, Contender("E", "unsupported", "needs gradients")))
    assert v.state == "only one"
    assert plain(v.sentence) == (
        "Only A met the target on S (1.20 s). 2 finished off target, 1 timed out, 1 does not apply; no speed "
        "comparison is possible."
    )
    assert [plain(line) for line in v.why_not] == [
        "B finished in 500 ms, but its largest error is 0.40 (target 0.01).",
        "C finished in 600 ms, but its largest error is 0.30 (target 0.01).",
    ]


def test_none_names_the_closest():
    v = verdict("S", (off("A", 1.0, 0.03, (0.02, 0.05)), off("B", 1.0, 0.4)), budget="the quick")
    assert v.state == "none"
    assert plain(v.sentence) == (
        "No backend met error 0.01 within the quick budget on S. Closest: A, 0.030 (0.020–0.050)."
    )


def test_none_names_who_was_near_enough_but_is_objected_to_by_its_own_diagnostics():
    why = "0.250 divergences per 1000 draws"
    near = replace(off("N", 0.2, 0.002), state="not converged", reason=why)
    far = replace(off("F", 0.1, 0.5), state="not converged", reason="R-hat 1.2")
    v = verdict("S", (off("A", 1.0, 0.03), near, far))
    assert plain(v.sentence).endswith("Closest: A, 0.030.")
    assert [plain(line) for line in v.why_not] == [f"N has error 0.0020 in 200 ms, but did not converge: {why}."]


def test_too_few_reps_name_whom_a_diagnostic_objects_to_as_well_once():
    near = replace(off("N", 0.2, 0.002), state="not converged", reason="R-hat 1.011", reps=2)
    v = verdict("S", (replace(off("A", 1.0, 0.03), reps=2), near))
    assert v.state == "not enough"
    said = " ".join([plain(v.sentence), *map(plain, v.why_not)])
    assert said.count("N has error 0.0020 in 200 ms, but did not converge: R-hat 1.011.") == 1


def test_none_when_nothing_finished_counts_every_outcome():
    v = verdict("S", tuple(Contender(f"b{i}", state) for i, state in enumerate(OUTCOMES)))
    assert v.state == "none"
    assert all(words[0] in plain(v.sentence) for words in OUTCOMES.values())


@pytest.mark.parametrize(
    ("reps", "rounds", "why"), [(2, 1, "2 reps, 5 needed"), (6, 2, "2 rounds with a warm rep, 3 needed")]
)
def test_not_enough(reps: int, rounds: int, why: str):
    two = [Contender(n, "met", error=0.001, seconds=s, times=dict.fromkeys(range(rounds), s), reps=reps)
           for n, s in (("B", 2.0), ("A", 1.2))]  # fmt: skip
    v = verdict("S", tuple(two))
    assert v.state == "not enough"
    assert plain(v.sentence) == (
        f"No verdict for S: {why}. Medians below are for orientation only. A was fastest of 2 that met error 0.01, in "
        "1.20 s warm."
    )
    assert not v.leader and not v.ratios


def test_not_enough_and_none_met():
    v = verdict("S", (Contender("A", "off target", error=0.03, seconds=1.0, reps=2),))
    assert v.state == "not enough"
    assert plain(v.sentence).endswith("No backend met error 0.01. Closest: A, 0.030.")


def test_rounds_must_be_shared():
    a = Contender("A", "met", seconds=1.0, times={0: 1.0, 1: 1.0, 2: 1.0}, reps=9)
    b = Contender("B", "met", seconds=1.0, times={2: 1.0, 3: 1.0, 4: 1.0}, reps=9)
    assert verdict("S", (a, b)).state == "not enough"


def test_not_trusted():
    v = verdict("S", (met("A", 1.0), met("B", 3.0)), disturbance="load average 3.1 on 2 cores during 4 of 10 fits")
    assert v.state == "not trusted"
    assert plain(v.sentence) == "No verdict for S: load average 3.1 on 2 cores during 4 of 10 fits."


def test_reference_is_never_ranked():
    exact = Contender("exact", "reference", error=1e-9, seconds=0.01, times={0: 0.01}, reps=15)
    v = verdict("S", (exact, met("A", 1.0)))
    assert v.state == "only one" and v.leader == "A"
    assert not v.why_not


def test_fast_point_is_named_and_no_candidate():
    point = Contender("P", "point", error=0.5, seconds=0.1, times={0: 0.1}, reps=15)
    v = verdict("S", (point, met("A", 1.0), met("B", 3.0)))
    assert v.leader == "A"
    assert "a different question" in plain(v.why_not[0])


def test_identical_twin_is_never_chosen():
    v = verdict("S", (met("A", 1.0), met("A twin", 1.0)))
    assert v.state == "equivalent"
    assert not plain(v.sentence).startswith("Choose")


def test_more_comparisons_widen_the_interval():
    rng = np.random.default_rng(1)
    lead, other = ({r: math.exp(0.1 * rng.standard_normal()) for r in range(6)} for _ in range(2))
    alone = ratios(Timed(lead), {"B": Timed(other)})["B"]
    among = ratios(Timed(lead), {name: Timed(other) for name in "BCD"})["B"]
    assert among.low < alone.low < alone.value < alone.high < among.high


def test_same_rounds_same_interval_whatever_their_order():
    lead, other = {0: 1.0, 1: 1.1, 2: 0.9}, {0: 1.5, 1: 1.4, 2: 1.7}
    assert ratios(Timed(lead), {"B": Timed(other)}) == ratios(Timed(dict(reversed(lead.items()))), {"B": Timed(other)})


def test_ratio_needs_two_rounds():
    with pytest.raises(ValueError, match="two paired rounds, got 1"):
        ratios(Timed({0: 1.0}), {"B": Timed({0: 2.0})})


def test_from_eight_rounds_on_the_ratio_is_trimmed_and_before_it_is_not():
    rng = np.random.default_rng(3)
    for n in (7, 8, 15):
        lead, other = rng.lognormal(0.0, 0.1, n), rng.lognormal(0.3, 0.1, n)
        other[0] *= 3.0  # a burst
        logs, level = np.log(other / lead), 1 - 0.05 / 2
        r = ratios(
            Timed(dict(enumerate(lead))), {"B": Timed(dict(enumerate(other))), "C": Timed(dict(enumerate(lead)))}
        )["B"]
        if n < 8:
            ends = scipy.stats.ttest_1samp(logs, 0.0).confidence_interval(level)
            expected = logs.mean(), *ends
        else:  # Yuen's interval, from winsorised values (Biometrika 61, 1974)
            h = n - 2 * (n // 5)
            sd = scipy.stats.mstats.winsorize(logs, limits=((n // 5) / n,) * 2).std(ddof=1)
            reach = scipy.stats.t.isf((1 - level) / 2, h - 1) * sd * math.sqrt((n - 1) / (h * (h - 1)))
            middle = scipy.stats.trim_mean(logs, 0.2)
            expected = middle, middle - reach, middle + reach
        assert np.log(r[:3]) == pytest.approx(expected, rel=1e-9)


def test_unpaired_ratios_are_trimmed_as_scipy_does():
    rng = np.random.default_rng(4)
    a, b = rng.lognormal(0.0, 0.1, 10), rng.lognormal(0.3, 0.2, 12)
    r = ratios(Timed(dict(enumerate(a)), "one"), {"B": Timed(dict(enumerate(b)), "other")})["B"]
    theirs = scipy.stats.ttest_ind(np.log(b), np.log(a), equal_var=False, trim=0.2).confidence_interval(0.95)
    assert np.log(r[1:3]) == pytest.approx(tuple(theirs), rel=1e-9)


@pytest.mark.parametrize("bursts", [0.0, 0.06])
@pytest.mark.parametrize("rounds", [5, 8, 10])
def test_of_equally_fast_backends_one_is_rarely_called_the_fastest(rounds: int, bursts: float):
    """Four of one speed, 800 runs: a false "fastest" in at most 5 %, its binomial sd 0.8 %."""
    rng, trials, called = np.random.default_rng([rounds, int(100 * bursts)]), 800, 0
    for _ in range(trials):
        logs = 0.02 * rng.standard_normal((4, rounds))
        logs += (rng.random((4, rounds)) < bursts) * rng.uniform(0.1, 0.42, (4, rounds))
        times = {name: Timed(dict(enumerate(np.exp(one)))) for name, one in zip("ABCD", logs, strict=True)}
        leader = fastest(times)
        others = ratios(times[leader], {name: t for name, t in times.items() if name != leader})
        assert all(r.value >= 1.0 for r in others.values()) or rounds >= 8
        called += all(r.low > 1.0 for r in others.values())
    assert called / trials <= 0.05 + 3 * 0.008


def test_a_burst_does_not_make_the_faster_lose_the_lead():
    """In 2 of 10 rounds a neighbour slows A to four times its seconds: its mean is larger, its typical round is not."""
    burst = {r: math.exp(0.001 * r) * (4.0 if r < 2 else 1.0) for r in range(10)}
    times = {"A": Timed(burst), "B": Timed({r: 1.2 * math.exp(-0.001 * r) for r in range(10)})}
    assert fastest(times) == "A"
    assert ratios(times["A"], {"B": times["B"]})["B"].low > 1.0


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_interval_covers_the_true_ratio(rounds: int):
    """A nominal 95 % interval on log-normal rounds, where the t interval is exact."""
    rng, trials = np.random.default_rng(rounds), 400
    held = 0
    for _ in range(trials):
        lead = dict(enumerate(np.exp(0.14 * rng.standard_normal(rounds))))
        other = dict(enumerate(1.3 * np.exp(0.14 * rng.standard_normal(rounds))))
        r = ratios(Timed(lead), {"B": Timed(other)})["B"]
        held += r.low <= 1.3 <= r.high
    # Binomial sd of 400 trials at 0.95 is 0.011; with 3 rounds the bootstrap's own coarseness costs a few points more.
    assert 0.90 <= held / trials <= 0.99


def test_a_leader_that_compiles_longer_than_it_saves_is_said_to() -> None:
    a = replace(met("A", 0.06), cold=4.4)
    b = replace(met("B", 0.4), cold=1.0)
    lines = [plain(line) for line in verdict("S", (a, b)).why_not]
    assert "For one fit in a fresh process, compile included, B is done first: 1.00 s against 4.40 s of A." in lines
    quick = [plain(line) for line in verdict("S", (replace(a, cold=0.9), b)).why_not]
    assert not any("fresh process" in line for line in quick)


def test_an_error_below_the_target_without_convergence_is_said_not_to_count():
    v = verdict(
        "S", (Contender("A", "not converged", "R-hat 1.4", 0.004, None, 1.0, dict.fromkeys(range(5), 1.0), 15),)
    )
    assert plain(v.sentence) == (
        "No backend met error 0.01 within the given budget on S. "
        "Closest: A, 0.0040, which its own diagnostics do not vouch for."
    )
