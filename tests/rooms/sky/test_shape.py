"""Shapes are measured as they are: of Gaussians whose flux, size, axis ratio and noise are known, and of FIRST's own cutouts."""

import csv
import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sky_files import header, write

from equiradio.datasets.simulated_cutouts import TRUTH, write_cutouts
from equiradio.folders import data_folder
from equiradio.sky.beams import Beam
from equiradio.sky.brightness import beam_area, scale_of
from equiradio.sky.fits import read_cutout
from equiradio.sky.pictures import from_pixels
from equiradio.sky.shape import Picture, Shape, axis_ratio, extent, islands, measured, noise_of_form

BY_PIXEL = dict.fromkeys(("total_jy", "size_arcsec", "beams_across", "offset_arcsec"))
PIXEL, ROUND, RMS = 1.8, Beam(5.4, 5.4, 0.0), 1.5e-4


def noise(seed, side=150):
    """Noise of `RMS`, correlated over FIRST's beam."""
    from scipy.ndimage import gaussian_filter

    white = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 5.4 / PIXEL / 2.3548, mode="wrap")
    return white * (RMS / white.std())


def gaussian(peak, major, minor, angle=0.0, at=(0.0, 0.0), side=150):
    """Full widths in arcsec as observed, position angle in degrees; ``at`` (east, north) arcsec of the pixel right behind the middle."""
    north, west = (np.indices((side, side)) - side // 2) * PIXEL
    east, turn = -west - at[0], math.radians(angle)
    north = north - at[1]
    along, across = north * math.cos(turn) + east * math.sin(turn), east * math.cos(turn) - north * math.sin(turn)
    return peak * np.exp2(-4 * ((along / major) ** 2 + (across / minor) ** 2))


def shape_of(light, beam=ROUND, unit="JY/BEAM", sigma=RMS, pixel=PIXEL):
    return measured(Picture(light.astype(np.float32), sigma, unit, pixel, beam))


@pytest.mark.parametrize("angle", [0.0, 35.0, 90.0, 160.0])
@pytest.mark.parametrize(("major", "minor"), [(5.4, 5.4), (20.0, 8.0), (60.0, 20.0)])
@pytest.mark.parametrize("snr", [30.0, 300.0])
def test_a_gaussian_s_flux_size_ratio_and_noise(major, minor, angle, snr):
    seen = shape_of(gaussian(snr * RMS, major, minor, angle) + noise(1))
    beams = major * minor / 5.4**2
    assert seen.peak_jy_per_beam == pytest.approx(snr * RMS, abs=3.5 * RMS)
    assert seen.total_jy == pytest.approx(snr * RMS * beams, abs=4 * RMS * math.sqrt(math.log2(snr) * beams + 6 * math.sqrt(beams)))
    assert seen.rms_jy_per_beam == RMS
    extent = major * math.sqrt(math.log2(snr / 3))
    assert seen.size_arcsec == pytest.approx(extent, rel=0.12, abs=2 * PIXEL)
    assert seen.axis_ratio == pytest.approx(minor / major, abs=0.03 if snr > 100 else 0.15)
    assert seen.islands == 1
    assert seen.beams_across == pytest.approx(seen.size_arcsec / 5.4)


def test_what_lies_below_the_threshold_counts_in_the_flux():
    """Of a source ten times the noise the pixels above 3 sigma alone hold seven tenths."""
    totals = [shape_of(gaussian(10 * RMS, 5.4, 5.4) + noise(seed)).total_jy for seed in range(200)]
    assert np.mean(totals) == pytest.approx(10 * RMS, rel=0.05)


@pytest.mark.parametrize("beam", [3 * PIXEL, 4 * PIXEL])
@pytest.mark.parametrize("factor", [1 - 1e-9, 1 + 1e-9])
def test_a_beam_of_whole_pixels_has_the_flux_of_one_that_rounding_makes_wider_or_narrower(beam, factor):
    """Pixels exactly one beam away from the source's islands are as far as that beam's width, however it is rounded."""
    light = gaussian(100 * RMS, 20.0, 8.0, 35.0) + noise(1)
    exact = shape_of(light, Beam(beam, beam, 0.0)).total_jy
    for changed in (shape_of(light, Beam(beam * factor, beam * factor, 0.0)), shape_of(light, Beam(beam, beam, 0.0), pixel=PIXEL * factor)):
        assert changed.total_jy == pytest.approx(exact, rel=1e-6)


def test_two_lobes_are_one_source_as_wide_as_both():
    light = gaussian(0.02, 6, 6, at=(0, 40)) + gaussian(0.01, 6, 6, at=(0, -40)) + noise(2)
    seen = shape_of(light)
    ends = sum(3 * math.sqrt(math.log2(peak / RMS / 3)) for peak in (0.02, 0.01))
    assert seen.islands == 2
    assert seen.size_arcsec == pytest.approx(80 + ends, abs=2 * PIXEL)
    assert seen.axis_ratio < 0.15
    assert seen.total_jy == pytest.approx(0.03 * 36 / 5.4**2, rel=0.05)
    assert seen.peak_jy_per_beam == pytest.approx(0.02, rel=0.05)


def test_a_faint_neighbour_is_not_the_source_s():
    alone = gaussian(0.02, 12, 6) + noise(3)
    beside = alone + gaussian(8 * RMS, 5.4, 5.4, at=(80, 0))
    assert shape_of(beside) == shape_of(alone)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_changes_no_number(turns):
    beam = Beam(7.2, 5.0, 30.0)
    light = gaussian(0.01, 30, 9, 20) + gaussian(0.004, 8, 8, at=(-30, 35)) + noise(4)
    still, turned = shape_of(light, beam), shape_of(np.rot90(light, turns), Beam(7.2, 5.0, 30.0 - 90 * turns))
    for name, value in vars(still).items():
        assert getattr(turned, name) == pytest.approx(value, rel=1e-6), name


def test_a_mirrored_beam_is_another_one():
    light = gaussian(0.01, 40, 9, 20) + noise(4)
    same, other = (shape_of(light, Beam(15.0, 5.0, angle)).beams_across for angle in (20.0, -20.0))
    assert same < 0.8 * other


@pytest.mark.parametrize("beam", [Beam(15.0, 5.0), Beam(15.0), Beam.of([15.0, 5.0])], ids=["no angle", "major alone", "--beam"])
def test_of_a_beam_without_an_angle_the_major_axis_counts(beam):
    """The fewest beams across that it allows."""
    seen = shape_of(gaussian(0.01, 40, 9, 20) + noise(4), beam)
    assert seen.beams_across == pytest.approx(seen.size_arcsec / 15)
    assert seen.beams_across <= min(
        shape_of(gaussian(0.01, 40, 9, 20) + noise(4), Beam(15.0, 5.0, angle)).beams_across for angle in (0, 90)
    )


def test_the_widest_extent_is_from_edge_to_edge():
    source = np.zeros((20, 20), bool)
    source[3, 4] = True
    assert extent(source).width == 1
    source[3, 4:12] = True
    assert extent(source).width == 8
    assert abs(extent(source).angle) == pytest.approx(90, abs=1e-9)
    source[6, 15] = True
    width, angle, _ = extent(source)
    assert width == pytest.approx(math.hypot(3, 11) + 1)
    assert angle % 180 == pytest.approx(math.degrees(math.atan2(-11, 3)) % 180)


@pytest.mark.parametrize("seed", range(5))
def test_no_two_pixels_are_farther_apart(seed):
    from scipy.spatial.distance import pdist

    source = np.random.default_rng(seed).random((40, 40)) > 0.97
    assert extent(source).width == pytest.approx(pdist(np.argwhere(source)).max() + 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_offset_is_the_distance_to_the_convex_hull(seed):
    """That of scipy, by the nearest of its edges' ends and sides; directions of 5 degrees tell it to a thousandth from outside."""
    from scipy.spatial import ConvexHull

    source = np.zeros((60, 60), bool)
    source[30:55, 2:58] = np.random.default_rng(seed).random((25, 56)) > 0.9
    places, middle = np.argwhere(source).astype(float), np.array([29.5, 29.5])
    hull = ConvexHull(places)
    sides = [places[side] for side in hull.simplices]
    nearest = lambda a, b: a + np.clip((middle - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1) * (b - a)
    away = min(np.hypot(*(nearest(*side) - middle)) for side in sides)
    inside = bool((hull.equations[:, :2] @ middle + hull.equations[:, 2] <= 0).all())
    assert extent(source).offset == pytest.approx(0 if inside else away, rel=2e-3, abs=1e-9)
    moved = np.roll(source, 25, 0) & (np.indices(source.shape)[0] > 40)
    assert extent(moved).offset >= 10 or not moved.any()


def test_what_cannot_be_had_is_none():
    light = gaussian(0.01, 20, 8) + noise(5)
    whole = shape_of(light)
    assert all(value is not None for value in vars(whole).values())
    nothing = dict.fromkeys(vars(whole))
    assert vars(shape_of(light, unit="")) == vars(whole) | {"peak_jy_per_beam": None, "total_jy": None, "rms_jy_per_beam": None}
    assert vars(shape_of(light, unit="K")) == vars(shape_of(light, unit=""))
    assert vars(shape_of(light, beam=None)) == vars(whole) | {"total_jy": None, "beams_across": None}
    assert vars(shape_of(light, pixel=None)) == vars(whole) | BY_PIXEL
    for sky in (noise(6), np.full((150, 150), np.nan), np.zeros((150, 150))):
        assert vars(shape_of(sky)) == nothing | {"rms_jy_per_beam": RMS, "islands": 0}
    assert shape_of(light, sigma=math.nan) == Shape()


def test_pixels_that_are_not_there_are_left_out():
    light = gaussian(0.01, 20, 8) + noise(7)
    light[:, 100:] = np.nan
    assert shape_of(light).total_jy == pytest.approx(0.01 * 160 / 5.4**2, rel=0.05)


@pytest.mark.parametrize(
    ("unit", "beam", "pixel"),
    [
        ("JY/BEAM", 1, 0.1),
        ("Jy beam-1", 1, 0.1),
        ("Jy beam**-1", 1, 0.1),
        ("mJy/beam", 1e-3, 1e-4),
        ("uJy/beam", 1e-6, 1e-7),
        ("JY/PIXEL", 10, 1),
        ("Jy/pix", 10, 1),
        ("MJy/sr", 10 * 1e6 * (1.8 / 206264.806) ** 2, 1e6 * (1.8 / 206264.806) ** 2),
        ("MJY/BEAM", None, None),
        ("K", None, None),
        ("", None, None),
        ("JY", None, None),
        ("who knows / beam", None, None),
    ],
)
def test_units_of_brightness(unit, beam, pixel):
    found = scale_of(unit, 10.0, 1.8)
    assert found.to_beam == (beam if beam is None else pytest.approx(beam))
    assert found.to_pixel == (pixel if pixel is None else pytest.approx(pixel))


def test_a_unit_that_astropy_warns_of_is_no_line_on_the_terminal():
    assert scale_of("Jy/beam/Hz", 10.0, 1.8) == (None, None)


def test_units_without_a_beam_or_a_scale():
    assert scale_of("Jy/beam", None, 1.8) == (1, None)
    assert scale_of("Jy/pixel", None, None) == (None, 1)
    assert scale_of("MJy/sr", 10.0, None) == (None, None)
    assert beam_area(5.4, 5.4, 1.8) == pytest.approx(10.198, abs=1e-3)


def test_pictures_in_mirabest_form_have_size_ratio_and_islands_and_with_a_beam_beams():
    light = gaussian(0.01, 30, 10) + noise(8)
    whole = shape_of(light)
    picture = np.where(light > 3 * RMS, light / light.max() * 255, 0).astype(np.uint8)
    assert noise_of_form(picture) == pytest.approx(RMS / light.max() * 255, rel=0.15)
    seen = from_pixels("a", picture).shape
    assert (seen.peak_jy_per_beam, seen.total_jy, seen.rms_jy_per_beam, seen.beams_across) == (None,) * 4
    assert seen.size_arcsec == pytest.approx(whole.size_arcsec, abs=PIXEL)
    assert (seen.axis_ratio, seen.islands) == (pytest.approx(whole.axis_ratio, abs=0.01), 1)
    assert from_pixels("a", picture, [5.4]).shape.beams_across == pytest.approx(whole.beams_across, abs=0.5)


@pytest.mark.parametrize("scale", [1.8, 0.9, 1.2])
def test_files_are_measured_in_their_own_unit_and_beam(tmp_path, scale):
    """Finer pixels are averaged: flux and size stay."""
    cards = header(side := round(300 * 1.8 / scale), scale)
    cards["BUNIT"], cards["BMAJ"], cards["BMIN"], cards["BPA"] = "mJy/beam", 9 / 3600, 9 / 3600, 0.0
    rows, columns = (np.indices((side, side)) - (side - 1) / 2) * scale
    light = 50 * np.exp2(-4 * ((rows / 40) ** 2 + (columns / 20) ** 2)) + np.random.default_rng(0).normal(0, 0.1, (side, side))
    seen = read_cutout(write(tmp_path / "a.fits", light.astype(np.float32), cards)).shape
    assert seen.peak_jy_per_beam == pytest.approx(0.05, rel=0.02)
    assert seen.total_jy == pytest.approx(0.05 * 800 / 81, rel=0.02)
    assert seen.rms_jy_per_beam == pytest.approx(1e-4 * min(scale / 1.8, 1), rel=0.25)
    expected = 40 * math.sqrt(math.log2(0.05 / seen.rms_jy_per_beam / 3))
    assert seen.size_arcsec == pytest.approx(expected, rel=0.12)
    assert seen.beams_across == pytest.approx(seen.size_arcsec / 9)


def test_the_axis_ratio_is_that_of_photutils():
    from photutils.segmentation import SegmentationImage, SourceCatalog

    for seed in range(5):
        light = gaussian(0.01, 40, 9, 20) + gaussian(0.004, 8, 8, at=(-30, 35)) + noise(seed)
        source = islands(light, RMS, 10).source
        major, minor = SourceCatalog(light, SegmentationImage(source.astype(int))).covariance_eigvals.value.ravel()
        assert axis_ratio(light, source) == pytest.approx(math.sqrt(minor / major))
    line = np.zeros((150, 150), bool)
    line[70, 60:80] = True
    major, minor = SourceCatalog(np.ones((150, 150)), SegmentationImage(line.astype(int))).covariance_eigvals.value.ravel()
    assert axis_ratio(np.ones((150, 150)), line) == pytest.approx(math.sqrt(minor / major))


def test_simulated_cutouts_are_as_wide_as_they_were_made(tmp_path):
    """Their truth is the widest extent above 3 sigma, without noise; two of these eight have bright neighbours."""
    folder = write_cutouts(8, 5, tmp_path / "cutouts")
    ratios = []
    for row in csv.DictReader((folder / TRUTH).read_text().splitlines()):
        seen = read_cutout(folder / f"{row['source_id']}.fits").shape
        ratios.append(seen.size_arcsec / float(row["size_arcsec"]))
        assert seen.peak_jy_per_beam == pytest.approx(float(row["peak_jy_per_beam"]), rel=1e-3)
    assert sum(0.8 < ratio < 1.2 for ratio in ratios) == 6


def test_first_s_cutouts_have_the_noise_and_peak_of_the_manifest_and_sizes_like_the_catalogue_s():
    files, images = data_folder() / "fits" / "manifest.csv", data_folder() / "mirabest" / "manifest.csv"
    if not (files.exists() and images.exists()):
        pytest.skip("no FITS cutouts in the data folder")
    of = {row["md5_pixels"]: row for row in csv.DictReader(images.read_text().splitlines())}
    sizes = []
    for row in csv.DictReader(files.read_text().splitlines()):
        seen, known = read_cutout(files.parent / row["file"], beam=[5.4]).shape, of[row["md5_pixels"]]
        assert seen.rms_jy_per_beam == pytest.approx(float(known["sigma_jy"]), rel=1e-5)
        assert seen.peak_jy_per_beam == pytest.approx(float(known["crop_peak_jy"]), rel=1e-5)
        assert seen.total_jy > seen.peak_jy_per_beam
        sizes.append((seen.size_arcsec, float(row["size_arcsec"])))
    ours, theirs = np.array(sizes).T
    assert len(ours) == 32
    assert 1.2 < np.median(ours / theirs) < 2  # the beam is in ours
    assert spearmanr(ours, theirs).statistic > 0.8
