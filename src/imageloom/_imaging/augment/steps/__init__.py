"""Further random steps, a module for each: parameters are drawn, and then applied as they are.

The order of all steps is that of `apply`: the crop, Keras' geometry, perspective, elastic transform, Keras'
colours, and the rest. `draw` says which numbers are drawn. Each step has a random stream of its own, so
that an option changes nothing that others draw.
"""
