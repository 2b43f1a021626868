"""MiraBest is read exactly as it was published, from the archive or its unpacked files."""

from collections import Counter

import numpy as np
import pytest
from small_mirabest import names, pack, small_mirabest, unpack

from equiradio.datasets import mirabest
from equiradio.datasets.mirabest import DIGITS, load, read_mirabest, sky_positions, verify
from equiradio.errors import DataRefusal


@pytest.fixture
def files(monkeypatch):
    return small_mirabest(monkeypatch)


def test_every_form_gives_the_same_sources(files, tmp_path, monkeypatch):
    unpack(files, tmp_path / "a" / "mirabest" / "batches")
    unpack(files, tmp_path / "b" / "mirabest")
    pack(monkeypatch, files, tmp_path / "c")
    first, *others = [load(folder=tmp_path / form, download=False) for form in "abc"]
    for other in others:
        for column in ("images", "labels", "source_ids", "confidence", "split", "size_arcsec"):
            np.testing.assert_array_equal(getattr(first, column), getattr(other, column))


def test_what_is_read_is_what_was_written(files, tmp_path):
    unpack(files, tmp_path / "mirabest")
    sources = read_mirabest(tmp_path, download=False)
    assert sources.source_ids.tolist() == [name for number in range(8) for name in names(number)]
    assert sources.labels.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, -1, -1] * 8
    assert sources.labels.dtype == np.int64
    assert sources.confidence.tolist() == [{"0": "confident", "1": "uncertain"}[digits[1]] for digits in DIGITS] * 8
    assert sources.split.tolist() == ["train"] * 70 + ["test"] * 10
    assert sources.size_arcsec.tolist() == [10 * row + number + 0.25 for number in range(8) for row in range(10)]
    for number in range(8):
        expected = np.random.default_rng(number).integers(0, 256, (10, 150, 150), dtype=np.uint8)
        np.testing.assert_array_equal(sources.images[10 * number : 10 * number + 10], expected)
    ra, dec = sky_positions(sources.source_ids[10:12])
    assert (ra.tolist(), dec.tolist()) == ([101.0, 101.001], [45.5, -45.5])


@pytest.mark.parametrize(
    ("subset", "digits"),
    [
        ("mirabest", DIGITS[:8]),
        ("mirabest-confident", ("100", "102", "104", "200", "201")),
        ("mirabest-uncertain", ("110", "112", "210")),
        ("mirabest-hybrid", ("300", "310")),
    ],
)
def test_subsets_take_their_classes_and_keep_the_frozen_sides(files, tmp_path, subset, digits):
    unpack(files, tmp_path / "mirabest")
    sources = load(subset, tmp_path, download=False)
    assert sources.name == subset
    assert sources.source_ids.tolist() == [name for number in range(8) for name in names(number) if name[:3] in digits]
    if subset == "mirabest-hybrid":
        assert Counter(sources.split) == {"train": 14, "test": 2}
    else:
        frozen = mirabest.frozen_split()
        assert sources.split.tolist() == [frozen.get(name, "test") for name in sources.source_ids]


def test_an_unknown_subset_is_told_the_nearest():
    with pytest.raises(DataRefusal, match=r"data: mirabest-confidnt is not a subset of MiraBest; .* Did you mean mirabest-confident\?"):
        load("mirabest-confidnt")


@pytest.mark.parametrize(
    ("subset", "counts", "classes"),
    [
        ("mirabest", {"train": 856, "validation": 213, "test": 153}, {0: 517 + 74, 1: 552 + 79}),
        ("mirabest-confident", {"train+validation": 729, "test": 104}, None),
        ("mirabest-uncertain", {"train+validation": 340, "test": 49}, None),
        ("mirabest-hybrid", {"train": 30, "test": 4}, {-1: 34}),
    ],
)
def test_published_counts(subset, counts, classes, mirabest_folder):
    sources = load(subset, mirabest_folder, download=False)
    for splits, count in counts.items():
        assert np.isin(sources.split, splits.split("+")).sum() == count
    assert len(sources) == sum(counts.values())
    assert classes is None or Counter(sources.labels.tolist()) == classes


def test_published_test_set_has_74_and_79(mirabest_folder):
    assert np.bincount(load(folder=mirabest_folder, download=False).of_split("test").labels).tolist() == [74, 79]


def test_published_files_are_the_published_ones(mirabest_folder):
    checks = verify(mirabest_folder)
    assert len(checks) >= 9
    assert all(check.actual == check.expected for check in checks)


def test_published_images_span_the_whole_range(mirabest_folder):
    sources = read_mirabest(mirabest_folder, download=False)
    assert len(sources) == 1256 == len(set(sources.source_ids))
    assert set(sources.images.min(axis=(1, 2))) == {0}
    assert set(sources.images.max(axis=(1, 2))) == {255}


def test_published_brightness_and_sizes(mirabest_folder):
    sources = load(folder=mirabest_folder, download=False)
    pixels = sources.choose(sources.split != "test").images
    assert round(float(pixels.mean() / 255), 4) == 0.0031
    assert round(float(pixels.std() / 255), 4) == 0.0352
    assert np.isfinite(sources.size_arcsec).all()
    assert sources.source_ids[0] == "100_162.947+055.386_0.0739_0250.34"
    assert sources.size_arcsec[0] == 250.34
