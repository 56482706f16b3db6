"""Every metric: unit, direction, the kinds it applies to, definition and source. Imports the standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Scope = Literal["parameter", "fit", "reps"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A score. `scope` says whether it has a row per scalar parameter, per fit, or one over the reps of a cell."""

    name: str
    unit: str
    direction: Literal["lower", "higher", "none"]
    kinds: frozenset[str]
    scope: Scope
    definition: str
    source: str

    def not_applicable(self, kind: str) -> str:
        """Why a fit of this kind has no such row; empty when it may have one."""
        return "" if kind in self.kinds else REASONS[(kind, "mcmc" if self.kinds == MCMC else "spread")]


ALL = frozenset({"point", "vi", "mcmc", "exact"})
SPREAD = ALL - {"point"}
MCMC = frozenset({"mcmc"})
POINT = frozenset({"point"})

REASONS = {
    ("point", "mcmc"): "n/a: a point estimate has no chains",
    ("vi", "mcmc"): "n/a: draws are independent by construction, so their number says nothing about their quality",
    ("exact", "mcmc"): "n/a: draws are independent by construction",
    ("point", "spread"): "n/a: a point estimate states no uncertainty",
    ("vi", "spread"): "n/a: for point estimates only",
    ("mcmc", "spread"): "n/a: for point estimates only",
    ("exact", "spread"): "n/a: for point estimates only",
}

VEHTARI = "Vehtari et al. 2021, arXiv:1903.08008"
MCLMC = "after arXiv:2412.08876, with centred instead of raw squares"

_ROWS: tuple[tuple[str, str, Literal["lower", "higher", "none"], frozenset[str], Scope, str, str], ...] = (
    ("mean", "", "none", ALL, "parameter", "Mean of the draws or of q; a point estimate is its own mean.", ""),
    ("sd", "", "none", SPREAD, "parameter", "Standard deviation of the draws or of q.", ""),
    ("r_hat", "", "lower", MCMC, "parameter", "Rank-normalised split R-hat, the larger of bulk and folded.", VEHTARI),
    ("r_hat_max", "", "lower", MCMC, "fit", "Largest r_hat over the scalars.", VEHTARI),
    ("ess_bulk", "draws", "higher", MCMC, "parameter", "Effective draws for the bulk: rank-normalised, split.", VEHTARI),
    ("ess_tail", "draws", "higher", MCMC, "parameter", "Smaller ESS of the 5 % and 95 % quantile indicators.", VEHTARI),
    ("ess_mean", "draws", "higher", MCMC, "parameter", "Effective draws for the mean: split, not rank-normalised.", VEHTARI),
    ("ess_bulk_min", "draws", "higher", MCMC, "fit", "Smallest ess_bulk over the scalars.", VEHTARI),
    ("ess_bulk_median", "draws", "higher", MCMC, "fit", "Median ess_bulk over the scalars.", VEHTARI),
    ("ess_tail_min", "draws", "higher", MCMC, "fit", "Smallest ess_tail over the scalars.", VEHTARI),
    ("mcse_mean", "", "lower", MCMC, "parameter", "Monte-Carlo standard error of the mean, sd/√ess_mean.", VEHTARI),
    (
        "mcse_sd", "", "lower", MCMC, "parameter",
        "Monte-Carlo standard error of the sd, delta method on the mean of centred squares with their own ESS.", VEHTARI,
    ),
    ("mcse_q05", "", "lower", MCMC, "parameter", "Monte-Carlo standard error of the 5 % quantile.", VEHTARI),
    ("mcse_q95", "", "lower", MCMC, "parameter", "Monte-Carlo standard error of the 95 % quantile.", VEHTARI),
    ("stuck_parameters", "scalars", "lower", MCMC, "fit", "Scalars whose draws never move; they have no R-hat or ESS.", ""),
    ("divergences", "per 1000 draws", "lower", MCMC, "fit", "Divergent transitions after warmup.", "Betancourt 2017"),
    ("treedepth_hits", "per 1000 draws", "lower", MCMC, "fit", "Trajectories stopped by the depth limit.", "Hoffman & Gelman 2014"),
    ("e_bfmi", "", "higher", MCMC, "fit", "Smallest over chains of Σ(ΔE)²/Σ(E−Ē)².", "Betancourt 2016, arXiv:1604.00695"),
    (
        "ess_per_second", "1/s", "higher", MCMC, "fit",
        "Smallest ess_bulk over the seconds of warmup and sampling of the whole fit; warm reps.", "",
    ),
    ("ess_per_second_sampling", "1/s", "higher", MCMC, "fit", "Smallest ess_bulk over the sampling seconds; warm reps.", ""),
    ("ess_per_second_cold", "1/s", "higher", MCMC, "fit", "Smallest ess_bulk over all seconds of a cold rep, compile included.", ""),
    ("ess_per_gradient", "", "higher", MCMC, "fit", "Smallest ess_bulk over gradient evaluations, warmup included.", ""),
    ("ess_per_gradient_sampling", "", "higher", MCMC, "fit", "Smallest ess_bulk over gradient evaluations after warmup.", ""),
    (
        "seconds_per_gradient", "s", "lower", frozenset({"point", "vi", "mcmc"}), "fit",
        "Seconds of warmup and sampling over gradient evaluations of the full data; warm reps.", "",
    ),
    (
        "b2", "", "lower", ALL, "parameter",
        "Squared error of an expectation in units of the posterior variance, (Ê f − E f)² / Var f, for f = θ (part `name`) "
        "and its centred square (θ − E θ)² (part `(name)²`). 0.01 is what 100 independent draws give.", MCLMC,
    ),
    ("b2_max", "", "lower", ALL, "fit", "Largest b2; over reps: the largest over f of the mean over reps.", MCLMC),
    ("b2_avg", "", "lower", ALL, "fit", "Mean b2 over all f; over reps: its mean.", MCLMC),
    (
        "n_eq", "draws", "higher", ALL, "reps",
        "Error-equivalent independent draws, 1 / mean over reps of b2, per f; part empty: the worst f. It saturates for "
        "a biased method.", MCLMC,
    ),
    ("mean_error_sd", "posterior sd", "none", ALL, "parameter", "(mean − reference mean) / reference sd, signed.", ""),
    ("sd_ratio_log", "", "none", SPREAD, "parameter", "log(sd / reference sd); −0.7 is half as wide.", ""),
    ("mass_50", "", "none", SPREAD, "parameter", "Posterior probability inside the method's central 50 % interval.", ""),
    ("mass_90", "", "none", SPREAD, "parameter", "Posterior probability inside the method's central 90 % interval.", ""),
    ("mass_95", "", "none", SPREAD, "parameter", "Posterior probability inside the method's central 95 % interval.", ""),
    (
        "wasserstein_1", "posterior sd", "lower", ALL, "parameter",
        "Wasserstein-1 distance of the marginal to the reference's, over 199 quantile levels.", "",
    ),
    (
        "wasserstein_1_iid", "posterior sd", "none", SPREAD, "parameter",
        "The same distance for as many independent draws from the reference: what is noise.", "",
    ),
    ("z", "", "none", MCMC, "parameter", "(mean − reference mean) / mcse_mean; about standard normal if both agree.", ""),
    ("rms_z", "", "none", MCMC, "fit", "Root mean square of z; about 1 if the sampler meets the reference.", ""),
    ("recovery_error", "", "none", ALL, "parameter", "Mean minus the scenario's truth, signed.", ""),
    (
        "recovery_rmse", "", "lower", ALL, "fit",
        "Root mean square of recovery_error over weights and bias. Not for ranking: the exact posterior misses the truth too.",
        "",
    ),
    ("recovery_rmse_exact", "", "none", ALL, "fit", "recovery_rmse of the exact posterior mean on the same data.", ""),
    ("covered_90", "", "none", SPREAD, "parameter", "1 where the central 90 % interval holds the truth, else 0.", ""),
    (
        "coverage_90", "", "none", SPREAD, "reps",
        "Mean of covered_90 over reps and scalars; only with fresh data in each rep. A claim needs 200 of them.", "",
    ),
    ("width_90", "", "lower", SPREAD, "parameter", "Width of the central 90 % interval.", ""),
    (
        "optimality_gap", "nats", "lower", POINT, "fit",
        "The method's own objective on the full data (least squares or negative log posterior) minus its least value.", "",
    ),
    (
        "elpd", "nats", "higher", SPREAD, "fit",
        "Expected log predictive density, Σ log mean_s p(y_i | θ_s) over the hold-out rows, pointwise.",
        "Vehtari, Gelman, Gabry 2017",
    ),
    ("elpd_se", "nats", "none", SPREAD, "fit", "Standard error of elpd over the hold-out rows.", "Vehtari, Gelman, Gabry 2017"),
    ("predictive_mae", "", "lower", ALL, "fit", "Mean absolute error of the predictive mean on the hold-out rows.", ""),
    ("predictive_rmse", "", "lower", ALL, "fit", "Root mean squared error of the predictive mean on the hold-out rows.", ""),
    (
        "predictive_rmse_outside", "", "lower", ALL, "fit",
        "Root mean squared error of the predictive mean outside the training range, against the noiseless truth.", "",
    ),
    (
        "time_to_accuracy", "s", "lower", ALL, "reps",
        "First warm second after which the mean over reps of b2 stays below 0.01 for every f; no row: never. Beside it a "
        "row per rep: that rep's seconds at the same step.", "",
    ),
    ("time_to_accuracy_cold", "s", "lower", ALL, "reps", "The same with build and compile, from cold reps.", ""),
    ("gradients_to_accuracy", "gradients", "lower", ALL, "reps", "The same in gradient evaluations.", ""),
    ("accuracy_floor", "", "lower", ALL, "reps", "Largest over f of the mean b2 where the fits end.", ""),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {row[0]: Metric(*row) for row in _ROWS}
