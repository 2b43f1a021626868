"""Tile-compressed images: their table is checked against the image, then a process of its own decodes them.

The decoders are C code that damaged data can crash or keep busy for ever. One worker is started at the first such image and stays
warm; it has limits of time and memory, and what ends it is a refusal of that image alone. Plain FITS files never start it.
"""

import atexit
import contextlib
import io
import json
import math
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal

ALGORITHMS = {"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS"}
BIT_DEPTHS = {8: 1, 16: 2, 32: 4, 64: 8, -32: 4, -64: 8}
SECONDS, PIXELS_A_SECOND = 20.0, 1_000_000  # the slowest decoder takes a tenth of that
MEMORY, BYTES_A_PIXEL = 1 << 30, 40  # beyond what the worker has when it is idle
CHANGED = "Fetch it again."
START = "import sys; sys.path[:] = {path!r}; from equiradio.sky import tiles; tiles.answer(sys.stdin.buffer, sys.stdout.buffer)"
LENGTH = struct.Struct("<qq")
REQUEST = struct.Struct("<qq?")  # bytes that follow, memory, and whether they name a part of a file
Part = tuple[tuple[int, int], ...]  # from and to along each axis, as numpy counts them


def decoded(content: bytes, number: int, name: str, limit: int) -> np.ndarray:
    """Pixels of the tile-compressed image in HDU ``number`` of a file's bytes.

    Raises
    ------
    ImageRefusal : cards and table disagree, more than ``limit`` pixels, or the decoder fails, ends, or takes too long.
    """
    from astropy.io import fits

    with fits.open(io.BytesIO(content), memmap=False, disable_image_compression=True) as hdus:
        pixels = max(map(math.prod, _check(hdus[number], name, limit)))
        place = hdus[number].fileinfo()
    part = content[place["hdrLoc"] : place["datLoc"] + place["datSpan"]]
    return WORKER.decode(part, pixels, name)


def tile_of(path: str, number: int, name: str, limit: int) -> tuple[int, ...]:
    """Sides of a tile of the image in HDU ``number`` of a file, as numpy orders axes; of the image no pixel is decoded.

    Raises
    ------
    ImageRefusal : cards and table disagree, or a tile has more than ``limit`` pixels.
    """
    from astropy.io import fits

    with fits.open(path, memmap=False, disable_image_compression=True) as hdus:
        tile = _check(hdus[number], name, 1 << 62)[1]
    if math.prod(tile) > limit:
        raise ImageRefusal("too_large", name, "tiles of too many pixels", f"at most {limit:,}", "Cut the source out first.")
    return tile[::-1]


def part_of(path: str, number: int, part: Part, tile: Sequence[int], name: str) -> np.ndarray:
    """Pixels of a part of the image in HDU ``number`` of a file, whose tiles `tile_of` has checked.

    Raises
    ------
    ImageRefusal : the decoder fails, ends, or takes too long.
    """
    request = json.dumps({"file": path, "hdu": number, "part": part}).encode()
    pixels = math.prod((-(-high // side) - low // side) * side for (low, high), side in zip(part, tile, strict=True))
    return WORKER.decode(request, pixels, name, named=True)


def _check(hdu: Any, name: str, limit: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Refuse a table that cannot hold its image; the sides of the image and of a tile within it, as FITS counts axes."""
    header = hdu.header

    def whole(key: str, default: int | None = None) -> int:
        value = header.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _damaged(name, f"{key} is {value!r}", "a whole number")
        return value

    algorithm = header.get("ZCMPTYPE")
    if algorithm not in ALGORITHMS:
        raise _damaged(name, f"ZCMPTYPE is {algorithm!r}", f"one of {', '.join(sorted(ALGORITHMS))}")
    if whole("ZBITPIX") not in BIT_DEPTHS or not 1 <= whole("ZNAXIS") <= 6:
        raise _damaged(name, f"ZBITPIX is {header['ZBITPIX']}, ZNAXIS {header['ZNAXIS']}", "an image")
    sides = [whole(f"ZNAXIS{axis}") for axis in range(1, header["ZNAXIS"] + 1)]
    tiles = [whole(f"ZTILE{axis}", side if axis == 1 else 1) for axis, side in enumerate(sides, 1)]
    if min(sides) < 1 or min(tiles) < 1:
        raise _damaged(name, f"an image of {_by(sides)} in tiles of {_by(tiles)}", "sizes of at least 1")
    within = tuple(min(tile, side) for tile, side in zip(tiles, sides, strict=True))
    if max(math.prod(sides), math.prod(within)) > limit or any(tile > max(side, 1 << 16) for tile, side in zip(tiles, sides, strict=True)):
        words = f"tiles of {_by(tiles)} for an image of {_by(sides)} pixels"
        raise ImageRefusal("too_large", name, words, f"at most {limit:,} pixels, and no tile beyond the image", "Cut the source out first.")
    expected = math.prod(-(-side // tile) for side, tile in zip(sides, tiles, strict=True))
    if whole("NAXIS2") != expected:
        raise _damaged(name, f"{header['NAXIS2']:,} tiles for an image of {_by(sides)} in tiles of {_by(tiles)}", f"{expected:,} tiles")
    _check_heap(hdu, name)
    return tuple(sides), within


def _check_heap(hdu: Any, name: str) -> None:
    """Refuse descriptors of tiles that point outside the file's heap."""
    header = hdu.header
    start = header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
    heap = header["NAXIS1"] * header["NAXIS2"] + header.get("PCOUNT", 0) - start
    raw = hdu.data.view(np.ndarray)  # descriptors as they stand; no tile is looked at
    for place, column in enumerate(hdu.columns):
        kind = re.fullmatch(r"[01]?[PQ]([A-Z])(\(.*\))?", str(column.format))
        if kind is None:
            continue
        width = {"I": 2, "J": 4, "E": 4, "D": 8, "K": 8}.get(kind[1], 1)
        count, offset = (raw[raw.dtype.names[place]].reshape(-1, 2)[:, which].astype(np.int64) for which in (0, 1))
        if len(count) and (count.min() < 0 or offset.min() < 0 or bool((offset + count * width > heap).any())):
            raise _damaged(name, "tiles that lie outside the file's data", "tiles within it")


def _by(sides: list[int]) -> str:
    return " x ".join(f"{side:,}" for side in sides)


def _damaged(name: str, why: str, expected: str) -> ImageRefusal:
    return ImageRefusal("damaged", name, f"a tile-compressed image that cannot be unpacked: {why}", expected, CHANGED)


class Worker:
    """One warm process that decodes what it is sent, one image at a time."""

    def __init__(self, start: str = START, seconds: float = SECONDS) -> None:
        self.start, self.seconds = start, seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.owner = os.getpid()
        self.lock = threading.Lock()

    def decode(self, part: bytes, pixels: int, name: str, *, named: bool = False) -> np.ndarray:
        """Pixels of an HDU's bytes; ``named``: of what `part_of` names."""
        seconds, late = self.seconds + pixels / PIXELS_A_SECOND, threading.Event()
        with self.lock:
            process = self._running()

            def stop() -> None:
                late.set()
                process.kill()

            watch = threading.Timer(seconds, stop)
            watch.start()
            try:
                answer = _ask(process, part, MEMORY + BYTES_A_PIXEL * pixels, named)
            except (OSError, EOFError, ValueError):
                self.close()
                words = f"took more than {seconds:.0f} s" if late.is_set() else "ended their decoder"
                found = f"tile-compressed data that {words}"
                raise ImageRefusal("damaged", name, found, "data that can be unpacked", CHANGED) from None
            except BaseException:
                self.close()  # interrupted within an answer, whose rest would be taken for the next one
                raise
            finally:
                watch.cancel()
        if isinstance(answer, str):
            raise _damaged(name, answer, "data that can be unpacked")
        return answer

    def close(self) -> None:
        """End the process, if there is one."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe and pipe.close()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self.owner != os.getpid():  # a fork of ours: that worker answers the parent
            self.process, self.owner = None, os.getpid()
        if self.process is None or self.process.poll() is not None:
            self.close()
            command = [sys.executable, "-c", self.start.format(path=sys.path)]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
            )
        return self.process


def _ask(process: "subprocess.Popen[bytes]", part: bytes, memory: int, named: bool) -> np.ndarray | str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(REQUEST.pack(len(part), memory, named) + part)
    process.stdin.flush()
    head = process.stdout.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    length, fine = LENGTH.unpack(head)
    body = process.stdout.read(length)
    if len(body) < length:
        raise EOFError
    return np.load(io.BytesIO(body), allow_pickle=False) if fine else body.decode("utf-8", "replace")


def answer(requests: Any, replies: Any) -> None:
    """What the worker does: an HDU in, or a part's name, its pixels out as NPY, or in words what is wrong; until the pipe is closed."""
    import warnings

    warnings.simplefilter("ignore")
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        length, memory, named = REQUEST.unpack(head)
        request, reply, fine = requests.read(length), io.BytesIO(), 1
        try:
            _limit_memory(memory)
            np.save(reply, _part(**json.loads(request)) if named else _pixels(request), allow_pickle=False)
        except MemoryError:
            reply, fine = io.BytesIO(b"they need more memory than such an image should"), 0
        except Exception as error:  # decoders meet damage in dozens of ways
            words = " ".join(str(error).split())[:120] or type(error).__name__
            reply, fine = io.BytesIO(words.encode()), 0
        body = reply.getvalue()
        replies.write(LENGTH.pack(len(body), fine) + body)
        replies.flush()


def _pixels(hdu: bytes) -> np.ndarray:
    from astropy.io import fits

    first = fits.PrimaryHDU().header.tostring().encode()
    with fits.open(io.BytesIO(first + hdu), memmap=False) as hdus:
        return np.asarray(hdus[1].data)


def _part(file: str, hdu: int, part: list[list[int]]) -> np.ndarray:
    from astropy.io import fits

    with fits.open(file, memmap=False, lazy_load_hdus=True) as hdus:
        return np.asarray(hdus[hdu].section[tuple(slice(*each) for each in part)])


def _limit_memory(more: int) -> None:
    """Let this process grow by so many bytes and no further, where the system can say that."""
    try:
        import resource
        from pathlib import Path

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = used + more
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    except (ImportError, OSError, ValueError, IndexError):
        return


WORKER = Worker()
atexit.register(WORKER.close)
