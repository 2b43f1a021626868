"""What the colours of a source's picture say."""

import numpy as np
from PIL import Image

from equiradio.report.overlay import evidence_overlay, save_overlay


def test_evidence_is_orange_for_frii_blue_for_fri_and_leaves_the_rest_grey():
    image, evidence = np.zeros((6, 6)), np.zeros((6, 6))
    image[0, 0], evidence[1, 2], evidence[4, 3] = 1.0, 2.0, -2.0
    pixels = evidence_overlay(image, evidence)[::-1, :, :3].astype(int)  # row 0 at the bottom
    red, _, blue = pixels[1, 2]
    assert red > 2 * blue
    red, _, blue = pixels[4, 3]
    assert blue > 2 * red
    rest = evidence == 0
    assert (pixels[rest] == pixels[rest][:, :1]).all()
    assert pixels[0, 0].tolist() == [255] * 3


def test_no_evidence_at_all_is_the_image_alone():
    pixels = evidence_overlay(np.eye(4), np.zeros((4, 4)))[..., :3]
    assert (pixels == pixels[..., :1]).all()


def test_a_panel_more_where_there_is_evidence(tmp_path):
    image = np.random.default_rng(0).random((30, 30))
    widths = []
    for number, evidence in enumerate((None, image - 0.5)):
        save_overlay(image, image, "title", "words", tmp_path / f"{number}.png", evidence=evidence)
        with Image.open(tmp_path / f"{number}.png") as picture:
            widths.append(picture.size[0])
    assert widths[1] - widths[0] == 4 * 30 + 12
