"""Builds the kernels in C; all else is in pyproject.toml.

They are optional: without a C compiler, on Windows, or with IMAGELOOM_PURE=1, the package is built
without them, and other libraries do their work.
"""

import os
import platform
import sys

from setuptools import Extension, setup

FOLDER = "src/imageloom/_imaging/kernels"
SOURCES = [f"{FOLDER}/{name}.c" for name in ("module", "png", "resize", "warp")]
HEADERS = [f"{FOLDER}/{name}.h" for name in ("kernels", "vectors")]
INTEL = platform.machine() in {"x86_64", "AMD64", "i686"}


def variant(name: str, for_intel: str) -> Extension:
    """Return the kernels for one kind of processor. The option is one for Intel and AMD."""
    # On macOS, a file may be built for both kinds of its processors.
    flags = ["-Xarch_x86_64", for_intel] if sys.platform == "darwin" else [for_intel] if INTEL else []
    return Extension(
        f"imageloom._imaging.kernels.{name}",
        SOURCES,
        depends=HEADERS,
        define_macros=[("VARIANT", name)],
        # Without contracted operations, all processors give the same bits.
        extra_compile_args=["-std=gnu11", "-O3", "-ffp-contract=off", *flags],
        py_limited_api=True,
        optional=True,
    )


def variants() -> list[Extension]:
    """Return the kernels for the processors that this system may have."""
    if sys.platform == "win32" or os.environ.get("IMAGELOOM_PURE") == "1":
        return []
    # NumPy needs a processor with SSE4.2, too.
    found = [variant("_portable", "-msse4.2")]
    return [*found, variant("_avx2", "-mavx2")] if INTEL or sys.platform == "darwin" else found


EXTENSIONS = variants()
# One wheel for all versions of Python; or for all systems, if there is nothing to compile.
setup(
    ext_modules=EXTENSIONS,
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if EXTENSIONS else {},
)
