"""Which samples a data set has: a table of files, classes and targets.

What belongs here lists folders, reads data frames and index files, and decides which class a sample
has. It opens no image. A table is made once, and only read afterwards.
"""
