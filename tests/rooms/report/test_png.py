"""Our PNG files hold what was drawn, pixel by pixel, for any reader."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from equiradio.report.png import png


@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))))
def test_pillow_reads_what_was_drawn(picture):
    with Image.open(io.BytesIO(png(picture))) as read:
        assert read.mode == "RGB"
        read.load()
        np.testing.assert_array_equal(np.asarray(read), picture)


def test_chunks_have_the_checksums_that_readers_compare():
    content = bytearray(png(np.zeros((4, 4, 3), np.uint8)))
    Image.open(io.BytesIO(content)).verify()
    content[content.index(b"IDAT") + 6] ^= 1
    with pytest.raises(SyntaxError, match="checksum"):
        Image.open(io.BytesIO(content)).verify()


def test_a_picture_enlarged_as_overlays_are_stays_small():
    rows = np.linspace(0, 255, 600).astype(np.uint8)
    assert len(png(np.repeat(np.repeat(rows[:, None], 600, 1)[..., None], 3, 2))) < 600 * 600 * 3 / 100
