"""Pictures and words for people: contact sheets, captions, notebook forms, descriptions, progress bars.

What belongs here turns samples, drawn parameters and counts into pictures or words. It computes single
samples with the pipeline of the batches, in the caller's thread. It starts no thread and no process.
"""
