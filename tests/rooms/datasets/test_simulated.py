"""Laws of the simulated data set: frozen, balanced, fair, and whole on disk."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equiradio.datasets import folder as folders
from equiradio.datasets.folder import read_folder
from equiradio.datasets.simulated import (
    CORE,
    HOT_SPOT,
    JET,
    LOBE,
    VERSION_HASH,
    clipped_sigma,
    extent,
    fingerprint,
    load,
    simulate,
    write_simulated,
)
from equiradio.datasets.simulated_shapes import Part, rendered, spot
from equiradio.errors import DataRefusal, SettingRefusal

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "simulated_difficulty.py"


@pytest.fixture(scope="module")
def sixty():
    return simulate(60, seed=3)


@pytest.fixture
def folder(tmp_path):
    return write_simulated(12, 5, tmp_path / "made")


def test_the_generator_is_frozen():
    assert fingerprint(simulate(24, seed=0)) == VERSION_HASH


def test_the_fingerprint_sees_one_mask_bit(sixty):
    masks = sixty.masks.copy()
    masks[7, 75, 75] ^= 1
    assert fingerprint(replace(sixty, masks=masks)) != fingerprint(sixty)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32))
def test_a_source_depends_on_its_seed_and_place_alone(count, seed):
    few, many = simulate(count, seed), simulate(count + 2, seed)
    for name in vars(few):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:count])


def test_another_seed_is_another_sky(sixty):
    assert not (simulate(4, seed=4).images == sixty.images[:4]).all((1, 2)).any()


def test_images_span_the_range_of_mirabest(sixty):
    assert sixty.images.shape == (60, 150, 150)
    assert sixty.images.dtype == np.uint8
    assert (sixty.images.max((1, 2)) == 255).all()
    assert (sixty.images.min((1, 2)) == 0).all()
    assert 0.9 < np.median(sixty.noise_jy_per_beam) / 1.5e-4 < 1.1


def test_masks_name_the_parts_of_each_class(sixty):
    has = {part: (sixty.masks & part != 0).any((1, 2)) for part in Part}
    assert not has[HOT_SPOT][sixty.labels == 0].any()
    assert has[HOT_SPOT][sixty.labels == 1].all()
    assert (has[JET] | has[LOBE] | has[CORE])[sixty.labels == 0].all()
    assert sixty.masks.max() < 2 * LOBE
    assert not sixty.masks[sixty.images == 0].any()


def test_the_core_lies_near_the_centre(sixty):
    _, rows, columns = np.nonzero(sixty.masks & CORE)
    assert len(rows) > 100
    assert np.hypot(rows - 74.5, columns - 74.5).max() < 12


def test_hot_spots_lie_farther_out_than_cores(sixty):
    away = np.hypot(*(np.indices((150, 150)) - 74.5))
    twos = sixty.masks[sixty.labels == 1]
    assert np.mean(away[np.nonzero(twos & HOT_SPOT)[1:]]) > 2 * np.mean(away[np.nonzero(twos & CORE)[1:]])


def test_a_spot_peaks_at_its_brightness_whatever_its_width():
    for width in (0.0, 3.0):
        picture = rendered(spot(20, 10, width, 7.5, Part.JET), 31)
        assert picture[1].max() == picture[1, 20, 10] == pytest.approx(7.5)
        assert not picture[[0, 2, 3]].any()


def test_noise_is_measured_as_astropy_does():
    stats = pytest.importorskip("astropy.stats")
    values = np.random.default_rng(0).normal(size=(50, 50))
    values[20:25, 20:25] += 40
    assert clipped_sigma(values) == pytest.approx(stats.sigma_clipped_stats(values, sigma=3, maxiters=5)[2], rel=1e-12)


def test_noise_leaves_out_the_source():
    values = np.random.default_rng(0).normal(size=(200, 200))
    values[90:110, 90:110] += 40
    assert values.std() > 3
    assert clipped_sigma(values) == pytest.approx(1, abs=0.03)


def test_extent_is_the_longest_side_in_any_direction():
    lit = np.zeros((40, 40), bool)
    assert extent(lit) == 0
    lit[np.arange(31), np.arange(31)] = True
    assert extent(lit) == pytest.approx(1 + 30 * np.sqrt(2), rel=0.01)


def test_the_embedded_set_is_split_by_place_and_balanced():
    sources = load(count=12, seed=5)
    assert sources.split.tolist() == ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    assert sources.source_ids[11] == "simulated-5-00011"
    assert set(sources.confidence) == {"confident"}
    for split in ("train", "validation", "test"):
        assert sources.of_split(split).labels.mean() == 0.5


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (1, -1)])
def test_impossible_numbers_are_refused(count, seed):
    with pytest.raises(SettingRefusal, match="expected at least"):
        simulate(count, seed)


def test_a_folder_reads_back_as_it_was_made(folder):
    made, read = load(count=12, seed=5), read_folder(folder)
    assert (read.name, read.md5) == (made.name, made.md5)
    for name in ("images", "labels", "source_ids", "confidence", "split", "size_arcsec"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
        assert getattr(read, name).dtype == getattr(made, name).dtype
    np.testing.assert_array_equal(np.load(folder / "masks.npy"), simulate(12, 5).masks)
    assert json.loads((folder / "dataset.json").read_text())["generator"] == VERSION_HASH


def test_writing_leaves_nothing_else_behind(folder):
    assert [path.name for path in folder.parent.iterdir()] == ["made"]
    assert {path.name for path in folder.iterdir()} == {"images.npy", "masks.npy", "catalogue.csv", "dataset.json"}


def test_a_failed_write_leaves_no_folder(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(folders.json, "dumps", lambda *_, **__: full())
    with pytest.raises(OSError, match="disk full"):
        write_simulated(1, 0, tmp_path / "made")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_not_overwritten(folder):
    with pytest.raises(DataRefusal, match=r"made: exists and is not empty; expected a new or an empty folder"):
        write_simulated(1, 0, folder)


@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "catalogue.csv", "dataset.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataRefusal, match=f"(has|and) no {name}; expected"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["images.npy", "masks.npy"])
def test_changed_pixels_are_refused(folder, name):
    pixels = np.load(folder / name)
    pixels[3, 70, 70] ^= 1
    np.save(folder / name, pixels)
    with pytest.raises(DataRefusal, match=f"{name}: md5 is .*; expected .* as dataset.json says"):
        read_folder(folder)


def test_wrong_shapes_are_refused(folder):
    np.save(folder / "images.npy", np.zeros((12, 149, 150), np.uint8))
    with pytest.raises(DataRefusal, match="holds 12 x 149 x 150 of uint8; expected 12 x 150 x 150 of uint8"):
        read_folder(folder)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_array_is_refused(folder, content):
    (folder / "images.npy").write_bytes(content)
    with pytest.raises(DataRefusal, match=r"images.npy: cannot be read as an array"):
        read_folder(folder)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        "[]",
        '{"name": "a", "count": null, "md5": "", "masks_md5": ""}',
        '{"name": "../a", "count": 6, "md5": "", "masks_md5": ""}',
    ],
)
def test_a_damaged_description_is_refused(folder, content):
    (folder / "dataset.json").write_text(content)
    with pytest.raises(DataRefusal, match=r"dataset.json: cannot be understood"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (",split,", ",part,", "cannot be understood"),
        ("simulated-5-00000,0,", "simulated-5-00000,zero,", "cannot be understood"),
        ("simulated-5-00000,0,", "simulated-5-00000,7,", "labels holds 7 \\(1 of 12 rows\\); expected one of 0, 1"),
        (",validation,", ",exam,", "split holds exam \\(2 of 12 rows\\); expected one of train, validation, test"),
        (",validation,confident", "", "a row is cut short"),
    ],
)
def test_a_damaged_catalogue_is_refused(folder, old, new, found):
    path = folder / "catalogue.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataRefusal, match=found):
        read_folder(folder)


def test_a_truncated_catalogue_is_refused(folder):
    path = folder / "catalogue.csv"
    path.write_text(path.read_text().rpartition(",")[0])
    with pytest.raises(DataRefusal, match=r"catalogue.csv: cannot be understood"):
        read_folder(folder)


def test_a_short_catalogue_is_refused(folder):
    path = folder / "catalogue.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataRefusal, match=r"has 11 rows; expected 12 as dataset\.json says"):
        read_folder(folder)


@pytest.mark.skipif(not BENCHMARK.is_file(), reason="the benchmarks are not part of a source distribution")
def test_shape_tells_the_class_and_brightness_or_size_does_not():
    spec = importlib.util.spec_from_file_location("simulated_difficulty", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    accuracy = benchmark.difficulty(simulate(600, seed=11), simulate(400, seed=12))
    for blind in ("integrated_brightness", "size", "lit_pixels", "true_size"):
        assert accuracy[blind] < 0.70, blind
    assert accuracy["network_on_the_three"] < 0.75
    assert accuracy["peak_distance_over_extent"] > 0.78  # 4,000 and 2,000 sources give more than 0.80; 400 leave 2 points of chance
