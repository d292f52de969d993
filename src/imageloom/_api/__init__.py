"""What users hold: the generator, its flow methods, and the iterators that these return.

What belongs here checks what a user passed in, in the user's words, and turns it into frozen records
for the rooms below. Nothing here computes pixels, starts a process or walks a folder by itself.
"""
