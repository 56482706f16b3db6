"""Hierarchies: normal effects around a common mean, in the centred and the non-centred parametrisation."""
