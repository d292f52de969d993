"""Which samples exist: a table of files, classes and targets, made once and then only read."""
