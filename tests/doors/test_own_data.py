"""From a folder per class of FITS cutouts of a side of their own to a calibrated team in two commands, and on to a catalogue."""

import json
import time

import numpy as np
import pytest
from astropy.io import fits

from equiradio.artefacts.run import Run
from equiradio.artefacts.team import TeamFolder
from equiradio.artefacts.weights import read_weights
from equiradio.cli.main import main
from equiradio.inference.team import load

SIDE, COUNT = 76, 60


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory):
    """Sources of the simulator as a survey of one's own would have them: 76 pixels, with noise, WCS and beam."""
    from equiradio.datasets.simulated import draw_source, observe

    folder = tmp_path_factory.mktemp("own") / "cutouts"
    for number in range(COUNT):
        rng = np.random.default_rng([11, number])
        sky = observe(draw_source(number % 2, rng), rng, 200)[62:138, 62:138].astype(np.float32)
        place = {"CRVAL1": 110 + 2.0 * number, "CRVAL2": 0.5 * number, "CRPIX1": 38.5, "CRPIX2": 38.5, "CDELT1": -0.0005, "CDELT2": 0.0005}
        cards = {
            "CTYPE1": "RA---SIN",
            "CTYPE2": "DEC--SIN",
            "CUNIT1": "deg",
            "CUNIT2": "deg",
            "RADESYS": "ICRS",
            "BUNIT": "JY/BEAM",
        } | place
        path = folder / ("jets", "lobes")[number % 2] / f"source-{number:02d}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.PrimaryHDU(sky, fits.Header(cards)).writeto(path)
    return folder


@pytest.fixture(scope="module")
def made(cutouts):
    """The run and the team of two commands, and the seconds that they took."""
    home = cutouts.parent
    started = time.perf_counter()
    train = [
        "train",
        "--data",
        str(cutouts),
        "--model",
        "c4-attention-narrow",
        "--preset",
        "quick",
        "--epochs",
        "2",
        "--out",
        str(home / "run"),
    ]
    assert main([*train, "--set", "precision=float32", "--set", "batch_size=16"]) == 0
    assert main(["calibrate", str(home / "run"), "--out", str(home / "team"), "--poses", "2"]) == 0
    return home / "run", home / "team", time.perf_counter() - started


def test_two_commands_make_a_calibrated_team_with_its_recipe(made):
    run, team, seconds = made
    card = TeamFolder(team).card()
    assert card.labels.names == ("jets", "lobes")
    assert card.calibrated
    assert card.test["all"]["sources"] == 10
    assert card.recipe == Run(run).card().recipe
    assert (card.recipe["side"], card.recipe["scale_arcsec"], card.recipe["stretch"]) == (SIDE, 1.8, "mirabest")
    assert load(team).members[0].network.side == 80
    assert card.resolved_from is None, "what the levels of other recipes say of the noise is not known"
    mean = card.members[0].preprocessing["pixel_mean"]
    assert mean != 0.0031
    assert 0 < mean < 0.2
    assert read_weights(Run(run).weights_file, model=card.model, group="C4")
    assert seconds < 180


def test_the_team_classifies_files_by_that_recipe(made, cutouts, tmp_path, capsys):
    team, file = load(made[1]), cutouts / "lobes" / "source-01.fits"
    assert main(["classify", str(file), "--model", str(made[1]), "--maps", str(tmp_path / "maps"), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["p_jets"] + row["p_lobes"] == pytest.approx(1)
    assert (row["ra_deg"], row["dec_deg"]) == pytest.approx((112.0, 0.5), abs=1e-4)
    with fits.open(tmp_path / "maps" / "source-01.fits") as maps:
        assert maps["ATTENTION"].data.shape == (SIDE, SIDE)
        assert maps["EVIDENCE"].data.shape == (SIDE, SIDE)
        shown = maps["NETWORK"].data
    array = team.classify(shown.astype(np.uint8)).table.to_pylist()[0]
    assert array["p_lobes"] == pytest.approx(row["p_lobes"], abs=1e-6)
    assert team.attention(file).shape == (1, SIDE, SIDE)
    assert team.features(file).shape[0] == 1


def test_turned_files_have_the_same_answer(made, cutouts):
    team = load(made[1])
    with fits.open(cutouts / "jets" / "source-00.fits") as file:
        pixels = np.array(file[0].data, np.float32)
    answers = [team.classify(np.ascontiguousarray(np.rot90(pixels, turns))).table.to_pylist()[0]["p_jets"] for turns in range(4)]
    assert np.ptp(answers) < 1e-4


def test_evaluation_scores_and_draws_it(made, cutouts):
    assert main(["evaluate", str(made[0]), "--split", "validation", "--passes", "1"]) == 0
    scores = json.loads((made[0] / "metrics" / "cutouts-validation.json").read_text())
    assert scores["sources"] == 10
    with np.load(made[0] / "maps.npz") as maps:
        assert maps["maps"].shape == (10, SIDE, SIDE)
        assert maps["rotation_maps"].shape == (10, 24, 24)


def test_an_exported_file_takes_its_side(made, tmp_path, capsys):
    assert main(["export", str(made[1]), "--to", "torch", "--out", str(tmp_path / "x.pt2")]) == 0
    assert "probabilities within" in capsys.readouterr().out


def test_what_knows_no_other_side_says_so(made, sky, capsys, tmp_path):
    assert main(["explain", str(made[1]), "--out", str(tmp_path / "explained")]) == 2
    assert "a network of images of 76 x 76 pixels; expected 150 x 150. Other sides cannot be explained yet." in capsys.readouterr().err
    assert main(["evaluate", str(made[0]), "--data", str(sky)]) == 2
    assert "has the classes FRI, FRII" in capsys.readouterr().err
    assert not (tmp_path / "explained").exists()


def test_other_conditions_are_refused_of_images_by_another_recipe(made, capsys):
    """Their levels do not say what the noise was, which is what beams and noise are made of."""
    assert main(["evaluate", str(made[0]), "--through", "beam:8"]) == 2
    assert "images by a recipe of their own; expected images by MiraBest's recipe" in capsys.readouterr().err
    assert not (made[0] / "transfer").exists()
