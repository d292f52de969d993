"""The compiled kernels that this machine has, and steps that do without them."""

from __future__ import annotations

from typing import Any

import pytest

from imageloom._imaging.kernels import variants

__all__ = ["VARIANTS", "use"]

VARIANTS = variants()
_USERS = ("png", "pillow_resize", "augment.warp_bytes")


def use(chosen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process do its steps with other kernels, or with None."""
    for module in _USERS:
        monkeypatch.setattr(f"imageloom._imaging.{module}.kernels", chosen)
