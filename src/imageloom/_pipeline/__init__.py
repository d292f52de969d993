"""One task becomes one batch, in whatever process that happens.

What belongs here describes a batch (`recipe`, `layout`) or computes it from that description alone:
read, draw, transform, run the user's hooks, normalise, keep. Everything here is imported by workers.
"""
