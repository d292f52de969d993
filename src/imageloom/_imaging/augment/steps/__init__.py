"""Further random steps, a module for each: parameters are drawn, and then applied as they are.

`apply` says in which order all steps are applied, and `draw` which numbers are drawn. Each step has a
random stream of its own, so that an option changes nothing that others draw.
"""
