"""Classes as ``equiradio classify`` gives them. Frames of a turning source: exact where the network is, else the drift says so."""

import base64
import json
import shutil

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.wcs import WCS
from safetensors.numpy import save_file
from torch.testing import assert_close

from equiradio.artefacts.run import Run
from equiradio.compute.poses import turned
from equiradio.datasets.simulated import simulate
from equiradio.inference.answers import Calibration
from equiradio.inference.gate_maps import gate_maps
from equiradio.inference.team import load
from equiradio.serve import answers
from equiradio.serve.answers import Turner, classify, drift, explain, in_words, turn_back
from equiradio.serve.held import Held
from equiradio.serve.networks import Networks, offered
from equiradio.serve.reading import read_source
from equiradio.verbs.classify import classify as studied

SOURCE = Held("upload/a", "a", simulate(1, 0).images[0])


@pytest.fixture(scope="module")
def networks(untrained):
    models = ("c4-attention", "attention", "lenet")
    return Networks([offered(str(untrained(model, **({} if model == "lenet" else {"kernel_size": 3})))) for model in models])


def asked(turner, network, angle):
    """The map that the network itself gives at an angle."""
    member = network.classifier
    return gate_maps(member.look(SOURCE.pixels[None], turned([angle])).attention)[0].float().mean(0)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 120.0, 345.5])
def test_a_frame_is_what_the_network_says(networks, angle):
    for name in list(networks.by_name)[:2]:
        turner, network = Turner(networks), networks.get(name)
        frame = turner.frame(network, SOURCE, angle)
        assert_close(frame.maps[0], asked(turner, network, angle), rtol=0, atol=2e-3)


def test_an_exact_network_is_asked_once_for_four_angles(networks, monkeypatch):
    turner, network = Turner(networks), networks.get(None)
    network.open()
    looks = []
    look = type(network.classifier).look
    monkeypatch.setattr(type(network.classifier), "look", lambda self, *given: looks.append(1) or look(self, *given))
    for angle in (30, 120, 210, 300, -60, 390):
        turner.frame(network, SOURCE, angle)
    assert len(looks) == 1
    plain = networks.get(list(networks.by_name)[1])
    for angle in (30, 120):
        turner.frame(plain, SOURCE, angle)
    assert len(looks) == 3


def test_a_file_that_was_replaced_is_asked_about_anew(networks):
    turner, network = Turner(networks), networks.get(None)
    before = turner.frame(network, SOURCE, 0.0).p_frii
    other = Held(SOURCE.key, SOURCE.name, simulate(2, 0).images[1])
    assert turner.frame(network, other, 0.0).p_frii != before
    assert turner.frame(network, SOURCE, 0.0).p_frii == before


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_of_an_exact_network_do_not_drift(networks, quarters):
    said = explain(Turner(networks), networks.get(None), SOURCE, 90.0 * quarters)
    assert said["drift"] == 0
    assert said["p_frii"] == said["p_frii_unturned"]
    assert said["exact_quarter_turns"]


def test_a_plain_network_drifts(networks):
    said = explain(Turner(networks), networks.get(list(networks.by_name)[1]), SOURCE, 90.0)
    assert said["drift"] > 0.01
    assert said["drift"] > 10 * said["drift_of_resampling"]


def test_a_network_without_gates_has_no_map(networks):
    said = explain(Turner(networks), networks.get(list(networks.by_name)[2]), SOURCE, 10.0)
    assert said["maps"] == []
    assert said["evidence"] is None
    assert said["drift"] is None


def plane(text):
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(150, 150)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0])
def test_evidence_adds_up_to_what_the_network_says_of_the_turned_source(networks, angle):
    for name in list(networks.by_name)[:2]:
        network = networks.get(name)
        found = explain(Turner(networks), network, SOURCE, angle)["evidence"]
        (fri, frii), *_ = network.classifier.look(SOURCE.pixels[None], turned([angle])).logits.double().cpu().numpy()
        assert found["margin"] == pytest.approx(frii - fri, abs=2e-3)
        assert plane(found["map"]).sum() + found["constant"] == pytest.approx(found["margin"], abs=1e-4)
        assert found["full"] > 0


def test_evidence_turns_with_the_sky_in_an_exact_network(networks):
    still, quarter = (explain(Turner(networks), networks.get(None), SOURCE, angle)["evidence"] for angle in (0.0, 90.0))
    assert np.array_equal(plane(quarter["map"]), np.rot90(plane(still["map"])))
    assert np.array_equal(plane(quarter["map_turned_back"]), plane(still["map"]))
    assert quarter["full"] == still["full"]


def test_of_an_ensemble_the_first_member_alone_gives_a_frame():
    networks = Networks([offered("attention")])
    network = networks.get(None)
    found = explain(Turner(networks), network, SOURCE, 0.0)["evidence"]
    (fri, frii), *_ = network.open().look(SOURCE.pixels[None]).logits.double().cpu().numpy()
    assert found["margin"] == pytest.approx(frii - fri, abs=2e-3)


def test_turning_back_undoes_turning():
    maps = torch.rand(2, 150, 150)
    assert torch.equal(turn_back(maps.rot90(1, (-2, -1)), 90.0), maps)
    assert torch.equal(turn_back(maps.rot90(-1, (-2, -1)), -90.0), maps)
    assert drift(maps[0], maps[0]) == 0
    assert drift(maps[0], 2 * maps[0]) == pytest.approx(1)


def test_that_law_catches_a_turn_the_wrong_way(monkeypatch):
    monkeypatch.setattr(answers.torch, "rot90", lambda maps, turns, axes: maps.rot90(-turns, axes))
    with pytest.raises(AssertionError):
        test_turning_back_undoes_turning()


SAID = ("label", "p_fri", "p_frii", "p_frii_low", "p_frii_high", "uncertain")


def as_classified(classifier, path):
    """Class, probabilities, abstention and flags of a file, as ``equiradio classify`` writes them."""
    (row,) = studied(classifier, [path]).to_pylist()
    return {name: row[name] for name in SAID}, row["flag_names"].split()


def as_viewed(network, networks, path):
    """The same as the viewer gives them for the file."""
    *pieces, said = classify(networks, network, read_source(path.read_bytes(), path.name, "upload/a"))
    assert set(pieces) == {None}
    assert len(pieces) == said["answers"]
    return {name: said[name] for name in SAID}, [*said["flags"]]


@pytest.fixture(params=[(1.8, 0.0), (1.5, 30.0)], ids=["as MiraBest", "finer and turned"])
def file(request, tmp_path):
    """A simulated source on the sky, pixels of 1.8 arcsec and others."""
    header = WCS(naxis=2)
    header.wcs.ctype, header.wcs.crval, header.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180.0, 30.0], [150.5, 150.5]
    scale, angle = request.param[0] / 3600, np.deg2rad(request.param[1])
    header.wcs.cd = scale * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plane = np.pad(SOURCE.pixels, 75) * 1e-4 + np.random.default_rng(0).normal(0, 1e-5, (300, 300))
    fits.PrimaryHDU(plane.astype(np.float32), header.to_header()).writeto(tmp_path / "a.fits")
    return tmp_path / "a.fits"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_viewer_says_what_classifying_says(networks, file, number):
    network = networks.get(list(networks.by_name)[number])
    row, flags = as_viewed(network, networks, file)
    assert (row, flags) == as_classified(load(network.opens), file)
    assert "uncalibrated" in flags


@pytest.fixture
def ensemble(untrained, tmp_path, monkeypatch):
    """Packaged weights of two small networks with a card that has a temperature, a threshold and a distance."""
    runs = [Run(untrained("lenet", seed)) for seed in (0, 1)]
    folder = tmp_path / "weights" / "lenet"
    folder.mkdir(parents=True)
    for seed, run in enumerate(runs):
        shutil.copy(run.weights_file, folder / f"seed{seed}.safetensors")
    save_file({"centre": np.zeros((2, 84)), "precision": np.tile(np.eye(84), (2, 1, 1))}, folder / "known.safetensors")
    card = {"model": "lenet", "members": [json.loads(run.card_file.read_text()) for run in runs], "poses": 3, "temperature": 0.01}
    card |= {"threshold": 0.75, "out_of_distribution": {"file": "known.safetensors", "reach": 1e9}}
    (folder / "card.json").write_text(json.dumps(card))
    for module in ("artefacts.packaged", "inference.classifier", "inference.catalogue", "serve.networks"):
        monkeypatch.setattr(f"equiradio.{module}.PACKAGED", folder.parent)
    return folder


def test_an_ensemble_is_calibrated_as_in_classifying(ensemble, file):
    networks = Networks([offered("lenet")])
    network = networks.get(None)
    said = as_viewed(network, networks, file)
    assert said == as_classified(load("lenet"), file)
    assert "uncalibrated" not in said[1]
    assert (len(network.seeds), network.calibration.temperature) == (2, 0.01)
    network.calibration = Calibration(poses=3, threshold=0.75)
    assert as_viewed(network, networks, file)[0]["p_frii"] != said[0]["p_frii"], "the temperature counts"


def test_what_is_unlike_the_known_is_not_answered(ensemble, file):
    card = json.loads((ensemble / "card.json").read_text())
    card["out_of_distribution"]["reach"] = 0.0
    (ensemble / "card.json").write_text(json.dumps(card))
    networks = Networks([offered("lenet")])
    *_, said = classify(networks, networks.get(None), read_source(file, "a.fits", "upload/a"))
    assert said["uncertain"]
    assert "unusual" in said["flags"]
    assert "unlike the sources" in said["in_words"]


@pytest.mark.parametrize(
    ("label", "uncertain", "threshold", "words"),
    [
        ("FRII", False, 0.8, "Says FRII with 90 %; nine in ten answers lie between 70 % and 95 %."),
        ("FRI", False, 0.8, "Says FRI with 90 %; nine in ten answers lie between 70 % and 95 %."),
        (
            "FRII",
            True,
            0.92,
            "Abstains: FRII with 90 %, less than the 92.0 % it needs; nine in ten answers lie between 70 % and 95 %.",
        ),
        ("FRII", False, None, "Says FRII with 90 %, not calibrated; nine in ten answers lie between 70 % and 95 %."),
        ("FRII", True, None, "Abstains: FRII with 90 %, not calibrated; nine in ten answers lie between 70 % and 95 %."),
    ],
)
def test_the_answer_in_words(label, uncertain, threshold, words):
    p, low, high = (0.9, 0.7, 0.95) if label == "FRII" else (0.1, 0.05, 0.3)
    said = {"label": label, "p_fri": 1 - p, "p_frii": p, "p_frii_low": low, "p_frii_high": high, "uncertain": uncertain}
    assert in_words(said, threshold, unusual=False) == words
