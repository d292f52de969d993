"""The public interface: the generator, its flow methods, and the iterators that these return.

Code belongs here if it checks the arguments of a user, reports errors in terms of these arguments,
or turns them into frozen records for the lower rooms. It does not compute pixels, start processes
or read folders itself.
"""
