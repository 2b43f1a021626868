"""Cutouts and answers to rows of the catalogue."""

import math
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np

from equiradio.artefacts import flags as quality
from equiradio.artefacts.catalogue import Row, catalogue_schema, spread_columns
from equiradio.errors import ImageRefusal
from equiradio.inference.answers import Answers
from equiradio.inference.calibration import Calibration
from equiradio.inference.evidence import PixelEvidence
from equiradio.labels import Labels
from equiradio.printable import printable
from equiradio.sky.cutout import Cutout, position

ABSTAINS = frozenset(
    {"unusual", "unresolved", "beam_untested", "not_detected", "off_target", "other_quantity"}
)  # flags of what it cannot tell the class of
UNMEASURED = frozenset(
    {"not_detected", "off_target", "other_frequency", "raised_sky", "lowered_sky", "other_quantity"}
)  # how right such answers are
CUT_SHORT = frozenset({"padded", "cut_off"})  # together: the source goes on where the file ends
ENDINGS = (".gz", ".fz", ".fits", ".fit", ".fts", ".png", ".npy")


def source_name(file: str) -> str:
    """A file's name without its folder and the suffixes of an image."""
    whole = name = printable(Path(file).name)
    for suffix in ENDINGS:
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return name or whole


def refused_row(refusal: ImageRefusal, file: str, model: str, labels: Labels) -> Row:
    """A source without an answer."""
    return _row(file, model, {refusal.flag}, labels, {"answered": False, "uncertain": True})


def answered_rows(cutouts: Sequence[Cutout], answers: Answers, model: str, labels: Labels, calibration: Calibration) -> list[Row]:
    """A row for each cutout that was asked about; one whose answer is not finite has none."""
    rows, maps = [], answers.attention if answers.gates.shape[1] else None
    for number, cutout in enumerate(cutouts):
        flags = set(cutout.flags | cutout.doubts) | (set() if calibration.calibrated_for(cutout.beam) else {"uncalibrated"})
        flags |= {"unresolved"} if calibration.unresolved(cutout.shape.beams_across) else set()
        flags |= calibration.of_beam(cutout.beam, cutout.file_pixel_arcsec)
        place = {"hdu": cutout.hdu, "ra_deg": _finite(cutout.ra_deg), "dec_deg": _finite(cutout.dec_deg), "padded_share": cutout.padded}
        place |= vars(cutout.shape)
        if not answers.answered[number]:
            nothing = place | {"answered": False, "uncertain": True}
            rows.append(_row(cutout.name, model, flags | {"not_finite_answer"}, labels, nothing))
            continue
        flags |= {"unusual"} if answers.unusual[number] else set()
        column, row = (-1, -1) if maps is None else peak(maps[number])
        ra, dec = position(cutout.wcs, column, row) if column >= 0 else (math.nan, math.nan)
        level = calibration.threshold_of(cutout.beam)
        unsure = bool(answers.uncertain[number]) or abstains(flags) or bool(answers.p[number].max() < (level or 0.0))
        cells = place | {
            "answered": True,
            "label": labels.names[answers.top[number]],
            **dict(zip(labels.columns(), map(float, answers.p[number]), strict=True)),
            "uncertain": unsure,
            **_promises(cutout, flags, answers.own[number], labels, calibration, answered=not unsure),
            **_sums(answers.evidence[number]),
            "attention_peak_ra_deg": _finite(ra),
            "attention_peak_dec_deg": _finite(dec),
            "map_agreement": _finite(float(answers.agreement[number])),
        }
        for of, low, high in spread_columns(labels):
            cells |= {low: float(answers.low[number, of]), high: float(answers.high[number, of])}
        rows.append(_row(cutout.name, model, flags, labels, cells))
    return rows


def abstains(flags: Set[str]) -> bool:
    """Whether a source with these flags is abstained from, however probable a class."""
    return not flags.isdisjoint(ABSTAINS) or flags >= CUT_SHORT


def _promises(cutout: Cutout, flags: Set[str], p: np.ndarray, labels: Labels, calibration: Calibration, *, answered: bool) -> Row:
    """The set of classes and how right such answers are; ``p`` (classes,) for the mix learned from. Nothing where neither was measured."""
    if not flags.isdisjoint(UNMEASURED) or flags >= CUT_SHORT:
        return {}
    return {
        "set": None if "beam_untested" in flags else calibration.set_of(p, labels, cutout.beam),
        "expected_accuracy": calibration.expected_accuracy(cutout.beam, cutout.shape.beams_across, answered=answered),
    }


def _sums(evidence: PixelEvidence | None) -> Row:
    """Both sums of pixels, the constant, and how alike the members' evidence is; nothing where there is no evidence."""
    if evidence is None:
        return {}
    against, speaking = evidence.sides
    sums = {"evidence_against": against, "evidence_for": speaking, "evidence_constant": evidence.constant}
    return sums | {"evidence_agreement": evidence.agreement}


def peak(attention: np.ndarray) -> tuple[int, int]:
    """Column and row of the brightest pixel; -1, -1 where there is no map."""
    if not np.isfinite(attention).any():
        return -1, -1
    row, column = np.unravel_index(int(np.nanargmax(attention)), attention.shape)
    return int(column), int(row)


def _finite(number: float) -> float | None:
    """None for what is unknown."""
    return number if math.isfinite(number) else None


def _row(file: str, model: str, flags: set[str], labels: Labels, cells: Row) -> Row:
    """A cell for every column; None where ``cells`` has no answer."""
    number = quality.bits(flags)
    flagged = {"flags": number, "flag_names": " ".join(quality.names(number))}
    named = {"source_id": source_name(file), "file": printable(file), "model": model}
    return dict.fromkeys(catalogue_schema(labels).names) | named | cells | flagged
