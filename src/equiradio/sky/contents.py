"""Bytes of image files: read within limits, unpacked where gzipped, and named where they are something else."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from equiradio.errors import ANYTHING, ImageRefusal, Refusal, not_imported

GZIP = b"\x1f\x8b"
CHUNK = 1 << 14  # bytes given to gzip at once: what it has not used it copies, once for every member
CHANGED = "Fetch it again."
PACKED = {  # how a file begins -> what it is, and what to do
    b"BZh": ("bzip2-compressed", "Unpack it with bunzip2."),
    b"\xfd7zXZ\0": ("xz-compressed", "Unpack it with unxz."),
    b"\x28\xb5\x2f\xfd": ("zstd-compressed", "Unpack it with unzstd."),
    b"\x1f\x9d": ("compressed by compress (.Z)", "Unpack it with uncompress."),
    b"PK\x03\x04": ("a zip archive", "Unpack it with unzip."),
    b"\x89HDF": ("an HDF5 file", "Export the image as FITS."),
    b"\xff\xd8\xff": ("a JPEG picture", "Give the FITS file."),
    b"GIF8": ("a GIF picture", "Give the FITS file."),
    b"<?xml": ("an XML file, such as a VOTable", "Name images, not a table."),
    b"<VOTABLE": ("a VOTable", "Name images, not a table."),
}


class Limits(NamedTuple):
    """What is read at once: ``bytes`` of a file, and after gunzip; ``pixels`` of an image. Checked before anything is decoded."""

    bytes: int = 1 << 30
    pixels: int = 200_000_000


LIMITS = Limits()
SIMPLE = b"SIMPLE  ="  # how a FITS file begins


class FileBytes:
    """Bytes of a file that stays where it is: slices are read when they are asked for, without a share of the file in memory.

    Nothing is mapped: reading beyond the end of a file that was cut short meanwhile is a refusal, and no signal that ends the process.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._file = path.open("rb")
        state = os.fstat(self._file.fileno())
        self._state, self._length = _state(state), state.st_size

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._length)
        return self.read(start, max(stop - start, 0))

    def read(self, at: int, count: int) -> bytes:
        """So many bytes from a place on."""
        return self.read_lines(at, count, 1, 1)

    def read_lines(self, at: int, count: int, apart: int, lines: int) -> bytes:
        """So many bytes from each of some places, which lie so many bytes apart; one behind the other."""
        file = self._file.fileno()
        try:
            content = b"".join([os.pread(file, count, place) for place in range(at, at + lines * apart, apart)])
        except OSError as error:
            raise _unread(self.name, error) from None
        if len(content) < count * lines:
            now = os.fstat(self._file.fileno()).st_size
            found = f"file has {now:,} bytes now and had {self._length:,} when it was opened"
            raise ImageRefusal("truncated", self.name, found, "a file that nobody changes meanwhile", "Begin again.")
        return content

    def is_there(self) -> bool:
        """Does the name still lead to this file, unchanged?"""
        try:
            return _state(os.stat(self.path)) == self._state == _state(os.fstat(self._file.fileno()))
        except OSError:
            return False

    def close(self) -> None:
        self._file.close()


def _state(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


@contextmanager
def in_words(name: str, what: str) -> Iterator[None]:
    """Whatever is raised, as a refusal: readers meet damage in dozens of ways, and one bad file must not stop a run over thousands.

    A missing package is no fault of the file, and stops it: see `not_imported`.

    ``what`` says what cannot be read, such as "a PNG that cannot be read".
    """
    try:
        yield
    except Refusal:
        raise
    except MemoryError:
        words = "an image that does not fit into memory"
        raise ImageRefusal("too_large", name, words, "a smaller one", "Cut the source out first.") from None
    except ImportError as error:
        raise not_imported(name, error) from None
    except ANYTHING as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's; readers raise others without a number of words of theirs
            raise _unread(name, error) from None
        first = str(error).strip().partition("\n")[0][:120] or type(error).__name__
        raise ImageRefusal("damaged", name, f"{what} ({first})", "a whole file", CHANGED) from None


def _unread(name: str, error: OSError) -> ImageRefusal:
    """What to say of a file that the disk does not give."""
    return ImageRefusal("unreadable", name, f"cannot be read ({error.strerror})", "a file that may be read", CHANGED)


def not_fits(content: bytes, name: str) -> ImageRefusal:
    """What to say of bytes that are no image format that is read."""
    what, do = next((about for start, about in PACKED.items() if content.startswith(start)), ("", "Choose another."))
    found = f"a file that is {what}" if what else f"{len(content):,} bytes that are no FITS"
    return ImageRefusal("not_an_image_file", name, found, "a FITS, PNG or NPY image" + (", plain or gzipped" if what else ""), do)


def content_of(file: str | Path | bytes, name: str | None, limits: Limits) -> tuple[bytes, str]:
    """Bytes after gunzip, and the name."""
    if isinstance(file, bytes):
        content, name = file, name or "upload"
    else:
        name = name or str(file)
        content = _read(Path(file), name, limits)
    if not content:
        raise ImageRefusal("empty_file", name, "0 bytes", "a FITS image", CHANGED)
    return (_gunzip(content, name, limits) if content.startswith(GZIP) else content), name


def refuse_absent(path: Path, name: str) -> None:
    """Refuse a file that is not there; whatever else may be wrong with it is said when it is read."""
    try:
        path.stat()
    except FileNotFoundError:
        raise _absent(name) from None
    except (OSError, ValueError):
        pass


def _absent(name: str) -> ImageRefusal:
    return ImageRefusal("missing", name, "no such file", "a FITS image", "Check the path.")


def _read(path: Path, name: str, limits: Limits) -> bytes:
    try:
        if not path.is_file():
            path.stat()  # says why: absent, a loop of links, a locked folder
            raise ImageRefusal("unreadable", name, "a folder or a device", "a file", "Name an image file.")
        size = path.stat().st_size
        if size > limits.bytes:
            raise ImageRefusal("too_large", name, f"{size:,} bytes", f"at most {limits.bytes:,}", "Cut the source out first.")
        return path.read_bytes()
    except FileNotFoundError:
        raise _absent(name) from None
    except (OSError, ValueError, RuntimeError) as error:  # a zero byte in the name; a loop of links
        found = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise ImageRefusal("unreadable", name, found, "a file that may be read", "Check links and permissions.") from None


def _gunzip(content: bytes, name: str, limits: Limits) -> bytes:
    """Unpacked, but never more than the limit: a small file can promise terabytes. Members behind the first are unpacked too."""
    view, at, parts, total = memoryview(content), 0, [], 0
    while view[at : at + 2] == GZIP:
        unpack = zlib.decompressobj(wbits=31)
        while not unpack.eof and at < len(view):
            piece = view[at : at + CHUNK]
            at += len(piece)
            try:
                parts.append(unpack.decompress(piece, limits.bytes + 1 - total))
            except zlib.error as error:
                raise ImageRefusal("damaged", name, f"gzip data that cannot be unpacked ({error})", "a whole file", CHANGED) from None
            total += len(parts[-1])
            if total > limits.bytes:
                raise ImageRefusal("too_large", name, f"more than {limits.bytes:,} bytes unpacked", "fewer", "Cut the source out first.")
        if not unpack.eof:
            raise ImageRefusal("truncated", name, f"gzip data cut short, {total:,} bytes unpacked", "a whole file", CHANGED)
        at -= len(unpack.unused_data)
    return b"".join(parts)
