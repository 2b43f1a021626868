"""Files or arrays in, rows and maps out: reading goes on in a thread while the networks answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from equiradio.artefacts.catalogue import Row, catalogue_schema
from equiradio.artefacts.job import fingerprint
from equiradio.artefacts.provenance import Provenance, with_provenance
from equiradio.errors import ImageRefusal
from equiradio.inference.answers import Answers, answer, no_answer
from equiradio.inference.calibration import Calibration
from equiradio.inference.catalogue import Catalogue
from equiradio.inference.member import Member
from equiradio.inference.posed import in_pose
from equiradio.inference.rows import refused_row
from equiradio.labels import Labels
from equiradio.sky.choices import check_choices
from equiradio.sky.cutout import Cutout
from equiradio.sky.fits import read_cutout
from equiradio.sky.own import cutout_of
from equiradio.sky.pictures import from_pixels, refuse_choices, refuse_masked
from equiradio.sky.recipe import MIRABEST, Recipe
from equiradio.version import version

BATCH = 16  # sources answered at once, and read ahead

Source = str | Path | np.ndarray
Sources = Source | Iterable[Source]


def is_one(sources: Sources) -> bool:
    """Whether it is one source, given alone: a path or an image."""
    return isinstance(sources, str | Path) or (isinstance(sources, np.ndarray) and sources.ndim == 2)


def as_sources(sources: Sources) -> Iterable[Source]:
    """One path or one image is one source; everything else is gone through."""
    return [sources] if is_one(sources) else sources  # type: ignore[list-item, return-value]


def read_any(number: int, source: Source, **options: Any) -> Cutout | ImageRefusal:
    """A file's cutout, or an array's; what is wrong with it is returned and not raised."""
    try:
        if "recipe" in options:
            return read_own(number, source, **options)
        if not isinstance(source, np.ndarray):
            return read_cutout(source, **options)
        name, side = f"array {number}", MIRABEST.side
        if source.shape != (side, side) or source.dtype != np.uint8:
            found = f"{source.dtype} {' x '.join(map(str, source.shape))}"
            raise ImageRefusal("wrong_shape", name, found, f"uint8 {side} x {side}", "Write a FITS file, or use read_cutout.")
        refuse_masked(name, source)
        if source.max() == source.min():
            raise ImageRefusal("blank", name, f"all pixels are {source.max()}", "a source", "Choose another image.")
        check_choices(**{name: value for name, value in options.items() if name != "limits"})
        refuse_choices(name, **options)
        return from_pixels(name, np.asarray(source), options.get("beam"))
    except ImageRefusal as refusal:
        return refusal


def read_own(number: int, source: Source, *, recipe: Recipe, **choices: Any) -> Cutout:
    """The cutout of a file or an array by a recipe that is not MiraBest's; raises what is wrong with it."""
    return cutout_of(source, recipe, name=f"array {number}" if isinstance(source, np.ndarray) else None, **choices)


def options_of(recipe: Recipe) -> dict[str, Any]:
    """What `read_any` is to know of a recipe; nothing where it is MiraBest's."""
    return {} if recipe == MIRABEST else {"recipe": recipe}


Batch = list[tuple[Source, Cutout | ImageRefusal]]
Read = Callable[..., Cutout | ImageRefusal]  # called as `read_any` is


def batches(
    sources: Iterable[Source], size: int = BATCH, *, read: Read | None = None, shapes: bool = True, **options: Any
) -> Iterator[Batch]:
    """Sources with their cutouts, ``size`` at a time; the next batch is read while the caller works on this one.

    ``read`` is called in place of `read_any`, for one source after the other. ``shapes``: measure these then too.
    """
    numbered = enumerate(sources)

    def read_one(number: int, source: Source) -> Cutout | ImageRefusal:
        cutout = (read or read_any)(number, source, **options)
        if shapes and isinstance(cutout, Cutout):
            _ = cutout.shape
        return cutout

    with ThreadPoolExecutor(1) as reader:

        def ahead() -> list[tuple[Source, Future]]:
            return [(source, reader.submit(read_one, number, source)) for number, source in islice(numbered, size)]

        coming = ahead()
        while coming:
            now, coming = coming, ahead()
            try:
                yield [(source, future.result()) for source, future in now]
            except BaseException:
                reader.shutdown(wait=False, cancel_futures=True)
                raise


class Asked(Protocol):
    """A `Team`, or whatever has its members and calibration."""

    @property
    def members(self) -> tuple[Member, ...]: ...
    @property
    def calibration(self) -> Calibration: ...
    @property
    def recipe(self) -> Recipe: ...


class Classifier(Protocol):
    """Who gives rows of a catalogue: a `Team`, or a `Cascade` of two.

    Attributes
    ----------
    name : as the catalogue names it where nobody answered.
    identity : all that its answers depend on, but for version and precision.
    precision : float32 or bf16.
    about : what products say of it.
    about_of : what products of one source say, whose row names this model.
    """

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def identity(self) -> list[Any]: ...
    @property
    def precision(self) -> str: ...
    @property
    def about(self) -> Provenance: ...
    def about_of(self, model: str) -> Provenance: ...
    def ask(self, cutouts: Sequence[Cutout], *, why: bool = True) -> tuple[list[Row], Answers]:
        """A row for each cutout, and the answers, with evidence unless ``why`` is false."""


class Answered(NamedTuple):
    """Rows of a batch in its order, and the cutouts that were answered with their answers (None where there was none)."""

    rows: list[Row]
    cutouts: list[Cutout]
    answers: Answers | None


def answered(team: Classifier, batch: Batch) -> Answered:
    """Ask a team about a batch."""
    cutouts = [cutout for _, cutout in batch if isinstance(cutout, Cutout)]
    answers: Answers | None = None
    asked: list[Row] = []
    if cutouts:
        asked, answers = team.ask(cutouts)
    rows = iter(asked)
    refused = lambda refusal: refused_row(refusal, refusal.where, team.name, team.labels)
    return Answered([next(rows) if isinstance(what, Cutout) else refused(what) for _, what in batch], cutouts, answers)


def images_of(cutouts: Sequence[Cutout]) -> np.ndarray:
    """Raw images uint8 (count, side, side)."""
    return np.stack([cutout.image for cutout in cutouts])


def provenance(team: Classifier, command: str = "") -> Provenance:
    """What products say of the team that made them, and of the command line where there was one."""
    return {"version": f"equiradio {version()}", **team.about} | ({"command": command} if command else {})


def job_of_team(team: Classifier) -> dict[str, Any]:
    """What answers are answers of: who gives them, as a job is compared. Answers of other processors differ by rounding alone."""
    about = {name: team.about.get(name) for name in ("quick_model", "sure_from")}
    return {"model": team.name, **about, "calibration": fingerprint(*team.identity), "precision": team.precision}


def schema_of(team: Classifier, about: Provenance) -> pa.Schema:
    """Columns of a team's catalogue, and what made it."""
    return with_provenance(catalogue_schema(team.labels, str(team.about.get("prior", ""))), about)


def catalogue(team: Classifier, sources: Sources, **options: Any) -> Catalogue:
    """One row for each source; a lone one without an answer is refused."""
    rows: list[Row] = []
    refusals: dict[int, ImageRefusal] = {}
    for batch in batches(as_sources(sources), **options_of(team.recipe), **options):
        for (_, what), row in zip(batch, answered(team, batch).rows, strict=True):
            if not row["answered"]:
                refusals[len(rows)] = what if isinstance(what, ImageRefusal) else no_answer(row["file"])
            rows.append(row)
    if refusals and is_one(sources):
        raise refusals[0]
    return Catalogue(pa.Table.from_pylist(rows, schema=schema_of(team, provenance(team))), refusals)


def attention(team: Asked, sources: Sources, **options: Any) -> np.ndarray:
    """Maps of each source, nan for one that cannot be used; a lone one is refused."""
    plain = replace(team.calibration, poses=1)
    look = lambda images: answer(team.members, plain, images).attention
    return _each(sources, (team.recipe.side,) * 2, np.float32, look, **options_of(team.recipe), **options)


def evidence(team: Asked, sources: Sources, **options: Any) -> np.ndarray:
    """Evidence of each pixel of each source, nan for one that cannot be used; a lone one is refused. See `Team.evidence`."""
    for member in team.members:
        member.network.readings()  # refuses networks whose answer is no sum over pixels
    plain = replace(team.calibration, poses=1)

    def planes(images: np.ndarray) -> np.ndarray:
        nothing = np.full(images.shape[1:], np.nan, np.float32)
        return np.stack([nothing if each is None else each.plane for each in answer(team.members, plain, images, why=True).evidence])

    return _each(sources, (team.recipe.side,) * 2, np.float32, planes, **options_of(team.recipe), **options)


def features(team: Asked, sources: Sources, **options: Any) -> np.ndarray:
    """The members' features side by side, nan for one that cannot be used; a lone one is refused."""
    width = lambda vectors: np.concatenate(vectors, 1)
    joined = lambda images: width([in_pose(member, images, 0, outputs=False).features for member in team.members])
    blank = joined(np.zeros((1, team.recipe.side, team.recipe.side), np.uint8))
    return _each(sources, blank.shape[1:], np.float64, joined, **options_of(team.recipe), **options)


def _each(sources: Sources, shape: tuple[int, ...], kind: type, measure: Any, **options: Any) -> np.ndarray:
    """The result of ``measure`` for the images that can be used, nan for the others: (count, *shape)."""
    parts: list[np.ndarray] = []
    for batch in batches(as_sources(sources), shapes=False, **options):
        if is_one(sources) and isinstance(batch[0][1], ImageRefusal):
            raise batch[0][1]
        part: np.ndarray = np.full((len(batch), *shape), np.nan, kind)
        usable = [place for place, (_, what) in enumerate(batch) if isinstance(what, Cutout)]
        if usable:
            part[usable] = measure(images_of([what for _, what in batch if isinstance(what, Cutout)]))
        parts.append(part)
    return np.concatenate(parts) if parts else np.empty((0, *shape), kind)
