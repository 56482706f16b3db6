"""The nouns of the harness and the protocol of a backend. Imports the standard library and numpy only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Arrays = Mapping[str, Array]

Kind = Literal["point", "vi", "mcmc", "exact"]
Status = Literal["ok", "unavailable", "unsupported", "failed", "crashed", "timeout", "memory", "invalid", "interrupted"]
Track = Literal["matched", "defaults"]
Device = Literal["cpu", "cuda"]
DType = Literal["float64", "float32"]
Phase = Literal["build", "compile", "warmup", "sample", "transfer"]

KINDS: tuple[Kind, ...] = get_args(Kind)
STATUSES: tuple[Status, ...] = get_args(Status)
PHASES: tuple[Phase, ...] = get_args(Phase)
BAD_STATUSES: frozenset[Status] = frozenset({"failed", "crashed", "timeout", "memory", "invalid"})

PRIORS: Mapping[str, tuple[str, ...]] = {
    "known": ("value",),
    "flat": (),
    "normal": ("loc", "scale"),
    "uniform": ("low", "high"),
    "student_t": ("df", "loc", "scale"),
    "cauchy": ("loc", "scale"),
    "exponential": ("rate",),
    "half_normal": ("scale",),
    "half_cauchy": ("scale",),
    "log_normal": ("loc", "scale"),
}
"""Prior names and the order of their arguments; rates and scales are positive, `df` is the degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Prior:
    """One independent prior for every element of a parameter; `args` in the order of `PRIORS[name]`."""

    name: str
    args: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in PRIORS or len(self.args) != len(PRIORS[self.name]):
            raise ValueError(f"not a prior: {self}")

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{a:g}' for a in self.args)})"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named block of the posterior: its event shape and the open interval each element lives in."""

    name: str
    shape: tuple[int, ...] = ()
    lower: float = -np.inf
    upper: float = np.inf

    @property
    def size(self) -> int:
        """Number of scalars."""
        return int(np.prod(self.shape, dtype=int))

    def parts(self) -> list[str]:
        """Names of its scalars in C order: `sigma`, `weights[0]`, …"""
        if not self.shape:
            return [self.name]
        return [f"{self.name}[{','.join(map(str, i))}]" for i in np.ndindex(*self.shape)]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A validated scenario file: what is simulated or loaded, and the model that is fitted to it.

    `settings` holds the family's own keys (`n_obs`, `weights`, …); `overrides` what the user changed in brackets;
    `predict` new inputs at which a family predicts.
    """

    name: str
    family: str
    description: str
    source: str
    file: str
    settings: Mapping[str, Any]
    priors: Mapping[str, Prior]
    start: Mapping[str, Any]
    holdout: Mapping[str, Any]
    data: Mapping[str, Any]
    sweep: Mapping[str, tuple[Any, ...]]
    overrides: Mapping[str, Any]
    digest: str
    predict: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fixed_data(self) -> bool:
        """Whether every rep sees the same data set (a `[data]` table) instead of a fresh one."""
        return bool(self.data)

    @property
    def label(self) -> str:
        """Name with overrides, as the user writes it."""
        return bracketed(self.name, self.overrides)


class Simulated(NamedTuple):
    """What a family's generator gives: `arrays` the model conditions on, truth, hold-out, and new inputs."""

    arrays: Arrays
    truth: Arrays
    holdout: Arrays
    predict: Arrays = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Dataset:
    """One data set with the model to fit; `predict` holds new inputs. `digest` covers everything but `start`.

    `coordinates` are the blocks a model samples where they are not the parameters themselves, as the standardised
    effects of a non-centred hierarchy; they number as many scalars. `start` is keyed by them.
    """

    family: str
    parameters: tuple[Parameter, ...]
    arrays: Arrays
    priors: Mapping[str, Prior]
    start: Arrays = field(default_factory=dict)
    truth: Arrays = field(default_factory=dict)
    holdout: Arrays = field(default_factory=dict)
    predict: Arrays = field(default_factory=dict)
    digest: str = ""
    coordinates: tuple[Parameter, ...] = ()

    @property
    def sites(self) -> tuple[Parameter, ...]:
        """What a model samples, in the order of z: `coordinates`, or the parameters themselves."""
        return self.coordinates or self.parameters

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters to infer (a known sigma is not among them)."""
        return tuple(p.name for p in self.parameters)

    @property
    def dim(self) -> int:
        """Number of scalars to infer."""
        return sum(p.size for p in self.parameters)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; KeyError if there is none."""
        return {p.name: p for p in self.parameters}[name]

    def observed(self) -> Dataset:
        """What a backend may see: no truth, no hold-out, no new inputs."""
        return replace(self, truth={}, holdout={}, predict={})

    def skeleton(self) -> Dataset:
        """What `build` may see: shapes, dtypes and priors, every value zero."""
        zeros = {k: np.zeros_like(v) for k, v in self.arrays.items()}
        start = {k: np.zeros_like(v) for k, v in self.start.items()}
        return replace(self, arrays=zeros, start=start, truth={}, holdout={}, predict={})


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
        ...

    def quantile(self, name: str, p: Array) -> Array:
        """Marginal quantiles; p (k,) → (k, *shape)."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Independent draws, {name: (n, *shape)}."""
        ...


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
        ...


@runtime_checkable
class PredictiveReference(Protocol):
    """A reference that also knows the predictive distribution at the data set's new inputs."""

    def predictive(self, p: Array) -> dict[str, Array]:
        """Exact quantiles p (k,) of a new observation, {"prediction": (k, m)}; empty without new inputs."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """How much work a backend is given: `steps` for optimisers and VI, chains × (warmup + draws) for MCMC."""

    name: str
    chains: int
    warmup: int
    draws: int
    steps: int
    reps: int
    rounds: int
    timeout: float


BUDGETS: Mapping[str, Budget] = {
    "quick": Budget("quick", chains=4, warmup=500, draws=500, steps=1000, reps=2, rounds=1, timeout=120.0),
    "standard": Budget("standard", chains=4, warmup=1000, draws=1000, steps=10_000, reps=3, rounds=5, timeout=600.0),
    "thorough": Budget("thorough", chains=4, warmup=1000, draws=4000, steps=50_000, reps=5, rounds=10, timeout=3600.0),
}
BUDGET_OPTIONS = ("steps", "chains", "warmup", "draws")
"""Budget fields a user may set in a backend's brackets; they are never names of a backend's own options."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how precisely a backend computes."""

    device: Device = "cpu"
    dtype: DType = "float64"
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """One contender on one task: exactly what the user named, so that `id` survives changes of code and files.

    `threads` and `options["chains"]` are absent unless named; `budget` is a preset.
    """

    scenario: str
    overrides: tuple[tuple[str, Any], ...]
    backend: str
    options: tuple[tuple[str, Any], ...]
    budget: str
    track: Track
    device: Device
    dtype: DType
    threads: int | None = None

    @property
    def id(self) -> str:
        """Twelve hex digits, the same on every machine."""
        return digest_of([getattr(self, f.name) for f in fields(self)])[:12]

    @property
    def scenario_label(self) -> str:
        """`name[k=v,…]`."""
        return bracketed(self.scenario, dict(self.overrides))

    @property
    def backend_label(self) -> str:
        """`framework.method[k=v,…]`."""
        return bracketed(self.backend, dict(self.options))

    def resolved_budget(self) -> Budget:
        """The preset with what the options change of it."""
        chosen: dict[str, Any] = {k: v for k, v in self.options if k in BUDGET_OPTIONS}
        return replace(BUDGETS[self.budget], **chosen)


class Estimate(NamedTuple):
    """An intermediate answer at a checkpoint: the point or the mean of q, its sd for VI, and the loss or −ELBO."""

    mean: Arrays
    sd: Arrays | None = None
    objective: float | None = None


class Checkpoint(NamedTuple):
    """An `Estimate` with when it was reached: seconds since warmup began, gradients of the full data."""

    step: int
    seconds: float
    gradients: float
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Fit:
    """A backend's answer: draws {parameter: (chain, draw, *event)}; a point estimate is one chain of one draw.

    `stats` holds scalars (`gradients`, `gradients_warmup`, `objective`, …) and per-draw arrays (chain, draw) such as
    `diverging`; of VI `log_q`, the log density of q at each draw on the unconstrained scale. `moments`
    {parameter: (mean, sd)} is for VI, whose own sampling noise must not be scored.
    `notes` are sentences a reader of the result needs.
    """

    kind: Kind
    draws: Arrays
    stats: Mapping[str, Any] = field(default_factory=dict)
    moments: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Diverged(Exception):
    """Raised by a backend whose iteration left the finite numbers; the message says at which step and why."""


class Unsupported(Exception):
    """Raised by a backend's `build` for a model, prior or option it cannot serve; the message says which."""


class Unavailable(Exception):
    """Raised by a framework's runtime when the device asked for is not there; the message says what was found."""


class Family(Protocol):
    """The contract of `scenarios/families/<name>.py`: the statistics of one model, in float64 NumPy and SciPy.

    Draws are {parameter: (..., *shape)}; `z` is the unconstrained vector (..., dim), sites in order, C order inside;
    `arrays` is a mapping like `Dataset.arrays`. Where the sites are the parameters, `direct` has what follows from it.
    """

    KEYS: Mapping[str, str]
    PRIORS: Mapping[str, tuple[str, ...]]
    # DISCRETE = True, where observations are integers: a predictive distribution function then has steps
    # PRIOR_DEFAULTS = {parameter: Prior}, where a scenario may leave a prior out

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        """Validate the family's own keys and fill in defaults; ScenarioError names key, value and what is allowed."""
        ...

    def check(self, scenario: Scenario) -> None:
        """Validate what needs several keys at once; ScenarioError."""
        ...

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        """Sentences the reader of a result needs: a misspecified model, an improper prior, …; often none."""
        ...

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        """What is inferred, in order."""
        ...

    def coordinates(self, scenario: Scenario) -> tuple[Parameter, ...]:
        """The model's sites in the order of z where they are not the parameters; empty where they are."""
        ...

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        """Draw (or, with a `[data]` table, load) one data set and its hold-out."""
        ...

    def start(self, scenario: Scenario, rng: np.random.Generator) -> Arrays:
        """Start values the scenario prescribes, {site: shape}; empty when it leaves them to the backend."""
        ...

    def prior_predictive(self, data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
        """A truth drawn from the priors of `data`, {parameter: shape}, and arrays observed there at its design.

        NoReference with the reason where a prior is improper.
        """
        ...

    def prior_variance(self, data: Dataset) -> dict[str, Array]:
        """Prior variance of each parameter, of its shape; inf where there is none."""
        ...

    def log_density(self, data: Dataset, z: Array) -> tuple[Array, Array]:
        """Log joint density of data and z, with Jacobian, and its gradient in z: (...), (..., dim).

        Normalised: its exponential integrates to the evidence (a flat prior counts as density 1).
        """
        ...

    def constrain(self, data: Dataset, z: Array) -> dict[str, Array]:
        """Unconstrained vectors (..., dim) → draws."""
        ...

    def unconstrain(self, data: Dataset, draws: Arrays) -> Array:
        """The inverse of `constrain`."""
        ...

    def from_sites(self, data: Dataset, sites: Arrays) -> dict[str, Array]:
        """{site: (..., *shape)} on their natural scale → draws."""
        ...

    def to_sites(self, data: Dataset, draws: Arrays) -> dict[str, Array]:
        """The inverse of `from_sites`."""
        ...

    def reference(self, data: Dataset) -> Reference:
        """The exact posterior; NoReference with the reason where there is none."""
        ...

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Expected observation at new inputs, (..., n)."""
        ...

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Pointwise log p(y_i | draw), (..., n)."""
        ...

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Pointwise P(Y_i ≤ y_i | draw), (..., n)."""
        ...

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        """Derived quantities {name: (..., *shape)}, often none; a boolean one is an event whose mean is wanted.

        `prediction` (..., m) is the expected observation at the new inputs `data.predict`, where it has any.
        """
        ...

    def objective(self, data: Dataset, name: str, params: Arrays) -> float:
        """The objective `least_squares`, `map` (natural scale of the sites) or `map_unconstrained`, in nats.

        To be minimised; ValueError for a name the family does not have.
        """
        ...

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """Its minimiser and least value."""
        ...


class Clock(Protocol):
    """What `fit` gets to mark its phases; see `bench.measure.clock`."""

    def __call__(self, phase: str) -> AbstractContextManager[None]:
        """Time a phase; `"warmup+sample"` is one program, split afterwards by gradients."""
        ...

    def checkpoint(self, step: int, estimate: Callable[[], Estimate], *, gradients: float | None = None) -> None:
        """Offer an intermediate answer; it is taken at log-spaced steps, with the clock standing still."""
        ...


class Backend(Protocol):
    """The contract of `backends/<framework>/<method>.py`, a module of three functions and a few constants.

    `KIND` (required), `KIND_OF` (exceptions, {"option=value": kind}), `Options` (a frozen dataclass), `FAMILIES` (tuple
    of family names), `DEVICES` and `DEFAULTS` (options of the track `defaults`) are literals:
    the catalog reads them from the source without importing the framework.
    """

    KIND: Kind

    def build(self, data: Dataset, budget: Budget, options: Any, place: Place) -> Any:
        """Make the program, once per child. `data` is a skeleton: shapes and priors, every value zero."""
        ...

    def fit(self, program: Any, data: Dataset, seed: int, clock: Clock) -> Any:
        """Run it on `data` with phases marked on `clock`; called once per rep."""
        ...

    def draw(self, state: Any) -> Fit:
        """NumPy answers, outside every timed phase."""
        ...


def bracketed(name: str, values: Mapping[str, Any]) -> str:
    """`name[k=v,…]`, or the bare name."""
    if not values:
        return name
    return f"{name}[{','.join(f'{k}={json.dumps(v) if not isinstance(v, str) else v}' for k, v in values.items())}]"


def digest_of(value: Any) -> str:
    """SHA-256 in hex of a JSON-able value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def derive_seed(root: int, *axes: object) -> int:
    """A seed in [0, 2³¹) hashed from the axes it depends on, so that adding a contender changes nobody's data."""
    return int.from_bytes(hashlib.sha256(repr((root, *axes)).encode()).digest()[:4], "big") >> 1
