"""Exported files open without equiradio and answer as the network does; a file that does not is not kept."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from equiradio.errors import Refusal, SettingRefusal
from equiradio.export import write as files
from equiradio.export.plain import export_team
from equiradio.export.write import write_export
from equiradio.inference.calibration import Calibration
from equiradio.inference.team import Team, load
from equiradio.version import commit, version


@pytest.fixture
def team(trained):
    return load(trained("lenet"))


def expected(team, images: torch.Tensor) -> np.ndarray:
    (member,) = team.members
    with torch.inference_mode():
        return member.network(member.preprocess(images)).logits.softmax(1).numpy()


@pytest.mark.parametrize("count", [1, 3])
def test_an_onnx_file_answers_as_the_network_does(team, tmp_path, count):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    assert write_export(team, path, "onnx") <= 1e-5
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = 255 * torch.rand(count, 1, 150, 150, generator=torch.Generator().manual_seed(9))
    _, probabilities = session.run(None, {"images": images.numpy()})
    np.testing.assert_allclose(probabilities, expected(team, images), atol=1e-5)
    assert [one.name for one in session.get_outputs()] == ["logits", "probabilities"]
    told = session.get_modelmeta().custom_metadata_map
    assert (told["model"], told["classes"]) == ("lenet", "FRI, FRII")
    assert json.loads(told["preprocessing"]) == team.card.members[0].preprocessing
    assert list(tmp_path.iterdir()) == [path]


def test_one_pixel_that_is_nan_leaves_no_answer(team, tmp_path):
    """ONNX Runtime's MaxPool drops NaN at three places of four; convolutions before it spread one to all of them."""
    onnxruntime = pytest.importorskip("onnxruntime")
    write_export(team, tmp_path / "net.onnx", "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    images = 255 * np.random.default_rng(9).random((5, 1, 150, 150), np.float32)
    for image, (row, column) in zip(images[1:], [(74, 74), (74, 75), (75, 74), (75, 75)], strict=True):
        image[0, row, column] = np.nan
    _, probabilities = session.run(None, {"images": images})
    assert np.isnan(probabilities).all(axis=1).tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_antialiased_downsampling_is_written_too(untrained, tmp_path, kind):
    pytest.importorskip("onnxruntime")
    network = load(untrained("c4-attention", kernel_size=3, downsampling="antialiased"))
    assert write_export(network, tmp_path / "net", kind) <= 1e-5


def test_a_torch_file_opens_without_equiradio(team, tmp_path):
    path = tmp_path / "net.pt2"
    write_export(team, path, "torch")
    images = 255 * torch.rand(3, 1, 150, 150, generator=torch.Generator().manual_seed(9))
    np.save(tmp_path / "images.npy", images.numpy())
    code = (
        "import sys, numpy, torch\n"
        "sys.modules['equiradio'] = None\n"
        "net = torch.export.load(sys.argv[1]).module()\n"
        "answer = net(torch.from_numpy(numpy.load(sys.argv[2])))[1]\n"
        "numpy.save(sys.argv[3], answer.detach().numpy())\n"
    )
    places = [str(path), str(tmp_path / "images.npy"), str(tmp_path / "answer.npy")]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, *places], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), expected(team, images), atol=1e-5)


@pytest.mark.parametrize("model", ["attention", "c4-attention-anchored"])
def test_attention_maps_come_along(untrained, tmp_path, model):
    onnxruntime = pytest.importorskip("onnxruntime")
    team = load(untrained(model, kernel_size=3))
    write_export(team, tmp_path / "net.onnx", "onnx")
    images = files._some_images(2, 150)
    images[1, :, 100:] = 0  # empty sky, where anchored gates attend to nothing
    _, probabilities, *maps = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"images": images.numpy()})
    np.testing.assert_allclose(probabilities, expected(team, images), atol=1e-5)
    with torch.inference_mode():
        right = team.members[0].network(team.members[0].preprocess(images)).attention
    for found, one in zip(maps, right, strict=True):
        np.testing.assert_allclose(found, one.numpy(), atol=1e-4)
    assert model == "attention" or maps[0][1, ..., 130:, :].max() < 1e-6 < maps[0].max()


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_a_file_that_answers_otherwise_is_not_kept(team, tmp_path, monkeypatch, kind):
    right = files.export

    def wrong(ours):
        plain = right(ours)
        plain.dense[-1].bias.data[0] += 1e-3
        return plain

    monkeypatch.setattr(files, "export", wrong)
    with pytest.raises(Refusal, match=r"probabilities differ by .*; expected at most 1e-05"):
        write_export(team, tmp_path / "net", kind)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(team, tmp_path):
    there = tmp_path / "there.onnx"
    there.write_text("precious")
    with pytest.raises(SettingRefusal, match="exists already; expected a new file"):
        write_export(team, there, "onnx")
    assert there.read_text() == "precious"
    with pytest.raises(SettingRefusal, match="--to: 'tflite'; expected onnx or torch"):
        write_export(team, tmp_path / "net", "tflite")
    with pytest.raises(SettingRefusal, match="cannot be written"):
        write_export(team, there / "net.pt2", "torch")


def test_missing_packages_are_named(team, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SettingRefusal, match=r"--to onnx: no package onnxscript; .*pip install 'equiradio\[onnx\]'"):
        write_export(team, tmp_path / "net.onnx", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_the_file_after_the_model(trained, tmp_path, monkeypatch, capsys):
    from equiradio.cli.main import main

    monkeypatch.chdir(tmp_path)
    assert main(["export", str(trained("lenet")), "--to", "torch"]) == 0
    assert Path("lenet.pt2").stat().st_size > 1e6
    assert "lenet.pt2: 10." in capsys.readouterr().out
    assert main(["export", str(trained("lenet")), "--to", "torch"]) == 2
    assert capsys.readouterr().err == "lenet.pt2: exists already; expected a new file. Choose another --out, or delete it.\n"
    assert main(["export", str(trained("lenet")), "--to", "jax"]) == 2
    program = torch.export.load(io.BytesIO(Path("lenet.pt2").read_bytes()))
    assert program is not None


def test_a_whole_team_is_one_file_that_answers_for_all(untrained, tmp_path):
    """Mean probabilities at the team's temperature, mean maps; one member by its seed."""
    onnxruntime = pytest.importorskip("onnxruntime")
    teams = [load(untrained("attention", seed, kernel_size=3), "cpu") for seed in (0, 1)]
    card = teams[0].card.with_changes(members=[team.card.members[0] for team in teams])
    both = Team([team.members[0] for team in teams], Calibration(poses=1, temperature=0.5, threshold=0.9), card)
    assert write_export(both, tmp_path / "team.onnx", "onnx") <= 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "team.onnx", providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 255, (2, 1, 150, 150)).astype(np.float32)
    logits, probabilities, *maps = session.run(None, {"images": images})
    answers = both.answer(images[:, 0].astype(np.uint8))
    np.testing.assert_allclose(probabilities, answers.p, atol=1e-5)
    np.testing.assert_allclose(np.exp(logits), answers.p, atol=1e-5)
    outputs = both.look(images[:, 0].astype(np.uint8))
    np.testing.assert_allclose(maps[0], np.mean([output.attention[0].numpy() for output in outputs], 0), atol=1e-3)
    about = session.get_modelmeta().custom_metadata_map
    assert (about["seed"], about["temperature"], about["threshold"]) == ("0, 1", "0.5", "0.9")


def test_a_calibrated_team_of_one_answers_at_its_temperature(team, tmp_path):
    """Its file is that of a team, and one of another temperature is not kept."""
    onnxruntime = pytest.importorskip("onnxruntime")
    alone = Team(team.members, Calibration(poses=1, temperature=4.0, threshold=0.7), team.card.with_changes(temperature=4.0, threshold=0.7))
    assert write_export(alone, tmp_path / "one.onnx", "onnx") <= 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "one.onnx", providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 255, (2, 1, 150, 150)).astype(np.float32)
    probabilities = session.run(["probabilities"], {"images": images})[0]
    np.testing.assert_allclose(probabilities, alone.answer(images[:, 0].astype(np.uint8)).p, atol=1e-5)
    assert np.abs(probabilities - expected(team, torch.from_numpy(images))).max() > 1e-3
    about = session.get_modelmeta().custom_metadata_map
    assert (about["members"][:2], about["temperature"], about["threshold"]) == ("1:", "4", "0.7")


def test_the_check_knows_the_temperature_of_a_team_of_one(team, tmp_path, monkeypatch):
    alone = Team(team.members, Calibration(poses=1, temperature=4.0, threshold=0.7), team.card.with_changes(temperature=4.0, threshold=0.7))
    monkeypatch.setattr(files, "export_team", lambda team: files.export(team.members[0]))
    with pytest.raises(Refusal, match="probabilities differ by"):
        write_export(alone, tmp_path / "one.pt2", "torch")


def test_the_command_writes_one_member_by_its_seed(trained, tmp_path, capsys):
    from equiradio.cli.main import main

    assert main(["export", str(trained("lenet")), "--to", "torch", "--seed", "0", "--out", str(tmp_path / "one.pt2")]) == 0
    assert main(["export", str(trained("lenet")), "--to", "torch", "--seed", "9", "--out", str(tmp_path / "two.pt2")]) == 2
    assert capsys.readouterr().err == "--seed: 9; expected one of 0. Choose a member of this team.\n"


def several_posed(team: Team, by_poses: dict) -> Team:
    """A team of one, calibrated for four poses, whose card has this for other numbers."""
    card = team.card.with_changes(temperature=4.0, threshold=0.7, by_poses=by_poses)
    return Team(team.members, Calibration(poses=4, temperature=4.0, threshold=0.7), card)


def description_in(path: Path) -> dict[str, str]:
    extra = {"description.json": ""}
    torch.export.load(path, extra_files=extra)
    return json.loads(extra["description.json"])


def test_a_file_that_answers_in_one_pose_has_what_was_chosen_for_one(team, tmp_path):
    several = several_posed(team, {"1": {"temperature": 0.5, "threshold": 0.9}})
    assert write_export(several, tmp_path / "one.pt2", "torch") <= 1e-5
    images = np.random.default_rng(0).integers(0, 255, (2, 1, 150, 150)).astype(np.float32)
    answer = torch.export.load(tmp_path / "one.pt2").module()(torch.from_numpy(images))[1].detach().numpy()
    np.testing.assert_allclose(answer, several.in_poses(1).answer(images[:, 0].astype(np.uint8)).p, atol=1e-5)
    about = description_in(tmp_path / "one.pt2")
    assert (about["temperature"], about["threshold"], about["calibration"]) == ("0.5", "0.9", "chosen on validation for one pose")
    np.testing.assert_allclose(export_team(several).float()(torch.from_numpy(images))[1].numpy(), answer, atol=1e-5)


@pytest.mark.parametrize("by_poses", [{}, {"2": {"temperature": 2.0, "threshold": 0.8}}])
def test_a_file_says_null_where_nothing_was_chosen_for_one_pose(team, by_poses):
    about = files.description(several_posed(team, by_poses))
    divided = 2 if by_poses else 4
    assert (about["temperature"], about["threshold"]) == ("null", "null")
    assert about["calibration"] == f"none was chosen for one pose; logits are divided by {divided}"


def test_a_file_names_the_version_and_the_commit_that_wrote_it(team):
    """And not the version that the network was trained with."""
    (trained_with,) = team.card.members
    old = Team(team.members, team.calibration, team.card.with_changes(members=[replace(trained_with, versions={"equiradio": "0.0.1"})]))
    about = files.description(old)
    assert (about["equiradio"], about["commit"]) == (version(), commit())
