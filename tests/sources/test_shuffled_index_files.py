"""`shuffle_index_dir`: the original's index files, of an order that stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageloom import ImageDataGenerator, InvalidArgumentError
from imageloom._sources import shuffled_index

LONG_AGO = 1_600_000_000_123_456_789
CATS = [f"cats/{i:02d}.jpg" for i in range(20)]
DOGS = [f"dogs/{i:02d}.png" for i in range(10)]


def write(root: Path, *files: str) -> Path:
    """Files, in folders that were not changed lately."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return age(root)


def age(root: Path) -> Path:
    """Dates folders that were changed lately back, each to a time of its own."""
    for folder, _, _ in os.walk(root):
        modified = os.stat(folder).st_mtime_ns
        if modified > LONG_AGO * 1.05:
            os.utime(folder, ns=(LONG_AGO + modified % 10**15, LONG_AGO + modified % 10**15))
    return root


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write(tmp_path / "pets", *CATS, *DOGS)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the index files are to be; not there yet."""
    return tmp_path / "made" / "by us"


def flow(folder: Path, index_dir: Path | str, *, split: float = 0.0, **options: Any) -> list[str]:
    generator = ImageDataGenerator(executor="serial", validation_split=split)
    options.setdefault("seed", 5)
    iterator = generator.flow_from_directory(folder, (3, 3), shuffle_index_dir=index_dir, **options)
    return iterator.filenames  # type: ignore[return-value]


def lines(place: Path, name: str) -> list[str]:
    return (place / ".index" / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def test_the_files_are_those_of_the_original(pets: Path, place: Path) -> None:
    write(pets, "cats/deep/er.png")
    names = flow(pets, place)
    content = (place / ".index" / "cats.txt").read_bytes()
    assert content.endswith(b"\n")
    assert b"\r" not in content
    assert sorted(content.decode().split("\n")[:-1]) == sorted([*CATS, "cats/deep/er.png"])
    assert [*lines(place, "cats"), *lines(place, "dogs")] == [Path(name).as_posix() for name in names]
    assert names != sorted(names)
    assert not (pets / ".imageloom-index").exists()


def test_the_order_depends_on_the_seed_alone(pets: Path, tmp_path: Path) -> None:
    copy = write(tmp_path / "copy", *reversed(DOGS), *reversed(CATS))
    first = flow(pets, tmp_path / "one")
    assert flow(copy, tmp_path / "two") == first
    assert flow(copy, str(tmp_path / "three"), classes=["dogs", "cats"]) == first[20:] + first[:20]
    other = flow(pets, tmp_path / "four", seed=6)
    assert other != first
    assert sorted(other) == sorted(first)
    assert flow(pets, tmp_path / "five", seed=0) == flow(pets, tmp_path / "six", seed=0) != first


def test_without_a_seed_the_order_is_drawn_from_the_global_state(
    pets: Path, tmp_path: Path, global_numpy_state: None
) -> None:
    orders = []
    for number, seed in enumerate((1, 1, 2)):
        np.random.seed(seed)
        orders.append(flow(pets, tmp_path / str(number), seed=None))
    assert orders[0] == orders[1] != orders[2]


def test_with_a_seed_the_global_state_is_not_touched(
    pets: Path, place: Path, global_numpy_state: None
) -> None:
    np.random.seed(7)
    flow(pets, place)
    drawn = np.random.random(3)
    np.random.seed(7)
    assert drawn.tolist() == np.random.random(3).tolist()


def test_an_order_is_kept_and_nothing_is_walked_through_again(
    pets: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = flow(pets, place)
    content = (place / ".index" / "cats.txt").read_bytes()
    monkeypatch.setattr(shuffled_index, "list_class", None)
    assert flow(pets, place, seed=99) == first
    assert flow(pets, place, seed=None) == first
    assert (place / ".index" / "cats.txt").read_bytes() == content


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_order_of_the_original_is_kept(pets: Path, place: Path, line_end: str) -> None:
    order = sorted(CATS, key=lambda name: name[::-1])
    assert order != CATS
    index = place / ".index"
    index.mkdir(parents=True)
    (index / "cats.txt").write_bytes("".join(name + line_end for name in order).encode())
    for _ in range(2):
        assert [Path(n).as_posix() for n in flow(pets, place, classes=["cats"])] == order


def test_added_files_go_to_the_end_and_removed_ones_vanish(pets: Path, place: Path) -> None:
    flow(pets, place)
    order = lines(place, "cats")
    gone, added = order[3], [f"cats/{name}.jpg" for name in ("00a", "new", "zz", "sub/zz")]
    (pets / gone).unlink()
    write(pets, *added)
    flow(pets, place)
    after = lines(place, "cats")
    assert after[:19] == [name for name in order if name != gone]
    assert sorted(after[19:]) == sorted(added)
    assert len(after) == 23
    assert len(lines(place, "dogs")) == 10


def test_a_damaged_description_beside_the_list_is_ignored(pets: Path, place: Path) -> None:
    first = flow(pets, place)
    for content in (b"", b"[]", b'{"crc32": 1}', b"\x80nonsense"):
        (place / ".index" / "cats.json").write_bytes(content)
        assert flow(pets, place) == first


@pytest.mark.parametrize("line", ["cats/../../etc/x.png", "/etc/x.png", "dogs/00.png", "cats/lost.png"])
def test_a_line_that_is_no_file_of_the_class_is_left_out(pets: Path, place: Path, line: str) -> None:
    flow(pets, place)
    order = lines(place, "cats")
    listed = place / ".index" / "cats.txt"
    listed.write_text("\n".join([line, *order, order[0], ""]), encoding="utf-8")
    assert [Path(n).as_posix() for n in flow(pets, place, classes=["cats"])] == order
    assert lines(place, "cats") == order


def test_a_subset_is_a_slice_of_the_order(pets: Path, place: Path) -> None:
    order = flow(pets, place)
    cats, dogs = order[:20], order[20:]
    assert flow(pets, place, split=0.3, subset="validation") == cats[:6] + dogs[:3]
    assert flow(pets, place, split=0.3, subset="training") == cats[6:] + dogs[3:]


def test_an_index_beside_the_classes_is_no_class(pets: Path) -> None:
    """The original fails at its second run here: it takes its own index for a class."""
    first = flow(pets, pets)
    assert (pets / ".index" / "cats.txt").exists()
    assert flow(pets, pets) == first
    assert flow(pets, pets, classes=None, class_mode=None) == first
    assert {name.split(os.sep)[0] for name in first} == {"cats", "dogs"}


def test_an_empty_class_has_an_empty_index(pets: Path, place: Path) -> None:
    (pets / "cows").mkdir()
    for _ in range(2):
        with pytest.warns(UserWarning, match="'cows'"):
            assert len(flow(pets, place)) == 30
        assert lines(place, "cows") == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_line_break_in_a_name_is_an_error_that_says_so(pets: Path, place: Path) -> None:
    write(pets, "dogs/a\nb.png")
    with pytest.raises(InvalidArgumentError, match=r"'dogs' contains a line break.*shuffle_index_dir"):
        flow(pets, place)
    assert len(flow(pets, place, classes=["cats"])) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="file names as in Linux")
def test_names_of_any_other_kind_survive(pets: Path, place: Path) -> None:
    strange = [f"dogs/{os.fsdecode(name)}" for name in (b"\xff.png", b" a\rb.png", "ü.png".encode())]
    write(pets, *strange)
    first = flow(pets, place)
    assert set(strange) < set(first)
    assert flow(pets, place) == first


@pytest.mark.parametrize("obstacle", ["", ".index", ".index/dogs.txt/x"])
def test_a_place_that_cannot_be_written_is_an_error_that_names_it(
    pets: Path, place: Path, obstacle: str
) -> None:
    file = place / obstacle
    file.parent.mkdir(parents=True)
    file.write_text("in the way")
    with pytest.raises(InvalidArgumentError, match=r"shuffle_index_dir.*by us.*cannot be used"):
        flow(pets, place)
