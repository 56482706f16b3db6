"""The density gate: every framework's log density and gradient against the family's own, before any fit is timed."""
