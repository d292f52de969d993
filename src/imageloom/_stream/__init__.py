"""The endless stream of batches of an iterator, with prefetching.

Code belongs here if it handles positions in the stream: the samples at a position (`order`), the
next position (`cursor`), the positions that will probably be requested (`guess`), and those that
are being computed (`window`). It requests batches from an executor, and does not know how they are
computed.
"""
