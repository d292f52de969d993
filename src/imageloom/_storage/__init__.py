"""Bytes by path or URL: local files, object stores and archives.

What belongs here finds, reads or writes the bytes of files, or notices that a file has changed. It does
not know that the files are images.
"""
