"""Whether a run's folder, or a backend, is what others may rely on."""
