"""Bytes by path or URL: local files, object stores, archives, and what tells their versions apart.

What belongs here moves or locates bytes. It does not know that they are images.
"""
