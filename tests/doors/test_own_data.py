"""From a folder per class of FITS cutouts of a side of their own to a calibrated team in two commands, and on to a catalogue."""

import base64
import io
import json
import re

import httpx
import numpy as np
import pytest
from astropy.io import fits

from equiradio.artefacts.run import Run
from equiradio.artefacts.team import TeamFolder
from equiradio.artefacts.weights import read_weights
from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.explain.case import Effort
from equiradio.inference.team import load
from equiradio.verbs.explain import explain

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
    """The run and the team of two commands."""
    home = cutouts.parent
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
    return home / "run", home / "team"


def test_two_commands_make_a_calibrated_team_with_its_recipe(made, cutouts):
    run, team = made
    card = TeamFolder(team).card()
    assert card.labels.names == ("jets", "lobes")
    assert card.calibrated
    assert card.test["all"]["sources"] == len(open_data(str(cutouts)).of_split("test"))
    assert card.recipe == Run(run).card().recipe
    assert (card.recipe["side"], card.recipe["scale_arcsec"], card.recipe["stretch"]) == (SIDE, 1.8, "mirabest")
    assert load(team).members[0].network.side == 80
    assert card.resolved_from is None, "what the levels of other recipes say of the noise is not known"
    mean = card.members[0].preprocessing["pixel_mean"]
    assert mean != 0.0031
    assert 0 < mean < 0.2
    assert read_weights(Run(run).weights_file, model=card.model, group="C4")


def test_they_leave_a_page_whose_numbers_are_the_cards(made, cutouts):
    card, page = TeamFolder(made[1]).card(), (made[1] / "index.html").read_text()
    rows = dict(re.findall(r"<tr><td>([^<]*)</td><td>[^<]*</td><td>([^<]*)</td></tr>", page))  # of scores: name, validation, test
    of_test = card.test["all"]["accuracy"]
    assert rows["accuracy"] == "{:.3f} ({:.2f}-{:.2f})".format(of_test["value"], *of_test["interval95"])
    sources = open_data(str(cutouts))
    assert rows["sources"] == str(len(sources.of_split("test")))
    assert rows["share answered"] == f"{card.test['coverage']:.3f}"
    assert rows["negative log-likelihood, nats"] == f"{card.test['nll_after']:.3f}"
    assert rows["expected calibration error"] == f"{card.test['ece']:.3f}"
    for split in ("validation", "test"):
        for name, count in zip(sources.classes, np.bincount(sources.of_split(split).labels), strict=True):
            assert f"<tr><td>{name}</td><td>{split}</td><td>{count}</td>" in page
    assert page.count('src="data:image/png;base64,') >= 4
    assert f"divided by {card.temperature:.3f}" in page
    assert "images of 76 x 76 pixels of 1.8 arcsec" in page
    assert not (made[1].with_name("team.parts")).exists()


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


def test_data_of_other_classes_are_refused(made, sky, capsys):
    assert main(["evaluate", str(made[0]), "--data", str(sky)]) == 2
    assert "has the classes FRI, FRII" in capsys.readouterr().err


def test_it_is_explained_on_its_own_pixels(made, tmp_path):
    pytest.importorskip("captum")
    small = Effort(2, 1, 1, 1, (0, 45, 90), (0.02, 0.1), gradient_steps=2, window=24, checks=False, draws=2)
    answer = explain(made[0], tmp_path / "explained", effort=small, members=[])
    assert answer["symmetry"]["quarter_turns"]["exact"]
    assert answer["evidence"]["linear"]
    assert answer["astronomy"]["applies"] is False
    assert "these classes are jets, lobes" in answer["astronomy"]["reason"]
    with np.load(tmp_path / "explained" / "parts" / "maps.npz") as arrays:
        shapes = {
            name: arrays[name].shape[-2:] for name in ("maps", "gaussian", "untrained", "occlusion", "score_cam", "grad_cam", "evidence")
        }
    assert set(shapes.values()) == {(SIDE, SIDE)}, shapes
    page = (tmp_path / "explained" / "index.html").read_text()
    assert "Images of 76 x 76 pixels of 1.8 arcsec, stretch mirabest. Pixels up to 3 sigma are zero" in page
    assert "MiraBest" not in page


@pytest.fixture(scope="module")
def viewer(made, cutouts, sky, untrained):
    """Requests to a viewer of the team, its files, its data and those of another side, and of a network that knows other pixels."""
    pytest.importorskip("fastapi")
    from serve_process import serving

    from equiradio.serve.offers import gather

    models = [str(made[1]), str(untrained("attention", kernel_size=3))]
    offers = gather(models, [], [str(sky)], cutouts, [])
    with serving(offers) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def test_the_viewer_answers_as_classify_does(made, cutouts, viewer):
    key = "cutouts/lobes/source-01.fits"
    source = viewer.get("/api/source", params={"key": key}).json()
    assert source["side"] == SIDE
    assert len(base64.b64decode(source["pixels"])) == SIDE**2
    assert source["arcsec_per_pixel"] == pytest.approx(1.8)
    middle = np.array(source["sky"])[5, 5]
    assert np.degrees(np.arctan2(middle[1], middle[0])) == pytest.approx(112.0, abs=1e-4)
    answer = viewer.post("/api/classify", data={"source": key}).json()
    row = load(made[1]).classify(cutouts / "lobes" / "source-01.fits").table.to_pylist()[0]
    assert answer["p_lobes"] == pytest.approx(row["p_lobes"], abs=1e-6)
    seen = viewer.post("/api/explain", data={"source": key, "rotation_deg": 90}).json()["answers"][0]
    assert {len(base64.b64decode(plane)) for plane in seen["maps"]} == {SIDE**2}
    assert len(base64.b64decode(seen["evidence"]["map"])) == 4 * SIDE**2
    assert seen["exact_quarter_turns"]
    assert seen["drift"] < 1e-4
    with fits.open(io.BytesIO(viewer.get("/api/map.fits", params={"source": key}).content)) as file:
        assert file["ATTENTION"].data.shape == (SIDE, SIDE)


def test_the_viewer_reads_uploads_by_that_recipe(cutouts, viewer):
    content = (cutouts / "jets" / "source-00.fits").read_bytes()
    source = viewer.post("/api/sources", files={"file": ("mine.fits", content)}).json()
    assert source["side"] == SIDE
    assert source["pixels"] == viewer.get("/api/source", params={"key": "cutouts/jets/source-00.fits"}).json()["pixels"]


@pytest.mark.parametrize(
    ("model", "source", "line"),
    [
        (0, "sky", "answers about images of 76 x 76 pixels, and simulated-0000 has 150 x 150; expected images of its own side"),
        (1, "own", "answers about images of 150 x 150 pixels, and source-01.fits has 76 x 76; expected images of its own side"),
    ],
)
def test_what_a_network_does_not_know_is_refused_in_a_line(viewer, sky, model, source, line):
    other = viewer.get("/api/sources", params={"set": sky.name}).json()["sources"][0]
    line = line.replace("simulated-0000", other["name"])
    chosen = viewer.get("/api/models").json()[model]
    assert chosen["side"] == (SIDE, 150)[model]
    key = other["key"] if source == "sky" else "cutouts/lobes/source-01.fits"
    for verb in ("classify", "explain"):
        answer = viewer.post(f"/api/{verb}", data={"source": key, "model": chosen["name"]})
        assert answer.status_code == 422
        parts = answer.json()["error"]
        assert f"{parts['found']}; expected {parts['expected']}" == line


def test_similar_sources_are_drawn_as_the_team_saw_them(made, cutouts, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("equiradio.report.montage.save_montage", lambda images, lines, path: drawn.extend(images))
    features, files = tmp_path / "features.parquet", [str(cutouts / "lobes" / f"source-{k:02d}.fits") for k in (1, 3, 5)]
    assert main(["classify", *files, "--model", str(made[1]), "--features", str(features), "--out", str(tmp_path / "t.csv")]) == 0
    assert main(["similar", files[0], "--among", str(features), "--model", str(made[1]), "--out", str(tmp_path / "x.png")]) == 0
    assert [image.shape for image in drawn[-3:]] == [(SIDE, SIDE)] * 3


def test_other_conditions_are_refused_of_images_by_another_recipe(made, capsys):
    """Their levels do not say what the noise was, which is what beams and noise are made of."""
    assert main(["evaluate", str(made[0]), "--through", "beam:8"]) == 2
    assert "images by a recipe of their own; expected images by MiraBest's recipe" in capsys.readouterr().err
    assert not (made[0] / "transfer").exists()
