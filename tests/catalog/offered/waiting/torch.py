from torch.distributions import Exponential


def log_density(data, params):
    rate = params["rate"]
    prior = Exponential(data["prior_rate"]).log_prob(rate)
    return prior + Exponential(rate.unsqueeze(-1)).log_prob(data["y"]).sum(-1)
