"""What this installation is and whether it is well: nothing is fetched, written or measured."""

import os
import platform
import re
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from textwrap import shorten
from typing import Any

from equiradio.errors import Refusal
from equiradio.folders import data_folder, user_cache
from equiradio.libraries import AGAIN, is_stale
from equiradio.version import checkout, version

OFF = "EQUIRADIO_KERNELS is off"
COMPILED = "compiled kernels make layers quicker"
NEEDED = re.compile(r"[\w.-]+")  # the name that a requirement begins with
EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


@dataclass(frozen=True)
class Health:
    """What there is, what is wrong with it, and what would make it quicker or more able; each fault and hint is a line.

    ``facts`` is what ``equiradio doctor --json`` prints; None stands for what cannot be had here.
    """

    facts: dict[str, Any]
    faults: list[str]
    hints: list[str]

    @property
    def well(self) -> bool:
        """Does what is needed to classify work?"""
        return not self.faults


def examine(data_dir: Path | None = None) -> Health:
    """Look at everything that answers depend on; what fails is a fault of the installation and no error here."""
    health = Health({}, [], [])
    root = checkout()
    health.facts["equiradio"] = {"version": version(), "checkout": None if root is None else str(root)}
    health.facts["python"] = {"version": platform.python_version(), "system": platform.system()}
    try:
        _compute(health)
    except (ImportError, OSError) as error:
        health.facts.update(dict.fromkeys(("torch", "device", "kernels", "bf16")))
        health.faults.append(f"PyTorch cannot be imported ({_short(error)}). Install it again: pip install torch.")
    health.facts["teams"] = _teams(health)
    health.facts["data"] = _data(health, data_dir)
    health.facts["extras"] = extras()
    health.facts["cache"] = _cache(health)
    return health


def _compute(health: Health) -> None:
    """PyTorch, its threads and device, kernels and bf16."""
    import torch

    from equiradio.compute.device import choose_device, choose_precision
    from equiradio.compute.machine import processor, processors

    device, threads, there = choose_device("auto"), torch.get_num_threads(), processors()
    health.facts["torch"] = {"version": torch.__version__, "threads": threads, "processors": there, "processor": processor()}
    gpu = torch.cuda.get_device_name() if device == "cuda" else None
    why = "PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch sees no CUDA device"
    health.facts["device"] = {"name": device, "gpu": gpu, "why": None if gpu else why}
    health.facts["kernels"] = _kernels(health, device)
    health.facts["bf16"] = choose_precision("auto", device) == "bf16"
    if threads < there and device == "cpu":
        health.hints.append(f"PyTorch has {threads} of {there} processors; OMP_NUM_THREADS={there} gives it all of them.")


def _kernels(health: Health, device: str) -> dict[str, Any]:
    """Which compiled kernels are taken, which were compiled, and why none is; and whether images are resampled by compiled code."""
    from equiradio.layers.forms.native.library import VARIANTS, best, file_of, variants_here
    from equiradio.sky.compiled import FILE, library

    used, compiled = best(), [name for name in VARIANTS if file_of(name).is_file()]
    why = _why_none(compiled, variants_here()) if used is None else None
    stale = [file.name for file in (*map(file_of, variants_here()), FILE) if is_stale(file)]
    resampling = library() is not None
    if stale:
        health.hints.append(f"{', '.join(stale)}: not compiled from the C sources beside it; left out, which is slower. {AGAIN}.")
    elif used is None and device == "cpu":
        compiler = shutil.which(os.environ.get("CC") or "cc")
        do = "unset EQUIRADIO_KERNELS and install" if why == OFF else "install"
        do = do if compiler else "put a C compiler (cc) on the path, and install"
        health.hints.append(f"{do[0].upper()}{do[1:]} equiradio again: {COMPILED}.")
    elif used is not None and not resampling:
        health.hints.append("Install equiradio again with a C compiler (cc): images of other pixels than FIRST's are cut more quickly.")
    return {"used": used, "compiled": compiled, "why": why, "resampling": resampling, "stale": stale}


def _why_none(compiled: list[str], here: list[str]) -> str:
    """Why no kernels are taken, of those that were compiled and that this processor can run."""
    if here:
        from equiradio.layers.forms.native.library import file_of

        stale = [name for name in here if is_stale(file_of(name))]
        return f"{', '.join(stale)} not compiled from these sources" if stale else f"{', '.join(here)} cannot be opened here"
    if compiled:
        return f"this processor can run none of {', '.join(compiled)}"
    return OFF if os.environ.get("EQUIRADIO_KERNELS") == "off" else "none were compiled when equiradio was installed"


def _teams(health: Health) -> list[dict[str, Any]]:
    """Teams by name: are the weights here, with the contents that the manifest lists? None where they are not here."""
    from equiradio.artefacts.shelf import default_name, find_team, names_here, team_names

    here, teams, default = names_here(), [], None
    for name in team_names():
        whole = None
        if name in here:
            try:
                find_team(name).card()
                whole = True
            except Refusal as refusal:
                whole = False
                health.faults.append(str(refusal))
        teams.append({"name": name, "here": name in here, "whole": whole})
    if any(team["whole"] for team in teams):
        default = default_name()
    else:
        health.faults.append("No team opens by name. Install the package again, or name a run or team with --model.")
    return [team | {"default": team["name"] == default} for team in teams]


def _data(health: Health, data_dir: Path | None) -> dict[str, Any]:
    """The data folder, and the data sets: where each lies, and whether its checksums agree (None without published ones)."""
    from equiradio.datasets.registry import data_sets

    folder = data_folder(data_dir)
    sets: list[dict[str, Any]] = []
    checked: dict[str, bool | None] = {}  # by module: sets of one module lie in the same files
    for name, each in data_sets().items():
        if each.__name__ not in checked:
            checked[each.__name__] = _checksums(health, name, each, data_dir)
        sets.append({"name": name, "where": str(each.where(data_dir)) if hasattr(each, "where") else None, "whole": checked[each.__name__]})
    return {"folder": str(folder), "exists": folder.is_dir(), "sets": sets}


def _checksums(health: Health, name: str, each: Any, data_dir: Path | None) -> bool | None:
    """Do the files of a data set have the published checksums? None where it has none, or is not here."""
    if not hasattr(each, "verify"):
        return None
    try:
        wrong = [check.file for check in each.verify(data_dir) if check.actual != check.expected]
    except Refusal:
        health.hints.append(f"To train on {name} or to evaluate on it: equiradio data fetch {name}.")
        return None
    if wrong:
        health.hints.append(f"{name}: {', '.join(wrong)} not as published. Fetch it again: equiradio data fetch {name}.")
    return not wrong


def extras() -> dict[str, bool | None]:
    """The optional parts of the package, and whether all that they need is installed; none where the package itself is not."""
    try:
        requirements = metadata.requires("equiradio") or []
    except metadata.PackageNotFoundError:
        return {}
    whole: dict[str, bool | None] = {}
    for line in requirements:
        extra, needed = EXTRA.search(line), NEEDED.match(line)
        if extra and needed and extra[1] not in ("dev", "docs"):
            whole[extra[1]] = bool(whole.get(extra[1], True)) and _installed(needed[0])
    return dict(sorted(whole.items()))


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _cache(health: Health) -> dict[str, Any]:
    """Where measured forms and fetched weights are kept, and whether they can be."""
    folder = user_cache()
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    if not writable:
        health.hints.append(f"{folder} cannot be written: forms of layers are measured anew by each training. Set XDG_CACHE_HOME.")
    return {"folder": str(folder), "writable": writable}


def _short(error: Exception) -> str:
    return shorten(f"{type(error).__name__}: {error}", 160, placeholder=" ...")
