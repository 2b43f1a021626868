"""Opened again, a network answers as it did; damaged or foreign runs are refused in one line."""

import re

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import equiradio
from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import halve_weights
from equiradio.compute.device import choose_device, choose_precision
from equiradio.compute.poses import draw_poses, show
from equiradio.datasets.registry import open_data
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.inference.member import chunks
from equiradio.inference.team import load
from equiradio.models.registry import build
from equiradio.training import fit


@pytest.fixture(scope="module")
def images(sky):
    return open_data(str(sky)).of_split("test").images


def one(folder):
    """The lone member of a run."""
    (member,) = load(folder, "cpu").members
    return member


def refused(run, kind=RunRefusal):
    with pytest.raises(kind) as caught:
        load(run)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_saved_and_reloaded_answers_the_same(tiny, tmp_path, monkeypatch, images):
    built = []
    monkeypatch.setattr(fit, "build", lambda *a, **k: built.append(build(*a, **k)) or built[-1])
    run = fit.train(tiny("attention", epochs=1, batch_size=12), tmp_path / "run", device="cpu")
    member = one(run.folder)
    sky = member.preprocess(torch.from_numpy(images)[:, None])
    with torch.inference_mode():
        assert torch.equal(built[0].eval()(sky).logits, member.look(images).logits)


def test_the_public_names_are_these(trained):
    team = equiradio.load(trained("lenet"))
    assert isinstance(team, equiradio.Team)
    assert equiradio.train is fit.train
    assert equiradio.Settings().training.preset == "fast"
    assert equiradio.open_data is open_data
    assert "c4-attention" in equiradio.list_models()
    assert (team.model, team.labels.names, len(team.members)) == ("lenet", ("FRI", "FRII"), 1)
    assert team.members[0].group is None
    assert equiradio.load(str(trained("c4-attention"))).members[0].group.name == "C4"
    assert not team.members[0].network.training
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = equiradio.nothing


def test_a_pose_is_shown_before_it_is_normalised(trained, images):
    member = one(trained("lenet"))
    poses = draw_poses(0, 2, np.arange(len(images)), np.ones(len(images), int))
    by_hand = member.preprocess(show(torch.from_numpy(images), poses.matrices()))
    with torch.inference_mode():
        assert torch.equal(member.network(by_hand).logits, member.look(images, poses).logits)


def test_raw_pixels_are_fed_only_where_asked(trained, images):
    member = one(trained("lenet"))
    with torch.inference_mode():
        raw = member.network(torch.from_numpy(images)[:, None].float()).logits
    assert torch.equal(member.look(images, raw=True).logits, raw)
    assert not torch.allclose(member.look(images).logits, raw)


@pytest.mark.parametrize("model", ["attention", "c4-attention"])
def test_an_image_alone_answers_as_in_company(trained, images, model):
    member = one(trained(model))
    together = member.look(images)
    alone = member.look(images[2:3])
    assert_close(alone.logits, together.logits[2:3], rtol=0, atol=1e-4)
    for single, many in zip(alone.attention, together.attention, strict=True):
        assert_close(single, many[2:3], rtol=0, atol=1e-3)


def test_a_trained_c4_network_turns_with_the_sky(trained, images):
    member = one(trained("c4-attention"))
    plain, turned = member.look(images), member.look(np.rot90(images, 1, (1, 2)))
    assert_close(turned.logits, plain.logits, rtol=0, atol=1e-4)
    for after, before in zip(turned.attention, plain.attention, strict=True):
        assert_close(after, torch.rot90(before, 1, (-2, -1)), rtol=0, atol=1e-3)


def test_half_precision_weights_open_as_single(copy_of, images):
    run = Run(copy_of("lenet"))
    before = one(run.folder).look(images).logits
    halved = halve_weights(run.weights_file, run.weights_file, model="lenet", group="none")
    run.card().with_changes(weights_hash=halved).write(run.card_file)
    after = one(run.folder)
    assert {weight.dtype for weight in after.network.parameters()} == {torch.float32}
    assert_close(after.look(images).logits, before, rtol=0, atol=1e-2)


def damaged(run, name, damage):
    damage(run / name)
    return refused(run)


SHORT = lambda file: file.write_bytes(file.read_bytes()[:-9])
GONE = lambda file: file.unlink()


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("weights.safetensors", GONE, "weights.safetensors: no such file; expected trained weights. Finish the training"),
        ("weights.safetensors", SHORT, "bytes that are no safetensors"),
        ("card.json", GONE, "card.json: no such file; expected a model card"),
        ("card.json", SHORT, "card.json: cannot be read ("),
        ("settings.toml", GONE, "no settings.toml in it; expected the folder of a training"),
    ],
)
def test_a_half_written_run_is_refused(copy_of, name, damage, says):
    assert says in damaged(copy_of("lenet"), name, damage)


@pytest.mark.parametrize("preprocessing", ['"none"', "{}", '{"pixel_mean": 0.0, "pixel_std": 1.0}', '{"mean": 0.0}', "[1]"])
def test_a_card_with_another_preprocessing_is_refused(copy_of, preprocessing):
    run = copy_of("lenet")
    text = (run / "card.json").read_text()
    start, end = text.index('"preprocessing": ') + len('"preprocessing": '), text.index(',\n  "data":')
    (run / "card.json").write_text(text[:start] + preprocessing + text[end:])
    assert re.search(r"card\.json: .*preprocessing.*; expected .*", refused(run))


def test_weights_of_another_group_or_model_are_refused(copy_of):
    run = copy_of("c4-attention")
    settings = (run / "settings.toml").read_text()
    (run / "settings.toml").write_text(settings.replace('"c4-attention"', '"c8-attention"'))
    assert refused(run) == (
        f"{run / 'weights.safetensors'}: made for group C4, but the settings ask for C8; expected the same group. "
        "Ask for group C4, or train anew."
    )
    (run / "settings.toml").write_text(settings.replace('"c4-attention"', '"c4-lenet"'))
    assert "made for model c4-attention, but the settings ask for c4-lenet" in refused(run)
    (run / "settings.toml").write_text(settings.replace("kernel_size = 5", "kernel_size = 3"))
    assert "of another shape (blocks." in refused(run)
    (run / "settings.toml").write_text(settings.replace("gates = 3", "gates = 2"))
    assert "expected the weights of the network that the settings describe" in refused(run)
    (run / "settings.toml").write_text(settings.replace("kernel_size", "kernelsize"))
    assert "Did you mean kernel_size?" in refused(run, SettingRefusal)


def test_what_is_no_run_is_refused(tmp_path):
    assert refused(tmp_path / "none") == (
        f"{tmp_path / 'none'}: no such folder; expected the folder of a training or a team. Train first, or correct the path."
    )
    assert "no settings.toml in it" in refused(tmp_path)


def test_devices_and_precisions(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(SettingRefusal, match=r"^--device: cuda, but PyTorch sees no CUDA device; expected a device that is there"):
        choose_device("cuda")
    for native, name in ((True, "bf16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        assert choose_precision("auto", "cpu") == name
    assert choose_precision("float32", "cpu") == "float32"


def seen_by(member, images):
    """Is TF32, cuDNN's default, allowed while the network is asked?"""
    seen = []
    with member.network.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.conv.fp32_precision == "tf32")):
        member.look(images)
    return seen


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="PyTorch before 2.9 does not tell")
def test_float32_is_not_rounded_on_a_gpu(trained, images):
    member = one(trained("attention"))
    assert torch.backends.cudnn.allow_tf32
    assert seen_by(member, images[:1]) == [False]
    assert torch.backends.cudnn.allow_tf32  # as before
    try:
        torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.rnn.fp32_precision = "tf32", "ieee"  # somebody's own choice
        assert seen_by(member, images[:1]) == [True]
    finally:
        torch.backends.cudnn.conv.fp32_precision = torch.backends.cudnn.rnn.fp32_precision = "tf32"
    assert torch.backends.cudnn.allow_tf32


def test_chunks_cover_every_row_once():
    assert [tuple(piece) for piece in chunks(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert list(chunks(0, 3)) == []
