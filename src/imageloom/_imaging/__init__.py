"""Pure functions of pixels, which decode, convert, augment, normalise and measure images.

What belongs here takes arrays or the bytes of a file, and returns arrays. It knows no data set, no
iterator and no process.
"""
