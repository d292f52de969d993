"""Which samples exist: a table of files, classes and targets, made once and then only read.

What belongs here walks folders, reads data frames and indexes, and decides which sample has which
class. It opens no image.
"""
