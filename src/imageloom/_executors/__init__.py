"""Who computes batches: one narrow interface (`base`), and four executors behind it.

What belongs here starts threads, processes or Ray tasks, sends them work and brings back what they
computed, whoever of them dies. Nothing outside this room starts anything that computes.
"""
