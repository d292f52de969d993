"""Symbolic links: where they lead, in archives too, and whether following one would never end.

A link that leads to a folder in which it lies is a loop: what it leads to would be found again below
it, and so on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

__all__ = ["is_loop", "resolved"]

_MOST_LINKS: Final = 40  # on the way to one file, as in Linux


def is_loop(target: str, folders: tuple[str, ...], separator: str) -> bool:
    """Whether a link leads to a folder in which it lies.

    Args:
        target: the real path of the folder that the link leads to.
        folders: the real paths of the folder that the link lies in, and of those in which the links
            lie by which that folder was reached.
        separator: what stands between the parts of a path.
    """
    if not target.endswith(separator) and target:
        target += separator
    return any(f"{folder}{separator}".startswith(target) for folder in folders)


def resolved(path: str, links: Mapping[str, str]) -> str | None:
    """The real path of a file or folder of an archive; None if a link on the way leads out of it.

    Args:
        path: the path in the archive; it need not exist.
        links: what is written in each symbolic link of the archive, by the path of the link.
    """
    pending, done, followed = deque(path.split("/")), list[str](), 0
    while pending:
        part = pending.popleft()
        if part == "..":
            if not done:
                return None
            done.pop()
        elif part not in ("", "."):
            done.append(part)
            text = links.get("/".join(done))
            if text is not None:
                followed += 1
                if followed > _MOST_LINKS or text.startswith("/"):
                    return None
                done.pop()
                pending.extendleft(reversed(text.split("/")))
    return "/".join(done)
