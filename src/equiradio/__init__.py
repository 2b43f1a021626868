"""Classify radio galaxies with group-equivariant self-attention, and see why."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equiradio.artefacts.shelf import list_models
    from equiradio.datasets.registry import open_data
    from equiradio.inference.cascade import load_cascade
    from equiradio.inference.catalogue import Catalogue
    from equiradio.inference.team import Team, load
    from equiradio.settings import Settings
    from equiradio.training.fit import train
    from equiradio.training.start import fine_tune
    from equiradio.verbs.estimator import RadioGalaxyClassifier
    from equiradio.verbs.evaluate_team import evaluate_team

    __version__: str

__all__ = [
    "Catalogue",
    "RadioGalaxyClassifier",
    "Settings",
    "Team",
    "evaluate_team",
    "fine_tune",
    "list_models",
    "load",
    "load_cascade",
    "open_data",
    "train",
]

_HOMES = {
    "Catalogue": "equiradio.inference.catalogue",
    "RadioGalaxyClassifier": "equiradio.verbs.estimator",
    "Settings": "equiradio.settings",
    "Team": "equiradio.inference.team",
    "evaluate_team": "equiradio.verbs.evaluate_team",
    "fine_tune": "equiradio.training.start",
    "list_models": "equiradio.artefacts.shelf",
    "load": "equiradio.inference.team",
    "load_cascade": "equiradio.inference.cascade",
    "open_data": "equiradio.datasets.registry",
    "train": "equiradio.training.fit",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch and lightning take seconds that ``equiradio --help`` need not pay."""
    if name == "__version__":
        from equiradio.version import version

        return version()
    if name not in _HOMES:
        raise AttributeError(f"module 'equiradio' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
