import numpyro
import numpyro.distributions as dist


def model(y, prior_rate):
    rate = numpyro.sample("rate", dist.Exponential(prior_rate))
    numpyro.sample("y", dist.Exponential(rate).expand(y.shape).to_event(1), obs=y)
