"""Who computes batches: one narrow interface (`base`), and four executors that implement it.

Code belongs here if it starts threads, processes or Ray tasks that compute, sends them work and
collects the results, whichever of them dies. No other room starts anything that computes.
"""
