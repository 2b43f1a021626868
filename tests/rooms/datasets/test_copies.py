"""Images that are nearly the same are recognised, and those that merely look alike are not."""

import numpy as np
import pytest
from nearly_same import compressed, point_like
from own_images import KINDS, write_table
from PIL import Image
from scipy import ndimage

from equiradio.datasets.imports.building import read_source
from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.imports.copies import near_copies
from equiradio.datasets.sources import turned

COUNT = 60


def moved(image):
    return ndimage.shift(image.astype(float), 0.5, order=1).astype(np.uint8)


def resampled(image):
    size = image.shape[0]
    return np.asarray(Image.fromarray(image).resize((2 * size,) * 2, Image.BICUBIC).resize((size, size), Image.BICUBIC))


@pytest.fixture(scope="module")
def stack():
    return np.stack([point_like(number) for number in range(COUNT)])


@pytest.mark.parametrize(
    ("change", "share"), [(compressed, 0.9), (moved, 0.6), (resampled, 0.9), (lambda image: compressed(resampled(image), 75), 0.9)]
)
def test_copies_are_recognised_in_every_pose_and_sources_that_look_alike_are_not(stack, change, share):
    copies = np.stack([turned(change(image), number % 8) for number, image in enumerate(stack)])
    pairs = near_copies(np.concatenate([stack, copies])).tolist()
    assert all(other - one == COUNT for one, other in pairs)
    assert len(pairs) >= share * COUNT


def test_of_point_like_sources_none_is_a_copy_of_another(stack):
    assert near_copies(stack).shape == (0, 2)
    assert near_copies(stack[:1]).shape == (0, 2)
    clean = np.stack([np.where(image > 100, image, 0) for image in stack])
    assert len(near_copies(clean)) == 0, "without noise nothing tells copies from sources that are alike"


@pytest.mark.parametrize("side", [40, 64, 76, 100])
def test_small_images_of_point_like_sources_are_no_copies_either(side):
    assert len(near_copies(np.stack([point_like(number, side) for number in range(COUNT)]))) == 0


@pytest.mark.parametrize(("side", "least"), [(16, 0), (40, 15), (76, 20), (300, 20)])
def test_images_of_any_side_are_compared(side, least):
    images = np.stack([point_like(number, side) for number in range(20)])
    pairs = near_copies(np.concatenate([images, np.stack([turned(compressed(image), 3) for image in images])])).tolist()
    assert all(other - one == 20 for one, other in pairs)
    assert len(pairs) >= least


def own_set(folder, **columns):
    """Pictures of point-like sources, of which the last eight are those of the first again, compressed."""
    (folder / "images").mkdir(parents=True)
    for number in range(COUNT):
        copy = number >= COUNT - 8
        image = Image.fromarray(point_like(number - COUNT + 8 if copy else number))
        image.save(folder / "images" / f"s{number:02d}.{'jpg' if copy else 'png'}", quality=90)
    files = [f"images/s{n:02d}.{'jpg' if n >= COUNT - 8 else 'png'}" for n in range(COUNT)]
    return write_table(folder / "t.csv", {"file": files, "label": [KINDS[n % 2] for n in range(COUNT)]} | columns)


@pytest.mark.parametrize("seed", [0, 1])
def test_copies_are_on_one_side_of_a_made_split_and_noted(tmp_path, seed):
    sources, report = read_source(own_set(tmp_path), Choices(seed=seed))
    side = dict(zip(sources.source_ids.tolist(), sources.split.tolist(), strict=True))
    assert len(side) == COUNT
    assert all(side[f"s{n:02d}"] == side[f"s{n + COUNT - 8:02d}"] for n in range(8))
    line = "8 pairs of images are nearly the same (s00 and s52, s01 and s53, s02 and s54, ...): the same source twice? They are on one side"
    assert line in report.notes


def test_copies_on_several_sides_of_a_stated_split_are_noted(tmp_path):
    splits = np.r_[np.repeat(["train", "validation"], [40, 12]), np.repeat("test", 8)]
    labels = [KINDS[(n + (n == 52)) % 2] for n in range(COUNT)]
    _, report = read_source(own_set(tmp_path, split=splits, label=labels))
    assert any(note.startswith("8 pairs of images are nearly the same") for note in report.notes)
    assert any("1 of the pairs have two classes (s00 and s52): decide on one" in note for note in report.notes)
    assert any(
        note.startswith("8 groups of neighbours (270 arcsec) or of images that are nearly the same lie on several") for note in report.notes
    )
