"""Weights: they come back to the bit, and only into the network they were made for."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from equiradio.artefacts.weights import hash_of, load_into, read_weights, write_weights
from equiradio.errors import RunRefusal


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.safetensors"
    write_weights(path, nn.Linear(3, 2).state_dict() | {"steps": torch.tensor(7)}, model="d16-attention", group="D16")
    return path


def refused(path, model="d16-attention", group="D16"):
    with pytest.raises(RunRefusal) as caught:
        read_weights(path, model=model, group=group)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_weights_come_back_to_the_bit(file):
    state = {"weight": torch.randn(3, 4, dtype=torch.float64)[:, ::2], "half": torch.randn(5).half(), "count": torch.tensor(3)}
    write_weights(file, state, model="lenet", group="none")
    back = read_weights(file, model="lenet", group="none")
    assert back.keys() == state.keys()
    for name, value in state.items():
        assert back[name].dtype == value.dtype
        assert torch.equal(back[name], value)


def test_weights_of_another_group_are_refused(file):
    assert refused(file, "c8-attention", "C8") == (
        f"{file}: made for group D16, but the settings ask for C8; expected the same group. Ask for group D16, or train anew."
    )


def test_weights_of_another_model_are_refused(file):
    assert refused(file, "d16-lenet") == (
        f"{file}: made for model d16-attention, but the settings ask for d16-lenet; expected the same model. "
        "Ask for d16-attention, or train anew."
    )


def test_weights_without_a_name_are_refused(file):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(1)}, file)
    assert "made for group None" in refused(file)


@pytest.mark.parametrize("kept", [0, 7, 40, -1])
def test_truncated_weights_are_refused(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    size = file.stat().st_size
    line = refused(file)
    assert line.startswith(f"{file}: {size:,} bytes that are no safetensors (")
    assert line.endswith("expected whole weights. Train anew.")


def test_absent_weights_are_refused(tmp_path):
    assert "weights.safetensors: no such file; expected trained weights" in refused(tmp_path / "weights.safetensors")


def test_a_state_of_another_shape_is_refused(tmp_path):
    state = nn.Linear(3, 2).state_dict()
    with pytest.raises(RunRefusal, match=r"0 tensors missing, 0 unknown, 1 of another shape \(weight first\)"):
        load_into(nn.Linear(4, 2), state, tmp_path)
    with pytest.raises(RunRefusal, match=r"1 tensors missing, 1 unknown, 0 of another shape \(bias first\)"):
        load_into(nn.Linear(3, 2), {"weight": state["weight"], "extra": state["bias"]}, tmp_path)


ROOT = Path(__file__).parents[3]
COMMITTED = sorted((ROOT / "results").rglob("weights.safetensors"))


@pytest.mark.parametrize("weights", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_weights_are_those_of_their_cards(weights):
    """Else `equiradio classify --model` refuses the run's folder, which results/README.md says that it opens."""
    assert hash_of(load_file(weights)) == json.loads((weights.parent / "card.json").read_text(encoding="utf-8"))["weights_hash"]


def test_a_packed_run_has_the_card_of_its_halved_weights(tmp_path):
    spec = importlib.util.spec_from_file_location("pack_runs", ROOT / "scripts" / "pack_runs.py")
    pack_runs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pack_runs)
    state = nn.Linear(3, 2).state_dict()
    write_weights(tmp_path / "weights.safetensors", state, model="lenet", group="")
    (tmp_path / "card.json").write_text(json.dumps({"model": "lenet", "weights_hash": hash_of(state)}))
    weights, card = (pack_runs.packed(tmp_path / name) for name in ("weights.safetensors", "card.json"))
    (tmp_path / "packed.safetensors").write_bytes(weights)
    assert load_file(tmp_path / "packed.safetensors")["weight"].dtype == torch.float16
    assert json.loads(card) == {"model": "lenet", "weights_hash": hash_of(load_file(tmp_path / "packed.safetensors"))}
    assert json.loads(card)["weights_hash"] != hash_of(state)
