"""`--prior`: a team's answers for another mix of classes than it learned from, at both doors, with a note of it."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from equiradio.artefacts.run import Run
from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.errors import SettingRefusal
from equiradio.export.plain import export_team
from equiradio.inference.calibration import Calibration
from equiradio.inference.team import Team, load


@pytest.fixture(scope="module")
def sources(sky):
    return open_data(str(sky)).of_split("test")


@pytest.fixture(scope="module")
def team(trained):
    opened = load(trained("lenet"), "cpu")
    return Team(opened.members, Calibration(poses=2, threshold=0.7), opened.card)


def mix(team):
    counts = team.card.members[0].of_class
    return {name: count / sum(counts.values()) for name, count in counts.items()}


def test_a_run_says_which_mix_it_learned_from(team, sky):
    training = open_data(str(sky)).of_split("train")
    counts = {name: float((training.labels == place).sum()) for place, name in enumerate(training.classes)}
    assert team.card.members[0].of_class == counts


def test_the_same_mix_leaves_every_number_as_it_is(team, sources):
    plain, same = team.classify(sources.images), team.classify(sources.images, prior=mix(team))
    assert plain.table.to_pylist() == same.table.to_pylist()
    assert same.table.schema.metadata[b"prior"].startswith(b"FRI=")
    assert b"prior" not in plain.table.schema.metadata


def test_odds_are_multiplied_and_the_threshold_is_of_the_new_ones(team, sources):
    plain, other = team.classify(sources.images), team.classify(sources.images, prior={"FRI": 0.95})
    learned = mix(team)
    factor = (0.05 / 0.95) / (learned["FRII"] / learned["FRI"])
    odds = lambda p: np.array(p) / (1 - np.array(p))
    for column in ("p_frii",):
        np.testing.assert_allclose(odds(other[column]), odds(plain[column]) * factor, rtol=1e-9)
    assert all(low <= p <= high for low, p, high in zip(other["p_frii_low"], other["p_frii"], other["p_frii_high"], strict=True))
    tops = np.maximum(other["p_fri"], other["p_frii"])
    unsure = [top < 0.7 for top in tops]
    assert other["uncertain"] == unsure
    assert other["label"] == ["FRII" if p >= 0.5 else "FRI" for p in other["p_frii"]]
    assert other["evidence_constant"] == plain["evidence_constant"]


def test_columns_and_products_say_so(trained, tmp_path, sources):
    np.save(tmp_path / "a.npy", sources.images[0])
    out = tmp_path / "a.fits"
    asked = ["classify", str(tmp_path / "a.npy"), "--model", str(trained("lenet")), "--prior", "FRI=0.7,FRII=0.3"]
    assert main([*asked, "--out", str(out)]) == 0
    header = fits.getheader(out, 1)
    assert header["PRIOR"] == "FRI=0.7,FRII=0.3"
    assert "probability of FRI where sources are mixed FRI=0.7,FRII=0.3" in [value for key, value in header.items() if "TCOMM" in key]
    assert main([*asked[:-1], "FRI=0.6", "--out", str(tmp_path / "a.parquet")]) == 0
    assert pq.read_schema(tmp_path / "a.parquet").metadata[b"prior"] == b"FRI=0.6,FRII=0.4"


def test_a_card_that_does_not_say_is_refused(copy_of, capsys):
    run = Run(copy_of("lenet"))
    run.card().with_changes(of_class={}).write(run.card_file)
    with pytest.raises(SettingRefusal, match=r"--prior: lenet, whose card does not say of which mix it learned; expected a card"):
        load(run.folder, "cpu").for_prior({"FRI": 0.7})


def test_evaluate_needs_a_condition_for_it(trained, capsys):
    for words, line in (
        (["evaluate", str(trained("lenet")), "--prior", "FRI=0.7"], "--prior: FRI=0.7 without --through; expected"),
        (["evaluate", str(trained("lenet")), "--through", "noise:1", "--prior", "FRI=7"], "--prior: FRI=7; expected a share"),
    ):
        assert main(words) == 2
        assert line in capsys.readouterr().err


def test_evaluate_scores_answers_of_that_mix_in_a_file_of_their_own(copy_of, capsys):
    run = copy_of("lenet")
    assert main(["evaluate", str(run), "--through", "noise:1", "--prior", "FRI=0.999"]) == 0
    assert "answers for FRI=0.999,FRII=0.001" in " ".join(capsys.readouterr().out.split())
    written = json.loads((run / "transfer" / "simulated-test-prior.json").read_text())
    assert written["prior"] == "FRI=0.999,FRII=0.001"
    assert not (run / "transfer" / "simulated-test.json").exists()


def test_weights_are_part_of_what_a_catalogue_is_of(team):
    assert team.for_prior({"FRI": 0.7}).identity != team.identity
    assert replace(team.calibration, prior=None, weights=None) == team.calibration


def test_a_mix_is_not_left_out_of_an_exported_module(team):
    with pytest.raises(SettingRefusal, match=r"a team for the mix FRI=0\.7,FRII=0\.3; expected one for the mix that it learned from"):
        export_team(team.for_prior({"FRI": 0.7, "FRII": 0.3}))
    export_team(team)
