"""From a formula and a table to the arrays of a model family: for whoever plans fits, never for their children."""
