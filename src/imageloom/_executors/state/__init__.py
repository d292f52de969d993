"""What worker processes know of the state of the program that they compute for.

The program takes a `snapshot` at the first batch of an iterator, and a worker `takes it over`
before it receives the functions of the user.
"""
