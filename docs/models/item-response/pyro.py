"""Item response in Pyro."""

import pyro
import pyro.distributions as dist
import torch


def model(person, item, y, persons, items):
    """Logit of a right answer is ability − difficulty."""
    sigma = pyro.sample("sigma", dist.HalfNormal(torch.tensor(2.0)))
    ability = pyro.sample("ability", dist.Normal(torch.zeros(persons), sigma).to_event(1))
    difficulty = pyro.sample("difficulty", dist.Normal(torch.zeros(items), 1.0).to_event(1))
    with pyro.plate("answers", len(y)):
        pyro.sample("y", dist.Bernoulli(logits=ability[person] - difficulty[item]), obs=y)
