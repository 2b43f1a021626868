"""What the colours of a source's picture say."""

import numpy as np
from PIL import Image

from equiradio.report.overlay import BACKGROUND, LIGHT, STRIP, ZOOM, Why, evidence_overlay, full_colour, save_overlay


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
