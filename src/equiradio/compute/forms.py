"""The form of each steerable layer, settled once: as the run has it, else as this machine has measured it, else measured now."""

import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from equiradio.artefacts.forms import Choice, machine_file, read_choices, write_choices
from equiradio.compute.device import full_float32
from equiradio.compute.form_timing import by_rule, plan_forms, take
from equiradio.errors import RunRefusal


def settle_forms(
    network: nn.Module,
    plan_file: Path,
    *,
    batch: int,
    precision: str,
    training: bool,
    device: str = "cpu",
    form: str = "auto",
    progress: Callable[[str, int, int], object] = lambda what, done, total: None,
) -> dict[str, Choice]:
    """Give every steerable layer its form, and keep what was measured for this run and for this machine.

    Parameters
    ----------
    plan_file : the run's; its choices are kept, so that a resumed or repeated run computes as before.
    batch, precision, training, device : what the network will be asked: see `plan_forms`.
    form : auto to choose by measurement; dense, fourier or winograd to measure nothing and take that one everywhere.

    Returns
    -------
    The choice of each layer, by its name.
    """
    pin = None if form == "auto" else form
    of_run = read_choices(plan_file)
    cache = machine_file(machine(device))
    of_machine: dict[str, Choice] = {}
    with suppress(RunRefusal):  # a damaged cache is measured anew
        of_machine = read_choices(cache)
    with full_float32():
        choices = plan_forms(network, batch, precision, training, device, pin, of_machine | of_run, progress=progress)
    measured = {choice.case: choice for choice in choices.values() if choice.dense_ms is not None}
    if measured.keys() - of_run.keys():
        write_choices(plan_file, of_run | measured)
    if measured.keys() - of_machine.keys():
        with suppress(OSError):  # a cache that cannot be written is no reason to stop
            write_choices(cache, measured | of_machine)
    return choices


def take_likely_forms(network: nn.Module, form: str, precision: str = "float32", device: str = "cpu") -> None:
    """Forms without measuring: the one given, or for ``auto`` by a rule that holds on every machine seen."""
    likely = by_rule(network, precision, device)
    take(network, likely if form == "auto" else dict.fromkeys(likely, form))


def machine(device: str) -> str:
    """All that a timing depends on: processor, threads, version of PyTorch."""
    name = torch.cuda.get_device_name() if device == "cuda" else f"{_processor()}, {torch.get_num_threads()} threads"
    return f"{name}, torch {torch.__version__}"


def _processor() -> str:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        words = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in lines if ":" in line}
        return " ".join(words.get(name, "") for name in ("model name", "cpu family", "model", "stepping"))
    return f"{platform.machine()} {platform.processor()}"
