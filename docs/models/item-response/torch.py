"""Item response as a log density, for any number of chains at once."""

from torch.distributions import Bernoulli, HalfNormal, Normal


def log_density(data, params):
    """Parameters (…, shape) → (…)."""
    sigma, ability, difficulty = params["sigma"], params["ability"], params["difficulty"]
    logits = ability[..., data["person"]] - difficulty[..., data["item"]]
    return (
        HalfNormal(2.0).log_prob(sigma)
        + Normal(0.0, sigma.unsqueeze(-1)).log_prob(ability).sum(-1)
        + Normal(0.0, 1.0).log_prob(difficulty).sum(-1)
        + Bernoulli(logits=logits).log_prob(data["y"]).sum(-1)
    )
