"""Finds the files of zip and tar archives, so that any process can read each file with one request.

The index of an archive is read once. From then on, a file of the archive is a range of its bytes.
Archives are never unpacked as a whole, and threads share no file object.
"""

from __future__ import annotations

import os
import posixpath
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from imageloom._errors import BadImageError, InvalidArgumentError, StorageError
from imageloom._storage.access import reads_by_opening
from imageloom._storage.archive_index import (
    FOLDER,
    UNREADABLE,
    Entry,
    HardLink,
    Index,
    Member,
    SymbolicLink,
    make_index,
)
from imageloom._warnings import Code, warn_user

if TYPE_CHECKING:
    import zipfile

__all__ = ["ARCHIVES", "check_is_plain", "read_index", "reading_parts", "unpacked"]

_STORED, _DEFLATED, _BZIPPED, _IN_A_TAR = 0, 8, 12, -1  # zip's numbers of compression methods
_MAGIC: Final = b"PK\3\4"  # a file in a zip archive begins with these bytes
_HEADER: Final = struct.Struct("<26xHH")  # it ends with the lengths of the name and the extra field
_ENCRYPTED_FLAG: Final = 1
_MAC_FORKS: Final = "__MACOSX/"  # macOS stores metadata there, in files with the images' own names
_BLOCK_SIZES: Final = {"zip": 2**20, "tar": 2**23}  # bytes to read at once for the index
_NO_PARTS: Final = ("Cannot seek streaming", "range requests")  # in the words of fsspec
_LONGEST_LINK: Final = 4096  # bytes, as in Linux


def check_is_plain(kind: str, path: str, info: Mapping[str, Any]) -> None:
    """Does nothing if a file system says of a path that it is a file, or nothing.

    Raises:
        InvalidArgumentError: It is a folder, or a named pipe or a device, which would be waited for.
    """
    kinds = {"directory": "a folder", "other": "a named pipe, a socket or a device"}
    found = kinds.get(info.get("type", ""))
    if found is not None:
        raise InvalidArgumentError(f"{path!r} cannot be read as a {kind} archive: it is {found}.")


def read_index(kind: str, fs: Any, path: str, stamp: str) -> Index:
    """Reads the index of an archive; of a tar archive, that means the headers of all its files.

    Raises:
        InvalidArgumentError: The file is no archive of this kind, or it is compressed as a whole.
        StorageError: Its storage cannot return parts of it.
    """
    import tarfile  # loading these two takes longer than reading most indexes
    import zipfile

    with fs.open(path, "rb", **_opening(fs, kind)) as file:
        try:
            with reading_parts(file, path):
                index = make_index(stamp, ARCHIVES[kind](file))
        except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
            compressed = kind == "tar" and path.endswith((".gz", ".tgz", ".bz2", ".xz", ".zst"))
            advice = (
                " A compressed tar archive would have to be decompressed from its start for each "
                "image; unpack it, or make a zip archive of it."
            )
            raise InvalidArgumentError(
                f"{path!r} cannot be read as a {kind} archive: {error}.{advice if compressed else ''}"
            ) from error
    if index.left_out:
        warn_user(
            f"{path!r} contains {len(index.left_out)} entries that are left out: links to nothing "
            f"in the archive, no plain files, or names that lead out of it. The first one is "
            f"{index.left_out[0]!r}.",
            code=Code.LEFT_OUT_ENTRIES,
        )
    return index


@contextmanager
def reading_parts(file: IO[bytes], name: str) -> Iterator[None]:
    """Reads the index of an archive within this; says what to do if it cannot be read in parts.

    Raises:
        StorageError: The storage can only return the archive as a whole, as some HTTP servers do.
    """
    try:
        file.seek(1)  # which a stream of fsspec refuses
        file.seek(0)
        yield
    except ValueError as error:
        if any(words in str(error) for words in _NO_PARTS):
            raise _no_parts(name) from error
        raise


def _no_parts(name: str) -> StorageError:
    return StorageError(
        f"The storage of {name!r} does not return parts of files (an HTTP server does so if it knows "
        "range requests), and each image is a part of its archive. Download the archive, or put "
        "`simplecache::` before its URL, so that each process downloads it once."
    )


def _opening(fs: Any, kind: str) -> dict[str, Any]:
    """How an archive is opened for its index; caches of other file systems have ways of their own."""
    return {} if reads_by_opening(fs) else {"block_size": _BLOCK_SIZES[kind], "cache_type": "readahead"}


def _zip_members(file: IO[bytes]) -> Iterator[tuple[str, Entry]]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
        for info, end in zip(infos, ends, strict=True):
            if info.filename.startswith(_MAC_FORKS):
                continue
            if info.is_dir():
                yield _normalised(info.filename), FOLDER
                continue
            if info.flag_bits & _ENCRYPTED_FLAG:
                raise NotImplementedError(f"its file {info.filename!r} is encrypted")
            if info.compress_type not in (_STORED, _DEFLATED, _BZIPPED):
                raise NotImplementedError(
                    f"its file {info.filename!r} is compressed by method {info.compress_type}; only "
                    "stored, deflated and bzip2 files can be read"
                )
            if stat.S_ISLNK(info.external_attr >> 16):
                yield _normalised(info.filename), _zipped_link(archive, info)
                continue
            yield (
                _normalised(info.filename),
                Member(
                    info.header_offset, end, info.compress_size, info.file_size, info.compress_type,
                    info.CRC,
                ),
            )  # fmt: skip


def _zipped_link(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Entry:
    """A symbolic link in a zip archive; its content is its target."""
    import zipfile

    if not 0 < info.file_size <= _LONGEST_LINK:
        return UNREADABLE
    try:
        return SymbolicLink(os.fsdecode(archive.read(info)))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError):
        return UNREADABLE


def _tar_members(file: IO[bytes]) -> Iterator[tuple[str, Entry]]:
    import tarfile

    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (info := archive.next()) is not None:
            if info.isdir():
                yield _normalised(info.name), FOLDER
            elif info.islnk():
                yield _normalised(info.name), HardLink(_normalised(info.linkname))
            elif info.issym():
                yield _normalised(info.name), SymbolicLink(info.linkname)
            elif not info.isreg() or info.issparse():
                yield _normalised(info.name), UNREADABLE
            else:
                start, size = info.offset_data, info.size
                yield (
                    _normalised(info.name),
                    Member(start, start + size, size, size, _IN_A_TAR, int(info.mtime)),
                )
            archive.members = []  # type: ignore[attr-defined]  # it would keep the headers of all files
        _check_the_end(file, archive.offset)


def _check_the_end(file: IO[bytes], end: int) -> None:
    """Refuses a tar archive of which a part was read, because the rest of it is damaged or missing."""
    import tarfile

    file.seek(end)
    block = file.read(tarfile.BLOCKSIZE)
    if block.strip(b"\0"):
        raise tarfile.ReadError(f"it is damaged or cut off at byte {end}, where a file begins")
    if not block:
        raise tarfile.ReadError(
            f"it ends at byte {end} without the mark of its end, as if it was cut off"
        )


def _normalised(name: str) -> str:
    name = posixpath.normpath(name).lstrip("/")
    return "" if name == "." else name


ARCHIVES: Final[dict[str, Callable[[IO[bytes]], Iterator[tuple[str, Entry]]]]] = {
    "zip": _zip_members,
    "tar": _tar_members,
}


def unpacked(member: Member, content: bytes, name: str) -> bytes:
    """Decompresses a file of an archive.

    Args:
        member: the file.
        content: the archive's bytes from `member.start` to `member.end`.
        name: the file's name, for errors.

    Raises:
        StorageError: The archive has changed since its index was read, or came as a whole.
        BadImageError: The file is damaged.
    """
    if len(content) > member.end - member.start:
        raise _no_parts(name)
    if len(content) != member.end - member.start:
        raise _changed_archive(name)
    if member.method == _IN_A_TAR:
        return content
    if not content.startswith(_MAGIC):
        raise _changed_archive(name)
    name_length, extra_length = _HEADER.unpack_from(content)
    start = _HEADER.size + name_length + extra_length
    packed = content[start : start + member.packed]
    try:
        plain = _DECOMPRESS[member.method](packed, member.size)
    except (zlib.error, OSError, ValueError) as error:
        raise BadImageError(f"The file {name!r} is damaged in its archive: {error}") from error
    if len(plain) != member.size or zlib.crc32(plain) != member.crc32:
        raise BadImageError(f"The file {name!r} is damaged in its archive: its checksum is wrong.")
    return plain


def _changed_archive(name: str) -> StorageError:
    return StorageError(f"The archive that contains {name!r} has changed since it was listed.")


def _decompress_bzip2(packed: bytes, size: int) -> bytes:
    import bz2

    return bz2.BZ2Decompressor().decompress(packed, size)


_DECOMPRESS: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    _STORED: lambda packed, size: packed,
    _DEFLATED: lambda packed, size: zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size or 1),
    _BZIPPED: _decompress_bzip2,
}
