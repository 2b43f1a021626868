"""Compile what the package holds in C when it is built: layers' kernels, and resampling of images. Without a compiler it works without.

``CC`` names the compiler; ``EQUIRADIO_KERNELS=off`` leaves them out.
"""

import os
import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LAYERS, SKY = Path("src/equiradio/layers/forms/native"), Path("src/equiradio/sky")
FLAGS = ["-O3", "-std=c11", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC"]
QUICK, AS_WRITTEN = "-ffp-contract=fast", "-ffp-contract=off"  # the latter: sums are to have the bits that numpy's have
AVX512 = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"]
VARIANTS = {
    "avx512bf16": [*AVX512, "-mavx512bf16"],
    "avx512": AVX512,
    "avx2": ["-mavx2", "-mfma"],
    "plain": [],
}  # as layers/forms/native/library.py names them


class Kernels(BuildHookInterface):
    """One file for each kind of processor that the compiler knows; a wheel that holds them is for one platform."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compiler = shutil.which(os.environ.get("CC") or "cc")
        if compiler is None or os.environ.get("EQUIRADIO_KERNELS") == "off":
            self.app.display_warning("equiradio: no C compiler, so nothing compiled; layers take their other forms")
            return
        source, asked = LAYERS / "steerable.c", [(SKY / "resampling.c", SKY / "resampling.so", [AS_WRITTEN])]
        for name, flags in VARIANTS.items():
            if not flags or platform.machine() in ("x86_64", "AMD64"):
                asked.append((source, LAYERS / f"steerable-{name}.so", [QUICK, *flags]))
        files = [file for source, file, flags in asked if self._is_compiled(compiler, source, file, flags)]
        if files and self.target_name == "wheel":
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
            build_data["artifacts"] += [f"/{file.as_posix()}" for file in files]

    def _is_compiled(self, compiler: str, source: Path, file: Path, flags: list[str]) -> bool:
        part = file.with_suffix(".part")
        command = [compiler, *FLAGS, *flags, str(source), "-o", str(part), "-lm"]
        answer = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if answer.returncode:
            self.app.display_warning(f"equiradio: {file.name} could not be compiled: {answer.stderr.strip()[-300:]}")
            return False
        os.replace(Path(self.root) / part, Path(self.root) / file)
        return True
