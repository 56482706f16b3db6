"""What every family uses: priors, supports, feature designs, start values, and checks of what a scenario file says."""
