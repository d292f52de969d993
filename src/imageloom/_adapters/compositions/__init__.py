"""Compositions of albumentations and torchvision, called as each of them wants it."""
