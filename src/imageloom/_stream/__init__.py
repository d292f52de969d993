"""From a position to its batch, ahead of time.

What belongs here knows positions: which samples stand at one (`order`), which is next (`cursor`),
which will probably be asked for (`guess`), and which are under way (`window`). It asks an executor for
batches, and knows neither how one is computed nor who computes it.
"""
