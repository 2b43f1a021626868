"""What tests in several rooms share: real images where they are, and small trained runs."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported: two test processes share two cores

from equiradio.datasets.mirabest import find_mirabest
from equiradio.folders import data_folder
from equiradio.settings import Settings, change, preset

hypothesis.settings.register_profile("untimed", deadline=None, max_examples=30)  # how long an example takes is the machine's affair
hypothesis.settings.load_profile("untimed")


SLOW = Path(__file__).with_name("slow.txt").read_text(encoding="utf-8").split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow.txt, by their function or by one of its cases: `make test` leaves them out, `make test-slow` runs them."""
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name in SLOW or name.partition("[")[0] in SLOW:
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def own_forms(tmp_path_factory) -> Iterator[Path]:
    """What tests measure of layers is kept out of the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equiradio.artefacts.form_choices.user_cache", lambda: folder)
        yield folder


@pytest.fixture(scope="session")
def mirabest_folder() -> Path:
    """The data folder that holds the published MiraBest; tests of real images skip where there is none."""
    folder = data_folder()
    if find_mirabest(folder) is None:
        pytest.skip(f"no MiraBest in {folder / 'mirabest'}: set EQUIRADIO_DATA, or run 'equiradio data fetch mirabest'")
    return folder


@pytest.fixture(scope="session")
def sky(tmp_path_factory) -> Path:
    """A data folder of 36 simulated sources: 24 train, 6 validation, 6 test."""
    from equiradio.datasets.simulated import write_simulated

    return write_simulated(36, 0, tmp_path_factory.mktemp("data") / "sky")


@pytest.fixture(scope="session")
def tiny(sky) -> Callable[..., Settings]:
    """Settings of a training of a second, with changes: ``tiny("lenet", epochs=3)``."""

    def settings(model: str = "lenet", **changes: Any) -> Settings:
        small = {"model.name": model, "data.name": str(sky), "epochs": 2, "batch_size": 8, "precision": "float32"}
        return change(preset("quick"), small | changes)

    return settings


@pytest.fixture(scope="session")
def trained(tiny, tmp_path_factory) -> Callable[..., Path]:
    """The run folder of a model trained once per session; tests may add to it, and must take a `copy_of` it to change or damage it."""
    from equiradio.training.fit import train

    runs: dict[str, Path] = {}

    def run(model: str) -> Path:
        if model not in runs:
            settings = tiny(model, epochs=2 if model == "lenet" else 1)
            runs[model] = train(settings, tmp_path_factory.mktemp("runs") / model, device="cpu").folder
        return runs[model]

    return run


@pytest.fixture
def copy_of(trained, tmp_path) -> Callable[..., Path]:
    """A copy of a trained run, to be damaged."""
    return lambda model: Path(shutil.copytree(trained(model), tmp_path / "run"))


@pytest.fixture(scope="session")
def untrained(tmp_path_factory) -> Callable[..., Path]:
    """The run folder of a network with the weights it was born with, made in an instant: ``untrained("c4-attention", kernel_size=3)``."""
    import torch

    from equiradio.artefacts.card import Card
    from equiradio.artefacts.run import Run
    from equiradio.artefacts.weights import write_weights
    from equiradio.models.names import architecture
    from equiradio.models.registry import build

    runs: dict[str, Path] = {}

    def run(model: str, seed: int = 0, classes: tuple[str, ...] = ("FRI", "FRII"), **changes: Any) -> Path:
        key = f"{model}-{seed}-{classes}-{changes}"
        if key not in runs:
            folder = Run(tmp_path_factory.mktemp("untrained") / f"{model}-seed{seed}")
            settings = change(preset("quick"), {"model.name": model, **{f"model.{name}": value for name, value in changes.items()}})
            torch.manual_seed(seed)
            network, made_of = build(settings.model, classes=len(classes)), architecture(model)
            name = made_of.group_name
            folder.write_settings(settings)
            prepare = {"pixel_mean": 0.0031, "pixel_std": 0.035, "mask_radius": None}
            about = {
                "data": "sky",
                "data_md5": "",
                "sources": {},
                "versions": {},
                "preset": "quick",
                "precision": "float32",
                "device": "CPU",
                "classes": list(classes),
            }
            Card(model, name, made_of.order, 1, prepare, seed=seed, state="finished", **about).write(folder.card_file)
            write_weights(folder.weights_file, network.state_dict(), model=model, group=name)
            runs[key] = folder.folder
        return runs[key]

    return run
