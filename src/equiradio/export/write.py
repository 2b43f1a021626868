"""Exported networks as files: ONNX for any runtime, and a PyTorch program; each is opened again and compared before it is kept."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiradio.artefacts.atomic import write_atomically
from equiradio.errors import Refusal, SettingRefusal
from equiradio.export.plain import Plain, export, export_team
from equiradio.inference.team import Team
from equiradio.version import commit, version

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
TOLERANCE = 1e-5  # by which a probability may differ when the file is opened again
NULL = "null"  # in metadata: never chosen
BATCHES = (1, 5)  # of the images that it is compared on


def write_export(team: Team, path: Path, kind: str) -> float:
    """Write a team (a run is a team of one) as a file that needs no equiradio.

    Parameters
    ----------
    path : must not exist yet.
    kind : onnx (one file for ONNX Runtime and others) or torch (a ``torch.export`` program, usually ``.pt2``).

    Returns
    -------
    The largest difference of a probability between the file and the team (asked about the image as it is), on random images in batches
    of 1 and 5.

    Raises
    ------
    SettingRefusal : an unknown kind, a path that exists or cannot be written, or packages that are missing.
    Refusal : the file's answers differ from the team's by more than 1e-5.
    """
    check_kind(kind)
    team = team.in_poses(1)
    if path.exists():
        raise SettingRefusal(path, "exists already", "a new file", "Choose another --out, or delete it.")
    if team.members[0].device.type != "cpu":
        raise SettingRefusal("--device", team.members[0].device.type, "cpu", "Export on the CPU; the file runs anywhere.")
    write, answers = {"onnx": (_write_onnx, _ask_onnx), "torch": (_write_torch, _ask_torch)}[kind]
    differences: list[float] = []

    def write_and_compare(part: Path) -> None:
        write(team, part)
        differences.append(_difference(team, answers(part)))
        if not differences[0] <= TOLERANCE:
            raise Refusal(
                path, f"the file's probabilities differ by {differences[0]:.1e}", f"at most {TOLERANCE:.0e}", "Try --to torch or onnx."
            )

    try:
        write_atomically(path, write_and_compare)
    except OSError as error:
        raise SettingRefusal(path, f"cannot be written ({error.strerror})", "a place to write to", "Choose another --out.") from None
    return differences[0]


def check_kind(kind: str) -> None:
    """Refuse what is not a kind of file."""
    if kind not in SUFFIXES:
        raise SettingRefusal("--to", f"'{kind}'", " or ".join(SUFFIXES), "Choose one of these.")


def description(team: Team) -> dict[str, str]:
    """The metadata of an exported file."""
    card, side = team.card.members[0], team.recipe.side
    about = {
        "model": card.model,
        "classes": str(team.labels),
        "input": f"images: float32 (batch, 1, {side}, {side}), raw MiraBest pixels 0..255; normalised inside",
        "outputs": "logits (batch, classes); probabilities (batch, classes); attention_1, ... (batch, 1, height, width), shallow to deep",
        "preprocessing": json.dumps(card.preprocessing),
        "data": f"{card.data}, md5 {card.data_md5}",
        "seed": ", ".join(map(str, team.card.seeds)),
        "licence": card.licence,
        "citation": card.citation,
        "equiradio": version(),
        "commit": commit(),
    }
    return about | (_of_one_pose(team) if _of_a_team(team) else {})


def _of_one_pose(team: Team) -> dict[str, str]:
    """What was chosen for the image as it is; null where nothing was, never a number that was chosen for several poses."""
    chosen = team.in_poses(1).calibration
    temperature, threshold, words = f"{chosen.temperature:.6g}", chosen.threshold, "chosen on validation for one pose"
    if not chosen.calibrated:
        words = f"none was chosen for one pose; logits are divided by {temperature}"
        temperature, threshold = NULL, None
    return {
        "members": f"{len(team.members)}: probabilities and maps are means over them, of the image as it is; logits are log probabilities",
        "calibration": words,
        "temperature": temperature,
        "threshold": NULL if threshold is None else f"{threshold:.6g}",
    }


def _of_a_team(team: Team) -> bool:
    """Is there a mean or a temperature? A lone member without them keeps its own logits."""
    return len(team.members) > 1 or team.card.calibrated


def _plain(team: Team) -> Plain:
    return (export_team(team) if _of_a_team(team) else export(team.members[0])).float()


def _some_images(count: int, side: int) -> Tensor:
    """Raw images with a bright source on a dark sky, the same every time."""
    generator = torch.Generator().manual_seed(count)
    noise = torch.rand(count, 1, side, side, generator=generator)
    offset = torch.arange(side) - side / 2
    return 255 * noise * torch.exp(-(offset[:, None] ** 2 + 4 * offset**2) / 800)


def _difference(team: Team, ask: Callable[[Tensor], Any]) -> float:
    largest = 0.0
    for count in BATCHES:
        images = _some_images(count, team.recipe.side)
        with torch.inference_mode():
            logits = [member.network(member.preprocess(images.to(member.device))).logits for member in team.members]
            expected = torch.stack([(each.float() / team.calibration.temperature).softmax(1) for each in logits]).mean(0).cpu().numpy()
        answer = np.asarray(ask(images))
        largest = max(largest, float(np.abs(answer - expected).max()) if answer.shape == expected.shape else np.inf)
    return largest


def _names(plain: Plain) -> list[str]:
    return ["logits", "probabilities", *(f"attention_{number + 1}" for number in range(plain.gate_count))]


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters speak of their own affairs."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "torch.onnx._internal.exporter")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _program(plain: Plain, side: int) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(plain, (_some_images(2, side),), dynamic_shapes=({0: batch},))


def _write_onnx(team: Team, path: Path) -> None:
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise SettingRefusal(
            "--to onnx", f"no package {error.name}", "onnx, onnxruntime and onnxscript", "pip install 'equiradio[onnx]'"
        ) from None
    plain = _plain(team)
    with _quiet(), torch.no_grad():
        side = team.recipe.side
        given: dict[str, Any] = {"input_names": ["images"], "output_names": _names(plain)}
        program = torch.onnx.export(_program(plain, side), (_some_images(2, side),), dynamo=True, **given)
    assert program is not None
    model = program.model_proto
    for key, value in description(team).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)


def _ask_onnx(path: Path) -> Callable[[Tensor], Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda images: session.run(["probabilities"], {"images": images.numpy()})[0]


def _write_torch(team: Team, path: Path) -> None:
    with _quiet(), torch.no_grad(), path.open("wb") as file:
        torch.export.save(
            _program(_plain(team), team.recipe.side), file, extra_files={"description.json": json.dumps(description(team), indent=1)}
        )


def _ask_torch(path: Path) -> Callable[[Tensor], Any]:
    with _quiet(), path.open("rb") as file:
        module = torch.export.load(file).module()

    def ask(images: Tensor) -> np.ndarray:
        with torch.no_grad():
            return module(images)[1].numpy()

    return ask
