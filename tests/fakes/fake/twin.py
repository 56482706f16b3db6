"""A sampler of another name that draws as `exact` does."""

from dataclasses import dataclass

from backends.fake import exact

from bench.types import option

KIND = "mcmc"


@dataclass(frozen=True)
class Options:
    bias: float = option(0.0, "posterior sds added to every draw")


def build(data, budget, options, place):
    return exact.build(data, budget, exact.Options(bias=options.bias), place)


fit, draw = exact.fit, exact.draw
