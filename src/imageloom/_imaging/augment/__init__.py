"""Draw, then apply: `draw` makes a record of parameters, `apply` is a pure function of it."""
