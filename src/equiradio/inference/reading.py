"""Files or arrays in, rows and maps out: reading goes on in a thread while the networks answer."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from equiradio.artefacts.catalogue import Row, catalogue_schema
from equiradio.errors import ImageRefusal
from equiradio.inference.answers import Answers, answer
from equiradio.inference.calibration import Calibration
from equiradio.inference.catalogue import Catalogue
from equiradio.inference.member import Member
from equiradio.inference.posed import in_pose
from equiradio.inference.rows import answered_rows, refused_row
from equiradio.labels import Labels
from equiradio.sky.cutout import Cutout
from equiradio.sky.fits import read_cutout, refuse_options
from equiradio.sky.recipe import MIRABEST

BATCH = 16  # sources answered at once, and read ahead

Source = str | Path | np.ndarray


def read_any(number: int, source: Source, **options: Any) -> Cutout | ImageRefusal:
    """A file's cutout, or an array's; what is wrong with it is returned and not raised."""
    try:
        if not isinstance(source, np.ndarray):
            return read_cutout(source, **options)
        name, side = f"array {number}", MIRABEST.side
        refuse_options(name, *(options.get(key) for key in ("hdu", "plane", "ra_deg", "dec_deg")))
        if source.shape != (side, side) or source.dtype != np.uint8:
            found = f"{source.dtype} {' x '.join(map(str, source.shape))}"
            raise ImageRefusal("wrong_shape", name, found, f"uint8 {side} x {side}", "Write a FITS file, or use read_cutout.")
        if source.max() == source.min():
            raise ImageRefusal("blank", name, f"all pixels are {source.max()}", "a source", "Choose another image.")
        return Cutout(name, 0, source, flags=frozenset({"no_wcs"}))
    except ImageRefusal as refusal:
        return refusal


Batch = list[tuple[Source, Cutout | ImageRefusal]]


def batches(sources: Iterable[Source], size: int = BATCH, **options: Any) -> Iterator[Batch]:
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


class Asked(Protocol):
    """Who is asked: a `Team`, or whatever has its members, calibration, name and classes."""

    @property
    def members(self) -> tuple[Member, ...]: ...
    @property
    def calibration(self) -> Calibration: ...
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Labels: ...


class Answered(NamedTuple):
    """Rows of a batch in its order, and the cutouts that were answered with their answers (None where there was none)."""

    rows: list[Row]
    cutouts: list[Cutout]
    answers: Answers | None


def answered(team: Asked, batch: Batch, *, why: bool = False) -> Answered:
    """Ask a team about a batch; ``why`` asks for evidence too."""
    cutouts = [cutout for _, cutout in batch if isinstance(cutout, Cutout)]
    answers = answer(team.members, team.calibration, _images(cutouts), why=why) if cutouts else None
    rows = iter(answered_rows(cutouts, answers, team.name, team.labels, calibrated=team.calibration.calibrated) if answers else [])
    refused = lambda refusal: refused_row(refusal, refusal.where, team.name, team.labels)
    return Answered([next(rows) if isinstance(what, Cutout) else refused(what) for _, what in batch], cutouts, answers)


def _images(cutouts: list[Cutout]) -> np.ndarray:
    return np.stack([cutout.image for cutout in cutouts])


def catalogue(team: Asked, sources: Iterable[Source], **options: Any) -> Catalogue:
    """One row for each source."""
    rows = [row for batch in batches(sources, **options) for row in answered(team, batch).rows]
    return Catalogue(pa.Table.from_pylist(rows, schema=catalogue_schema(team.labels)))


def attention(team: Asked, sources: Iterable[Source], **options: Any) -> np.ndarray:
    """Maps of each source, nan for one that cannot be used."""
    plain = replace(team.calibration, poses=1)
    return _each(sources, (MIRABEST.side,) * 2, np.float32, lambda images: answer(team.members, plain, images).attention, **options)


def evidence(team: Asked, sources: Iterable[Source], **options: Any) -> np.ndarray:
    """Evidence of each pixel of each source, nan for a source that cannot be used; see `Team.evidence`."""
    for member in team.members:
        member.network.readings()  # refuses networks whose answer is no sum over pixels
    plain = replace(team.calibration, poses=1)

    def planes(images: np.ndarray) -> np.ndarray:
        return np.stack([each.plane for each in answer(team.members, plain, images, why=True).evidence if each is not None])

    return _each(sources, (MIRABEST.side,) * 2, np.float32, planes, **options)


def features(team: Asked, sources: Iterable[Source], **options: Any) -> np.ndarray:
    """The members' features side by side, nan for a source that cannot be used."""
    width = lambda vectors: np.concatenate(vectors, 1)
    joined = lambda images: width([in_pose(member, images, 0).features for member in team.members])
    blank = joined(np.zeros((1, MIRABEST.side, MIRABEST.side), np.uint8))
    return _each(sources, blank.shape[1:], np.float64, joined, **options)


def _each(sources: Iterable[Source], shape: tuple[int, ...], kind: type, measure: Any, **options: Any) -> np.ndarray:
    """The result of ``measure`` for the images that can be used, nan for the others: (count, *shape)."""
    parts: list[np.ndarray] = []
    for batch in batches(sources, **options):
        part: np.ndarray = np.full((len(batch), *shape), np.nan, kind)
        usable = [place for place, (_, what) in enumerate(batch) if isinstance(what, Cutout)]
        if usable:
            part[usable] = measure(_images([what for _, what in batch if isinstance(what, Cutout)]))
        parts.append(part)
    return np.concatenate(parts) if parts else np.empty((0, *shape), kind)
