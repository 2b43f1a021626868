"""What a start has learned from is no test: such sources are left out of validation and test, or it is stated that nobody can know."""

from dataclasses import replace

import numpy as np
import pytest
from nearly_same import compressed, point_like

from equiradio.datasets import mirabest, simulated
from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import name_to_open, open_data
from equiradio.datasets.seen import CHOSEN, SCORED, without_seen
from equiradio.datasets.sources import Sources, turned

COUNT, ARCSEC = 12, 1 / 3600
SPLIT = np.array(["train", "train", "validation", "test"] * 3)


def placed(seed, name, offsets_arcsec):
    """Sources along the equator, a degree apart but for an offset each."""
    return Sources(
        name=name,
        images=np.random.default_rng(seed).integers(0, 256, (COUNT, 150, 150), dtype=np.uint8),
        labels=np.arange(COUNT) % 2,
        source_ids=np.array([f"{name}-{row}" for row in range(COUNT)]),
        confidence=np.full(COUNT, "confident"),
        split=SPLIT,
        size_arcsec=np.full(COUNT, np.nan),
        md5=f"md5 of {name}",
        ra_deg=10 + np.arange(COUNT) + np.array(offsets_arcsec) * ARCSEC,
        dec_deg=np.zeros(COUNT),
    )


@pytest.fixture
def start(tmp_path):
    """A data set whose sources are all trained on, but for the last four."""
    split = np.repeat(["train", "validation", "test"], [8, 2, 2])
    return write_folder(replace(placed(1, "start", np.zeros(COUNT)), split=split), tmp_path / "start")


def md5_of(folder):
    return open_data(str(folder)).md5


def test_held_back_sources_near_training_sources_of_the_start_are_left_out_and_counted(start):
    new = placed(2, "new", [0, 10, 44, -44, 0, 0, 46, 20, 0, 0, 0, 0])
    learned = without_seen(new, {str(start): md5_of(start)})
    gone = sorted(set(new.source_ids) - set(learned.source_ids))
    assert gone == sorted(new.source_ids[[2, 3, 7]]), "training sources stay, and so do those near what the start held back"
    assert learned.left_out == (
        "new: 1 validation and 2 test sources left out, within 45 arcsec of training sources of start, which the start learned from",
    )
    assert learned.md5 == new.md5


def test_what_a_network_was_chosen_by_is_no_test_of_it(start):
    """Rows 0 to 7 lie at its training sources, 8 and 9 at those of validation, 10 and 11 at its own test."""
    new, seen = placed(2, "new", np.zeros(COUNT)), {str(start): md5_of(start)}
    scored = without_seen(new, seen, who="the network", apart=SCORED)
    assert list(scored.source_ids) == ["new-10", "new-11"]
    assert scored.left_out == (
        "new: 4 train and 2 validation and 2 test sources left out, within 45 arcsec of training sources of start, which the network "
        "learned from",
        "new: 2 train sources left out, within 45 arcsec of validation sources of start, by which the network was chosen",
    )
    new = replace(new, split=np.repeat(["train", "validation", "test"], [8, 1, 3]))
    assert list(without_seen(new, seen, apart=CHOSEN).source_ids) == [f"new-{row}" for row in range(COUNT) if row != 9]


def test_sources_without_a_position_are_compared_by_their_pixels(start):
    new = replace(placed(1, "new", np.full(COUNT, 0.0)), ra_deg=None, dec_deg=None)
    learned = without_seen(new, {str(start): md5_of(start)})
    assert set(new.source_ids) - set(learned.source_ids) == set(new.source_ids[[2, 3, 6, 7]])
    assert learned.left_out == (
        "new: 12 of 12 have no position and were compared by their pixels alone",
        "new: 2 validation and 2 test sources left out, with the pixels, or nearly these, of training sources of start, which the start "
        "learned from",
    )


def test_data_that_are_not_here_are_not_fetched_but_named(tmp_path, monkeypatch):
    monkeypatch.setattr(mirabest, "fetch", lambda *_: pytest.fail("fetched"))
    new = placed(2, "new", np.zeros(COUNT))
    learned = without_seen(new, {"mirabest": "", str(tmp_path / "gone"): ""}, tmp_path)
    assert len(learned) == len(new)
    assert len(learned.left_out) == 2
    assert learned.left_out[0].startswith("new: not compared with mirabest, which the start learned from (")
    assert "no data set and no folder here); test sources may be among its own" in learned.left_out[1]


def test_a_folder_of_one_s_own_is_not_compared_as_the_data_set_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(simulated, "load", lambda *_: pytest.fail("compared"))
    own = write_folder(placed(1, "simulated", np.zeros(COUNT)), tmp_path / "own")
    named = name_to_open(f"{own}@2of3", "simulated@2of3")
    assert (named, name_to_open(f"mirabest+{own}", "mirabest+simulated")) == ("./simulated@2of3", "mirabest+./simulated")
    assert name_to_open("mirabest-hybrid", "mirabest-hybrid") == "mirabest-hybrid"
    learned = without_seen(placed(2, "new", np.zeros(COUNT)), {named: md5_of(own)})
    assert len(learned) == COUNT
    assert learned.left_out == (
        f"new: not compared with {named}, which the start learned from ({named}: no data set and no folder here); "
        "test sources may be among its own",
    )


def test_data_that_are_others_now_are_compared_and_named(start):
    learned = without_seen(placed(2, "new", np.zeros(COUNT)), {str(start): "another"})
    assert learned.left_out[0] == f"new: compared with {start} as it is now, not as the start learned from it"
    assert len(learned) == COUNT - 4


def test_of_first_those_near_mirabest_s_training_sources_are_left_out(mirabest_folder):
    if not (mirabest_folder / "first").is_dir():
        pytest.skip("no FIRST data set there")
    first = open_data("first", mirabest_folder)
    learned = without_seen(first, {"mirabest": mirabest.load("mirabest", mirabest_folder).md5}, mirabest_folder)
    assert (learned.split == "train").sum() == (first.split == "train").sum()
    line = "first: 104 validation sources left out, within 45 arcsec of training sources of mirabest, which the start learned from"
    assert line in learned.left_out or (first.split == "test").any()


def test_sources_without_a_position_that_are_compressed_copies_are_left_out(tmp_path):
    """The first eight are trained on; copies between those that stay and those that were held back do not count."""
    images = np.stack([point_like(number) for number in range(COUNT)])
    split = np.repeat(["train", "validation", "test"], [8, 2, 2])
    start = write_folder(replace(placed(1, "start", np.zeros(COUNT)), images=images, split=split), tmp_path / "start")
    copies = np.stack([turned(compressed(image), number % 8) for number, image in enumerate(images)])
    new = replace(placed(1, "new", np.zeros(COUNT)), images=copies)
    assert len(without_seen(replace(new, ra_deg=new.ra_deg + 0.5), {str(start): md5_of(start)})) == COUNT, "positions go before pixels"
    learned = without_seen(replace(new, ra_deg=None, dec_deg=None), {str(start): md5_of(start)})
    assert set(new.source_ids) - set(learned.source_ids) == set(new.source_ids[[2, 3, 6, 7]])
    assert "2 validation and 2 test sources left out, with the pixels, or nearly these, of training sources of start" in learned.left_out[1]


def test_turned_and_mirrored_sources_without_a_position_are_the_same(start):
    new = replace(placed(1, "new", np.full(COUNT, 0.0)), ra_deg=None, dec_deg=None)
    turned = new.images.copy()
    turned[2], turned[3] = np.rot90(new.images[2]), new.images[3][:, ::-1]
    learned = without_seen(replace(new, images=turned), {str(start): md5_of(start)})
    assert set(new.source_ids) - set(learned.source_ids) == set(new.source_ids[[2, 3, 6, 7]])
