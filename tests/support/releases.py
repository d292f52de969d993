"""Which releases of packages are installed: tests differ where the oldest ones cannot do something."""

from __future__ import annotations

from importlib import metadata


def release_of(package: str) -> tuple[int, ...]:
    """Major and minor number, such as (3, 15); empty, and so older than any, if it is missing."""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return ()
    return tuple(int(part) for part in version.split(".")[:2])
