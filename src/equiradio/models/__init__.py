"""Whole networks, by name. `names` needs no torch; everything else is imported on first use."""

from typing import Any

__all__ = ["MODELS", "TABLE1", "GatedNet", "Network", "Output", "build", "group_of"]

_HOMES = {
    "MODELS": "names",
    "TABLE1": "names",
    "group_of": "names",
    "GatedNet": "gated",
    "Network": "network",
    "Output": "network",
    "build": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
