"""Fields smaller than the crop are filled up with empty sky, and sources that reach the edge of a field are flagged."""

import numpy as np
import pytest
from astropy.wcs import WCS
from sky_files import header, sky, write

from equiradio.errors import ImageRefusal, SettingRefusal
from equiradio.sky import cutout
from equiradio.sky.beams import Beam
from equiradio.sky.cutout import noise
from equiradio.sky.edges import reaches_edge
from equiradio.sky.fits import read_cutout

SIDES = [132, 101, 67, 34]


def cut_down(pixels: np.ndarray, side: int) -> np.ndarray:
    low = pixels.shape[0] // 2 - side // 2
    return pixels[low : low + side, low : low + side]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("turn", [0.0, 30.0], ids=["as it is", "turned"])
def test_a_small_field_lies_in_the_middle_of_an_empty_sky(tmp_path, side, turn):
    found = read_cutout(write(tmp_path / "a.fits", sky(side), header(side, turn_deg=turn)))
    assert {"padded", "small_field"} <= found.flags
    assert "nonfinite" not in found.flags
    share = 1 - (side / 150) ** 2
    assert found.padded == pytest.approx(share, abs=0.06 if turn else 0.02)
    assert not found.image[np.isnan(found.pixels)].any()
    middle = np.indices((150, 150))[:, found.image > 127].mean(1)
    assert np.hypot(*(middle - 74.5)) < 12


def test_what_is_there_is_what_a_whole_field_has(tmp_path):
    """But for the noise, which is measured on less."""
    whole = read_cutout(write(tmp_path / "whole.fits"))
    small = read_cutout(write(tmp_path / "small.fits", cut_down(sky(), 100), header(100)))
    there = np.isfinite(small.pixels)
    assert there.sum() == 100 * 100
    assert np.array_equal(small.pixels[there], whole.pixels[there])
    assert whole.padded == 0
    places = [np.array(each.wcs.world_to_pixel_values(150.0, 30.0)) for each in (whole, small)]
    assert places[0] == pytest.approx(places[1], abs=0.01)


def test_blank_pixels_of_a_small_field_are_no_padding(tmp_path):
    pixels = sky(100)
    pixels[:3] = np.nan
    found = read_cutout(write(tmp_path / "a.fits", pixels, header(100)))
    assert {"padded", "nonfinite"} <= found.flags
    pixels[:40] = np.nan
    with pytest.raises(ImageRefusal, match=r"4,000 of 10,000 pixels \(40.0 %\) are not finite"):
        read_cutout(write(tmp_path / "b.fits", pixels, header(100)))


def test_less_than_an_arcminute_is_refused(tmp_path):
    assert read_cutout(write(tmp_path / "a.fits", sky(34), header(34))).padded > 0.9
    with pytest.raises(ImageRefusal, match="field smaller than 60 arcsec"):
        read_cutout(write(tmp_path / "b.fits", sky(32), header(32)))


def offset(wcs_header, column, row):
    """The position of a pixel."""
    ra, dec = WCS(wcs_header).pixel_to_world_values(column, row)
    return {"ra_deg": float(ra), "dec_deg": float(dec)}


@pytest.mark.parametrize("turn", [0.0, 30.0], ids=["as it is", "turned"])
def test_a_target_near_the_edge_of_a_small_file_is_refused(tmp_path, turn):
    """As the smallest field has 30 arcsec on every side of its middle: 16.7 pixels."""
    cards = header(147, turn_deg=turn)
    file = write(tmp_path / "a.fits", sky(147, at=(-57, -57)), cards)
    for column, row in ((0, 0), (15, 70), (70, 131.5), (146.4, 146.4)):
        with pytest.raises(
            ImageRefusal, match=r"^a\.fits: target \S+ arcsec from the edge of a field of 264\.6 x 264\.6 arcsec;"
        ) as caught:
            read_cutout(file, "a.fits", **offset(cards, column, row))
        assert caught.value.flag == "too_small"
    found = read_cutout(file, **offset(cards, 17, 17))
    assert "padded" in found.flags
    assert found.padded < 0.7
    assert read_cutout(file, **offset(cards, 16.3, 70)).padded < 0.5


def test_a_file_as_large_as_the_crop_is_judged_by_its_pixels(tmp_path):
    cards = header(153)
    with pytest.raises(ImageRefusal, match="not finite") as caught:
        read_cutout(write(tmp_path / "a.fits", sky(153, at=(-60, -60)), cards), **offset(cards, 16, 16))
    assert caught.value.flag == "too_many_nonfinite"


def test_of_coarse_pixels_arcsec_count(tmp_path):
    cards = header(40, 6.0)
    file = write(tmp_path / "a.fits", sky(40, 6.0, at=(-14, 0)), cards)
    with pytest.raises(ImageRefusal, match=r"target 27 arcsec from the edge of a field of 240 x 240 arcsec"):
        read_cutout(file, **offset(cards, 4, 20))
    assert "padded" in read_cutout(file, **offset(cards, 5, 20)).flags


def test_noise_of_a_small_field_is_not_that_of_its_source():
    pixels = np.random.default_rng(1).normal(0, 1, (60, 60))
    pixels[15:45] += np.random.default_rng(2).uniform(0, 6, (30, 60))
    _, clipped = noise(pixels)
    assert clipped > 1.4
    assert cutout._noise_of_small(pixels)[1] < 0.8 * clipped
    assert cutout._noise_of_small(np.random.default_rng(3).normal(5, 1, (60, 60))) == pytest.approx((5, 1), rel=0.05)


def lit(*places: tuple[slice, slice], value: int = 200) -> np.ndarray:
    image = np.zeros((150, 150), np.uint8)
    image[60:90, 60:90] = 100
    for place in places:
        image[place] = value
    return image


@pytest.mark.parametrize(
    ("image", "cut"),
    [
        (lit(), False),
        (lit((slice(0, 20), slice(70, 80))), True),
        (lit((slice(130, 150), slice(70, 80))), True),
        (lit((slice(1, 21), slice(70, 80))), False),
        (lit((slice(0, 3), slice(70, 73))), False),
        (lit((slice(0, 10), slice(0, 10)), value=20), False),
        (lit((slice(75, 150), slice(80, 81)), value=9), True),
    ],
    ids=["inside", "at the top", "at the bottom", "one pixel inside", "too small", "too faint", "reaches out from the middle"],
)
def test_a_source_at_the_edge_is_cut_off(image, cut):
    assert reaches_edge(image) is cut


def test_the_edge_is_that_of_the_field(tmp_path):
    beyond = np.ones((150, 150), bool)
    beyond[59:91, 60:90] = False
    assert reaches_edge(lit(), beyond)
    beyond[58:92, 58:92] = False
    assert not reaches_edge(lit(), beyond)
    off = read_cutout(write(tmp_path / "a.fits", sky(100, at=(-48, 0)), header(100)))
    assert {"padded", "cut_off"} <= off.flags
    assert "cut_off" not in read_cutout(write(tmp_path / "b.fits", sky(100), header(100))).flags


def test_a_beam_that_is_given_counts_where_a_file_states_none(tmp_path):
    stated = header()
    stated["BMAJ"], stated["BMIN"], stated["BPA"] = 5.4 / 3600, 5.4 / 3600, 0.0
    file, own = write(tmp_path / "a.fits"), write(tmp_path / "b.fits", cards=stated)
    assert "other_beam" not in read_cutout(file).flags
    found = read_cutout(file, beam=[15.0, 12.0, 40.0])
    assert "other_beam" in found.flags
    assert found.ellipse == (15, 12, 40)
    assert "other_beam" not in read_cutout(own, beam=[15.0]).flags
    assert "other_beam" not in read_cutout(file, beam=[6.4, 5.4, 0.0]).flags


def test_a_beam_of_pictures(tmp_path):
    file = tmp_path / "a.npy"
    np.save(file, lit())
    assert read_cutout(file).flags == {"no_wcs"}
    assert read_cutout(file, beam=[15.0]).flags == {"no_wcs", "other_beam"}
    assert read_cutout(file, beam=[5.4]).ellipse == (5.4, 5.4, 0)


@pytest.mark.parametrize("sizes", [[], [0.0], [-5.0], [5.0, 0.0], [5.0, 4.0, 3.0, 2.0], [np.nan]], ids=str)
def test_what_is_no_beam_is_refused(sizes):
    with pytest.raises(SettingRefusal, match=r"--beam: .*major axis, minor axis"):
        Beam.of(sizes)
