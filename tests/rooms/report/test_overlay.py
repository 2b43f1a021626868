"""What the colours of a source's picture say."""

import numpy as np
import pytest
from PIL import Image

from equiradio.report.overlay import ARM, BACKGROUND, BAR_ARCSEC, LIGHT, STRIP, ZOOM, Sky, Why, evidence_overlay, full_colour, save_overlay


def test_evidence_is_orange_for_frii_blue_for_fri_and_leaves_the_rest_light():
    evidence = np.zeros((6, 6))
    evidence[1, 2], evidence[4, 3] = 2.0, -2.0
    pixels = evidence_overlay(evidence)[::-1, :, :3].astype(int)  # row 0 at the bottom
    red, _, blue = pixels[1, 2]
    assert red > 2 * blue
    red, _, blue = pixels[4, 3]
    assert blue > 2 * red
    assert (pixels[evidence == 0] == LIGHT).all()
    assert (evidence_overlay(np.zeros((4, 4)))[..., :3] == LIGHT).all()


def test_the_stronger_evidence_is_the_darker():
    ramp = np.linspace(-1, 1, 21)[None]
    darkness = 255 * 3 - evidence_overlay(ramp)[0, :, :3].astype(int).sum(1)
    assert full_colour(ramp) > 0.9
    assert (np.diff(darkness[:11]) < 0).all()
    assert (np.diff(darkness[10:]) > 0).all()


def drawn(sky, folder):
    """Screen pixels (column, row from the top left of the panel) in which bar and compass are drawn on an empty image."""
    empty = np.zeros((150, 150))
    save_overlay(empty, empty, "", "", folder / "a.png", sky)
    with Image.open(folder / "a.png") as picture:
        panel = np.asarray(picture.convert("L"))[STRIP : STRIP + ZOOM * 150, 12 : 12 + ZOOM * 150]
    rows, columns = np.nonzero(panel > 200)
    return columns, rows


def test_the_bar_is_as_long_as_its_number_says(tmp_path):
    for arcsec in (1.8, 1.5, 4.0):
        columns, rows = drawn(Sky(arcsec), tmp_path)
        line = columns[rows >= ZOOM * 150 - 17]
        assert np.ptp(line) == pytest.approx(ZOOM * BAR_ARCSEC / arcsec, abs=1.5)
        assert columns.max() < ZOOM * 150 / 2 or arcsec < 1.6, "no compass where nobody knows where north is"


@pytest.mark.parametrize(("north", "east"), [((0, 1), (-1, 0)), ((-1, 0), (0, -1)), ((0, -1), (1, 0)), ((0.6, 0.8), (0.8, -0.6))])
def test_the_arms_of_the_compass_point_north_and_east(tmp_path, north, east):
    columns, rows = drawn(Sky(10.0, north, east), tmp_path)
    there = columns > ZOOM * 150 / 2
    columns, rows = columns[there], -rows[there]
    assert ZOOM * 150 > columns.max()
    assert -rows.min() < ZOOM * 150
    centre = lambda letter: np.array([columns[letter].mean(), rows[letter].mean()])
    arms = {"N": np.array(north), "E": np.array(east)}
    for arm, other in ((arms["N"], arms["E"]), (arms["E"], arms["N"])):
        along, across = (columns * way[0] + rows * way[1] for way in (arm, other))
        assert np.ptp(along) > ARM
        letter = along > along.max() - 9
        assert np.ptp(across[letter]) < 14, "a letter at its end"
        assert np.isfinite(centre(letter)).all()


def test_evidence_comes_first_with_numbers_and_words(tmp_path):
    """A panel more beside the image, before attention, and lines of words below it that are not there without evidence."""
    image = np.random.default_rng(0).random((150, 150))
    sizes, pages = [], []
    spoken = Why(image - 0.5, ("FRI", "FRII"), ("pixels for FRI -2.6", "networks agree 0.90"))
    for number, why in enumerate((None, Why(image - 0.5), spoken)):
        save_overlay(image, image, "title", "words", tmp_path / f"{number}.png", why=why)
        with Image.open(tmp_path / f"{number}.png") as picture:
            sizes.append(picture.size)
            pages.append(np.asarray(picture.convert("RGB")))
    side = ZOOM * 150
    assert sizes[1][0] - sizes[0][0] == side + 12
    first, last = (pages[2][STRIP : STRIP + side, left : left + side] for left in (12 + side + 12, 12 + 2 * (side + 12)))
    alone = pages[0][STRIP : STRIP + side, 12 + side + 12 : 12 + 2 * side + 12]
    assert (last == alone).all(), "attention as without evidence, in the last place"
    assert first.mean() > last.mean()
    below = [page[STRIP + side + 33 :, 12 + side + 12 : 2 * (12 + side)] for page in pages[1:]]
    assert (below[0] == BACKGROUND).all()
    assert (below[1] != BACKGROUND).any()
