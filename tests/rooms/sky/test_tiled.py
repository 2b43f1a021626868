"""Of a large tile-compressed mosaic the tiles around a source are unpacked, kept for its neighbours, and give the same pixels."""

import itertools
import os
import shutil

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky, write
from test_mosaic import OFFSETS, SIDE, same

from equiradio.errors import ImageRefusal
from equiradio.sky import fits as reading
from equiradio.sky import tiled, tiles
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.tiled import TiledPlane

LAYOUTS = {
    "rows": {},
    "squares": {"tile_shape": (64, 100)},
    "one": {"tile_shape": (SIDE, SIDE)},
    "every bit": {"tile_shape": (50, 37), "compression_type": "GZIP_2", "quantize_level": 0},
    "dithered zeros": {"tile_shape": (32, 32), "quantize_method": 2, "dither_seed": 77},
}


def pixels(seed=0):
    made = sky(SIDE, seed=seed) + sky(SIDE, at=(50, -25), seed=1) + sky(SIDE, at=(-60, 70), seed=2)
    made[:40, :50] = np.nan
    made[-30:] = 0
    return made


def cube(path, **layout):
    """The second of three channels is meant; a tile holds two of them."""
    cards = header(SIDE)
    cards["CTYPE3"], cards["CTYPE4"] = "FREQ", "STOKES"
    data = np.stack([pixels(seed) for seed in range(3)])[None]
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, cards, tile_shape=(1, 2, 60, 60))]).writeto(path)


def packed(path, **layout):
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels(), header(SIDE), **layout)]).writeto(path)
    return path


@pytest.fixture
def large(monkeypatch):
    """Every image is one that is not unpacked as a whole."""
    monkeypatch.setattr(reading, "AT_ONCE", 0)


@pytest.fixture
def asked(monkeypatch):
    """The parts that were unpacked."""
    parts = []

    def part_of(path, number, part, tile, name):
        parts.append(part)
        return tiles.part_of(path, number, part, tile, name)

    monkeypatch.setattr(tiled, "part_of", part_of)
    return parts


def whole(path, monkeypatch, **options):
    """The mosaic, unpacked at once."""
    monkeypatch.setattr(reading, "AT_ONCE", 1 << 62)
    mosaic = Mosaic(path, **options)
    monkeypatch.setattr(reading, "AT_ONCE", 0)
    assert isinstance(mosaic.image.pixels, np.ndarray)
    return mosaic


def near(mosaic, offset):
    return mosaic.image.wcs.pixel_to_world_values((SIDE - 1) / 2 + offset[0] / 1.8, (SIDE - 1) / 2 + offset[1] / 1.8)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_part_has_the_pixels_of_the_whole(tmp_path, monkeypatch, large, layout):
    path = packed(tmp_path / "a.fits", **LAYOUTS[layout])
    with Mosaic(path) as mosaic, whole(path, monkeypatch) as expected:
        assert isinstance(mosaic.image.pixels, TiledPlane)
        ends = [0, 1, 63, 64, 201, SIDE]
        for (top, bottom), (left, right) in itertools.product(itertools.combinations(ends, 2), repeat=2):
            part = slice(top, bottom), slice(left, right)
            assert np.array_equal(mosaic.image.pixels[part], expected.image.pixels[part], equal_nan=True)


@pytest.mark.parametrize("kept", [0, 1 << 20])
def test_cutouts_are_those_of_the_whole_mosaic(tmp_path, monkeypatch, large, kept):
    path = packed(tmp_path / "a.fits", tile_shape=(64, 100))
    monkeypatch.setattr(tiled, "MOST", kept)
    with Mosaic(path) as mosaic, whole(path, monkeypatch) as expected:
        for offset in (*OFFSETS, *OFFSETS):
            same(mosaic.cutout(*near(mosaic, offset)), expected.cutout(*near(mosaic, offset)))


def test_a_plane_of_a_cube_whose_tiles_hold_several(tmp_path, monkeypatch, large):
    cube(tmp_path / "a.fits")
    with Mosaic(tmp_path / "a.fits", plane=1) as mosaic, whole(tmp_path / "a.fits", monkeypatch, plane=1) as expected:
        assert isinstance(mosaic.image.pixels, TiledPlane)
        assert np.array_equal(mosaic.image.pixels[100:200, 30:90], expected.image.pixels[100:200, 30:90])
        assert np.array_equal(mosaic.image.pixels[100:200, 30:90], fits.getdata(tmp_path / "a.fits", 1)[0, 1, 100:200, 30:90])


def test_only_the_tiles_that_are_needed_are_unpacked_and_none_twice(tmp_path, large, asked):
    with Mosaic(packed(tmp_path / "a.fits", tile_shape=(50, 60))) as mosaic:
        first = mosaic.image.pixels[60:90, 130:170]
        assert asked == [((50, 100), (120, 180))]
        assert np.array_equal(mosaic.image.pixels[70:90, 130:170], first[10:])
        assert len(asked) == 1
        _ = mosaic.image.pixels[70:110, 130:170]
        assert asked[1:] == [((100, 150), (120, 180))]


def test_tiles_that_are_not_needed_are_not_kept_for_ever(tmp_path, monkeypatch, large, asked):
    monkeypatch.setattr(tiled, "MOST", 3 * 50 * 60)
    with Mosaic(packed(tmp_path / "a.fits", tile_shape=(50, 60))) as mosaic:
        for top in (0, 50, 100, 150, 0):
            _ = mosaic.image.pixels[top : top + 50, 0:60]
            assert sum(each.size for each in mosaic.image.pixels._tiles.values()) <= tiled.MOST
        assert [rows for rows, _ in asked] == [(0, 50), (50, 100), (100, 150), (150, 200), (0, 50)]
        assert mosaic.image.pixels[0:SIDE, 0:SIDE].shape == (SIDE, SIDE)  # what one cutout needs may be more


def test_a_damaged_tile_costs_the_sources_that_it_holds(tmp_path, large):
    path = packed(tmp_path / "a.fits", tile_shape=(50, 50), compression_type="GZIP_1", quantize_level=0)
    with fits.open(path, disable_image_compression=True) as hdus:
        place = hdus[1].fileinfo()["datLoc"] + hdus[1].header["NAXIS1"] * hdus[1].header["NAXIS2"]
    content = bytearray(path.read_bytes())
    content[place : place + 40] = bytes(40)  # the first tile's beginning
    path.write_bytes(content)
    with Mosaic(path) as mosaic:
        assert mosaic.cutout(*near(mosaic, (0.0, 0.0)), max_nonfinite=1).image.max() == 255
        with pytest.raises(ImageRefusal, match="tile-compressed image that cannot be unpacked") as caught:
            _ = mosaic.image.pixels[0:10, 0:10]
        assert caught.value.flag == "damaged"


def test_another_file_by_that_name_is_refused(tmp_path, large):
    path, other = packed(tmp_path / "a.fits"), packed(tmp_path / "b.fits", tile_shape=(64, 100))
    with Mosaic(path) as mosaic:
        before = mosaic.image.pixels[100:110, 100:110]
        os.replace(other, path)
        assert np.array_equal(mosaic.image.pixels[100:110, 100:110], before)  # kept
        with pytest.raises(ImageRefusal, match="another file by that name than when it was opened; expected a file that nobody changes"):
            _ = mosaic.image.pixels[0:10, 0:10]


def test_files_that_are_gone_and_tiles_beyond_all_limits_are_refused(tmp_path, monkeypatch, large):
    path = packed(tmp_path / "a.fits")
    with Mosaic(path) as mosaic:
        shutil.move(path, tmp_path / "b.fits")
        with pytest.raises(ImageRefusal, match="another file by that name"):
            _ = mosaic.image.pixels[0:10, 0:10]
    monkeypatch.setattr(tiled, "LIMITS", tiled.LIMITS._replace(pixels=100))
    with pytest.raises(ImageRefusal, match="tiles of too many pixels; expected at most 100") as caught:
        Mosaic(tmp_path / "b.fits")
    assert caught.value.flag == "too_large"


def test_small_ones_are_unpacked_at_once(tmp_path):
    with Mosaic(packed(tmp_path / "a.fits")) as mosaic:
        assert isinstance(mosaic.image.pixels, np.ndarray)
    with Mosaic(write(tmp_path / "b.fits")) as mosaic:
        assert not isinstance(mosaic.image.pixels, np.ndarray | TiledPlane)
