"""What people look at: contact sheets, captions, notebook forms, descriptions and progress bars.

What belongs here turns samples, drawn parameters and counts into pictures or words. It computes single
samples with the pipeline that batches go through, in the caller's thread, and starts nothing.
"""
