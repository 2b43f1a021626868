"""The batch script of a SLURM array, each of whose tasks answers one part of a survey."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from equiradio.artefacts.atomic import write_text
from equiradio.survey.plan import Asked

MOST = 64  # parts, unless more are asked for


def parts_for(shards: int, asked: int | None) -> int:
    """How many tasks: as many as are asked for, but none without a shard."""
    return max(1, min(shards, MOST if asked is None else asked))


def arguments_of(asked: Asked, out: Path, choices: Mapping[str, Any]) -> list[str]:
    """The command line of ``equiradio survey`` that asks the same; ``choices`` are its options of the team."""
    given: dict[str, Any] = {f"--{what}": name for what, name in asdict(asked.chosen).items()}
    given |= {"--shard-size": asked.shard_size, "--features": asked.features, "--max-nonfinite": asked.max_nonfinite}
    beam = asked.options.get("beam")
    given |= {"--hdu": asked.options.get("hdu"), "--plane": asked.options.get("plane")}
    given |= {"--beam": None if beam is None else ",".join(f"{number:.17g}" for number in beam), "--hash": asked.contents, **choices}
    words = [str(asked.catalogue), *asked.beside]
    for name in asked.images:
        words += ["--images", name]
    words += ["--out", str(out)]
    for option, value in given.items():
        if value is not None and value is not False:
            words += [option] if value is True else [option, str(value)]
    return words


def write_script(file: Path, arguments: Sequence[str], out: Path, parts: int, *, readers: int = 1, gpu: bool = False) -> None:
    """Write the script; ``arguments`` are those of ``equiradio survey``, without ``--part``; ``readers`` and ``gpu`` what a task needs."""
    line = shlex.join(["equiradio", "survey", *arguments])
    merge = shlex.join(["equiradio", "survey", "merge", str(out)])
    on_gpu = "#SBATCH --gpus-per-task=1\n" if gpu else ""
    write_text(
        file,
        f"""#!/bin/bash
#SBATCH --job-name=equiradio-survey
#SBATCH --array=1-{parts}
#SBATCH --cpus-per-task={1 + max(readers, 1)}
{on_gpu}#SBATCH --output={shlex.quote(str(out / "slurm-%a.log"))}
# Submit with 'sbatch {shlex.quote(str(file))}' from the folder in which it was planned. A task that was stopped goes on where it was when
# it is submitted again (--array=K). When all are done: {merge}
exec {line} --part "$SLURM_ARRAY_TASK_ID/{parts}"
""",
    )
