"""Weights are looked at when they are opened, and an answer that is not finite is none, at every door."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from equiradio.artefacts.card import Card
from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import hash_of, read_weights, write_weights
from equiradio.cli.main import main
from equiradio.errors import ImageRefusal, RunRefusal
from equiradio.inference import answers as module
from equiradio.inference.team import Team, load
from equiradio.serve.answers import classify as viewed
from equiradio.serve.explanations import explain
from equiradio.serve.frames import Turner
from equiradio.serve.networks import Networks, offered
from equiradio.serve.reading import read_source
from equiradio.verbs.calibrate import calibrate
from equiradio.verbs.classify import classify

NAMED = {"model": "lenet", "group": "none"}


@pytest.fixture
def files(sky, tmp_path):
    """Three images, as files."""
    images = np.load(sky / "images.npy")[:3]
    paths = [tmp_path / f"{number}.npy" for number in range(3)]
    for path, image in zip(paths, images, strict=True):
        np.save(path, image)
    return paths


def changed(folder: Path, change) -> Path:
    """A run whose first weights are changed; its card says nothing of them, as those of older versions."""
    run = Run(folder)
    state = read_weights(run.weights_file, **NAMED)
    first = next(name for name in sorted(state) if name.endswith("weight"))
    write_weights(run.weights_file, state | {first: change(state[first].clone())}, **NAMED)
    run.card().with_changes(weights_hash="").write(run.card_file)
    return folder


def with_first(value):
    def change(weight: torch.Tensor) -> torch.Tensor:
        weight.view(-1)[0] = value
        return weight

    return change


def refused(folder):
    with pytest.raises(RunRefusal) as caught:
        load(folder)
    return str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_weight_that_is_not_finite_is_refused(copy_of, files, capsys, value):
    folder = changed(copy_of("lenet"), with_first(value))
    line = refused(folder)
    assert line.startswith(f"{folder / 'weights.safetensors'}: 1 number that is not finite (in ")
    assert main(["classify", str(files[0]), "--model", str(folder)]) == 2
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize("kind", [torch.int32, torch.int8, torch.complex64])
def test_weights_of_whole_numbers_are_refused(copy_of, kind):
    line = refused(changed(copy_of("lenet"), lambda weight: weight.to(kind)))
    assert f"holds {str(kind).removeprefix('torch.')}; expected floating-point weights" in line


def test_weights_of_another_training_are_refused(copy_of):
    run = Run(copy_of("lenet"))
    card = run.card()
    assert load(run.folder).members[0].weights_hash == card.weights_hash == run.weights_hash()
    changed(run.folder, with_first(0.125))
    load(run.folder)  # the card says nothing of them
    card.write(run.card_file)
    assert f"expected {card.weights_hash[:12]}, as the card says" in refused(run.folder)


def test_a_teams_card_holds_the_hashes_of_the_weights_that_lie_in_it(trained, tmp_path):
    card = calibrate([trained("lenet")], tmp_path / "team")
    (member,), file = card.members, tmp_path / "team" / "seed0.safetensors"
    assert member.weights_hash == load(tmp_path / "team").members[0].weights_hash == hash_of(read_weights(file, **NAMED))
    assert member.weights_hash != Run(trained("lenet")).weights_hash()  # float16 holds fewer digits
    state = read_weights(file, **NAMED)
    name = next(name for name in state if name.endswith("weight"))
    write_weights(file, state | {name: with_first(0.125)(state[name].clone())}, **NAMED)
    assert "as the card says" in refused(tmp_path / "team")


def test_weights_too_large_for_float16_make_no_team(copy_of, tmp_path):
    folder = changed(copy_of("lenet"), with_first(1e6))
    with pytest.raises(RunRefusal, match="1 number that is not finite"):
        calibrate([folder], tmp_path / "team")


def test_the_packages_cards_name_their_weights():
    root = Path(__file__).parents[3]
    cards = [*(root / "src" / "equiradio" / "weights").glob("*/card.json"), *(root / "weights").glob("*/card.json")]
    assert len(cards) >= 5
    for card in cards:
        for member in (Card(**content) for content in json.loads(card.read_text())["members"]):
            file = card.parent / f"seed{member.seed}.safetensors"
            assert len(member.weights_hash) == 64
            if file.is_file():
                state = read_weights(file, model=member.model, group=member.group)
                assert hash_of(state) == member.weights_hash


@pytest.fixture
def silent(trained, monkeypatch):
    """A team that answers with nan about the second image of all, and soundly about the others."""
    team = load(trained("lenet"))
    sound = module.in_pose

    def in_pose(member, images, pose):
        posed = sound(member, images, pose)
        odd = [number for number, image in enumerate(images) if (image == silent_about).all()]
        posed.logits[odd] = np.nan
        return posed

    silent_about = np.zeros((150, 150), np.uint8)
    silent_about[70:80, 70:80] = 200
    monkeypatch.setattr(module, "in_pose", in_pose)
    return team, silent_about


def test_an_answer_that_is_not_finite_is_none(silent, files, tmp_path):
    team, image = silent
    np.save(files[1], image)
    table = classify(team, files, out=None, maps=tmp_path / "maps")
    good, bad, also_good = table.to_pylist()
    assert "not_finite_answer" in bad["flag_names"].split()
    assert not bad["label"]
    assert bad["uncertain"]
    assert all(bad[name] is None or math.isnan(bad[name]) for name in ("p_fri", "p_frii", "p_frii_low", "p_frii_high"))
    assert {good["label"], also_good["label"]} <= {"FRI", "FRII"}
    assert "not_finite_answer" not in good["flag_names"] + also_good["flag_names"]
    assert sorted(path.stem for path in (tmp_path / "maps").glob("*.fits")) == ["0", "2"]
    with pytest.raises(ImageRefusal, match="numbers that are not finite"):
        classify(team, [files[1]])
    assert np.isnan(team.answer(image).p).all()
    assert team.answer(image).uncertain.all()


def test_the_law_catches_a_team_that_takes_nan_for_certain(silent, files, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "NO_CLASS", 0)
    monkeypatch.setattr(module.Answers, "answered", property(lambda self: np.ones(len(self.top), bool)))
    with pytest.raises(AssertionError):
        test_an_answer_that_is_not_finite_is_none(silent, files, tmp_path)


def test_the_viewer_refuses_what_has_no_answer(silent, trained, tmp_path, monkeypatch):
    _, image = silent
    np.save(tmp_path / "odd.npy", image)
    networks = Networks([offered(str(trained("lenet")))])
    network, source = networks.get(None), read_source(tmp_path / "odd.npy", "odd.npy", "upload/odd")
    with pytest.raises(ImageRefusal) as caught:
        list(viewed(networks, network, source))
    assert caught.value.flag == "not_finite_answer"
    member = network.open().members[0]
    look = member.look
    monkeypatch.setattr(member, "look", lambda *given, **named: (seen := look(*given, **named))._replace(logits=seen.logits * math.nan))
    with pytest.raises(ImageRefusal, match=r"odd\.npy: the network answers"):
        explain(Turner(networks), network, source, 0.0)


def test_features_that_are_not_finite_are_unusual(trained, tmp_path, monkeypatch):
    calibrate([trained("lenet")], tmp_path / "team")
    team: Team = load(tmp_path / "team")
    sound = module.in_pose
    monkeypatch.setattr(module, "in_pose", lambda *given: (posed := sound(*given))._replace(features=posed.features * math.nan))
    assert team.answer(np.zeros((1, 150, 150), np.uint8)).unusual.all()
