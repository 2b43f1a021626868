"""Weights as safetensors, with the name of the network they fit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from equiradio.artefacts.atomic import numbers_hash, write_atomically
from equiradio.errors import RunRefusal
from equiradio.printable import some_of

DAMAGED = "The file is damaged: put a whole one in its place, or train anew."


def write_weights(path: Path, state: dict[str, Tensor], *, model: str, group: str) -> None:
    """Write a state dict atomically, with ``model`` and ``group`` in its header."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    write_atomically(path, lambda part: save_file(tensors, part, metadata={"model": model, "group": group}))


def read_weights(path: Path, *, model: str, group: str) -> dict[str, Tensor]:
    """The state dict in a file made for this network.

    Raises
    ------
    RunRefusal : missing, damaged, made for another network, or with numbers that are not finite.
    """
    if not path.is_file():
        raise RunRefusal(path, "no such file", "trained weights", "Finish the training (equiradio train ... --resume), or train anew.")
    try:
        with safe_open(path, framework="pt") as file:
            made_for = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except Exception as error:  # whatever a damaged header makes safetensors and torch say
        raise RunRefusal(path, f"{path.stat().st_size:,} bytes that are no safetensors ({error})", "whole weights", "Train anew.") from None
    if made_for.get("group") != group:
        found = f"made for group {made_for.get('group')}, but the settings ask for {group}"
        raise RunRefusal(path, found, "the same group", f"Ask for group {made_for.get('group')}, or train anew.")
    if made_for.get("model") != model:
        found = f"made for model {made_for.get('model')}, but the settings ask for {model}"
        raise RunRefusal(path, found, "the same model", f"Ask for {made_for.get('model')}, or train anew.")
    _refuse_not_finite(path, restored(state))
    return state


def _refuse_not_finite(path: Path, state: dict[str, Tensor]) -> None:
    bad = {name: int((~value.isfinite()).sum()) for name, value in state.items() if not value.isfinite().all()}
    if bad:
        count = sum(bad.values())
        words = "1 number that is" if count == 1 else f"{count:,} numbers that are"
        found = f"{words} not finite (in {some_of(sorted(bad), 3)})"
        raise RunRefusal(path, found, "finite weights", DAMAGED)


def halve_weights(source: Path, target: Path, *, model: str, group: str) -> str:
    """Copy weights in half the digits, as teams keep them on disk; the hash of the copy, as `hash_of`.

    Raises
    ------
    RunRefusal : as `read_weights`, and numbers too large for float16.
    """
    state = read_weights(source, model=model, group=group)
    halved = {name: value.half() if value.dtype == torch.float32 else value for name, value in state.items()}
    _refuse_not_finite(source, halved)
    write_weights(target, halved, model=model, group=group)
    return hash_of(halved)


def restored(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in the digits that they are used in: float16 on disk, float32 in use."""
    return {name: value.float() if value.is_floating_point() and value.itemsize < 4 else value for name, value in state.items()}


def hash_of(state: dict[str, Tensor]) -> str:
    """SHA-256 of weights in the order of their names, in the digits that they are used in: what a card holds."""
    return numbers_hash([{name: value.numpy() for name, value in restored(state).items()}])


def refuse_other_weights(path: Path, state: dict[str, Tensor], expected: str) -> None:
    """Refuse weights that are not those of a card; one of an older version, which holds no hash (""), knows nothing of them."""
    if expected and hash_of(state) != expected:
        found, wanted = f"weights of hash {hash_of(state)[:12]}", f"{expected[:12]}, as the card says"
        raise RunRefusal(path, found, wanted, "Put the file back that the card belongs to, or train anew.")


class HasState(Protocol):
    """A torch module, or whatever gives and takes its weights as one does."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


def load_into(network: HasState, state: dict[str, Tensor], where: Path) -> None:
    """Load a state dict, refusing one of other shapes, or with whole numbers for weights, in one line."""
    own = network.state_dict()
    missing, surplus = own.keys() - state.keys(), state.keys() - own.keys()
    odd = [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    if missing or surplus or odd:
        first = min([*missing, *surplus, *odd])
        found = f"{len(missing)} tensors missing, {len(surplus)} unknown, {len(odd)} of another shape ({first} first)"
        raise RunRefusal(
            where, found, "the weights of the network that the settings describe", "Use the settings that it was trained with."
        )
    if whole := sorted(name for name in own if own[name].is_floating_point() != state[name].is_floating_point()):
        raise RunRefusal(where, f"{whole[0]} holds {str(state[whole[0]].dtype).removeprefix('torch.')}", "floating-point weights", DAMAGED)
    network.load_state_dict(state)
