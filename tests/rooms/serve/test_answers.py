"""Classes as ``equiradio classify`` gives them, of any number of classes, and the same in words."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from equiradio.inference.team import load
from equiradio.labels import Labels
from equiradio.serve import answers as module
from equiradio.serve.answers import classify, in_words
from equiradio.serve.answers_routes import fits_of
from equiradio.serve.frames import Turner
from equiradio.serve.networks import Networks, offered
from equiradio.serve.reading import read_source
from equiradio.verbs.classify import classify as classified_by_the_verb

COLUMNS = ("label", "p_fri", "p_frii", "p_frii_low", "p_frii_high", "uncertain")


def as_classified(team, path):
    """Class, columns of probabilities, abstention and flags of a file, as ``equiradio classify`` writes them."""
    (row,) = classified_by_the_verb(team, [path]).to_pylist()
    return {name: value for name, value in row.items() if name in COLUMNS or name.startswith("p_")}, row["flag_names"].split()


def as_viewed(network, networks, path):
    """The same as the viewer gives them for the file."""
    *pieces, answer = classify(networks, network, read_source(path.read_bytes(), path.name, "upload/a"))
    assert set(pieces) == {None}
    assert len(pieces) == answer["answers"]
    return {name: value for name, value in answer.items() if name in COLUMNS or name.startswith("p_")}, [*answer["flags"]]


@pytest.fixture(params=[(1.8, 0.0), (1.5, 30.0)], ids=["as MiraBest", "finer and turned"])
def file(request, source, tmp_path):
    """A simulated source on the sky, pixels of 1.8 arcsec and others."""
    header = WCS(naxis=2)
    header.wcs.ctype, header.wcs.crval, header.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180.0, 30.0], [150.5, 150.5]
    scale, angle = request.param[0] / 3600, np.deg2rad(request.param[1])
    header.wcs.cd = scale * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plane = np.pad(source.pixels, 75) * 1e-4 + np.random.default_rng(0).normal(0, 1e-5, (300, 300))
    fits.PrimaryHDU(plane.astype(np.float32), header.to_header()).writeto(tmp_path / "a.fits")
    return tmp_path / "a.fits"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_viewer_says_what_classifying_says(networks, file, number):
    network = networks.get(list(networks.by_name)[number])
    row, flags = as_viewed(network, networks, file)
    assert (row, flags) == as_classified(load(network.opens), file)
    assert [*row] == [*COLUMNS[:1], *COLUMNS[1:5], "uncertain"]
    assert "uncalibrated" in flags


def test_an_ensemble_is_calibrated_as_in_classifying(calibrated, file):
    networks = Networks([offered(str(calibrated))])
    network = networks.get(None)
    answer = as_viewed(network, networks, file)
    assert answer == as_classified(load(calibrated), file)
    assert "uncalibrated" not in answer[1]
    team = network.team
    assert (len(team.members), network.card.seeds, team.calibration.temperature) == (2, [0, 1], 0.01)
    team.calibration = replace(team.calibration, temperature=1.0)
    assert as_viewed(network, networks, file)[0]["p_frii"] != answer[0]["p_frii"], "the temperature counts"


def test_what_is_unlike_the_known_is_not_answered(calibrated, file):
    card = json.loads((calibrated / "card.json").read_text())
    card["out_of_distribution"]["reach"] = 0.0
    (calibrated / "card.json").write_text(json.dumps(card))
    networks = Networks([offered(str(calibrated))])
    *_, answer = classify(networks, networks.get(None), read_source(file, "a.fits", "upload/a"))
    assert answer["uncertain"]
    assert "unusual" in answer["flags"]
    assert "unlike the sources" in answer["in_words"]


def test_probabilities_of_two_classes_are_mirror_images(networks, source):
    *_, answer = classify(networks, networks.get(None), source)
    first, second = answer["probabilities"]["FRI"], answer["probabilities"]["FRII"]
    assert (first["p"], second["p"]) == (answer["p_fri"], answer["p_frii"])
    assert (second["low"], second["high"]) == (answer["p_frii_low"], answer["p_frii_high"])
    assert (first["low"], first["high"]) == pytest.approx((1 - second["high"], 1 - second["low"]), abs=1e-12)


def test_four_classes_are_answered_by_name(shapes_team, file):
    networks = Networks([offered(str(shapes_team))])
    network = networks.get(None)
    row, _ = as_viewed(network, networks, file)
    assert row == as_classified(load(shapes_team), file)[0]
    *_, answer = classify(networks, network, read_source(file, "a.fits", "upload/a"))
    chances = answer["probabilities"]
    assert [*chances] == network.summary()["classes"] == ["FRI", "FRII", "Compact", "Bent"]
    assert sum(chance["p"] for chance in chances.values()) == pytest.approx(1)
    assert all(chance["low"] <= chance["p"] <= chance["high"] for chance in chances.values())
    assert answer["label"] == max(chances, key=lambda name: chances[name]["p"])
    assert f"{answer['label']} with {100 * chances[answer['label']]['p']:.0f} %" in answer["in_words"]


def test_that_law_catches_names_in_another_order(shapes_team, file, monkeypatch):
    turned = lambda cutouts, answers, name, labels, *rest: rows(cutouts, answers, name, Labels(tuple(reversed(labels.names))), *rest)
    rows = module.answered_rows
    monkeypatch.setattr(module, "answered_rows", turned)
    with pytest.raises(AssertionError):
        test_four_classes_are_answered_by_name(shapes_team, file)


@pytest.mark.parametrize("label", ["FRI", "FRII", "Bent"])
@pytest.mark.parametrize(
    ("uncertain", "threshold", "words"),
    [
        (False, 0.8, "Says LABEL with 90 %; nine in ten answers lie between 70 % and 95 %."),
        (True, 0.92, "Abstains: LABEL with 90 %, less than the 92.0 % it needs; nine in ten answers lie between 70 % and 95 %."),
        (False, None, "Says LABEL with 90 %, not calibrated; nine in ten answers lie between 70 % and 95 %."),
        (True, None, "Abstains: LABEL with 90 %, not calibrated; nine in ten answers lie between 70 % and 95 %."),
    ],
)
def test_the_answer_in_words(label, uncertain, threshold, words):
    chance = {"p": 0.9, "low": 0.7, "high": 0.95}
    assert in_words(label, chance, uncertain, threshold, ()) == words.replace("LABEL", label)


def test_the_viewer_s_maps_are_those_of_classifying(team_folder, file, tmp_path):
    """A team's: the same HDUs, cards, pixels and agreement, unturned; turned, they say so."""
    with fits.open(file, mode="update") as hdus:
        hdus[0].header.update(BMAJ=0.0015, BMIN=0.0015, BPA=0.0, BUNIT="JY/BEAM", OBJECT="3C1")
    folder = team_folder("attention", (0, 1, 2), kernel_size=3)
    networks = Networks([offered(str(folder))])
    held = read_source(file, file.name, "upload/a")
    offers = SimpleNamespace(networks=networks, turner=lambda: Turner(networks))
    (row,) = classified_by_the_verb(load(folder), [file], maps=tmp_path / "maps").to_pylist()
    *_, answer = classify(networks, networks.get(None), held)
    assert answer["map_agreement"] == pytest.approx(row["map_agreement"], abs=1e-6)
    assert (answer["set"], answer["expected_accuracy"]) == (row["set"], row["expected_accuracy"])
    content = fits_of(offers, networks.get(None), held, None, 0.0)
    with fits.open(tmp_path / "maps" / "a.fits") as ours, fits.open(io.BytesIO(content), checksum=True) as theirs:
        assert [hdu.name for hdu in theirs] == [hdu.name for hdu in ours]
        own = {"HISTORY", "CHECKSUM", "DATASUM", "MAPAGREE", "MARGIN", "CONSTANT"}
        for here, there in zip(ours, theirs, strict=True):
            assert {key: there.header[key] for key in there.header if key not in own} == {
                key: here.header[key] for key in here.header if key not in own
            }
            np.testing.assert_allclose(there.data, here.data, rtol=0, atol=1e-5 * abs(here.data).max())
        assert theirs["ATTENTION"].header["MAPAGREE"] == pytest.approx(row["map_agreement"], abs=1e-6)
        assert ("resampled" in str(theirs[0].header["HISTORY"])) == ("reprojected" in row["flag_names"])
    turned = fits.getheader(io.BytesIO(fits_of(offers, networks.get(None), held, 1, 30.0)))
    assert "turned by 30 deg" in str(turned["HISTORY"])
    assert "seed 1" in str(turned["HISTORY"])
