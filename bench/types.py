"""The nouns of the harness. Imports the standard library only."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, get_args

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[np.float64]"
Arrays = Mapping[str, Array]

Kind = Literal["point", "vi", "mcmc", "exact"]
Status = Literal["ok", "unavailable", "unsupported", "failed", "crashed", "timeout", "memory", "invalid", "interrupted"]
Track = Literal["matched", "defaults"]
Device = Literal["cpu", "cuda"]
DType = Literal["float64", "float32"]
Phase = Literal["build", "compile", "warmup", "sample", "transfer"]

KINDS: tuple[Kind, ...] = get_args(Kind)
DEVICES: tuple[Device, ...] = get_args(Device)
DTYPES: tuple[DType, ...] = get_args(DType)
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
    """One independent prior for every element of a parameter; `args` in the order of `PRIORS[name]`.

    An argument is a number for all elements, or a tuple of one for each, as where terms of a formula differ.
    """

    name: str
    args: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in PRIORS or len(self.args) != len(PRIORS[self.name]):
            raise ValueError(f"not a prior: {self}")

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(_argument, self.args))})"


def _argument(value: float | tuple[float, ...]) -> str:
    """`2.5`, or `[2.5, 0.31, …]` of an argument with a value for each element."""
    if not isinstance(value, tuple):
        return f"{value:g}"
    return f"[{', '.join(f'{v:g}' for v in value[:3])}{', …' if len(value) > 3 else ''}]"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named block of the posterior: its event shape and the open interval each element lives in.

    `labels` name its scalars in C order where the data do, as the columns of a formula's design.
    """

    name: str
    shape: tuple[int, ...] = ()
    lower: float = -math.inf
    upper: float = math.inf
    labels: tuple[str, ...] = field(default=(), repr=False)  # other names are no other data

    @property
    def bounded(self) -> bool:
        """Whether its support has an end."""
        return math.isfinite(self.lower) or math.isfinite(self.upper)

    @property
    def interior(self) -> float:
        """A point inside its support."""
        if math.isfinite(self.upper):
            return 0.5 * (self.lower + self.upper)
        return self.lower + 1.0 if math.isfinite(self.lower) else 0.0

    @property
    def size(self) -> int:
        """Number of scalars."""
        return math.prod(self.shape)

    def parts(self) -> list[str]:
        """Names of its scalars in C order: `sigma`, `weights[0]`, … or the labels."""
        if self.labels:
            return list(self.labels)
        if not self.shape:
            return [self.name]
        return [f"{self.name}[{','.join(map(str, i))}]" for i in itertools.product(*map(range, self.shape))]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What a formula makes of a data file: `arrays` and `holdout` of a family, and the words for them.

    `labels` {parameter: names of its scalars}; `terms` {term: labels of its columns}; `levels` {column: its categories,
    the first of which the others are held against}; `dropped` {column: rows left out for a gap in it}; `notes`
    are sentences that a reader of a result needs.
    """

    arrays: Arrays
    holdout: Arrays
    labels: Mapping[str, tuple[str, ...]]
    terms: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, tuple[str, ...]]
    dropped: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A validated scenario file: what is simulated or loaded, and the model that is fitted to it.

    `settings` holds the family's own keys (`n_obs`, `weights`, …); `overrides` what the user changed in brackets;
    `predict` new inputs at which a family predicts; `design` what its formula, if it has one, made of its data file;
    `reference` where a reference is stored that no formula gives.
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
    design: Design | None = field(default=None, compare=False, repr=False)
    reference: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fixed_data(self) -> bool:
        """Whether every rep sees the same data set (a `[data]` table) instead of a fresh one."""
        return bool(self.data)

    @property
    def label(self) -> str:
        """Name with overrides, as the user writes it."""
        return bracketed(self.name, self.overrides)

    @property
    def data_file(self) -> Path | None:
        """The file that `[data]` names, found from the scenario's own; None where it names none that can be."""
        return beside(Path(self.file), self.data.get("file"))

    @property
    def reference_file(self) -> Path | None:
        """The file of stored references that `[reference]` names, as `data_file`."""
        return beside(Path(self.file), self.reference.get("file"))


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
    effects of a non-centred hierarchy; they number as many scalars. `start` is keyed by them. `link` names the link
    function of a regression where it is not the family's usual one; `law` the regression whose observations those of
    this family, which has not a law of its own, are like; `source` the folder whose files say the density in the words
    of frameworks: of a model of the user's own, or of a family that others add. Where `chunk_rows` is not 0 the arrays
    lie in files, to be read so many rows at a time (see `bench.chunks`).
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
    link: str = ""
    law: str = ""
    source: str = ""
    chunk_rows: int = 0

    @property
    def sites(self) -> tuple[Parameter, ...]:
        """What a model samples, in the order of z: `coordinates`, or the parameters themselves."""
        return self.coordinates or self.parameters

    @property
    def model(self) -> str:
        """The family of whose model a framework has to know: `model` where files of `source` say the density."""
        return "model" if self.source else self.family

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters to infer (a known sigma is not among them)."""
        return tuple(p.name for p in self.parameters)

    @property
    def dim(self) -> int:
        """Number of scalars to infer."""
        return sum(p.size for p in self.parameters)

    @property
    def parts(self) -> list[str]:
        """Names of the scalars to infer, parameters in order."""
        return [part for p in self.parameters for part in p.parts()]

    @property
    def rows(self) -> int:
        """Rows of the longest array, at least 1: how many pointwise log likelihoods a draw has at most."""
        return max((len(x) for x in self.arrays.values() if x.ndim), default=1) or 1

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; KeyError if there is none."""
        return {p.name: p for p in self.parameters}[name]

    def observed(self) -> Dataset:
        """What a backend may see: no truth, no hold-out, no new inputs."""
        return replace(self, truth={}, holdout={}, predict={})

    def skeleton(self) -> Dataset:
        """What `build` may see: shapes, dtypes and priors, every value zero but whole numbers alone, the sizes."""
        import numpy as np

        arrays, start = (
            {k: v if not v.ndim and v.dtype.kind == "i" else np.zeros(v.shape, v.dtype) for k, v in group.items()}
            for group in (self.arrays, self.start)
        )
        return replace(self.observed(), arrays=arrays, start=start)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much work a backend is given: `steps` for optimisers and VI, chains × (warmup + draws) for MCMC.

    With an error `until` `draws` are those before the first look at it; more follow by the method's `resume`.
    """

    name: str
    chains: int
    warmup: int
    draws: int
    steps: int
    reps: int
    rounds: int
    timeout: float
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how precisely a backend computes."""

    device: Device = "cpu"
    dtype: DType = "float64"
    threads: int = 1


class Estimate(NamedTuple):
    """An intermediate answer at a checkpoint: the point or the mean of q, its sd for VI, and the loss or −ELBO.

    `draws` gives draws of q, {parameter: (draw, *event)}: a fit that runs until its error meets a target is then judged
    by more than moments. It is called at once, if at all.
    """

    mean: Arrays
    sd: Arrays | None = None
    objective: float | None = None
    draws: Callable[[], Arrays] | None = None


class Checkpoint(NamedTuple):
    """An `Estimate` with when it was reached: seconds since warmup began, gradients of the full data."""

    step: int
    seconds: float
    gradients: float
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Fit:
    """A backend's answer: draws {parameter: (chain, draw, *event)}, real numbers; a point is one chain of one draw.

    MCMC and exact draws are as many as the budget asks for, those of VI as many as it likes. `stats` are numbers and
    arrays (chain, draw), see `bench.protocols.Backend`. `moments` {parameter: (mean, sd)} is for VI, whose own sampling
    noise must not be scored. `notes` are sentences a reader of the result needs.
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


class Clock(Protocol):
    """What `fit` gets to mark its phases; see `bench.measure.clock`."""

    def __call__(self, phase: str) -> AbstractContextManager[None]:
        """Time a phase; `"warmup+sample"` is one program, split afterwards by gradients."""

    def checkpoint(self, step: int, estimate: Callable[[], Estimate], *, gradients: float | None = None) -> bool:
        """Offer an intermediate answer; it is taken at log-spaced steps, with the clock standing still.

        Whether to stop here: the fit was to run until its error meets a target. Who goes on nevertheless only wastes
        time.
        """


def option(default: Any, help: str) -> Any:
    """A field of a backend's `Options` with the help that `bench info` shows: `lr: float = option(0.01, "step size")`.

    Both arguments are literals: the catalog reads them from the source.
    """
    return field(default=default, metadata={"help": help})


def written(values: Mapping[str, Any]) -> str:
    """`k=v,…`: texts as they are, other values as JSON."""
    return ",".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in values.items())


def bracketed(name: str, values: Mapping[str, Any] | str) -> str:
    """`name[k=v,…]`, or the bare name where there are no values; `values` may be written already."""
    inside = values if isinstance(values, str) else written(values)
    return f"{name}[{inside}]" if inside else name


def beside(file: Path, name: Any) -> Path | None:
    """What a file calls `name`: a path in or below its own folder; None for any other value."""
    if not isinstance(name, str) or not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        return None
    return file.parent / name


def digest_of(value: Any) -> str:
    """SHA-256 in hex of a JSON-able value."""
    import hashlib  # here: whoever lists what there is digests nothing

    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def derive_seed(root: int, *axes: object) -> int:
    """A seed in [0, 2³¹) hashed from the axes it depends on, so that adding a contender changes nobody's data."""
    import hashlib

    return int.from_bytes(hashlib.sha256(repr((root, *axes)).encode()).digest()[:4], "big") >> 1
