"""Training's wide sky: of its own draw and nothing else, equal to the operations one by one, and that of real FITS files too."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import shift as moved

from equiradio.compute import wide_sky
from equiradio.compute.poses import TRAINING, VALIDATION, Poses, draw_poses, turned
from equiradio.compute.wide_sky import BEAMS, CLIPS, DEPTHS, FIELDS, SHIFT, STANDS_OUT, Views, WideSky, draw_views
from equiradio.datasets.simulated import simulate
from equiradio.folders import data_folder
from equiradio.sky.beams import Beam
from equiradio.sky.cutout import noise, to_mirabest
from equiradio.sky.degrade import through_beam
from equiradio.sky.fits import mirabest_image, read_image
from equiradio.sky.levels import brightness, peak_in_sigma
from equiradio.sky.recipe import MIRABEST

COUNT = 6
FIRST = Beam(MIRABEST.beam_arcsec)
seeds, numbers = st.integers(0, 2**32), st.integers(0, 10**6)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    many = simulate(4 * COUNT, 1).images
    return many[np.argsort(peak_in_sigma(many))[-COUNT:]]


@pytest.fixture(scope="module")
def sky(images) -> WideSky:
    return WideSky(images, seed=0)


def as_first(count: int = COUNT) -> Views:
    """Views that change nothing."""
    one = np.ones(count)
    beam, still = one * BEAMS[0], np.zeros((count, 2))
    windows = np.random.default_rng(2).random((count, 4))
    return Views(beam, beam, 0 * one, one, 3 * one, np.zeros(count, bool), one * FIELDS[1], still, windows)


def through(beam: Beam, count: int = COUNT) -> Views:
    """Views through a beam, with the noise that an image has after it."""
    one = np.ones(count)
    changes = {"major": beam.major * one, "minor": beam.minor * one, "angle": beam.angle * one}
    return replace(as_first(count), depth=one * np.sqrt(beam.major * beam.minor) / BEAMS[0], **changes)


def unturned(count: int = COUNT) -> Poses:
    return turned(np.zeros(count))


def shown(sky: WideSky, images: np.ndarray, views: Views, poses: Poses | None = None) -> np.ndarray:
    rows = np.arange(len(images))
    return sky.show(torch.from_numpy(images), sky.numbers(poses or unturned(len(rows)), views, rows))[:, 0].numpy()


def test_a_view_that_changes_nothing_shows_the_image(sky, images):
    """But for the rounding of levels, and noise where there was less than 3 sigma: it has its own threshold."""
    seen = shown(sky, images, as_first())
    assert np.abs(seen - images).max() <= 1
    assert ((seen > 0) == (images > 0)).mean() > 0.999


def check_against_the_operations(sky, images, views):
    """The image in sigma, its lost noise put back, through the beam, clipped and stretched anew: with numpy, one after the other."""
    seen, numbers = shown(sky, images, views), sky.numbers(unturned(), views, np.arange(COUNT))
    side = MIRABEST.side + wide_sky.PAD
    for row, values in enumerate(brightness(images)):
        beam = Beam(views.major[row], views.minor[row], views.angle[row])
        field = np.zeros((side, side))
        field[: MIRABEST.side, : MIRABEST.side] = values
        first, second = (sky._bank[r : r + side, c : c + side].numpy() for r, c in numbers[row, -4:].int().view(2, 2).tolist())
        depth = views.depth[row] / np.sqrt(beam.major * beam.minor / 5.4**2)
        field += np.where(field > 0, 0, min(depth, 1) * np.minimum(first, wide_sky.MOST_LOST)) + np.sqrt(max(depth**2 - 1, 0)) * second
        expected = through_beam(field, 1.8, FIRST, beam)[: MIRABEST.side, : MIRABEST.side]
        threshold = views.clip[row] * views.depth[row]
        lit = np.where(expected > threshold, expected - (threshold if views.floor[row] else 0), 0)
        inner = slice(25, 125)  # noise beyond the image is another where edges touch
        lit, ours = lit[inner, inner] / lit.max() * 255, seen[row][inner, inner]
        assert lit.max() > 100
        near = np.abs(expected[inner, inner] - threshold) < 0.05 * threshold  # where rounding decides what is lit
        np.testing.assert_allclose(ours[~near], np.floor(lit)[~near], atol=1.5)


BEAM_DEPTH_CLIP = [
    ((5.4, 5.4, 0.0), 2.0, 3.0),
    ((12.0, 7.0, 40.0), 2.5, 4.0),
    ((25.0, 20.0, 120.0), 5.0, 2.0),
    ((15.0, 15.0, 0.0), 1.5, 3.0),
]


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize(("beam", "depth", "clip"), BEAM_DEPTH_CLIP)
def test_it_is_the_operations_one_after_the_other(sky, images, beam, depth, clip, floor):
    one = np.ones(COUNT)
    views = replace(through(Beam(*beam)), depth=depth * one, clip=clip * one, floor=np.full(COUNT, floor))
    assert (sky.peaks > depth * clip * STANDS_OUT).all()  # fainter ones are spared some of it
    check_against_the_operations(sky, images, views)


def check_company(sky, images, poses, views):
    rows = np.arange(COUNT)
    numbers, pixels = sky.numbers(poses, views, rows), torch.from_numpy(images)
    together = sky.show(pixels, numbers)
    for size in (1, 2, 4):
        apart = [sky.show(pixels[first : first + size], numbers[first : first + size]) for first in range(0, COUNT, size)]
        assert torch.equal(torch.cat(apart), together)


@given(seeds, numbers)
def test_a_view_does_not_depend_on_its_company(sky, images, seed, epoch):
    drawn = seed, TRAINING, np.arange(COUNT), np.full(COUNT, epoch)
    check_company(sky, images, draw_poses(*drawn), draw_views(*drawn))


def test_the_company_law_catches_a_peak_of_the_whole_batch(sky, images, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "amax", lambda values, *axes, **named: values.max())
    with pytest.raises(AssertionError):
        check_company(sky, images, unturned(), as_first())


def test_the_company_law_catches_noise_of_the_place_in_a_batch(sky, images, monkeypatch):
    true = WideSky._window
    monkeypatch.setattr(WideSky, "_window", lambda self, first, side: true(self, first + torch.arange(len(first))[:, None], side))
    with pytest.raises(AssertionError):
        check_company(sky, images, unturned(), replace(as_first(), depth=np.full(COUNT, 2.0)))


def rows_of(views: Views) -> np.ndarray:
    return np.concatenate([np.reshape(getattr(views, name), (len(views.major), -1)) for name in Views.__dataclass_fields__], 1)


@given(seeds, st.sampled_from([TRAINING, VALIDATION]), st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_a_draw_is_of_seed_purpose_source_and_pass(seed, purpose, pairs):
    together = rows_of(draw_views(seed, purpose, *np.array(pairs).T))
    for pair, row in zip(pairs, together, strict=True):
        np.testing.assert_array_equal(rows_of(draw_views(seed, purpose, np.array(pair[:1]), np.array(pair[1:])))[0], row)


def test_another_seed_purpose_source_or_pass_gives_another_draw():
    keys = [(0, TRAINING, 0, 0), (1, TRAINING, 0, 0), (0, VALIDATION, 0, 0), (0, TRAINING, 1, 0), (0, TRAINING, 0, 1)]
    assert len({draw_views(seed, purpose, np.array([s]), np.array([k])).shift[0, 0] for seed, purpose, s, k in keys}) == len(keys)


def test_draws_fill_their_ranges_and_half_of_each_kind_is_as_it_was():
    views = draw_views(0, TRAINING, np.arange(4000), np.zeros(4000, int))
    deeper = views.depth / np.sqrt(views.major * views.minor / BEAMS[0] ** 2)
    for values, (low, high), usual in [
        (views.major, BEAMS, BEAMS[0]),
        (views.clip, CLIPS, 3.0),
        (views.field, FIELDS, FIELDS[1]),
        (views.depth[views.major == BEAMS[0]], DEPTHS, 1.0),
    ]:
        assert low <= values.min() < 1.05 * low
        assert 0.95 * high < values.max() <= high
        assert (values == usual).mean() == pytest.approx(0.5, abs=0.04)
    assert (views.minor >= BEAMS[0]).all()
    assert (views.minor <= views.major).all()
    assert (views.minor / views.major).min() < 0.51
    assert 0.95 * DEPTHS[1] < deeper.max() <= DEPTHS[1] + 1e-9
    assert (views.depth >= DEPTHS[0]).all()
    assert views.floor.mean() == pytest.approx(0.25, abs=0.03)
    assert not (views.floor & (views.clip == 3)).any()
    assert SHIFT * 0.99 < np.abs(views.shift).max() <= SHIFT


def test_the_stream_is_frozen():
    """Another would change what a training on record has seen."""
    drawn = np.array([np.random.default_rng([3, 0, source, 5, 1]).random(18) for source in range(64)]).T
    beam, deep, clipped, narrow = drawn[:4] < 0.5
    major = np.where(beam, 5.4 * (25 / 5.4) ** drawn[4], 5.4)
    minor = np.maximum(major * (1 + drawn[5]) / 2, 5.4)
    expected = Views(
        major,
        minor,
        180 * drawn[6],
        np.where(deep, 6 ** drawn[7], 1) * np.sqrt(major * minor / 5.4**2) ** drawn[13],
        np.where(clipped, 2 + 3 * drawn[8], 3),
        clipped & (drawn[9] < 0.5),
        np.where(narrow, 60 * (270 / 60) ** drawn[10], 270),
        6 * drawn[11:13].T - 3,
        drawn[14:].T,
    )
    np.testing.assert_allclose(rows_of(draw_views(3, TRAINING, np.arange(64), np.full(64, 5))), rows_of(expected), rtol=1e-12)


@given(seeds)
def test_every_view_shows_the_source(sky, images, seed):
    """At twice the threshold at least, within a field that holds it, in whole levels up to 255."""
    drawn = seed, TRAINING, np.arange(COUNT), np.zeros(COUNT, int)
    seen = shown(sky, images, draw_views(*drawn), draw_poses(*drawn))
    assert (seen.max((1, 2)) == 255).all()
    np.testing.assert_array_equal(seen, np.floor(seen))


def test_a_faint_source_is_spared_depth_and_clipping(images):
    """Faintest level 120 of 255: the peak is 6.3 sigma."""
    faint = WideSky(np.where(images >= 120, images, 0), seed=0)
    one = np.ones(COUNT)
    views = replace(as_first(), depth=6 * one, clip=5 * one)
    threshold = faint.numbers(unturned(), views, np.arange(COUNT))[:, 13].numpy()
    np.testing.assert_allclose(threshold, faint.peaks / STANDS_OUT, rtol=2e-3)
    assert (shown(faint, images, views).max((1, 2)) == 255).all()


def test_a_shift_moves_the_source_down_and_right(sky, images):
    views = replace(as_first(), shift=np.tile([3.0, -2.0], (COUNT, 1)))
    expected = np.array([moved(image.astype(float), (3, -2), order=1) for image in images])
    lit = expected > 30
    np.testing.assert_allclose(shown(sky, images, views)[lit], expected[lit], atol=2)


def test_a_field_is_empty_beyond_and_holds_the_source(sky, images):
    views = replace(as_first(), field=np.full(COUNT, FIELDS[0]))
    seen = shown(sky, images, views)
    for image, whole, extent in zip(seen, images, sky.fields, strict=True):
        half = max(FIELDS[0], extent + 2 * SHIFT * 1.8) / 3.6
        inside = np.abs(np.arange(150) - 74.5) <= half - 0.5
        assert not image[~inside].any()
        assert not image[:, ~inside].any()
        assert np.minimum(image, whole).sum() > 0.85 * whole.sum()


# the least and the median correlation, over 32 sources, of an image and the same operations on its FITS file
ON_FITS = {
    Beam(5.4, 5.4, 0.0): (0.99, 0.999),
    Beam(8.0, 8.0, 0.0): (0.85, 0.99),
    Beam(15.0, 15.0, 0.0): (0.85, 0.99),
    Beam(25.0, 25.0, 0.0): (0.85, 0.99),
    Beam(15.0, 7.5, 30.0): (0.83, 0.99),
}


def correlations(beam: Beam) -> list[float]:
    """Of what the wide sky makes of a published image with what the recipe makes of the FITS file behind the beam."""
    files = sorted((data_folder() / "fits").glob("*.fits.gz"))
    if len(files) != 32:
        pytest.skip("the cutouts do not lie in the data folder")
    images = np.stack([mirabest_image(file) for file in files])
    seen = shown(WideSky(images, 0), images, through(beam, 32), unturned(32))
    whole = [to_mirabest(through_beam(read_image(file).pixels, 1.8, FIRST, beam)) for file in files]
    with np.errstate(invalid="ignore"):  # of a blank image it is nan, which is not more than anything
        return [np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] for ours, theirs in zip(seen, whole, strict=True)]


@pytest.mark.parametrize("beam", ON_FITS, ids=str)
def test_an_image_through_a_beam_is_that_of_its_fits_file(beam):
    least, median = ON_FITS[beam]
    of_each = correlations(beam)
    assert min(of_each) > least
    assert np.median(of_each) > median


def test_the_law_of_files_catches_a_beam_that_does_not_gather(monkeypatch):
    """Without the ratio of the beams' areas, brightness falls below the threshold."""
    true = WideSky.numbers
    monkeypatch.setattr(WideSky, "numbers", lambda *given: true(*given).index_fill(1, torch.tensor([9]), 1.0))
    with pytest.raises(AssertionError):
        test_an_image_through_a_beam_is_that_of_its_fits_file(Beam(15.0, 15.0, 0.0))


def test_the_law_of_files_catches_noise_left_out(monkeypatch):
    true = WideSky._window
    monkeypatch.setattr(WideSky, "_window", lambda *given: 3 * true(*given))
    with pytest.raises(AssertionError):
        test_an_image_through_a_beam_is_that_of_its_fits_file(Beam(15.0, 15.0, 0.0))


def test_the_peak_in_sigma_of_files_is_within_the_width_of_the_faintest_level():
    files = sorted((data_folder() / "fits").glob("*.fits.gz"))
    if not files:
        pytest.skip("the cutouts do not lie in the data folder")
    for file in files:
        pixels, image = read_image(file).pixels, mirabest_image(file)
        true = pixels[75:225, 75:225].max() / noise(pixels)[1]
        faintest = int(image[image > 0].min())
        assert 765 / (faintest + 1) < true * 1.01
        assert true < 765 / faintest * 1.01 or faintest == 1
        assert peak_in_sigma(image[None])[0] == pytest.approx(765 / (faintest + 0.5))
