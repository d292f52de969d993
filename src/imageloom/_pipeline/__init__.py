"""Turns one task into one batch, in any process.

Code belongs here if it describes a batch (`recipe`, `layout`) or computes it from that description
alone: it reads, draws, transforms, runs the user's hooks, normalises and caches. Workers import this
room.
"""
