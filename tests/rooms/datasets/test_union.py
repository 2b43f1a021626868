"""A union has no source on two sides and none twice, says what it left out, and weighs catalogues against being the class."""

from dataclasses import replace

import numpy as np
import pytest
from nearly_same import compressed, point_like

from equiradio.cli.main import main
from equiradio.datasets import union
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.datasets.splits import angular_separation_arcsec
from equiradio.datasets.union import balanced, guessed_by_catalogue, united
from equiradio.errors import DataRefusal
from equiradio.labels import FANAROFF_RILEY, Labels

ARCSEC = 1 / 3600


def data(name, rows, classes=FANAROFF_RILEY, catalogue=None):
    """Sources of (position along the equator in arcsec, class, split)."""
    count = len(rows)
    images = np.random.default_rng(sum(map(ord, name))).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return Sources(
        name=name,
        images=images,
        labels=np.array([row[1] for row in rows], np.int64),
        source_ids=np.array([f"{name}-{k}" for k in range(count)]),
        confidence=np.full(count, "confident"),
        split=np.array([row[2] for row in rows]),
        size_arcsec=np.full(count, np.nan),
        md5=f"md5 of {name}",
        classes=classes,
        ra_deg=np.array([row[0] * ARCSEC for row in rows]),
        dec_deg=np.zeros(count),
        catalogue=None if catalogue is None else np.array(catalogue),
    )


def refused(*parts):
    with pytest.raises(DataRefusal) as caught:
        united(parts)
    line = str(caught.value)
    assert "\n" not in line
    return line


FAR = 10_000
OURS = [(0, 0, "train"), (FAR, 1, "validation"), (2 * FAR, 0, "test"), (3 * FAR, 1, "train"), (4 * FAR, 0, "validation")]


@pytest.mark.parametrize(
    ("row", "stays", "reason"),
    [
        ((FAR + 44, 1, "train"), False, "1 left out, within 45 arcsec of a validation source of ours"),
        ((FAR + 46, 1, "train"), False, "1 left out, a neighbour of a validation source of ours (within 400 arcsec)"),
        ((FAR + 401, 1, "train"), True, ""),
        ((2 * FAR - 44, 1, "train"), False, "1 left out, within 45 arcsec of a test source of ours"),
        ((2 * FAR - 44, 1, "validation"), False, "1 left out, within 45 arcsec of a test source of ours"),
        ((2 * FAR - 300, 1, "validation"), False, "1 left out, a neighbour of a test source of ours (within 400 arcsec)"),
        ((2 * FAR + 10, 1, "test"), False, "1 left out, again what ours has"),
        ((44, 1, "train"), False, "1 left out, again what ours has"),
        ((46, 1, "train"), True, ""),
        ((FAR + 46, 0, "validation"), True, ""),
    ],
)
def test_a_source_near_one_that_is_held_back_is_left_out_and_said_why(row, stays, reason):
    whole = united([data("ours", OURS), data("theirs", [row, (9 * FAR, 0, "train"), (8 * FAR, 1, "train")])])
    assert ("theirs-0" in whole.source_ids) is stays
    assert set(data("ours", OURS).source_ids) <= set(whole.source_ids)
    assert whole.left_out == ((f"theirs: {reason}",) if reason else ())


def test_a_training_source_gives_way_to_a_held_back_one_of_a_later_data_set():
    whole = united([data("ours", OURS), data("theirs", [(20, 1, "validation"), (9 * FAR, 0, "train")])])
    assert "ours-0" not in whole.source_ids
    assert whole.left_out == ("ours: 1 left out, within 45 arcsec of a validation source of theirs",)


def test_neighbours_in_a_chain_stay_on_one_side():
    chain = [(FAR + 300, 1, "train"), (FAR + 600, 0, "train"), (9 * FAR, 0, "train")]
    whole = united([data("ours", OURS), data("theirs", chain)])
    assert whole.left_out == ("theirs: 2 left out, a neighbour of a validation source of ours (within 400 arcsec)",)


def law_of_sides(whole):
    """No source of another data set within 45 arcsec, and no neighbour on another side."""
    owner = np.array([name.partition("-")[0] for name in whole.source_ids])
    apart = angular_separation_arcsec(whole.ra_deg[:, None], whole.dec_deg[:, None], whole.ra_deg, whole.dec_deg)
    others = owner[:, None] != owner
    assert not (others & (apart <= 45)).any()
    assert not (others & (apart <= 400) & (whole.split[:, None] != whole.split)).any()


def crowds():
    rng = np.random.default_rng(3)
    rows = lambda: [(rng.uniform(0, 40_000), int(rng.integers(2)), str(rng.choice(["train", "validation", "test"]))) for _ in range(120)]
    return [data("ours", rows()), data("theirs", rows())]


def test_of_a_crowd_none_is_on_two_sides():
    whole = united(crowds())
    law_of_sides(whole)
    assert 60 < len(whole) < 240


def test_the_law_catches_a_union_that_only_looks_for_the_same_source(monkeypatch):
    monkeypatch.setattr(union, "_leave_out_neighbours", lambda *everything: None)
    with pytest.raises(AssertionError):
        law_of_sides(united(crowds()))


def test_labels_go_by_name_and_all_classes_are_distinguished():
    three = Labels(("Bent", "FRII", "FRI"))
    whole = united([data("ours", OURS), data("theirs", [(9 * FAR, 0, "train"), (8 * FAR, 1, "train"), (7 * FAR, 2, "train")], three)])
    assert whole.classes.names == ("FRI", "FRII", "Bent")
    assert whole.labels[-3:].tolist() == [2, 1, 0]
    only = united([data("ours", OURS), data("theirs", [(9 * FAR, 0, "train"), (8 * FAR, 1, "train")], three)], ["FRII", "FRI"])
    assert (only.classes.names, only.labels[-1], len(only), len(only.weights)) == (("FRII", "FRI"), 0, 6, 6)


def test_what_is_no_union_is_refused(tmp_path):
    rings = data("rings", [(9 * FAR, 0, "train")], Labels(("Ring", "Bar")))
    assert refused(data("ours", OURS), rings).startswith(
        "ours+rings: ours has FRI, FRII; rings has Ring, Bar, and no class in common; expected"
    )
    wide = replace(data("wide", OURS), images=np.zeros((5, 9, 9), np.uint8))
    assert "images in ours of 8 x 8 pixels, in wide of 9 x 9; expected images of one side" in refused(data("ours", OURS), wide)
    assert "theirs: all 1 sources are left out (1 left out, again what ours has)" in refused(data("ours", OURS), data("theirs", OURS[:1]))
    for name, line in (
        ("mirabest+mirabest", "'mirabest+mirabest' names mirabest twice; expected each data set once"),
        ("mirabest+firts", "'firts' is not a data set nor a folder"),
        ("mirabest+", "'' is not a data set nor a folder"),
    ):
        with pytest.raises(DataRefusal) as caught:
            open_data(name, tmp_path)
        assert line in str(caught.value)


def test_sources_without_a_position_are_compared_by_pixels_and_counted():
    ours, theirs = data("ours", OURS), data("theirs", [(k * FAR, 0, "train") for k in range(10, 13)])
    theirs = replace(theirs, ra_deg=None, dec_deg=None, images=np.concatenate([ours.images[1:2], theirs.images[1:]]))
    whole = united([ours, theirs])
    assert whole.left_out == (
        "theirs: 1 left out, with the pixels of a validation source of ours",
        "theirs: 3 of 3 have no position and were compared by their pixels alone",
    )
    assert len(whole) == 7
    assert np.isnan(whole.ra_deg[-2:]).all()


def test_compressed_copies_in_two_data_sets_are_on_one_side():
    """Of sources that all have positions these decide, and of one data set its own copies are its own affair."""
    images = np.stack([point_like(number) for number in (0, 1, 2)])
    ours = replace(data("ours", [(0, 0, "test"), (FAR, 1, "train"), (2 * FAR, 0, "train")]), images=images)
    copies = np.stack([compressed(images[0]), compressed(images[1]), point_like(3)])
    theirs = replace(data("theirs", [(k * FAR, 0, "train") for k in (10, 11, 12)]), images=copies)
    assert len(united([ours, theirs])) == 6
    for one, other in ((ours, replace(theirs, ra_deg=None, dec_deg=None)), (replace(ours, ra_deg=None, dec_deg=None), theirs)):
        lines = united([one, other]).left_out
        assert "theirs: 1 left out, with nearly the pixels of a test source of ours; 1 left out, again what ours has" in lines
    drawn = replace(theirs, name="simulated", ra_deg=None, dec_deg=None)
    assert len(united([ours, drawn])) == 6, "of no sky: what looks like a copy is chance"
    alone = replace(theirs, images=np.stack([images[0], compressed(images[0]), point_like(3)]), ra_deg=None, dec_deg=None)
    assert len(united([replace(ours, images=np.stack([point_like(number) for number in (4, 5, 6)])), alone])) == 6


def test_a_name_that_two_data_sets_use_goes_by_the_data_set():
    theirs = replace(data("theirs", [(9 * FAR, 0, "train")]), source_ids=np.array(["ours-2"]))
    assert united([data("ours", OURS), theirs]).source_ids[-1] == "theirs/ours-2"


def test_classes_weigh_alike_in_a_catalogue_and_catalogues_by_the_classes_they_have():
    labels = np.repeat([0, 1, 0, 1, 1], [30, 10, 40, 20, 5])
    catalogues = np.repeat(["both", "both", "one", "other", "both"], [30, 10, 40, 20, 5])
    training = np.repeat([True, False], [100, 5])
    weights = balanced(labels, catalogues, training)
    assert weights[training].mean() == pytest.approx(1)
    assert (weights[~training] == 1).all()
    of = lambda catalogue, label: weights[training & (catalogues == catalogue) & (labels == label)]
    assert of("both", 0).sum() == pytest.approx(of("both", 1).sum())
    total = lambda catalogue: weights[training & (catalogues == catalogue)].sum()
    assert total("both") / 40 == pytest.approx(2 * total("one") / 40)  # two classes of two, one of two
    assert total("one") / 40 == pytest.approx(total("other") / 20)
    alike = np.ones(len(labels))
    guess = lambda its: guessed_by_catalogue(labels[training], catalogues[training], its[training])
    assert guess(weights) < guess(alike)
    assert guess(np.where(catalogues == "both", weights, 0)) == pytest.approx(0.5)
    assert guess(np.where(catalogues == "both", 0, weights)) == 1


def test_no_source_weighs_more_than_a_few():
    labels, catalogues = np.repeat([0, 1, 1], [1, 999, 1000]), np.repeat(["a", "a", "b"], [1, 999, 1000])
    weights = balanced(labels, catalogues, np.ones(2000, bool))
    assert weights.max() < 4.01
    assert weights.min() > 0.2


def test_the_union_of_the_published_sets_keeps_test_sources_apart(mirabest_folder, capsys):
    if not (mirabest_folder / "first").is_dir():
        pytest.skip("no FIRST data set there")
    whole, mirabest = open_data("mirabest+first-fr", mirabest_folder), open_data("mirabest", mirabest_folder)
    test = mirabest.of_split("test")
    rest = whole.choose(~np.isin(whole.source_ids, test.source_ids))
    assert set(test.source_ids) <= set(whole.source_ids)
    apart = angular_separation_arcsec(rest.ra_deg[:, None], rest.dec_deg[:, None], test.ra_deg, test.dec_deg)
    assert apart.min() > 400
    assert whole.classes == FANAROFF_RILEY
    assert main(["data", "list", "mirabest+first-fr", "--data-dir", str(mirabest_folder)]) == 0
    assert "within 45 arcsec of a test source of mirabest" in capsys.readouterr().out
