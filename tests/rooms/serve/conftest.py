"""What the tests of the viewer share: a source, networks in an instant, and teams of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from equiradio.artefacts.run import Run
from equiradio.datasets.simulated import simulate
from equiradio.inference.team import load
from equiradio.serve.held import Held
from equiradio.serve.networks import Networks, offered


@pytest.fixture(scope="session")
def source() -> Held:
    return Held("upload/a", "a", simulate(1, 0).images[0])


@pytest.fixture(scope="module")
def networks(untrained) -> Networks:
    """An exact network, a plain one, and one without attention."""
    models = ("c4-attention", "attention", "lenet")
    return Networks([offered(str(untrained(model, **({} if model == "lenet" else {"kernel_size": 3})))) for model in models])


@pytest.fixture(scope="session")
def team_folder(untrained, tmp_path_factory) -> Callable[..., Path]:
    """The folder of a team of untrained networks, to whom nothing is unusual; ``card`` is written into its card."""

    def folder(model: str, seeds: tuple[int, ...] = (0, 1), card: dict[str, Any] | None = None, **changes: Any) -> Path:
        runs = [Run(untrained(model, seed, **changes)) for seed in seeds]
        path = tmp_path_factory.mktemp("teams") / f"{model}-team"
        path.mkdir()
        for seed, run in zip(seeds, runs, strict=True):
            shutil.copy(run.weights_file, path / f"seed{seed}.safetensors")
        members = [json.loads(run.card_file.read_text()) for run in runs]
        settings = {f"model.{name}": value for name, value in changes.items() if name != "classes"}
        width = load(runs[0].folder, "cpu").features(simulate(1, 0).images[0]).shape[-1]
        centre, precision = np.zeros((len(runs), width)), np.tile(np.eye(width), (len(runs), 1, 1))
        save_file({"centre": centre, "precision": precision}, path / "known.safetensors")
        known = {"file": "known.safetensors", "reach": 1e9}
        chosen = {"poses": 3, "temperature": 1.0, "threshold": 0.5, "out_of_distribution": known} | (card or {})
        (path / "card.json").write_text(json.dumps({"model": model, "members": members, "settings": settings} | chosen))
        return path

    return folder


@pytest.fixture
def calibrated(team_folder) -> Path:
    """Two LeNets with a temperature, a threshold and a distance."""
    return team_folder("lenet", card={"temperature": 0.01, "threshold": 0.75})


@pytest.fixture(scope="session")
def shapes_team(team_folder) -> Path:
    """Three networks that tell four classes apart."""
    return team_folder("c4-attention", (0, 1, 2), kernel_size=3, classes=("FRI", "FRII", "Compact", "Bent"))
