"""Classify radio galaxies with group-equivariant self-attention, and see why."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Catalogue", "Settings", "Team", "list_models", "load", "open_data", "train"]

_HOMES = {
    "Catalogue": "equiradio.inference.catalogue",
    "Settings": "equiradio.settings",
    "Team": "equiradio.inference.team",
    "list_models": "equiradio.artefacts.shelf",
    "load": "equiradio.inference.team",
    "open_data": "equiradio.datasets.registry",
    "train": "equiradio.training.fit",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch and lightning take seconds that ``equiradio --help`` need not pay."""
    if name not in _HOMES:
        raise AttributeError(f"module 'equiradio' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
