"""Save results together with the date, the machine and the versions of the libraries."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).resolve().parent / "results"

_LIBRARIES = (
    "imageloom",
    "numpy",
    "scipy",
    "pillow",
    "simplejpeg",
    "isal",
    "kornia-rs",
    "cykooz-resizer",
    "opencv-python-headless",
    "keras",
    "jax",
    "tensorflow-cpu",
    "tensorflow",
    "torch",
    "albumentations",
)


def keep(name: str, results: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write ``results`` to ``name``.json below ``folder``; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": describe_machine(),
        "versions": library_versions(),
        **results,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def describe_machine() -> dict[str, str | int | float]:
    """Return the processor, its cores usable by this process, memory, system and Python."""
    return {
        "processor": _processor_name(),
        "cores": _usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0,
    }


def library_versions() -> dict[str, str]:
    """Return the versions of the compared libraries, as far as they are installed."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _processor_name() -> str:
    """Return the processor's model: ``platform.processor()`` is empty on many Linux systems."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    """Return the number of cores that this process may use, which a container can restrict."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
