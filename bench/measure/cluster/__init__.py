"""Many slots, on this machine or on others, carried by Dask distributed: who may do what where, and what comes back."""
