"""Pure functions of pixels: decode, convert, augment, normalise, measure.

What belongs here takes arrays or the bytes of a file, and returns arrays. It knows no data set, no
batch and no process.
"""
