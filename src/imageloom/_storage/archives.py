"""Where the files of a zip or tar archive lie, so that each is read with one request, from any process.

The archive is read for its index once; from then on a file is a range of bytes. Archives are not
unpacked, and no file object is shared between threads.
"""

from __future__ import annotations

import posixpath
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final, NamedTuple

from imageloom._errors import BadImageError, InvalidArgumentError, StorageError

__all__ = ["ARCHIVES", "Index", "Member", "read_index", "unpacked"]

_STORED, _DEFLATED, _BZIPPED, _IN_A_TAR = 0, 8, 12, -1  # how a file is packed
_MAGIC: Final = b"PK\3\4"  # of a file in a zip
_HEADER: Final = struct.Struct("<26xHH")  # whose header ends with the lengths of name and extra field
_ENCRYPTED: Final = 1
_MAC_FORKS: Final = "__MACOSX/"  # macOS puts there what it knows about the files, under the same names
_BLOCK: Final = {"zip": 2**20, "tar": 2**23}  # bytes to read at once for the index


class Member(NamedTuple):
    """A file of an archive.

    Attributes:
        start: of its bytes in the archive; of a zip, with the header before them.
        end: of the bytes to read, which may be too many.
        packed: how many bytes it takes there.
        size: how many they are unpacked.
        method: how it is packed, by zip's numbers.
        crc32: of the unpacked bytes; for a tar, the time of its last change.
    """

    start: int
    end: int
    packed: int
    size: int
    method: int
    crc32: int

    @property
    def stamp(self) -> str:
        """What changes with the file."""
        return f"{self.size} {self.crc32}"


@dataclass(frozen=True, slots=True)
class Index:
    """What lies in an archive.

    Attributes:
        stamp: of the archive, when it was read.
        members: its files by their paths inside.
        folders: every folder inside, "" for the outermost, with the names of the folders in it.
    """

    stamp: str
    members: dict[str, Member]
    folders: dict[str, set[str]]

    def below(self, folder: str) -> list[tuple[str, str]]:
        """Paths, relative to a folder, and stamps of all files below it."""
        prefix = f"{folder}/" if folder else ""
        found = ((name, member) for name, member in self.members.items() if name.startswith(prefix))
        return [(name[len(prefix) :], member.stamp) for name, member in found]


def read_index(kind: str, fs: Any, path: str, stamp: str) -> Index:
    """Reads the index of an archive; of a tar, the headers of all its files.

    Raises:
        InvalidArgumentError: it is no such archive, or one that has to be unpacked first.
    """
    import tarfile  # together these take longer to load than the rest of the reading
    import zipfile

    members: dict[str, Member] = {}
    folders: dict[str, set[str]] = {"": set()}
    with fs.open(path, "rb", block_size=_BLOCK[kind], cache_type="readahead") as file:
        try:
            for name, member in ARCHIVES[kind](file):
                if member is None:
                    _note_folder(folders, name)
                else:
                    members[name] = member
                    _note_folder(folders, posixpath.dirname(name))
        except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
            compressed = kind == "tar" and path.endswith((".gz", ".tgz", ".bz2", ".xz", ".zst"))
            advice = (
                " A compressed tar would be unpacked from its start for each image: unpack it, or make "
                "a zip of it."
            )
            raise InvalidArgumentError(
                f"{path!r} cannot be read as a {kind} archive: {error}.{advice if compressed else ''}"
            ) from error
    return Index(stamp, members, folders)


def _note_folder(folders: dict[str, set[str]], folder: str) -> None:
    while folder not in folders:
        folders[folder] = set()
        parent, name = posixpath.split(folder)
        if parent in folders:
            folders[parent].add(name)
            return
        _note_folder(folders, parent)
        folders[parent].add(name)


def _zipped(file: IO[bytes]) -> Iterator[tuple[str, Member | None]]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
        for info, end in zip(infos, ends, strict=True):
            if info.filename.startswith(_MAC_FORKS):
                continue
            if info.is_dir():
                yield _clean(info.filename), None
                continue
            if info.flag_bits & _ENCRYPTED:
                raise NotImplementedError(f"{info.filename!r} in it is encrypted")
            if info.compress_type not in (_STORED, _DEFLATED, _BZIPPED):
                raise NotImplementedError(
                    f"{info.filename!r} in it is packed by a method that is not read"
                )
            yield (
                _clean(info.filename),
                Member(
                    info.header_offset, end, info.compress_size, info.file_size, info.compress_type,
                    info.CRC,
                ),
            )  # fmt: skip


def _tarred(file: IO[bytes]) -> Iterator[tuple[str, Member | None]]:
    import tarfile

    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (info := archive.next()) is not None:
            if info.isdir():
                yield _clean(info.name), None
            elif info.isreg() and not info.issparse():
                start, size = info.offset_data, info.size
                yield (
                    _clean(info.name),
                    Member(start, start + size, size, size, _IN_A_TAR, int(info.mtime)),
                )
            archive.members = []  # type: ignore[attr-defined]  # it would keep all of them


def _clean(name: str) -> str:
    name = posixpath.normpath(name).lstrip("/")
    return "" if name == "." else name


ARCHIVES: Final[dict[str, Callable[[IO[bytes]], Iterator[tuple[str, Member | None]]]]] = {
    "zip": _zipped,
    "tar": _tarred,
}


def unpacked(member: Member, content: bytes, name: str) -> bytes:
    """A file's bytes, out of the range of the archive that it lies in.

    Raises:
        StorageError: the archive is another one than when it was listed.
        BadImageError: the file is damaged.
    """
    if len(content) != member.end - member.start:
        raise _another(name)
    if member.method == _IN_A_TAR:
        return content
    if not content.startswith(_MAGIC):
        raise _another(name)
    name_length, extra_length = _HEADER.unpack_from(content)
    start = _HEADER.size + name_length + extra_length
    packed = content[start : start + member.packed]
    try:
        plain = _UNPACK[member.method](packed, member.size)
    except (zlib.error, OSError, ValueError) as error:
        raise BadImageError(f"{name!r} is damaged in its archive: {error}") from error
    if len(plain) != member.size or zlib.crc32(plain) != member.crc32:
        raise BadImageError(f"{name!r} is damaged in its archive: its checksum is wrong.")
    return plain


def _another(name: str) -> StorageError:
    return StorageError(
        f"The archive that {name!r} lies in has changed since it was listed, or its storage gives no "
        "parts of files."
    )


def _without_bzip(packed: bytes, size: int) -> bytes:
    import bz2

    return bz2.BZ2Decompressor().decompress(packed, size)


_UNPACK: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    _STORED: lambda packed, size: packed,
    _DEFLATED: lambda packed, size: zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size or 1),
    _BZIPPED: _without_bzip,
}
