"""What a model family, a reference posterior and a backend's module must give: the contracts between the rooms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from bench.types import Array, Arrays, Budget, Clock, Dataset, Fit, Kind, Parameter, Place, Prior, Scenario, Simulated


class Reference(Protocol):
    """A posterior known well enough to judge others by; mappings are keyed by parameter name.

    `mean`, `sd`, `centred_square_variance` (Var[(θ−Eθ)²]) have each parameter's shape. `n_effective` is the number of
    draws its own error is worth (inf when exact), `log_evidence_se` the standard error of `log_evidence` (then 0).
    """

    method: str
    mean: Arrays
    sd: Arrays
    centred_square_variance: Arrays
    log_evidence: float
    log_evidence_se: float
    n_effective: float

    def cdf(self, name: str, x: Array) -> Array:
        """Marginal distribution function; x (…, *shape) → same shape."""

    def quantile(self, name: str, p: Array) -> Array:
        """Marginal quantiles; p (k,) → (k, *shape)."""

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Independent draws, {name: (n, *shape)}."""


class DerivedExact(NamedTuple):
    """Exact posterior of a derived quantity, each of its shape; of an event only the probability, `mean`."""

    mean: Array
    sd: Array | None = None
    q025: Array | None = None
    q975: Array | None = None

    def reshape(self, shape: tuple[int, ...]) -> DerivedExact:
        """The same values in another shape."""
        sd, low, high = (None if v is None else v.reshape(shape) for v in self[1:])
        return DerivedExact(self.mean.reshape(shape), sd, low, high)


@runtime_checkable
class DerivedReference(Protocol):
    """A reference that also knows derived quantities of the family exactly; keys are those of `Family.derived`."""

    def derived(self) -> dict[str, DerivedExact]:
        """Exact summaries; a quantity without one is absent."""


@runtime_checkable
class PredictiveReference(Protocol):
    """A reference that also knows the predictive distribution at the data set's new inputs."""

    def predictive(self, p: Array) -> dict[str, Array]:
        """Exact quantiles p (k,) of a new observation, {"prediction": (k, m)}; empty without new inputs."""


class Family(Protocol):
    """The contract of `FAMILY` in `scenarios/families/<folder>/<name>.py`: the statistics of one model, in float64.

    Draws are {parameter: (..., *shape)}; `z` is the unconstrained vector (..., dim), sites in order, C order inside;
    `arrays` is a mapping like `Dataset.arrays`. `scenarios.families.common.base.Family` has what most share.
    """

    name: str
    KEYS: Mapping[str, str]
    """Keys of a scenario file beside its tables, and help on each."""
    PRIORS: Mapping[str, tuple[str, ...]]
    """Parameters that have a prior, and which kinds."""
    PRIOR_DEFAULTS: Mapping[str, Prior]
    """Priors of parameters about which a scenario says nothing."""
    OPAQUE: bool
    """Whether its density is known to frameworks only: what is said of densities and likelihoods below, it lacks."""

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        """Validate the family's own keys and fill in defaults; ScenarioError names key, value and what is allowed."""

    def priors_of(self, settings: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        """Those of `PRIORS` that scenarios of these settings have."""

    def link_of(self, settings: Mapping[str, Any]) -> str:
        """What the linear predictor is of the mean of an observation: `identity`, `log`, `logit` or `probit`."""

    def discrete(self, data: Dataset) -> bool:
        """Whether observations are integers: a predictive distribution function then has steps."""

    def check(self, scenario: Scenario) -> None:
        """Validate what needs several keys at once; ScenarioError."""

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        """Sentences the reader of a result needs: a misspecified model, an improper prior, …; often none."""

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        """What is inferred, in order."""

    def coordinates(self, scenario: Scenario) -> tuple[Parameter, ...]:
        """The model's sites in the order of z where they are not the parameters; empty where they are."""

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        """Draw (or, with a `[data]` table, load) one data set and its hold-out."""

    def start(self, scenario: Scenario, rng: np.random.Generator) -> Arrays:
        """Start values the scenario prescribes, {site: shape}; empty when it leaves them to the backend."""

    def prior_predictive(self, data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
        """A truth drawn from the priors of `data`, {parameter: shape}, and arrays observed there at its design.

        NoReference with the reason where a prior is improper.
        """

    def prior_variance(self, data: Dataset) -> dict[str, Array]:
        """Prior variance of each parameter, of its shape; inf where there is none."""

    def log_density(self, data: Dataset, z: Array) -> tuple[Array, Array]:
        """Log joint density of data and z, with Jacobian, and its gradient in z: (...), (..., dim).

        Normalised: its exponential integrates to the evidence (a flat prior counts as density 1).
        """

    def constrain(self, data: Dataset, z: Array) -> dict[str, Array]:
        """Unconstrained vectors (..., dim) → draws."""

    def unconstrain(self, data: Dataset, draws: Arrays) -> Array:
        """The inverse of `constrain`."""

    def from_sites(self, data: Dataset, sites: Arrays) -> dict[str, Array]:
        """{site: (..., *shape)} on their natural scale → draws."""

    def to_sites(self, data: Dataset, draws: Arrays) -> dict[str, Array]:
        """The inverse of `from_sites`."""

    def reference(self, data: Dataset) -> Reference:
        """The exact posterior; NoReference with the reason where there is none."""

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Expected observation at new inputs, (..., n)."""

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Pointwise log p(y_i | draw) at `arrays`, inputs and y (n,): (..., n)."""

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Pointwise P(Y_i ≤ y_i | draw) at `arrays`, inputs and y (n,): (..., n).

        A family may have `observation_cdfs(data, draws, arrays)` beside it: the same as a function of y, for many y.
        """

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        """Derived quantities {name: (..., *shape)}, often none; a boolean one is an event whose mean is wanted.

        `prediction` (..., m) is the expected observation at the new inputs `data.predict`, where it has any.
        """

    def objective(self, data: Dataset, name: str, params: Arrays) -> float:
        """The objective `least_squares`, `map` (natural scale of the sites) or `map_unconstrained`, in nats.

        To be minimised; ValueError for a name the family does not have.
        """

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """Its minimiser and least value."""


class Backend(Protocol):
    """The contract of `backends/<framework>/<method>.py`, a module of three functions and a few constants.

    `KIND` (required), `KIND_OF` (exceptions, {"option=value": kind}), `FAMILIES` (names; by default the keys of
    `MODELS` in the framework's `models.py`, or else all families), `DEVICES` (by default the CPU), `DEFAULTS` (options
    of the track `defaults`) and the fields of `Options` (a frozen dataclass, see `bench.types.option`) are literals:
    the catalog reads them from the source without importing the framework. A module may also define
    `compile(program, data)`, which is called once after `build`, with a skeleton too; and a sampler
    `resume(program, data, state, draws, clock)`, so that its chains can go on until a target is met
    (`budget.until`, for which `build` may prepare): so many further draws from where `state` ended, tuned as it was.
    `draw` of what it returns gives these alone, and gradients of these alone. One whose chains cannot go on may say
    why, `ENDS`. An optimiser or VI ends where `clock.checkpoint` is true.

    Nothing else is required of a framework's folder. Its `__init__.py` may declare `PACKAGES` (a tuple of packages, or
    a table {package: name under which it is installed}), `EXTRA`, `DTYPE`, `OWN` (the files, those of Python by stem,
    that it can read of a model of the user's own, the preferred first; by default its name), `PYTHON` (which versions
    it needs, as ">=3.12"), `FORKABLE` (False where its import starts threads, so that every child imports it anew) and
    `environment(place, track)`, the variables to be set before the import; its `runtime.py`, or the module that
    `RUNTIME` names, as "backends._shared.jax_platform", any function of `bench.measure.runtime.Runtime`; its
    `models.py` `log_density(data, z, place)`, which `bench verify` holds against the family's.

    What a fit states in `Fit.stats` is kept where it is a number, text or flag, a list of these, one value per chain
    (chain,), or an array (chain, draw, …); the rest is left out with a note. Scoring reads these, and a fit in which
    one is of another type or shape is `invalid` (`bench.measure.statistics` is the table):

    - of the fit: `gradients` of the full data, in all; `gradients_warmup`, those before the first kept draw;
      `gradients_executed`, with those that chains in lockstep waste, and `gradients_executed_warmup`, by which the
      seconds of one compiled program are divided; `steps` of an optimiser or VI; `objective`
      (`least_squares`, `map`, `map_unconstrained`); `plug_in`, parameters that are not estimated; `thinning`, every
      how many-th draw is kept (1); `superchains`, of which chain i, i + K, … began at one point, equally many of each,
      where chains are many and short: nested R-hat is the gate then; `treedepth_hits` (may be per draw);
    - per draw (chain, draw): `diverging`; `num_steps`, its gradients; `num_steps_executed`, with those
      wasted, by which a draw's seconds are prorated; `energy`; of VI `log_q`, the log density of q
      on the unconstrained scale; `log_density`, that of data and unconstrained parameters as the method evaluated it
      at the draw, up to a constant: it is held against the family's (`bench.measure.target`), so that no method
      that fits other data than it was given is timed.
    """

    KIND: Kind

    def build(self, data: Dataset, budget: Budget, options: Any, place: Place) -> Any:
        """Make the program, once per child. `data` is a skeleton: shapes and priors, every value zero."""

    def fit(self, program: Any, data: Dataset, seed: int, clock: Clock) -> Any:
        """Run it on `data` with phases marked on `clock`; called once per rep."""

    def draw(self, state: Any) -> Fit:
        """NumPy answers, outside every timed phase."""
