"""Every metric: unit, direction, the kinds it applies to, definition and source. Imports the standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bench.types import Kind

Direction = Literal["lower", "higher", "none"]
Scope = Literal["parameter", "derived", "fit", "reps", "curve"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A score.

    `scope` says whether it has a row per scalar parameter, per derived scalar, per fit, one over the reps of a cell, or
    only curves.
    """

    name: str
    unit: str
    direction: Direction
    kinds: frozenset[Kind]
    scope: Scope
    source: str
    definition: str

    def not_applicable(self, kind: str) -> str:
        """Why a fit of this kind has no such row; empty when it may have one."""
        if kind in self.kinds:
            return ""
        reasons = REASONS[self.kinds]
        return reasons if isinstance(reasons, str) else reasons[kind]


ALL: frozenset[Kind] = frozenset({"point", "vi", "mcmc", "exact"})
SPREAD: frozenset[Kind] = frozenset({"vi", "mcmc", "exact"})
MCMC: frozenset[Kind] = frozenset({"mcmc"})
VI: frozenset[Kind] = frozenset({"vi"})
POINT: frozenset[Kind] = frozenset({"point"})
OPTIMISED: frozenset[Kind] = frozenset({"point", "vi"})
ITERATIVE: frozenset[Kind] = frozenset({"point", "vi", "mcmc"})

REASONS: Mapping[frozenset[Kind], str | Mapping[str, str]] = {
    MCMC: {
        "point": "n/a: a point estimate has no chains",
        "vi": "n/a: draws are independent by construction, so their number says nothing about their quality",
        "exact": "n/a: draws are independent by construction",
    },
    VI: {
        "point": "n/a: a point estimate has no density",
        "mcmc": "n/a: draws of a chain have no density that can be evaluated",
        "exact": "n/a: it is the posterior itself",
    },
    POINT: "n/a: only a point method minimises an objective of its own",
    OPTIMISED: "n/a: it optimises nothing",
    SPREAD: "n/a: a point estimate states no uncertainty",
    ITERATIVE: "n/a: it takes no gradients",
}
"""{kinds that a metric applies to: why the others have no such row}, where they differ by kind."""

MASSES, EDGES = (50, 90, 95), (5, 25, 75, 95)
"""Central intervals and quantiles that are compared with the reference's, in per cent."""
ERRORS = {"mae": "Mean absolute", "mse": "Mean squared", "rmse": "Root mean squared"}

OWN = "definition of this project"
VEHTARI = "Vehtari et al. 2021, arXiv:1903.08008"
MARGOSSIAN = "Margossian et al. 2024, arXiv:2110.13017"
BETANCOURT = "Betancourt 2017, arXiv:1701.02434"
ELPD = "Vehtari, Gelman & Gabry 2017, arXiv:1507.04544"
GNEITING = "Gneiting & Raftery 2007, doi:10.1198/016214506000001437"
SCHAD = "Schad, Betancourt & Vasishth 2021, arXiv:1904.12765"
CZADO = "Czado, Gneiting & Held 2009, doi:10.1111/j.1541-0420.2009.01191.x"
WILSON = "Wilson 1927, doi:10.1080/01621459.1927.10502953"
BLEI = "Blei, Kucukelbir & McAuliffe 2017, arXiv:1601.00670"
YAO = "Yao et al. 2018, arXiv:1802.02538; Vehtari et al. 2024, arXiv:1507.02646"
SATTERTHWAITE = "Satterthwaite 1946, doi:10.2307/3002019; batch means as Vats, Flegal & Jones 2019, arXiv:1512.07713"
IMHOF = "Imhof 1961, doi:10.1093/biomet/48.3-4.419"
NEYMAN = "Neyman 1937, doi:10.1080/03461238.1937.10404821"
WASSERSTEIN = "del Barrio, Giné & Matrán 1999, doi:10.1214/aop/1022677394"
PEARSON = "Wilson & Hilferty 1931, doi:10.1073/pnas.17.12.684, with Student's t; Bonferroni over the functions"
MCLMC = "after arXiv:2412.08876, with centred instead of raw squares"

_ROWS: tuple[tuple[str, str, Direction, frozenset[Kind], Scope, str, str], ...] = (
    ("mean", "", "none", ALL, "parameter", OWN,
     "Mean of the draws or of q; a point estimate is its own mean."),
    ("sd", "", "none", SPREAD, "parameter", OWN,
     "Standard deviation of the draws or of q."),
    ("r_hat", "", "lower", MCMC, "parameter", VEHTARI,
     "Rank-normalised split R-hat, the larger of bulk and folded."),
    ("r_hat_max", "", "lower", MCMC, "fit", VEHTARI,
     "Largest r_hat over the scalars."),
    ("r_hat_nested", "", "lower", MCMC, "parameter", MARGOSSIAN,
     "Nested R-hat of many short chains in superchains of one start each, rank-normalised and split; no row where the "
     "sampler states no superchains. Where there is one the gate holds it, not r_hat, and asks for 400 effective draws of "
     "all chains together, not for 100 of each."),
    ("ess_bulk", "draws", "higher", MCMC, "parameter", VEHTARI,
     "Effective draws for the bulk: rank-normalised, split; 0 if stuck."),
    ("ess_tail", "draws", "higher", MCMC, "parameter", VEHTARI,
     "Smaller ESS of the 5 % and 95 % quantile indicators."),
    ("ess_mean", "draws", "higher", MCMC, "parameter", VEHTARI,
     "Effective draws for the mean: split, not rank-normalised."),
    ("ess_bulk_min", "draws", "higher", MCMC, "fit", VEHTARI,
     "Smallest ess_bulk over the scalars."),
    ("ess_bulk_median", "draws", "higher", MCMC, "fit", VEHTARI,
     "Median ess_bulk over the scalars."),
    ("ess_tail_min", "draws", "higher", MCMC, "fit", VEHTARI,
     "Smallest ess_tail over the scalars."),
    ("mcse_mean", "", "lower", MCMC, "parameter", VEHTARI,
     "Monte-Carlo standard error of the mean, sd/√ess_mean."),
    ("mcse_sd", "", "lower", MCMC, "parameter", VEHTARI,
     "Monte-Carlo standard error of the sd, delta method on the mean of centred squares with their own ESS."),
    ("mcse_q05", "", "lower", MCMC, "parameter", VEHTARI,
     "Monte-Carlo standard error of the 5 % quantile."),
    ("mcse_q95", "", "lower", MCMC, "parameter", VEHTARI,
     "Monte-Carlo standard error of the 95 % quantile."),
    ("stuck_parameters", "scalars", "lower", MCMC, "fit", OWN,
     "Scalars that never move in some chain; a sampler that works has none."),
    ("draws", "draws", "none", MCMC, "fit", OWN,
     "Draws after warmup of all chains: what divergences are so many of."),
    ("divergences", "per 1000 draws", "lower", MCMC, "fit", BETANCOURT,
     "Divergent transitions after warmup."),
    ("treedepth_hits", "per 1000 draws", "lower", MCMC, "fit", "Hoffman & Gelman 2014, arXiv:1111.4246",
     "Trajectories stopped by the depth limit."),
    ("e_bfmi", "", "higher", MCMC, "fit", "Betancourt 2016, arXiv:1604.00695",
     "Smallest over chains of Σ(ΔE)²/Σ(E−Ē)²."),
    ("ess_per_second", "1/s", "higher", MCMC, "fit", OWN,
     "Smallest ess_bulk over the seconds of warmup and sampling of the whole fit; warm reps."),
    ("ess_per_second_sampling", "1/s", "higher", MCMC, "fit", OWN,
     "Smallest ess_bulk over the sampling seconds; warm reps."),
    ("ess_per_second_cold", "1/s", "higher", MCMC, "fit", OWN,
     "Smallest ess_bulk over all seconds of a cold rep, compile included."),
    ("ess_per_core_second", "1/s", "higher", MCMC, "fit", OWN,
     "ess_per_second over the number of CPUs the fit was given; warm reps."),
    ("ess_per_gradient", "", "higher", MCMC, "fit", OWN,
     "Smallest ess_bulk over gradient evaluations, warmup included."),
    ("ess_per_gradient_sampling", "", "higher", MCMC, "fit", OWN,
     "Smallest ess_bulk over gradient evaluations after warmup."),
    ("seconds_per_gradient", "s", "lower", ITERATIVE, "fit", OWN,
     "Seconds of warmup and sampling over gradient evaluations of the full data; warm reps."),
    ("roofline", "", "higher", ITERATIVE, "fit", "Williams, Waterman & Patterson 2009, doi:10.1145/1498765.1498785",
     "Seconds in which the machine reads the data (features, observations, groups, in the fit's dtype) once from memory, "
     "by the bandwidth measured when the run began, over seconds_per_gradient: 1 is a gradient that costs no more than "
     "that. Above 1 the data stay in a cache, several chains share one reading, or less than the data is read; far below 1 "
     "the cost is not the data's. Warm reps on a CPU."),
    ("steps_per_second", "1/s", "higher", OPTIMISED, "fit", OWN,
     "Optimiser or VI steps over the seconds of the fit; warm reps of more than one step."),
    ("b2", "", "lower", ALL, "parameter", MCLMC,
     "Squared error of an expectation in units of the posterior variance, (Ê f − E f)² / Var f, for f = θ (part "
     "`name`) and its centred square (θ − E θ)² (part `(name)²`), and, but for points, for the f of b2_shape and "
     "b2_joint (`shape of name`, `correlation of a and b`, …). 0.01 is what 100 independent draws give."),
    ("b2_max", "", "lower", ALL, "fit", MCLMC,
     "Largest b2 over all f; over reps: the largest over f of the mean over reps."),
    ("b2_avg", "", "lower", ALL, "fit", MCLMC,
     "Mean b2 over means and centred squares alone; over reps: its mean."),
    ("b2_shape", "", "lower", SPREAD, "fit", NEYMAN,
     "Largest b2 over scalars of the shape of the marginal: the mean b2 of Neyman's smooth components, the orthonormal "
     "Legendre polynomials of degrees 3 to 6 of F(θ), F the reference's distribution function. VI is judged by its "
     "draws."),
    ("b2_joint", "", "lower", SPREAD, "fit", OWN,
     "Largest b2 of the joint distribution, in normal scores w = Φ⁻¹(F(θ)) under the reference: products of the pairs "
     "(50 at most) that the reference correlates most, mean and square of 10 fixed random directions in the whitened "
     "space, and of the joint log likelihood (up to 2 000 observations). Expectations come from "
     "joint_reference_draws draws of the reference; a b2_joint below 1 over them is not certified."),
    ("joint_reference_draws", "draws", "none", SPREAD, "fit", OWN,
     "Independent reference draws that the expectations in b2_joint are worth; the error this leaves is in p_joint."),
    ("reference_draws", "draws", "none", ALL, "fit", OWN,
     "Independent draws that the reference's own error is worth; no row where it is exact. A b2 below 1 over it is "
     "not certified."),
    ("n_eq", "draws", "higher", ALL, "reps", MCLMC,
     "Error-equivalent independent draws, 1 / mean over reps of b2, per f; part empty: the worst f. It saturates "
     "for a biased method."),
    ("mean_error_sd", "posterior sd", "none", ALL, "parameter", OWN,
     "(mean − reference mean) / reference sd, signed."),
    ("sd_ratio_log", "", "none", SPREAD, "parameter", OWN,
     "log(sd / reference sd); −0.7 is half as wide."),
    *((f"mass_{mass}", "", "none", SPREAD, "parameter", OWN,
       f"Posterior probability inside the method's central {mass} % interval.") for mass in MASSES),
    *((f"mass_{mass}_error", "", "none", SPREAD, "parameter", OWN,
       f"mass_{mass} minus {mass / 100:g}: below 0 the interval is too narrow or misplaced.") for mass in MASSES),
    *((f"q{edge:02d}_sd", "posterior sd", "none", SPREAD, "parameter", OWN,
       f"{edge} % quantile of the draws, in reference sds from the reference mean.") for edge in EDGES),
    *((f"reference_q{edge:02d}_sd", "posterior sd", "none", SPREAD, "parameter", OWN,
       f"{edge} % quantile of the reference, in reference sds from its mean.") for edge in EDGES),
    ("wasserstein_1", "posterior sd", "lower", ALL, "parameter", OWN,
     "Wasserstein-1 distance of the marginal to the reference's, over 199 quantile levels."),
    ("wasserstein_1_iid", "posterior sd", "none", SPREAD, "parameter", OWN,
     "The same distance for as many independent draws from the reference: what is noise."),
    ("w1_excess", "", "lower", SPREAD, "fit", WASSERSTEIN,
     "Largest over scalars of wasserstein_1 over its expectation for as many independent reference draws as ess_bulk "
     "(of VI: as its draws). About 1 to 2 if the marginals are right."),
    *((f"p_{group}", "", "none", MCMC, "parameter", PEARSON,
       f"Probability under agreement of the largest deviation of {what} from the reference, times the number of "
       "functions; the part names the worst. Per rep, and (rep empty) of deviations averaged over reps, which find a "
       "constant fault ever better with more of them. The Monte-Carlo error has the ESS of each function's own series, "
       "and the reference's own error. The gates of a cell, Σz² among them, raise a false alarm once in 10 000.")
      for group, what in (
          ("mean", "the means, in normal scores under the reference,"),
          ("spread", "the squared normal scores"),
          ("shape", "the shape functions (as in b2_shape)"),
          ("joint", "the joint functions (as in b2_joint)"),
      )),
    ("judged_estimate", "", "none", MCMC, "reps", OWN,
     "Mean over draws and reps of the worst function of each p_*: a mean in posterior sds, a spread over the "
     "reference's, a correlation of normal scores."),
    ("judged_reference", "", "none", MCMC, "reps", OWN,
     "What the reference expects of it."),
    ("judged_error", "", "none", MCMC, "reps", OWN,
     "Standard error of judged_estimate, the reference's own included."),
    ("z", "", "none", MCMC, "parameter", OWN,
     "(mean − reference mean) / its Monte-Carlo error; about standard normal if both agree."),
    ("rms_z", "", "none", MCMC, "fit", OWN,
     "Root mean square of z; about 1 if the sampler meets the reference."),
    ("z_effective", "", "none", MCMC, "fit", SATTERTHWAITE,
     "Degrees of freedom of the chi-square that the sum of z² varies like, (tr R)² / tr R², where R correlates the "
     "errors of the means (by batch means): the effective number of z."),
    ("z_effective_tail", "", "none", MCMC, "fit", IMHOF,
     "Degrees of freedom of the chi-square that the sum of z² is skewed like, (tr R²)³ / (tr R³)²: its upper tail."),
    ("elbo", "nats", "higher", VI, "fit", BLEI,
     "Evidence lower bound, the mean of log p − log q over 1000 or more fresh draws of q, p the joint density of data "
     "and parameters; no row where the backend does not state log q, or log_ratios_lost is not 0."),
    ("elbo_se", "nats", "none", VI, "fit", BLEI,
     "Monte-Carlo standard error of elbo."),
    ("elbo_gap", "nats", "lower", VI, "fit", BLEI,
     "Log evidence minus elbo: the Kullback–Leibler divergence of q from the posterior, below 0 only by noise."),
    ("elbo_gap_se", "nats", "none", VI, "fit", BLEI,
     "Standard error of elbo_gap, the reference's own included."),
    ("k_hat", "", "lower", VI, "fit", YAO,
     "Pareto shape of the largest importance weights p/q: below 0.5 good, below 0.7 usable, else q misses a part of "
     "the posterior. −1 where all weights are equal."),
    ("log_ratios_lost", "draws", "lower", VI, "fit", OWN,
     "Draws of q at which log p − log q is no finite number, because they lie on a bound of the support or beyond "
     "float64."),
    ("recovery_error", "", "none", ALL, "parameter", OWN,
     "Mean minus the scenario's truth, signed."),
    ("recovery_relative_error", "", "none", ALL, "parameter", OWN,
     "recovery_error over the size of the truth; no row where that is 0."),
    ("recovery_bias", "", "none", ALL, "reps", OWN,
     "Mean of recovery_error over reps; only with fresh data in each rep."),
    ("recovery_rmse", "", "lower", ALL, "fit", OWN,
     "Root mean square of recovery_error over weights and bias. Not for ranking: the exact posterior misses the "
     "truth too."),
    ("recovery_rmse_exact", "", "none", ALL, "fit", OWN,
     "recovery_rmse of the exact posterior mean on the same data."),
    ("recovery_rmse_excess", "", "lower", ALL, "fit", OWN,
     "recovery_rmse minus recovery_rmse_exact, paired by data set; a single one may be below 0 by luck."),
    ("covered_90", "", "none", SPREAD, "parameter", OWN,
     "1 where the central 90 % interval holds the truth, else 0."),
    ("coverage_90", "", "none", SPREAD, "reps", OWN,
     "Mean of covered_90 over reps, per scalar and (part empty) over all; only with fresh data in each rep. A claim "
     "needs 200 reps."),
    ("coverage_90_low", "", "none", SPREAD, "reps", WILSON,
     "Lower end of the 95 % interval of coverage_90, per scalar."),
    ("coverage_90_high", "", "none", SPREAD, "reps", WILSON,
     "Upper end of the 95 % interval of coverage_90, per scalar."),
    ("recovery_z", "", "none", SPREAD, "parameter", SCHAD,
     "(mean − truth) / sd: how many of its own standard deviations the truth is off."),
    ("crps", "", "lower", ALL, "parameter", GNEITING,
     "Continuous ranked probability score of the draws against the truth; for a point the absolute error. Not for "
     "ranking."),
    ("width_90", "", "lower", SPREAD, "parameter", OWN,
     "Width of the central 90 % interval."),
    ("interval_score_90", "", "lower", SPREAD, "parameter", GNEITING,
     "width_90 plus 20 times the distance of the truth from the interval. Not for ranking."),
    ("contraction", "", "none", SPREAD, "parameter", SCHAD,
     "1 − posterior variance / prior variance: what the data taught; no row where the prior has no variance."),
    ("optimality_gap", "nats", "lower", POINT, "fit", OWN,
     "The method's own objective on the full data (least squares or negative log posterior) minus its least value."),
    ("optimum_distance_sd", "posterior sd", "lower", POINT, "fit", OWN,
     "Largest distance of a parameter from the optimum of the method's own objective, in reference sd."),
    ("mean_loss_gap", "", "lower", POINT, "fit", OWN,
     "Mean squared error on the full data minus its least value; least squares only."),
    ("elpd", "nats", "higher", SPREAD, "fit", ELPD,
     "Expected log predictive density, Σ log mean_s p(y_i | θ_s) over the hold-out rows, pointwise; of all draws, or "
     "evenly thinned ones where that would take more than 4 million densities."),
    ("elpd_mcse", "nats", "none", SPREAD, "fit", OWN,
     "Monte-Carlo standard error of elpd: of the mean over its draws of Σ p(y_i | θ_s) / mean_s p(y_i | θ_s), by their "
     "effective number."),
    ("elpd_se", "nats", "none", SPREAD, "fit", ELPD,
     "Standard error of elpd over the hold-out rows."),
    *((f"predictive_{short}", "", "lower", ALL, "fit", OWN,
       f"{error} error of the predictive mean on the hold-out rows.") for short, error in ERRORS.items()),
    ("predictive_r2", "", "higher", ALL, "fit", OWN,
     "1 − predictive_mse / variance of the hold-out observations; no row where they do not vary."),
    ("predictive_crps", "", "lower", SPREAD, "fit", GNEITING,
     "Mean continuous ranked probability score of the hold-out observations, of the mixture over evenly thinned draws "
     "(50 or more, up to 1.5 million evaluations) less what their small number adds; of binary ones the Brier score."),
    ("predictive_crps_mcse", "", "none", SPREAD, "fit", OWN,
     "Monte-Carlo standard error of predictive_crps, of the draws that it mixes."),
    *((f"predictive_coverage_{mass}", "", "none", SPREAD, "fit", CZADO,
       f"predictive_coverage_95 of the central {mass} % interval.") for mass in MASSES[:-1]),
    ("predictive_coverage_95", "", "none", SPREAD, "fit", CZADO,
     "Share of the hold-out observations inside their central 95 % predictive interval, the mixture over draws, by "
     "the probability integral transform; of discrete ones the expected share of the randomised transform."),
    *((f"predictive_{short}_outside", "", "lower", ALL, "fit", OWN,
       f"{error} error of the predictive mean outside the training range, against the noiseless truth.")
      for short, error in ERRORS.items()),
    ("predictive_r2_outside", "", "higher", ALL, "fit", OWN,
     "predictive_r2 outside the training range, against the noiseless truth."),
    ("predictive_q025", "", "none", SPREAD, "derived", OWN,
     "2.5 % quantile of a new observation at each new input of the scenario, the mixture over draws."),
    ("predictive_q975", "", "none", SPREAD, "derived", OWN,
     "97.5 % quantile of a new observation at each new input."),
    *((f"predictive_{quantile}_exact", "", "none", SPREAD, "derived", OWN,
       f"predictive_{quantile} of the exact posterior.") for quantile in ("q025", "q975")),
    ("derived_mean", "", "none", ALL, "derived", OWN,
     "Mean of a quantity the family derives from its parameters (a difference, an effect size, the expected "
     "observation at a new input); of an event its probability; of a point its value there."),
    ("derived_sd", "", "none", SPREAD, "derived", OWN,
     "Standard deviation of a derived quantity."),
    ("derived_q025", "", "none", SPREAD, "derived", OWN,
     "2.5 % quantile of a derived quantity."),
    ("derived_q975", "", "none", SPREAD, "derived", OWN,
     "97.5 % quantile of a derived quantity."),
    ("derived_ess_bulk", "draws", "higher", MCMC, "derived", VEHTARI,
     "Effective draws for the bulk of a derived quantity."),
    *((f"derived_{summary}_exact", "", "none", ALL if summary == "mean" else SPREAD, "derived", OWN,
       f"derived_{summary} of the exact posterior.") for summary in ("mean", "sd", "q025", "q975")),
    ("time_to_accuracy", "s", "lower", ALL, "reps", OWN,
     "First warm second after which the mean over reps of b2 stays below 0.01 for every f (of VI, whose checkpoints hold "
     "moments only, shape and joint functions are those of its end); no row: never. Beside "
     "it a row per rep: that rep's seconds at the same step, those of draws prorated by gradients."),
    ("time_to_accuracy_cold", "s", "lower", ALL, "reps", OWN,
     "The same with build and compile, from cold reps; import not. Beside it a row per cold rep."),
    ("gradients_to_accuracy", "gradients", "lower", ALL, "reps", OWN,
     "The same in gradient evaluations."),
    ("accuracy_floor", "", "lower", ALL, "reps", OWN,
     "Largest over f of the mean b2 where the fits end."),
    ("time_to_target", "s", "lower", ALL, "reps", OWN,
     "With --until: warm seconds of warmup and sampling until every b2 of this fit was below the target, measured: draws "
     "were made in blocks, looked at while the clock stood still (of an optimiser or VI at checkpoints). A fit needs more "
     "for that than the mean over reps, which time_to_accuracy is of. Over reps: the median, a fit that did not meet the "
     "target counting as longer than any that did; no row: half of them did not."),
    ("time_to_target_cold", "s", "lower", ALL, "reps", OWN,
     "The same with build and compile, from cold reps; import not."),
    ("target_met", "", "higher", ALL, "reps", OWN,
     "With --until: 1 if the fit met the target within its limit, else 0; over reps: the share that did."),
    ("b2_after_target", "", "lower", ALL, "reps", OWN,
     "With --until: b2 of as many draws alone that were made after the target was met, to which no look led; "
     "of VI and points that of their answer after as many steps again, or at the end of their steps. Over reps: the largest "
     "over f of the mean, which of few fits is mostly noise; of many, above the target, it says that fits stopped by luck."),
    ("objective", "", "lower", OPTIMISED, "curve", OWN,
     "The loss or −ELBO that the method itself states at a checkpoint; methods differ in what it is."),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {row[0]: Metric(*row) for row in _ROWS}
