"""Files or arrays in, a catalogue out: reading goes on in a thread while the network answers."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from equiradio.artefacts.catalogue import CATALOGUE
from equiradio.artefacts.packaged import PACKAGED
from equiradio.data.cutout import Cutout
from equiradio.data.fits import read_cutout
from equiradio.data.preprocess import SIDE
from equiradio.errors import ImageRefusal
from equiradio.inference.answering import Answers, Calibration, answer
from equiradio.inference.classifier import Classifier
from equiradio.inference.evidence import gathered, readings
from equiradio.inference.rows import answered_rows, refused_row

BATCH = 16  # sources answered at once, and read ahead

Source = str | Path | np.ndarray


def calibration_of(classifier: Classifier) -> Calibration:
    """What was chosen for these weights on validation; a run has nothing of the kind."""
    return Calibration.of(classifier, PACKAGED / classifier.card.model)


def read_any(number: int, source: Source, **options: Any) -> Cutout | ImageRefusal:
    """A file's cutout, or an array's; what is wrong with it is returned and not raised."""
    try:
        if not isinstance(source, np.ndarray):
            return read_cutout(source, **options)
        name = f"array {number}"
        if source.shape != (SIDE, SIDE) or source.dtype != np.uint8:
            found = f"{source.dtype} {' x '.join(map(str, source.shape))}"
            raise ImageRefusal("wrong_shape", name, found, f"uint8 {SIDE} x {SIDE}", "Write a FITS file, or use read_cutout.")
        if source.max() == source.min():
            raise ImageRefusal("blank", name, f"all pixels are {source.max()}", "a source", "Choose another image.")
        return Cutout(name, 0, source, flags=frozenset({"no_wcs"}))
    except ImageRefusal as refusal:
        return refusal


def batches(sources: Iterable[Source], size: int = BATCH, **options: Any) -> Iterator[list[tuple[Source, Cutout | ImageRefusal]]]:
    """Sources with their cutouts, ``size`` at a time; the next batch is read while the caller works on this one."""
    numbered = enumerate(sources)
    with ThreadPoolExecutor(1) as reader:

        def ahead() -> list[tuple[Source, Future]]:
            return [(source, reader.submit(read_any, number, source, **options)) for number, source in islice(numbered, size)]

        coming = ahead()
        while coming:
            now, coming = coming, ahead()
            try:
                yield [(source, future.result()) for source, future in now]
            except BaseException:
                reader.shutdown(wait=False, cancel_futures=True)
                raise


def answered(
    classifier: Classifier, calibration: Calibration, batch: list[tuple[Source, Cutout | ImageRefusal]]
) -> tuple[list[dict[str, Any]], list[Cutout], Answers | None]:
    """Rows of a batch in its order, and the cutouts that were answered with their answers."""
    cutouts = [cutout for _, cutout in batch if isinstance(cutout, Cutout)]
    answers = answer(classifier, calibration, np.stack([cutout.image for cutout in cutouts])) if cutouts else None
    known = iter(answered_rows(cutouts, answers, classifier.name, calibration.threshold is not None) if answers else [])
    rows = [next(known) if isinstance(what, Cutout) else refused_row(what, what.where, classifier.name) for _, what in batch]
    return rows, cutouts, answers


def catalogue(classifier: Classifier, sources: Iterable[Source], **options: Any) -> pa.Table:
    """One row for each source."""
    calibration = calibration_of(classifier)
    rows = [row for batch in batches(sources, **options) for row in answered(classifier, calibration, batch)[0]]
    return pa.Table.from_pylist(rows, schema=CATALOGUE)


def attention(classifier: Classifier, sources: Iterable[Source], **options: Any) -> np.ndarray:
    """Maps of each source, nan for one that cannot be used."""
    calibration, maps = Calibration(poses=1), []
    for batch in batches(sources, **options):
        _, _, answers = answered(classifier, calibration, batch)
        known = iter(answers.attention if answers else [])
        empty = np.full((SIDE, SIDE), np.nan, np.float32)
        maps += [next(known) if isinstance(what, Cutout) else empty for _, what in batch]
    return np.stack(maps) if maps else np.empty((0, SIDE, SIDE), np.float32)


def evidence(classifier: Classifier, sources: Iterable[Source], **options: Any) -> np.ndarray:
    """What each pixel of each source adds to the log-odds of FRII, nan for a source that cannot be used.

    Raises
    ------
    SettingRefusal : the network's answers are no sum over pixels.
    """
    for member in classifier.members:
        readings(member.network)
    calibration, maps = Calibration(poses=1), []
    for batch in batches(sources, **options):
        with gathered(classifier.members, sum(isinstance(what, Cutout) for _, what in batch)) as told:
            answered(classifier, calibration, batch)
        known = iter(told())
        empty = np.full((SIDE, SIDE), np.nan, np.float32)
        maps += [next(known).plane if isinstance(what, Cutout) else empty for _, what in batch]  # type: ignore[union-attr]
    return np.stack(maps) if maps else np.empty((0, SIDE, SIDE), np.float32)
