"""Images of one's own are cut, clipped and stretched by their recipe, and keep their places on the sky."""

import io

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from equiradio.errors import ImageRefusal
from equiradio.inference.reading import read_any
from equiradio.sky.beams import Beam
from equiradio.sky.blanks import was_clipped
from equiradio.sky.contents import LIMITS
from equiradio.sky.cutout import to_mirabest
from equiradio.sky.images import SkyImage
from equiradio.sky.own import Plane, cutout_of, of_array, own_cutout, read_plane
from equiradio.sky.recipe import MIRABEST, Recipe, recipe_of
from equiradio.sky.shape import Shape

RECIPE = Recipe(side=32, scale_arcsec=2.0, noise_field=64)


def a_sky(height=90, width=100):
    return np.random.default_rng(0).normal(0, 1, (height, width)).astype(np.float32)


def write(path, pixels, scale=2.0, at=(150.0, 2.0)):
    height, width = pixels.shape
    cards = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": at[0], "CRVAL2": at[1], "CUNIT1": "deg", "CUNIT2": "deg"}
    cards |= {"CRPIX1": width / 2 + 0.5, "CRPIX2": height / 2 + 0.5, "CDELT1": -scale / 3600, "CDELT2": scale / 3600, "RADESYS": "ICRS"}
    fits.PrimaryHDU(pixels, fits.Header(cards)).writeto(path)
    return path


def test_a_position_is_in_the_middle_of_its_cutout(tmp_path):
    sky = a_sky()
    sky[30, 70] = 500
    plane = read_plane(write(tmp_path / "a.fits", sky))
    ra, dec = (float(value) for value in plane.sky.wcs.pixel_to_world_values(70, 30))
    cutout = own_cutout(plane, RECIPE, ra, dec)
    assert np.unravel_index(cutout.image.argmax(), cutout.image.shape) == (16, 16)
    place = cutout.wcs.pixel_to_world_values(16, 16)
    assert (float(place[0]), float(place[1])) == pytest.approx((ra, dec), abs=1e-6)
    assert plane.scale_arcsec == pytest.approx(2.0)


def test_beyond_the_image_is_empty_sky_and_counted(tmp_path):
    sky = a_sky()
    sky[4, 5] = 500
    plane = read_plane(write(tmp_path / "a.fits", sky))
    ra, dec = (float(value) for value in plane.sky.wcs.pixel_to_world_values(5, 4))
    cutout = own_cutout(plane, RECIPE, ra, dec)
    assert cutout.image[16, 16] == 255
    assert (cutout.image[:12] == 0).all()
    assert "padded" in cutout.flags
    assert cutout.padded == pytest.approx(1 - 20 * 21 / 32**2)


@pytest.mark.parametrize(("column", "row"), [(2, 40), (50, 0), (97, 40), (50, 87)])
def test_a_position_at_the_edge_is_refused_as_of_mirabest_s_recipe(tmp_path, column, row):
    plane = read_plane(write(tmp_path / "a.fits", a_sky()))
    ra, dec = (float(value) for value in plane.sky.wcs.pixel_to_world_values(column, row))
    with pytest.raises(
        ImageRefusal, match=r"pixels from the edge of 100 x 90; expected 3\.6 or more, a ninth of the cutout's side"
    ) as caught:
        own_cutout(plane, RECIPE, ra, dec)
    assert caught.value.flag == "too_small"


def test_with_mirabest_s_recipe_the_pixels_are_mirabest_s():
    sky = np.random.default_rng(4).normal(0, 1, (300, 300)).astype(np.float32)
    sky[140:160, 145:150] += 60
    np.testing.assert_array_equal(own_cutout(of_array(sky, "sky"), MIRABEST).image, to_mirabest(sky))


def test_pixels_that_are_not_finite_count_as_empty_up_to_a_share():
    sky = a_sky(64, 64)
    sky[30, 30], sky[20:22, 20:30] = 500, np.nan
    cutout = own_cutout(of_array(sky, "sky"), RECIPE)
    assert "nonfinite" in cutout.flags
    assert (cutout.image[20 - 16 : 22 - 16, 20 - 16 : 30 - 16] == 0).all()
    sky[20:30, 20:30] = np.nan
    with pytest.raises(ImageRefusal, match=r"100 of 1,024 pixels \(9.8 %\) are not finite; expected at most 5 %"):
        own_cutout(of_array(sky, "sky"), RECIPE)


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint8])
def test_masked_pixels_are_not_finite_whatever_lies_below(kind):
    sky = np.abs(a_sky(32, 32) * 10).astype(kind)
    sky[16, 16] = 100
    mask = np.zeros(sky.shape, bool)
    mask[4:6, 4:14] = True
    plain = sky.astype(np.float32)
    plain[mask] = np.nan
    sky[mask] = 120
    cutout = cutout_of(np.ma.array(sky, mask=mask), RECIPE)
    assert "nonfinite" in cutout.flags
    assert (cutout.image[mask] == 0).all()
    if kind is not np.uint8:  # which is taken for a picture
        np.testing.assert_array_equal(cutout.image, cutout_of(plain, RECIPE).image)


@pytest.mark.parametrize(
    ("make", "flag"),
    [
        (lambda path: write(path, a_sky(), scale=3.0), "absurd_scale"),
        (lambda path: write(path, np.zeros((64, 64), np.float32)), "blank"),
        (lambda path: path.write_bytes(b"hello") and path, "not_an_image_file"),
        (lambda path: path, "missing"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_flag(tmp_path, make, flag):
    with pytest.raises(ImageRefusal) as caught:
        own_cutout(read_plane(make(tmp_path / "a.fits")), RECIPE)
    assert caught.value.flag == flag


def test_a_position_outside_is_refused(tmp_path):
    plane = read_plane(write(tmp_path / "a.fits", a_sky()))
    with pytest.raises(ImageRefusal, match=r"10.00000 \+2.00000 is not in it"):
        own_cutout(plane, RECIPE, 10.0, 2.0)
    with pytest.raises(ImageRefusal, match="no sky position in it"):
        own_cutout(of_array(a_sky(), "sky"), RECIPE, 10.0, 2.0)


def test_a_recipe_comes_back_from_its_card_and_damage_is_refused():
    own = Recipe(76, 0.0, 152, 2.5, 5, 0.0, "asinh")
    assert own.as_card()["scale_arcsec"] is None
    assert recipe_of(own.as_card()) == own
    assert recipe_of({}) == MIRABEST == recipe_of(MIRABEST.as_card())
    for change in ({"side": 77}, {"side": "76"}, {"stretch": "cubic"}, {"scale_arcsec": -1}, {"clip_sigma": float("nan")}, {"sides": 76}):
        with pytest.raises((ValueError, TypeError)):
            recipe_of(own.as_card() | change)


def test_its_shape_is_measured_with_its_own_noise_and_scale_and_not_in_pictures():
    """Numbers of the sky in units of their own; grey levels of a picture say nothing of the noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((80, 80)) - 40
    light = (0.01 * np.exp(-(rows**2 + (columns / 2) ** 2) / 8) + rng.normal(0, 1e-4, (80, 80))).astype(np.float32)
    recipe = Recipe(64, 3.0, 128, 3.0, 5, 9.0, "asinh")
    measured = own_cutout(Plane(SkyImage("a", 0, light, beam=Beam(9.0, 9.0, 0.0), unit="Jy/beam"), False), recipe).shape
    assert measured.rms_jy_per_beam == pytest.approx(1e-4, rel=0.1)
    assert measured.peak_jy_per_beam == pytest.approx(0.01, rel=0.05)
    assert measured.size_arcsec is not None
    assert measured.beams_across == pytest.approx(measured.size_arcsec / 9.0, rel=1e-6)
    picture = own_cutout(Plane(SkyImage("b", 0, (255 * light.clip(0) / light.max()).astype(np.float32)), True), recipe)
    assert picture.shape == Shape()


@pytest.mark.parametrize("kind", ["file", "array", "picture"])
def test_a_beam_that_is_given_counts_where_none_is_stated(tmp_path, kind):
    sky = a_sky()
    sky[45, 50] = 500
    source = {"file": write(tmp_path / "a.fits", sky), "array": sky, "picture": np.clip(sky, 0, 255).astype(np.uint8)}[kind]
    assert read_any(0, source, recipe=RECIPE).beam is None
    assert read_any(0, source, recipe=RECIPE, beam=(9.0, 6.0, 30.0)).beam == Beam(9.0, 6.0, 30.0)
    if kind == "file":
        fits.setval(source, "BMAJ", value=8 / 3600)
        assert read_any(0, source, recipe=RECIPE, beam=(9.0, 6.0, 30.0)).beam.major == pytest.approx(8.0)


def test_an_array_is_measured_by_its_heading_before_it_is_read(monkeypatch):
    content = io.BytesIO()
    np.save(content, a_sky(20, 30))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(ImageRefusal) as caught:
        read_plane(content.getvalue(), "a.npy", LIMITS._replace(pixels=599))
    assert (caught.value.flag, caught.value.found) == ("too_large", "20 x 30 pixels")


def noise_map(height=90, width=100):
    """Of an image whose noise is some 1, as finders write it beside it: smooth, and far above zero."""
    rows, columns = np.indices((height, width))
    return (1 + 0.2 * np.sin(columns / 30) * np.cos(rows / 25)).astype(np.float32)


@pytest.mark.parametrize("stretch", ["mirabest", "asinh"])
def test_a_noise_map_is_no_image_of_a_source(tmp_path, stretch):
    plane = read_plane(write(tmp_path / "rms.fits", noise_map()))
    with pytest.raises(ImageRefusal, match=r"as in a noise or background map; .* Give the image itself") as caught:
        own_cutout(plane, Recipe(side=32, scale_arcsec=2.0, noise_field=64, stretch=stretch))
    assert caught.value.flag == "blank"


@pytest.mark.parametrize(("level", "flag"), [(0, set()), (-2, {"lowered_sky"}), (2, set()), (5, {"raised_sky"})])
def test_a_sky_off_zero_is_flagged_as_by_mirabest_s_recipe(tmp_path, level, flag):
    sky = a_sky()
    sky[43:47, 48:52] = 500
    cutout = own_cutout(read_plane(write(tmp_path / "a.fits", sky + np.float32(level))), RECIPE)
    assert cutout.flags & {"raised_sky", "lowered_sky"} == flag


def test_a_source_that_fills_its_image_is_no_noise_map(tmp_path):
    rows, columns = np.indices((90, 100)) - np.array([44.5, 49.5])[:, None, None]
    disc = 100 * np.exp(-((np.hypot(rows, columns) / 35) ** 2)).astype(np.float32)
    cutout = own_cutout(read_plane(write(tmp_path / "a.fits", a_sky() + disc)), Recipe(side=90, scale_arcsec=2.0, noise_field=180))
    assert cutout.image.max() == 255


def test_numbers_of_no_sky_may_be_of_any_kind():
    level = noise_map(32, 32)
    level[16, 16] = 1.5
    for pixels in (level, np.eye(32, dtype=np.float32)):
        assert own_cutout(of_array(pixels, "array"), Recipe(side=32, scale_arcsec=0.0, noise_field=64)).image.max() == 255


def at_an_edge(fill):
    """A sky whose mosaic ends in it, and a source beside that edge."""
    light = a_sky()
    light[44:47, 49:52], light[:, 56:] = 60, fill
    light[20, 20] = -90  # the faintest pixel, as beside a bright source
    return light


@pytest.mark.parametrize("stretch", ["mirabest", "asinh", "linear"])
@pytest.mark.parametrize("kind", ["file", "array"])
def test_zeros_that_a_mosaic_did_not_see_are_blank_by_a_recipe_of_one_s_own(tmp_path, kind, stretch):
    recipe = Recipe(side=32, scale_arcsec=2.0, noise_field=64, stretch=stretch)
    cutouts = []
    for fill in (0.0, np.nan):
        light = at_an_edge(fill)
        plane = read_plane(write(tmp_path / f"{fill}.fits", light)) if kind == "file" else of_array(light, "array")
        cutouts.append(own_cutout(plane, recipe, max_nonfinite=0.4))
        with pytest.raises(ImageRefusal, match="are not finite" + (" or blank areas of exact zeros" if fill == 0 else ";")):
            own_cutout(plane, recipe)
    assert np.array_equal(cutouts[0].image, cutouts[1].image)
    assert np.array_equal(cutouts[0].pixels, cutouts[1].pixels, equal_nan=True)
    assert cutouts[0].noise == cutouts[1].noise
    assert cutouts[0].flags == cutouts[1].flags | {"zero_filled"}


RAISED = Recipe(side=32, scale_arcsec=2.0, noise_field=64, stretch="linear")


@pytest.mark.parametrize("beam", [0, 1.3])
def test_zeros_at_the_edge_of_a_raised_sky_are_blank_by_a_recipe_of_one_s_own(beam):
    """No pixel is below zero, and yet nothing was clipped: what was seen is full of noise, up to its rim."""
    light = a_sky() if not beam else gaussian_filter(a_sky(), beam) * 2 * beam * np.sqrt(np.pi)
    light += 20
    light[44:47, 49:52], light[:, 56:] = 80, 0
    for pixels in (light.astype(np.float32), np.round(light * 100).astype(np.uint16)):
        cutout = own_cutout(of_array(pixels, "array"), RAISED, max_nonfinite=0.4)
        assert "zero_filled" in cutout.flags
        assert np.array_equal(np.isnan(cutout.pixels), np.tile(np.arange(32) >= 22, (32, 1)))


@pytest.mark.parametrize("level", [0, 0.5, 1, 2, 3, 5])
@pytest.mark.parametrize("beam", [0, 1.3, 3])
@pytest.mark.parametrize("width", [3, 12])
def test_an_image_that_was_clipped_at_any_level_keeps_its_zeros(level, beam, width):
    light = a_sky() if not beam else gaussian_filter(a_sky(), beam) * 2 * beam * np.sqrt(np.pi)
    rows, columns = np.indices(light.shape)
    light += 30 * np.exp(-((rows - 45) ** 2 + (columns - 50) ** 2) / (2 * width**2))
    clipped = np.where(light > level, light, 0).astype(np.float32)
    assert was_clipped(clipped)
    assert "zero_filled" not in own_cutout(of_array(clipped, "array"), RAISED).flags


def test_a_shape_on_nothing_keeps_its_zeros():
    rows, columns = np.indices((90, 100))
    shape = (abs(rows - 45) < 8) & (abs(columns - 50) < 20)
    for pixels in (shape * np.float32(2), np.where(shape, 5 + a_sky(), 0)):
        assert was_clipped(pixels.astype(np.float32))


def test_beside_an_area_of_zeros_scattered_ones_stay_by_a_recipe_of_one_s_own():
    light = at_an_edge(0)
    scattered = np.random.default_rng(2).random(light.shape) < 0.1
    scattered[:, 52:] = False
    light[scattered] = 0
    cutout = own_cutout(of_array(light, "array"), Recipe(side=32, scale_arcsec=2.0, noise_field=64), max_nonfinite=0.4)
    assert "zero_filled" in cutout.flags
    assert np.array_equal(np.isnan(cutout.pixels), np.tile(np.arange(32) >= 22, (32, 1)))


def test_zeros_of_an_image_that_was_clipped_are_empty_sky(tmp_path):
    """Of numbers without any below zero nothing says that zeros were not seen."""
    clipped = np.where(at_an_edge(0) > 3, at_an_edge(0), 0).astype(np.float32)
    for plane in (read_plane(write(tmp_path / "a.fits", clipped)), of_array(clipped, "array")):
        cutout = own_cutout(plane, RECIPE)
        assert cutout.image.max() == 255
        assert not cutout.flags & {"zero_filled", "nonfinite"}
