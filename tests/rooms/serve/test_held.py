"""Sources as they are held: positions, and a shelf that forgets the oldest."""

import numpy as np
import pytest
from astropy.wcs import WCS

from equiradio.serve import held as module
from equiradio.serve.held import GRID, Held, Shelf
from equiradio.serve.refusals import NotOffered

BLANK = np.zeros((150, 150), np.uint8)


@pytest.mark.parametrize("position", [(176.104, 25.235), (0.001, -60.0), (359.999, 89.9)])
def test_the_catalogue_s_position_and_its_wcs_agree(position):
    source = Held("mirabest/a", "a", BLANK, position=position)
    vectors = np.array(source.sky_grid())
    wcs = source.any_wcs()
    assert isinstance(wcs, WCS)
    assert np.allclose(vectors, np.array(Held("upload/a", "a", BLANK, wcs=wcs).sky_grid()), atol=1e-10)
    middle = vectors[GRID // 2, GRID // 2]
    ra, dec = np.rad2deg([np.arctan2(middle[1], middle[0]), np.arcsin(middle[2])])
    assert (ra % 360, dec) == pytest.approx(position, abs=1e-6)


def test_rows_run_north_and_columns_west():
    vectors = np.array(Held("a/a", "a", BLANK, position=(180.0, 0.0)).sky_grid())
    assert vectors[-1, GRID // 2, 2] > vectors[0, GRID // 2, 2]
    ra = np.arctan2(vectors[..., 1], vectors[..., 0]) % (2 * np.pi)
    assert ra[GRID // 2, -1] < ra[GRID // 2, 0]


def test_positions_go_by_side_and_scale_of_the_image():
    source = Held("a/a", "a", np.zeros((76, 76), np.uint8), position=(180.0, 0.0), arcsec_per_pixel=6.0)
    vectors = np.array(source.sky_grid())
    north = np.rad2deg(np.arcsin(vectors[-1, GRID // 2, 2]) - np.arcsin(vectors[0, GRID // 2, 2]))
    assert north == pytest.approx(75 * 6 / 3600, rel=1e-5)
    assert np.allclose(vectors, np.array(Held("a/b", "b", source.pixels, wcs=source.any_wcs()).sky_grid()), atol=1e-10)
    unknown = Held("a/a", "a", source.pixels, position=(180.0, 0.0), arcsec_per_pixel=None)
    assert unknown.sky_grid() is unknown.any_wcs() is None, "without a scale nobody can say where a pixel lies"


def test_the_shelf_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2)
    shelf = Shelf()
    keys = [shelf.put(content, lambda key: Held(key, "a", BLANK)).key for content in (b"1", b"2", b"1", b"3")]
    assert keys[0] == keys[2]
    assert [source.key for source in shelf.all()] == [keys[3], keys[0]]
    with pytest.raises(NotOffered, match="Upload the file again"):
        shelf.get(keys[1])
