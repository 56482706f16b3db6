"""One test per state of the verdict grammar, and the intervals it stands on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from bench.analysis.contender import MANY, ONCE, OUTCOMES, QUESTIONS, Contender, Verdict
from bench.analysis.verdict import verdict
from bench.stats.ratios import Timed, fastest, ratios
from bench.words.sentence import plain

JITTER = (0.0, 0.01, -0.01, 0.005, -0.005)
START = 5.0
"""Seconds that one fit from a fresh start takes more than a further one."""


def rounds(seconds: float, noise: float = 1.0) -> dict[int, float]:
    return {r: seconds * math.exp(noise * j) for r, j in enumerate(JITTER)}


def met(
    label: str, seconds: float, once: float | None = None, *, noise: float = 1.0, error: float = 0.002, reps: int = 15
) -> Contender:
    """Met the target after so many seconds in a further fit, and after `once` in one from a fresh start."""
    once = seconds + START if once is None else once
    times = {ONCE: rounds(once, noise), MANY: rounds(seconds, noise)}
    return Contender(label, "met", error=error, whole={ONCE: once, MANY: seconds}, times=times, reps=reps)


def off(label: str, seconds: float, error: float, interval: tuple[float, float] | None = None) -> Contender:
    times = {q: dict.fromkeys(range(5), seconds) for q in QUESTIONS}
    return Contender(label, "off target", error=error, error_interval=interval, whole={MANY: seconds}, times=times,
                     reps=15)  # fmt: skip


def states(v: Verdict) -> tuple[str, str]:
    return v.answers[ONCE].state, v.answers[MANY].state


def test_clear_for_both_questions_with_one_leader_is_one_sentence():
    v = verdict("S", (met("B", 2.5, 9.0), met("A", 1.2, 6.0), met("C", 9.0, 20.0)))
    assert states(v) == ("clear", "clear")
    assert plain(v.sentence) == (
        "Choose A for S: one fit from a fresh start takes 6.00 s to the target, B 1.50× as long (1.50–1.50); each "
        "further fit in the same process takes 1.20 s, B 2.1× as long (2.1–2.1)."
    )
    assert all(answer.best_group == ("A",) for answer in v.answers.values())
    assert plain(v.how_sure) == (
        "For one fit: A was faster than B on the same data in 5 of 5 rounds. "
        "For each further fit: A was faster than B on the same data in 5 of 5 rounds."
    )


def test_each_question_has_its_own_leader_and_the_fits_from_which_on_the_other_wins():
    v = verdict("S", (met("A", 0.5, 2.0), met("B", 0.02, 7.0)))
    assert [answer.leader for answer in v.answers.values()] == ["A", "B"]
    assert states(v) == ("clear", "clear") and v.state == "split"
    assert plain(v.sentence) == (
        "For one fit from a fresh start of S: choose A, 2.00 s to the target; B, the next that gets there, takes 3.5× "
        "as long (3.5–3.5). For each further fit in the same process: choose B, 20.0 ms to the target; A, the next "
        "that gets there, takes 25× as long (25–25). From about 12 fits on, B is done first in total."
    )
    # By brute force: the first number of fits after which B has taken less in all.
    assert next(n for n in range(1, 99) if 7.0 + (n - 1) * 0.02 < 2.0 + (n - 1) * 0.5) == 12


def test_questions_may_be_in_different_states():
    v = verdict("S", (met("A", 1.0, 6.0), met("B", 3.0, 6.02, noise=-1.0)))
    assert states(v) == ("equivalent", "clear")
    assert plain(v.sentence) == (
        "For one fit from a fresh start of S: A and B are equally fast within 1.1×: ratio 1.00 (0.98–1.02). For each "
        "further fit in the same process: choose A, 1.00 s to the target; B, the next that gets there, takes 3.0× as "
        "long (2.9–3.1)."
    )
    assert v.answers[ONCE].best_group == ("A", "B") and v.answers[MANY].best_group == ("A",)


def test_a_question_with_too_few_rounds_leaves_the_other_its_answer():
    def compiled_once(c: Contender) -> Contender:
        return replace(c, times={**c.times, ONCE: {0: 6.0}})

    v = verdict("S", (compiled_once(met("A", 1.2)), compiled_once(met("B", 2.5))))
    assert states(v) == ("not enough", "clear")
    assert plain(v.sentence).startswith(
        "For one fit from a fresh start of S: no verdict, 1 round with a cold rep, 3 needed. For each further fit in "
    )


def test_seconds_that_are_prorated_are_marked_and_those_of_a_whole_fit_are_not():
    a, b = (replace(c, prorated=True) for c in (met("A", 1.2, 6.0), met("B", 2.5, 9.0)))
    assert "takes ≈6.00 s to the" in plain(verdict("S", (a, b)).sentence)
    whole = plain(verdict("S", (a, b), finish=frozenset(QUESTIONS)).sentence)
    assert "≈" not in whole and "takes 6.00 s for a whole fit, which ends within the target, B 1.50×" in whole


@pytest.mark.parametrize(
    ("work", "text"),
    [
        ((23_494, 343e-6), "Each further fit is equal work, 23,494 against 23,403 evaluations of the model; each costs "
                           "118× as much in B (343 µs against 2.90 µs)."),
        ((70_209, 2.9e-6), "For each further fit B needs 3.0× as many evaluations of the model as A (70,209 "
                           "against 23,403), each as cheap (2.90 µs against 2.90 µs)."),
        ((46_806, 5.8e-6), "For each further fit B needs 2.0× as many evaluations of the model as A (46,806 "
                           "against 23,403), and each costs 2.0× as much (5.80 µs against 2.90 µs)."),
        ((23_403, 3.0e-6), "Each further fit is equal work, 23,403 against 23,403 evaluations of the model, each as "
                           "cheap (3.00 µs against 2.90 µs)."),
    ],
)  # fmt: skip
def test_what_the_ratio_is_made_of(work: tuple[float, float], text: str):
    a, b = replace(met("A", 0.07), work=(23_403, 2.9e-6)), replace(met("B", 8.4), work=work)
    assert plain(verdict("S", (a, b)).made_of) == text
    assert verdict("S", (a, replace(b, work=None))).made_of == ()


def test_who_is_ranked_with_a_warning_is_said_to_be():
    v = verdict("S", (replace(met("A", 1.2), warning="1 of 24,000 draws diverged"), met("B", 2.5)))
    assert states(v) == ("clear", "clear")
    assert [plain(line) for line in v.warnings] == ["A is ranked with a warning: 1 of 24,000 draws diverged."]
    alone = verdict("S", (replace(met("A", 1.2), warning="1 of 24,000 draws diverged"),))
    assert alone.warnings == v.warnings


def test_size_unsure():
    v = verdict("S", (met("A", 1.0, 1.0), met("B", 1.2, 1.2, noise=-12.0)))
    r = v.answers[MANY].ratios["B"]
    assert 1 < r.low <= 1.1 < r.high
    assert states(v) == ("size unsure", "size unsure")
    assert plain(v.sentence).endswith(
        " That A is faster is shown; by how much is not, for one fit and each further fit."
    )
    mixed = verdict("S", (met("B", 0.1, 1.0), met("A", 0.2, 1.2, noise=-12.0), met("C", 0.15, 9.0)))
    assert states(mixed)[0] == "size unsure"


def test_size_unsure_for_one_leader_and_another_for_many():
    v = verdict("S", (met("A", 1.0, 6.0), met("B", 0.2, 7.2, noise=-12.0)))
    assert states(v) == ("size unsure", "clear")
    assert "; that A is faster is shown, by how much is not. For each further fit" in plain(v.sentence)
    assert "For each further fit: B was faster than A on the same data in 5 of 5 rounds." in plain(v.how_sure)


def test_small():
    v = verdict("S", (met("A", 1.0, 1.0), met("B", 1.05, 1.05)))
    assert states(v) == ("small", "small")
    clause = "A is faster than B, but by less than the 1.1× margin, 1.05× (1.05–1.05): choose by other needs."
    assert plain(v.sentence) == (
        f"For one fit from a fresh start of S: {clause} For each further fit in the same process: {clause}"
    )


def test_equivalent():
    v = verdict("S", (met("A", 1.0, 1.0), met("B", 1.005, 1.005, noise=-1.0)))
    assert states(v) == ("equivalent", "equivalent")
    assert ": A and B are equally fast within 1.1×: ratio 1.00 (0.99–1.02). For each" in plain(v.sentence)
    assert v.answers[MANY].best_group == ("A", "B")


def test_no_difference_shown():
    many = (met("A", 1.0, 1.0, noise=10.0), met("B", 1.05, 1.05, noise=-10.0), met("C", 1.06, 1.06, noise=-12.0))
    v = verdict("S", many)
    assert states(v) == ("no difference shown", "no difference shown")
    text = plain(v.sentence)
    assert text.startswith("For one fit from a fresh start of S: no difference shown among A, B and C, B/A 1.05×")
    assert "with 5 rounds only differences above about" in text
    assert v.answers[MANY].best_group == ("A", "B", "C")


def test_trade_off():
    v = verdict("S", (met("A", 1.2, 4.0, error=0.008), met("B", 9.0, 12.0, error=0.0005)))
    assert states(v) == ("trade-off", "trade-off")
    assert plain(v.sentence).startswith(
        "For one fit from a fresh start of S: A is fastest to the target (4.00 s); only B gets below the error of 333 "
        "draws (0.003; whole fit 12.0 s). For each further fit in the same process: A is fastest to the target (1.20 s)"
    )


def test_no_trade_off_when_the_fastest_is_as_accurate():
    assert states(verdict("S", (met("A", 1.2, error=0.0004), met("B", 9.0, error=0.0005)))) == ("clear", "clear")


def test_only_one():
    others = (off("B", 0.5, 0.4), off("C", 0.6, 0.3), Contender("D", "timeout", "over 60 s"))
    v = verdict("S", (met("A", 1.2), *others, Contender("E", "unsupported", "needs gradients")))
    assert states(v) == ("only one", "only one") and v.answers[ONCE].leader == "A"
    assert plain(v.sentence) == (
        "Only A met the target on S (one fit 6.20 s, each further fit 1.20 s). 2 finished off target, 1 timed out, 1 "
        "does not apply; no speed comparison is possible."
    )
    assert [plain(line) for line in v.why_not] == [
        "B takes 500 ms for each further fit, but it has the error of 2 draws (0.40).",
        "C takes 600 ms for each further fit, but it has the error of 3 draws (0.30).",
    ]


def test_one_that_is_faster_once_only_is_named_with_both_seconds():
    slow_again = replace(off("B", 8.0, 0.4), whole={ONCE: 5.5, MANY: 8.0})
    v = verdict("S", (met("A", 1.2, 6.2), met("C", 2.0, 9.0), slow_again))
    assert [plain(line) for line in v.why_not] == [
        "B takes 5.50 s for one fit and 8.00 s for each further fit, but it has the error of 2 draws (0.40)."
    ]


def test_none_names_the_nearest():
    v = verdict("S", (off("A", 1.0, 0.03, (0.02, 0.05)), off("B", 1.0, 0.4)), budget="the quick")
    assert states(v) == ("none", "none")
    assert plain(v.sentence) == (
        "No backend met the target (as exact as 100 independent draws) within the quick budget on S. Nearest by error: "
        "A, the error of 33 draws (0.030, 0.020–0.050)."
    )
    assert v.why_not == (), "B is more than ten times as far"


def test_none_orders_by_error_and_says_what_objects_to_each():
    """A diagnostic objection to the nearest makes no other, a hundred times worse, the nearest."""
    near = replace(off("N", 0.2, 0.002), state="not converged", reason="120 of 24,000 draws diverged")
    next_ = replace(off("F", 0.1, 0.011), state="not converged", reason="R-hat 1.2")
    v = verdict("S", (off("SVI", 1.0, 0.2), near, next_))
    assert plain(v.sentence) == (
        "No backend met the target (as exact as 100 independent draws) within the given budget on S. Nearest by error: "
        "N, the error of 500 draws (0.0020), but did not converge: "
        "120 of 24,000 draws diverged."
    )
    assert [plain(line) for line in v.why_not] == [
        "Next by error: F, the error of 91 draws (0.011), but did not converge: R-hat 1.2."
    ]


def test_too_few_reps_name_whom_a_diagnostic_objects_to_as_well_once():
    near = replace(off("N", 0.2, 0.002), state="not converged", reason="R-hat 1.011", reps=2)
    v = verdict("S", (replace(off("A", 1.0, 0.015), reps=2), near))
    assert states(v) == ("not enough", "not enough")
    text = " ".join([plain(v.sentence), *map(plain, v.why_not)])
    assert text.endswith(
        "Nearest by error: N, the error of 500 draws (0.0020), but did not converge: R-hat 1.011. "
        "Next by error: A, the error of 67 draws (0.015)."
    )


def test_none_when_nothing_finished_counts_every_outcome():
    v = verdict("S", tuple(Contender(f"b{i}", state) for i, state in enumerate(OUTCOMES)))
    assert states(v) == ("none", "none")
    assert all(words[0] in plain(v.sentence) for words in OUTCOMES.values())


def test_what_was_never_fitted_has_not_missed_the_target():
    v = verdict(
        "S", (Contender("A", "interrupted"), Contender("B", "unavailable"), Contender("E", "reference", reps=9))
    )
    assert states(v) == ("untried", "untried")
    assert plain(v.sentence).startswith(
        "No verdict for S: no posterior was fitted; 1 was interrupted, 1 is not installed"
    )
    v = verdict("S", (Contender("A", "point", reps=9), Contender("B", "point", reps=9)))
    assert plain(v.sentence) == "No verdict for S: no posterior was fitted; 2 are point estimates."
    assert plain(verdict("S", ()).sentence) == "No verdict for S: no posterior was fitted."


@pytest.mark.parametrize(
    ("reps", "number", "why"), [(2, 1, "2 reps, 5 needed"), (6, 2, "2 rounds with a warm rep, 3 needed")]
)
def test_not_enough(reps: int, number: int, why: str):
    two = [
        replace(met(name, seconds, once, reps=reps),
                times={ONCE: dict.fromkeys(range(number), once), MANY: dict.fromkeys(range(number), seconds)})
        for name, seconds, once in (("B", 2.0, 4.0), ("A", 1.2, 6.0))
    ]  # fmt: skip
    v = verdict("S", tuple(two))
    assert states(v) == ("not enough", "not enough")
    assert plain(v.sentence) == (
        f"No verdict for S: {why}. Medians below are for orientation only. Fastest of 2 that met the target: B, 4.00 s "
        "for one fit; A, 1.20 s for each further fit."
    )
    assert not v.compared and not v.answers[MANY].leader
    assert plain(verdict("S", (two[1],)).sentence).endswith(
        "Only this met the target: A, 6.00 s for one fit and 1.20 s for each further fit."
    )


def test_not_enough_and_none_met():
    v = verdict("S", (Contender("A", "off target", error=0.03, whole={MANY: 1.0}, reps=2),))
    assert states(v) == ("not enough", "not enough")
    assert plain(v.sentence).endswith("No backend met the target. Nearest by error: A, the error of 33 draws (0.030).")


def test_rounds_must_be_shared():
    a = Contender("A", "met", times={q: {0: 1.0, 1: 1.0, 2: 1.0} for q in QUESTIONS}, reps=9)
    b = Contender("B", "met", times={q: {2: 1.0, 3: 1.0, 4: 1.0} for q in QUESTIONS}, reps=9)
    assert states(verdict("S", (a, b))) == ("not enough", "not enough")


def test_not_trusted():
    v = verdict("S", (met("A", 1.0), met("B", 3.0)), disturbance="load average 3.1 on 2 cores during 4 of 10 fits")
    assert states(v) == ("not trusted", "not trusted")
    assert plain(v.sentence) == "No verdict for S: load average 3.1 on 2 cores during 4 of 10 fits."


def test_reference_is_never_ranked():
    exact = Contender("exact", "reference", error=1e-9, whole={MANY: 0.01}, times={MANY: {0: 0.01}}, reps=15)
    v = verdict("S", (exact, met("A", 1.0)))
    assert states(v) == ("only one", "only one") and v.answers[MANY].leader == "A"
    assert not v.why_not


def test_fast_points_are_named_and_no_candidates():
    point = Contender("P", "point", error=0.5, whole={MANY: 0.1}, times={MANY: {0: 0.1}}, reps=15)
    v = verdict("S", (point, met("A", 1.0), met("B", 3.0)))
    assert v.answers[MANY].leader == "A"
    assert [plain(line) for line in v.why_not] == [
        "P is done sooner, but is a point estimate: it answers a different question and gives no uncertainty."
    ]
    v = verdict("S", (replace(point, label="Q"), point, met("A", 1.0), met("B", 3.0)))
    assert [plain(line) for line in v.why_not] == [
        "P and Q are done sooner, but are point estimates: they answer a different question and give no uncertainty."
    ]


def test_identical_twin_is_never_chosen():
    v = verdict("S", (met("A", 1.0), met("A twin", 1.0)))
    assert states(v) == ("equivalent", "equivalent")
    assert not v.sentence[0].text.startswith("Choose") and "choose" not in plain(v.sentence)


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


@pytest.mark.parametrize(("rounds", "bursts"), [(5, 0.0), (5, 0.06), (8, 0.06), (10, 0.0)])
def test_of_equally_fast_backends_one_is_rarely_called_the_fastest(rounds: int, bursts: float):
    """Four of one speed, 500 runs: a false "fastest" in at most 5 %, its binomial sd 1 %."""
    rng, trials, called = np.random.default_rng([rounds, int(100 * bursts)]), 500, 0
    for _ in range(trials):
        logs = 0.02 * rng.standard_normal((4, rounds))
        logs += (rng.random((4, rounds)) < bursts) * rng.uniform(0.1, 0.42, (4, rounds))
        times = {name: Timed(dict(enumerate(np.exp(one)))) for name, one in zip("ABCD", logs, strict=True)}
        leader = fastest(times)
        others = ratios(times[leader], {name: t for name, t in times.items() if name != leader})
        assert all(r.value >= 1.0 for r in others.values()) or rounds >= 8
        called += all(r.low > 1.0 for r in others.values())
    assert called / trials <= 0.05 + 3 * 0.01


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


def test_without_a_reference_nobody_is_judged_and_the_command_that_makes_one_is_named():
    unchecked = [replace(off(label, 2.0, 0.0), state="unchecked", error=None) for label in ("A", "B")]
    v = verdict("mine[n=3]", (*unchecked, Contender("P", "point", reps=15)))
    assert states(v) == ("no reference", "no reference")
    assert plain(v.sentence) == (
        "No verdict for mine[n=3]: it has no reference posterior, so no answer can be checked; python -m bench "
        "reference mine makes one by long runs. The diagnostics of A and B object to nothing."
    )
