"""Tells when a module is loaded, before who imports it can use it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

__all__ = ["Watch"]


class Watch:
    """Finds modules as Python does; to be put at the head of `sys.meta_path`."""

    def __init__(self, names: set[str], then: Callable[[str], None]) -> None:
        """`then` is called with one of the names when that module has been loaded."""
        self._names: Final = names
        self._then: Final = then

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """What the other finders find, with a loader that tells when it has finished."""
        if name not in self._names:
            return None
        for finder in tuple(sys.meta_path):
            spec = None if isinstance(finder, Watch) else finder.find_spec(name, path, target)
            if spec is not None:
                loader: Any = spec.loader
                if hasattr(loader, "exec_module"):
                    loader = _Loader(loader, self._then)
                spec.loader = loader
                return spec
        return None


class _Loader:
    """Loads a module with its own loader, which the module knows it by."""

    def __init__(self, loader: Any, then: Callable[[str], None]) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then(module.__name__)
