"""Pure scores: (problem, fit) → rows. `catalog` names them without importing numpy."""
