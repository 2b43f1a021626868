"""Tile-compressed images: the same pixels from the worker, tables that cannot be are refused, a worker that sleeps or ends is outlived."""

import io
import os
import time

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky, write

from equiradio.errors import ImageRefusal
from equiradio.sky import tiles
from equiradio.sky.fits import read_cutout, read_image

FORMS = ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS"]


def packed(form="RICE_1", pixels=None, **options):
    """Bytes of a tile-compressed file."""
    pixels = sky() if pixels is None else pixels
    if form == "PLIO_1":
        pixels = (np.clip(pixels, 0, None) * 1e5).astype(np.int16)
    file = io.BytesIO()
    options = {"compression_type": form, "quantize_level": 0 if form in ("GZIP_1", "GZIP_2", "NOCOMPRESS") else 16} | options
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header(), **options)]).writeto(file)
    return file.getvalue()


def changed(key, value):
    """A file whose table says something else of its image."""
    content = packed()
    at = content.index(f"{key:<8}= ".encode(), 2880)
    return content[:at] + f"{key:<8}= {value:>20}".ljust(80).encode() + content[at + 80 :]


@pytest.mark.parametrize("form", FORMS)
def test_the_worker_gives_the_pixels_that_astropy_gives(form):
    content = packed(form)
    with fits.open(io.BytesIO(content)) as hdus:
        assert np.array_equal(read_image(content).pixels, hdus[1].data.astype(np.float32))
    assert tiles.WORKER.process is not None


def test_cubes_are_decoded_too():
    content = packed(pixels=np.stack([sky(seed=1), sky(seed=2)]))
    with fits.open(io.BytesIO(content)) as hdus:
        assert np.array_equal(read_image(content, plane=1).pixels, hdus[1].data[1])


@pytest.mark.parametrize(
    ("key", "value", "words", "flag"),
    [
        ("ZCMPTYPE", "'RICE_9  '", "ZCMPTYPE is", "damaged"),
        ("ZTILE2", "7", "300 tiles for an image of 300 x 300 in tiles of 300 x 7; expected 43 tiles", "damaged"),
        ("ZTILE1", "-300", "sizes of at least 1", "damaged"),
        ("ZTILE1", "2000000000", "tiles of 2,000,000,000 x 1", "too_large"),
        ("ZNAXIS2", "400", "300 tiles for an image of 300 x 400 in tiles of 300 x 1; expected 400 tiles", "damaged"),
        ("ZNAXIS2", "90000000", "pixels", "too_large"),
        ("ZBITPIX", "33", "cannot be understood|ZBITPIX", "damaged"),
    ],
)
def test_tables_that_cannot_hold_their_image_are_refused_before_decoding(key, value, words, flag, monkeypatch):
    monkeypatch.setattr(tiles.WORKER, "decode", lambda *rest: pytest.fail("it was decoded"))
    with pytest.raises(ImageRefusal, match=words) as caught:
        read_cutout(changed(key, value))
    assert caught.value.flag == flag
    assert "\n" not in str(caught.value)


def test_descriptors_outside_the_heap_are_refused(monkeypatch):
    content = bytearray(packed())
    with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
        place, width = hdus[1].fileinfo()["datLoc"], hdus[1].header["NAXIS1"]
    at = place + 5 * width
    content[at : at + 8] = np.array([100, 1 << 30], ">i4").tobytes()
    monkeypatch.setattr(tiles.WORKER, "decode", lambda *rest: pytest.fail("it was decoded"))
    with pytest.raises(ImageRefusal, match="tiles that lie outside the file's data"):
        read_cutout(bytes(content))


LENGTH = "import sys, struct; sys.stdout.buffer.write(struct.pack('<qq', 5000, 1)"
ANSWERS = {
    "sleeps": "import sys, time; sys.stdin.buffer.read(1); time.sleep(60) # {path}",
    "ends": "import sys; sys.stdin.buffer.read(20000); sys.exit(3) # {path}",
    "babbles": LENGTH + " + b'hello' * 1000); sys.stdout.flush(); sys.stdin.read() # {path}",
    "stops in the middle": LENGTH + "); sys.stdout.flush() # {path}",
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_worker_that_sleeps_or_ends_costs_one_image(monkeypatch, kind):
    bad = tiles.Worker(ANSWERS[kind], seconds=1.0)
    monkeypatch.setattr(tiles, "PIXELS_A_SECOND", 1 << 40)
    start = time.monotonic()
    monkeypatch.setattr(tiles, "WORKER", bad)
    with pytest.raises(ImageRefusal, match="took more than 1 s" if kind == "sleeps" else "tile-compressed data that") as caught:
        read_cutout(packed())
    assert caught.value.flag == "damaged"
    assert time.monotonic() - start < 10
    assert bad.process is None
    bad.start = tiles.START  # the next image has a worker of its own
    bad.seconds = 60.0
    assert read_cutout(packed()).image.max() == 255
    bad.close()


def test_one_warm_worker_for_all_and_none_for_plain_files(tmp_path, monkeypatch):
    worker = tiles.Worker()
    monkeypatch.setattr(tiles, "WORKER", worker)
    read_cutout(write(tmp_path / "plain.fits"))
    assert worker.process is None
    read_cutout(packed())
    first = worker.process.pid
    read_cutout(packed("HCOMPRESS_1"))
    assert worker.process.pid == first
    worker.close()
    with pytest.raises(OSError, match="No such process"):
        os.kill(first, 0)


def test_damage_in_the_worker_is_told_in_words(monkeypatch):
    content = packed("GZIP_1")
    at = len(content) // 2
    monkeypatch.setattr(tiles, "_check_heap", lambda hdu, name: None)
    with pytest.raises(ImageRefusal, match="cannot be unpacked") as caught:
        read_cutout(content[:at] + bytes(3000) + content[at + 3000 :])
    assert caught.value.flag == "damaged"


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited through /proc")
def test_a_worker_may_not_take_more_memory_than_its_image_needs(monkeypatch):
    monkeypatch.setattr(tiles, "MEMORY", 1 << 20)
    monkeypatch.setattr(tiles, "BYTES_A_PIXEL", 0)
    with pytest.raises(ImageRefusal, match=r"more memory than such an image should|ended their decoder"):
        read_cutout(packed(pixels=sky(2000)))
    tiles.WORKER.close()
