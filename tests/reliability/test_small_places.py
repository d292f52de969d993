"""Programs that run where little is allowed: few descriptors, no home, one core, closed streams."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from ending_scripts import running

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="restricts as Linux does")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="restricts as POSIX does")
# No folder can be made below a file, not even by root.
NOWHERE = "/dev/null/nowhere"

COMPARE = """
def same_as_serial(epochs=2, **options):
    flows = []
    for executor in ("serial", "processes"):
        generator = ImageDataGenerator(cores=2, executor=executor, rotation_range=20, **options)
        flows.append(generator.flow_from_directory(FOLDER, **FLOW))
    plain, other = flows
    with other:
        same = [bool((next(plain)[0] == next(other)[0]).all()) for _ in range(epochs * len(plain))]
        tell(same=all(same), batches=len(same), workers=workers())
"""
GOOD = {"same": True, "batches": 12}


def told_by(code: str, folder: Path, crops: Path, **how: Any) -> list[dict[str, Any]]:
    """What a program tells that ends well and prints no error."""
    with running(COMPARE + code, folder, crops, **how) as program:
        program.hear()
        assert program.finish() == ""
        assert program.process.returncode == 0
        return [{k: v for k, v in told.items() if k != "workers"} for told in program.told]


# Descriptors


@posix_only
def test_two_iterators_with_forty_descriptors(crops: Path, tmp_path: Path) -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
def flow(executor):
    generator = ImageDataGenerator(cores=2, rotation_range=20, executor=executor)
    return generator.flow_from_directory(FOLDER, **FLOW)

flows = [flow("serial"), flow("processes"), flow("processes")]
same = []
for _ in range(3 * len(flows[0])):
    plain, one, other = (next(it)[0] for it in flows)
    same.append(bool((plain == one).all() and (plain == other).all()))
tell(same=all(same), batches=len(same), workers=workers())
"""
    assert told_by(code, tmp_path, crops) == [{"same": True, "batches": 18}]


@posix_only
def test_a_generator_that_is_used_again_and_again_with_forty_descriptors(
    crops: Path, tmp_path: Path
) -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
generator = ImageDataGenerator(cores=2)
shapes = set()
for _ in range(10):
    with generator.flow_from_directory(FOLDER, **FLOW) as it:
        shapes.add(next(it)[0].shape)
tell(shapes=sorted(shapes))
"""
    assert told_by(code, tmp_path, crops) == [{"shapes": [[4, 24, 24, 3]]}]


@posix_only
def test_no_descriptor_left_is_an_error_at_once(crops: Path, tmp_path: Path) -> None:
    code = """
it = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
import imageloom._executors.workers.channel  # what is to be imported needs descriptors too
import resource
taken = []
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    for _ in range(5):  # for the dispatcher and the memory, but for no worker
        os.close(taken.pop())
try:
    next(it)
except (OSError, RuntimeError) as error:
    told = dict(kind=type(error).__name__, text=str(error))
for descriptor in taken:
    os.close(descriptor)
again = ImageDataGenerator(cores=1).flow_from_directory(FOLDER, **FLOW)
tell(**told, again=next(again)[0].shape, workers=workers())
"""
    (told,) = told_by(code, tmp_path, crops)
    assert told["again"] == [4, 24, 24, 3]
    assert told["kind"] in {"WorkerStartError", "OSError"}
    assert "Too many open files" in told["text"]


# Folders


def test_without_a_home_and_a_cache_folder(crops: Path, tmp_path: Path) -> None:
    environment = {"HOME": NOWHERE, "XDG_CACHE_HOME": NOWHERE, "MPLCONFIGDIR": NOWHERE}
    assert told_by("same_as_serial()", tmp_path, crops, environment=environment) == [GOOD]


# Of root, too, permissions are asked from here on: it has given up the right to pass them over.
AS_ANYBODY = """
if hasattr(os, "geteuid") and os.geteuid() == 0:
    import ctypes
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0
try:
    open(os.path.join(FOLDER, "written"), "w")
    raise SystemExit("the folder can be written")
except PermissionError:
    pass
"""


@linux_only
@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no cache"])
def test_a_data_set_that_cannot_be_written(crops: Path, tmp_path: Path, cache: bool) -> None:
    folder = tmp_path / "data"
    shutil.copytree(crops, folder, ignore=shutil.ignore_patterns(".imageloom-index*"))
    place = tmp_path / "cache" if cache else Path(NOWHERE)
    environment = {"XDG_CACHE_HOME": str(place), "HOME": NOWHERE}
    folder.chmod(0o555)
    try:
        for _ in range(2):
            code = AS_ANYBODY + "same_as_serial()"
            assert told_by(code, tmp_path, folder, environment=environment) == [GOOD]
        assert sorted(path.name for path in folder.iterdir()) == ["astronaut", "cat", "cup"]
    finally:
        folder.chmod(0o755)
    assert len([path for path in place.rglob("*") if path.is_file()]) == cache


# Memory


WITHOUT_MEMFD = "if hasattr(os, 'memfd_create'):\n    del os.memfd_create\n"
LARGE = """
LARGE = dict(target_size=(512, 512), batch_size=64, seed=1)
def fails(**flow):
    generator = ImageDataGenerator(cores=1)
    it = generator.flow_from_directory(FOLDER, **flow)
    try:
        next(it)
    except (OSError, MemoryError) as error:
        return dict(kind=type(error).__name__, text=str(error))
    return dict(kind=None)
"""


@posix_only
def test_without_memfd_a_temporary_file_without_a_name_does(crops: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    code = f"""{WITHOUT_MEMFD}
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
kept = next(it)
mappings = open("/proc/self/maps").read() if sys.platform == "linux" else os.environ["TMPDIR"]
tell(there=os.environ["TMPDIR"] in mappings, names=os.listdir(os.environ["TMPDIR"]))
same_as_serial()
"""
    told = told_by(code, tmp_path, crops, environment={"TMPDIR": str(temporary)})
    assert told == [{"there": True, "names": []}, GOOD]
    assert list(temporary.iterdir()) == []


@linux_only
def test_without_memfd_and_temporary_folder_another_is_found(crops: Path, tmp_path: Path) -> None:
    environment = {"TMPDIR": NOWHERE}
    assert told_by(WITHOUT_MEMFD + "same_as_serial()", tmp_path, crops, environment=environment) == [
        GOOD
    ]


@linux_only
@pytest.mark.parametrize("memfd", [True, False], ids=["memfd", "file"])
def test_memory_that_is_not_granted_is_an_error_and_no_bus_error(
    crops: Path, tmp_path: Path, memfd: bool
) -> None:
    code = f"""{LARGE}{"" if memfd else WITHOUT_MEMFD}
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))  # as a full disk
told = fails(**LARGE)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
tell(**told)
same_as_serial()
"""
    first, second = told_by(code, tmp_path, crops)
    assert first["kind"] is not None
    assert first["text"], "an error that says something"
    assert second == GOOD, "a smaller batch goes"


@linux_only
def test_an_address_space_that_is_too_small_is_an_error(crops: Path, tmp_path: Path) -> None:
    code = f"""{LARGE}
import imageloom._executors.workers.channel, resource
used = psutil.Process().memory_info().vms
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, hard))  # the slots take 2.6 GB
told = fails(**LARGE)
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
tell(**told)
same_as_serial()
"""
    first, second = told_by(code, tmp_path, crops)
    assert first["kind"] is not None
    assert "memory" in first["text"].lower()
    assert second == GOOD


@linux_only
def test_memory_that_is_not_granted_is_explained(crops: Path, tmp_path: Path) -> None:
    code = f"""{LARGE}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
tell(**fails(**LARGE))
"""
    (told,) = told_by(code, tmp_path, crops)
    assert "max_batches_pending" in told["text"]


@linux_only
@pytest.mark.parametrize("memfd", [True, False], ids=["memfd", "file"])
def test_memory_that_is_not_granted_costs_no_descriptor(
    crops: Path, tmp_path: Path, memfd: bool
) -> None:
    code = f"""{LARGE}{"" if memfd else WITHOUT_MEMFD}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
fails(**LARGE)
before = len(os.listdir("/proc/self/fd"))
kinds = {{fails(**LARGE)["kind"] for _ in range(5)}}
tell(kinds=sorted(kinds), more=len(os.listdir("/proc/self/fd")) - before)
"""
    assert told_by(code, tmp_path, crops) == [{"kinds": ["BatchMemoryError"], "more": 0}]


@linux_only
def test_shared_memory_file_system_is_not_touched(crops: Path, tmp_path: Path) -> None:
    code = """
import contextlib
from pathlib import Path
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
kept = [next(it) for _ in range(6)]
found = []
for pid in (os.getpid(), *workers()):
    found += [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "/dev/shm" in line]
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself
            found += [str(link.readlink())] if "/dev/shm" in str(link.readlink()) else []
tell(found=found, seen=len(workers()) > 0, workers=workers())
"""
    assert told_by(code, tmp_path, crops) == [{"found": [], "seen": True}]


# CPUs


@linux_only
@pytest.mark.parametrize("cores", ["1", "2", "-1", "0.25"])
def test_on_one_core(crops: Path, tmp_path: Path, cores: str) -> None:
    code = f"""
os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
plain = ImageDataGenerator(executor="serial").flow_from_directory(FOLDER, **FLOW)
it = ImageDataGenerator(cores={cores}).flow_from_directory(FOLDER, **FLOW)
same = all((next(plain)[0] == next(it)[0]).all() for _ in range(12))
tell(same=bool(same), workers=workers(), count=len(workers()))
"""
    with running(code, tmp_path, crops) as program:
        told = program.hear()
        errors = program.finish()
    assert (told["same"], told["count"]) == (True, 1)
    assert errors == "" or cores == "0.25"


# Streams


def closing(descriptor: int) -> str:
    """Begins a program anew, in an interpreter that finds this descriptor closed."""
    return f"""
if "BEGUN" not in os.environ:
    os.environ["BEGUN"] = "1"
    os.close({descriptor})
    os.execv(sys.executable, [sys.executable, *sys.argv])
assert sys.__{("stdin", "stdout", "stderr")[descriptor]}__ is None

def tell(**what):
    with open(os.path.join(SIGNALS, "told"), "a") as file:
        file.write(json.dumps({{**what, "workers": len(what["workers"])}}) + "\\n")
"""


@posix_only
@pytest.mark.parametrize("descriptor", [0, 1, 2], ids=["stdin", "stdout", "stderr"])
def test_with_a_standard_stream_closed(crops: Path, tmp_path: Path, descriptor: int) -> None:
    code = closing(descriptor) + COMPARE + "same_as_serial()"
    with running(code, tmp_path, crops) as program:
        errors = program.finish(30)
        assert program.process.returncode == 0, errors
    assert '"same": true' in (tmp_path / "told").read_text(encoding="utf-8")


@posix_only
def test_with_all_standard_streams_closed_later(crops: Path, tmp_path: Path) -> None:
    """As programs do that turn themselves into services."""
    tell = "def tell" + closing(0).partition("def tell")[2]
    code = f"""{tell}{COMPARE}
sys.stdin = sys.stdout = sys.stderr = None
for descriptor in range(3):
    os.close(descriptor)
same_as_serial()
"""
    with running(code, tmp_path, crops) as program:
        program.finish(30)
        assert program.process.returncode == 0
    assert '"same": true' in (tmp_path / "told").read_text(encoding="utf-8")


# Ways to run a program


@pytest.mark.parametrize("command_line", [False, True], ids=["script", "python -c"])
def test_without_a_guard(crops: Path, tmp_path: Path, command_line: bool) -> None:
    assert told_by("same_as_serial()", tmp_path, crops, command_line=command_line) == [GOOD]


def test_in_a_thread_of_the_program(crops: Path, tmp_path: Path) -> None:
    code = """
thread = threading.Thread(target=same_as_serial)
thread.start()
thread.join()
"""
    assert told_by(code, tmp_path, crops) == [GOOD]


def test_workers_outlive_the_thread_that_asked_for_the_first_batch(crops: Path, tmp_path: Path) -> None:
    code = """
it = ImageDataGenerator(cores=2).flow_from_directory(FOLDER, **FLOW)
thread = threading.Thread(target=next, args=(it,))
thread.start()
thread.join()
before = workers()
for _ in range(12):
    next(it)
tell(same=workers() == before, workers=before)
"""
    assert told_by(code, tmp_path, crops) == [{"same": True}]
