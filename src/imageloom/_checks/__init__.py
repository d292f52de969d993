"""Checks of what users pass, before it is used: values, paths, and the words themselves.

Each refuses what cannot be meant with an error that names the argument, what was received, what is
allowed, and the nearest right word.
"""
