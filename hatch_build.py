"""Compile the kernels of `equiradio.layers.forms.native` when the package is built. Without a compiler it works without them.

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

FOLDER = Path("src/equiradio/layers/forms/native")
FLAGS = ["-O3", "-std=c11", "-ffp-contract=fast", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC"]
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
            self.app.display_warning("equiradio: no C compiler, so no compiled kernels; layers take their other forms")
            return
        files = [file for name, flags in VARIANTS.items() if (file := self._compiled(compiler, name, flags))]
        if files and self.target_name == "wheel":
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
            build_data["artifacts"] += [f"/{file.as_posix()}" for file in files]

    def _compiled(self, compiler: str, name: str, flags: list[str]) -> Path | None:
        if flags and platform.machine() not in ("x86_64", "AMD64"):
            return None
        file = FOLDER / f"steerable-{name}.so"
        part = file.with_suffix(".part")
        command = [compiler, *FLAGS, *flags, str(FOLDER / "steerable.c"), "-o", str(part)]
        answer = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if answer.returncode:
            self.app.display_warning(f"equiradio: kernels for {name} could not be compiled: {answer.stderr.strip()[-300:]}")
            return None
        os.replace(Path(self.root) / part, Path(self.root) / file)
        return file
