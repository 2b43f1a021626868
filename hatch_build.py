"""Compile what the package holds in C when it is built: layers' kernels, and resampling of images. Without a compiler it works without.

``CC`` names the compiler; ``EQUIRADIO_KERNELS=off`` leaves them out. In a checkout ``python hatch_build.py`` compiles them alone, and
``python hatch_build.py avx2`` those of one kind of processor.
"""

import os
import platform
import runpy
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
LAYERS, SKY = Path("src/equiradio/layers/forms/native"), Path("src/equiradio/sky")
FLAGS = ["-O3", "-std=c11", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC", "-pthread"]
QUICK, AS_WRITTEN = "-ffp-contract=fast", "-ffp-contract=off"  # the latter: sums are to have the bits that numpy's have
AVX512 = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"]
BF16 = [*AVX512, "-mavx512bf16"]
VARIANTS = {
    "amx": [*BF16, "-mamx-tile", "-mamx-bf16"],
    "avx512bf16": BF16,
    "avx512": AVX512,
    "avx2": ["-mavx2", "-mfma"],
    "plain": [],
}  # as layers/forms/native/library.py names them
HERE = [name for name, flags in VARIANTS.items() if not flags or platform.machine() in ("x86_64", "AMD64")]


def made_of(folder: Path) -> str:
    """The flag by which a library names its sources, which the package compares with those beside it."""
    digest = runpy.run_path(str(ROOT / "src/equiradio/libraries.py"))["digest"]
    return f'-DMADE_OF="{digest(folder)}"'


def compiled(names: Iterable[str], warn: Callable[[str], object]) -> list[Path]:
    """The libraries that could be compiled: of these kinds of processor, and the one that resamples."""
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None or os.environ.get("EQUIRADIO_KERNELS") == "off":
        warn("equiradio: no C compiler, so nothing compiled; layers take their other forms")
        return []
    asked = [(SKY / "resampling.c", SKY / "resampling.so", [AS_WRITTEN])]
    asked += [(LAYERS / "steerable.c", LAYERS / f"steerable-{name}.so", [QUICK, *VARIANTS[name]]) for name in names]
    return [file for source, file, flags in asked if is_compiled(compiler, source, file, flags, warn)]


def is_compiled(compiler: str, source: Path, file: Path, flags: list[str], warn: Callable[[str], object]) -> bool:
    part = file.with_suffix(".part")
    command = [compiler, *FLAGS, *flags, made_of(ROOT / source.parent), str(source), "-o", str(part), "-lm"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        warn(f"equiradio: {file.name} could not be compiled: {answer.stderr.strip()[-300:]}")
        return False
    os.replace(ROOT / part, ROOT / file)
    return True


class Kernels(BuildHookInterface):
    """One file for each kind of processor that the compiler knows; a wheel that holds them is for one platform."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        files = compiled(HERE, self.app.display_warning)
        if files and self.target_name == "wheel":
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
            build_data["artifacts"] += [f"/{file.as_posix()}" for file in files]


if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in HERE]
    sys.exit(f"{unknown[0]}: expected some of {', '.join(HERE)}, or none for all" if unknown else not compiled(sys.argv[1:] or HERE, print))
