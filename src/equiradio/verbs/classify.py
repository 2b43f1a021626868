"""Classify image files: a catalogue part by part, maps beside it, resumable after any interruption."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.catalogue import Row, check_suffix, write_catalogue
from equiradio.artefacts.claim import Claim, claimed
from equiradio.artefacts.features import OPTION
from equiradio.artefacts.places import check_places
from equiradio.artefacts.provenance import Provenance, with_computers
from equiradio.errors import ImageRefusal
from equiradio.inference.answers import Answers, no_answer
from equiradio.inference.reading import BATCH, Batch, Classifier, Read, answered, batches, options_of, provenance, schema_of
from equiradio.sky.cutout import Cutout
from equiradio.verbs.classified_features import add_features, check_features, with_features, write_features
from equiradio.verbs.classify_job import Job, Options, Parts, begin_maps, drop_maps, is_finished, job_of, map_names, spare_images
from equiradio.verbs.sky_maps import SkyMaps, write_maps
from equiradio.verbs.suspects import Reader

Progress = Callable[[str, int, int], object]
Refused = Callable[[ImageRefusal], object]


def classify(
    team: Classifier,
    files: Sequence[Path],
    *,
    out: Path | None = None,
    maps: Path | None = None,
    features: Path | None = None,
    resume: bool = False,
    contents: bool = False,
    command: str = "",
    progress: Progress = lambda what, done, total: None,
    refused: Refused = lambda refusal: None,
    **options: Any,
) -> pa.Table | None:
    """Classify files; the table, or None where it went into ``out`` (parts of it lie in ``out``.parts until all are there).

    Parameters
    ----------
    out, maps : .parquet, .csv, .fits or .vot; folder for attention maps, not that of the images. No other process may write there.
    features : .parquet, for one vector a source; see `equiradio.artefacts.features`.
    resume : go on with the parts of an interrupted run; those of files that were changed since are made anew.
    contents : know files by a hash of their content, not by their size and time.
    command : line that products say they were made by.
    refused : called with what is wrong with each file that has no answer, as it is met.
    options : of `equiradio.sky.fits.read_cutout`.

    Raises
    ------
    ImageRefusal : the only file cannot be used. Among several it has a row with a flag.
    RunRefusal : parts of an interrupted run, without ``resume``; parts, maps or a catalogue of another run; another process at work there.
    SettingRefusal : an image would be written over, or features are asked of a cascade, whose teams have features of their own each.
    """
    _check_places(team, files, out, maps, features)
    with ExitStack() as held:
        claims = [held.enter_context(claimed(place)) for place in (out, maps, features) if place is not None]
        work = _Work(team, files, maps, features, claims, provenance(team, command), progress, refused, options)
        if out is None:
            return _answer(work, contents)
        _write(work, out, resume, contents)
    return None


def _check_places(team: Classifier, files: Sequence[Path], out: Path | None, maps: Path | None, features: Path | None) -> None:
    """Refuse places that cannot be written, or not with this team, before any work is done."""
    check_places({"--out": out}, {"--maps": maps})
    check_places({OPTION: features}, {"--maps": maps})
    spare_images(files, out, maps)
    if out is not None:
        check_suffix(out)
    if features is not None:
        check_features(features, team, out)


def _answer(work: "_Work", contents: bool) -> pa.Table:
    """The catalogue at once, with its maps where they are asked for."""
    if work.maps is not None:
        begin_maps(work.maps, work.job(contents), going_on=False)
    table = work.table(row for _, part in work.parts(range(-(-len(work.files) // BATCH))) for row in part)
    if work.features is not None:
        write_features(work.features, [table], work.schema, work.about, work.team.recipe)
    return table.select(work.schema.names)


def _write(work: "_Work", out: Path, resume: bool, contents: bool) -> None:
    """Write the catalogue part by part, going on with the parts that are there."""
    parts = Parts(out, work.job(contents))
    if resume and is_finished(parts, work.files, work.maps, work.features):
        shutil.rmtree(parts.folder, ignore_errors=True)
        return
    going_on = parts.any()
    parts.begin(resume)
    if work.maps is not None:
        begin_maps(work.maps, parts.job, going_on)
    reader = Reader(parts.folder)
    try:
        for number, rows in work.parts(parts.to_do(), reader.read):
            parts.add(number, work.table(rows))
    except ImageRefusal:
        parts.drop_empty()
        raise
    finally:
        reader.close()
    computers = parts.computers()
    answered_rows = _join(parts, out, with_computers(work.schema, computers))
    if work.features is not None:
        write_features(work.features, parts.tables(work.part_schema), work.schema, work.about, work.team.recipe)
    parts.finish(answered_rows, computers)


@dataclass(frozen=True)
class _Work:
    """Files to be classified, where their maps go, and the claims on what is written."""

    team: Classifier
    files: Sequence[Path]
    maps: Path | None
    features: Path | None
    claims: Sequence[Claim]
    about: Provenance
    progress: Progress
    refused: Refused
    options: Options

    def job(self, contents: bool) -> Job:
        """What rows and maps are of."""
        return job_of(self.team, self.files, self.maps, self.features, self.options, contents=contents)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the catalogue, and what made it."""
        return schema_of(self.team, self.about)

    @property
    def part_schema(self) -> pa.Schema:
        """Those of a part, which holds features too where they are wanted."""
        return self.schema if self.features is None else with_features(self.schema)

    def table(self, rows: Iterable[Row]) -> pa.Table:
        """Rows as a catalogue, with features where they are wanted."""
        return pa.Table.from_pylist(list(rows), schema=self.part_schema)

    def parts(self, numbers: Sequence[int], read: Read | None = None) -> Iterator[tuple[int, list[Row]]]:
        """Number and rows of one batch of files after the other."""
        places = [place for number in numbers for place in range(len(self.files))[number * BATCH : (number + 1) * BATCH]]
        names, done = map_names(self.files), len(self.files) - len(places)
        self.progress("sources", done, len(self.files))
        begin, asked = 0, options_of(self.team.recipe) | dict(self.options)
        for number, batch in zip(numbers, batches([self.files[place] for place in places], read=read, **asked), strict=True):
            rows, cutouts, answers = answered(self.team, batch)
            self._refuse(batch, rows)
            if self.features is not None and answers is not None:
                add_features(rows, [isinstance(what, Cutout) for _, what in batch], answers)
            for claim in self.claims:
                claim.check()
            if self.maps is not None:
                self._draw([names[place] for place in places[begin : begin + len(batch)]], batch, rows, cutouts, answers)
            yield number, rows
            begin += len(batch)
            self.progress("sources", done + begin, len(self.files))

    def _refuse(self, batch: Batch, rows: Sequence[Row]) -> None:
        """Say what has no answer, and why; the only file is refused."""
        for (source, what), row in zip(batch, rows, strict=True):
            if not row["label"]:
                refusal = what if isinstance(what, ImageRefusal) else no_answer(str(source))
                if len(self.files) == 1:
                    raise refusal
                self.refused(refusal)

    def _draw(self, names: Sequence[str], batch: Batch, rows: Sequence[Row], cutouts: Sequence[Cutout], answers: Answers | None) -> None:
        """Maps of the sources that have an answer, and none of the others."""
        assert self.maps is not None
        drawn = zip(cutouts, answers.gates, answers.attention, answers.evidence, strict=True) if answers is not None else iter(())
        for name, (_, what), row in zip(names, batch, rows, strict=True):
            drawing = next(drawn) if isinstance(what, Cutout) else None
            if drawing is not None and row["label"]:
                cutout, gates, attention, why = drawing
                row["map_name"] = name
                seen = SkyMaps(gates, attention, self.team.labels, why, row["map_agreement"])
                write_maps(self.maps, cutout, seen, row, {**self.about, **self.team.about_of(row["model"])})
            else:
                drop_maps(self.maps, name)


def _join(parts: Parts, out: Path, schema: pa.Schema) -> int:
    """All parts in one file; Parquet part by part, so that memory does not grow with their number. How many rows have an answer."""
    answered_rows = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal answered_rows
        for table in parts.tables(schema):
            answered_rows += sum(bool(label) for label in table["label"].to_pylist())
            yield table.select(schema.names)

    def write(path: Path) -> None:
        with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
            for table in counted():
                writer.write_table(table)

    if out.suffix.lower() == ".parquet":
        write_atomically(out, write)
    else:
        write_catalogue(pa.concat_tables(counted()), out)
    return answered_rows
