"""Weights as safetensors, with the name of the network they fit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from equiradio.artefacts.atomic import write_atomically
from equiradio.errors import RunRefusal


def write_weights(path: Path, state: dict[str, Tensor], *, model: str, group: str) -> None:
    """Write a state dict atomically, with ``model`` and ``group`` in its header."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    write_atomically(path, lambda part: save_file(tensors, part, metadata={"model": model, "group": group}))


def read_weights(path: Path, *, model: str, group: str) -> dict[str, Tensor]:
    """The state dict in a file made for this network.

    Raises
    ------
    RunRefusal : missing, damaged, or made for another network.
    """
    if not path.is_file():
        raise RunRefusal(path, "no such file", "trained weights", "Finish the training (equiradio train ... --resume), or train anew.")
    try:
        with safe_open(path, framework="pt") as file:
            made_for = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise RunRefusal(path, f"{path.stat().st_size:,} bytes that are no safetensors ({error})", "whole weights", "Train anew.") from None
    if made_for.get("group") != group:
        found = f"made for group {made_for.get('group')}, but the settings ask for {group}"
        raise RunRefusal(path, found, "the same group", f"Ask for group {made_for.get('group')}, or train anew.")
    if made_for.get("model") != model:
        found = f"made for model {made_for.get('model')}, but the settings ask for {model}"
        raise RunRefusal(path, found, "the same model", f"Ask for {made_for.get('model')}, or train anew.")
    return state


def halve_weights(source: Path, target: Path, *, model: str, group: str) -> None:
    """Copy weights in half the digits, as teams keep them on disk."""
    state = read_weights(source, model=model, group=group)
    halved = {name: value.half() if value.dtype == torch.float32 else value for name, value in state.items()}
    write_weights(target, halved, model=model, group=group)


class HasState(Protocol):
    """A torch module, or whatever gives and takes its weights as one does."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


def load_into(network: HasState, state: dict[str, Tensor], where: Path) -> None:
    """Load a state dict, refusing one of other shapes in one line."""
    own = network.state_dict()
    missing, surplus = own.keys() - state.keys(), state.keys() - own.keys()
    odd = [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    if missing or surplus or odd:
        first = min([*missing, *surplus, *odd])
        found = f"{len(missing)} tensors missing, {len(surplus)} unknown, {len(odd)} of another shape ({first} first)"
        raise RunRefusal(
            where, found, "the weights of the network that the settings describe", "Use the settings that it was trained with."
        )
    network.load_state_dict(state)
