"""The results of all shards to one catalogue, a row for each source in the order of the input, and a page about it.

Shards hold sources in the order of images. They are dealt out into pieces of the catalogue on disk, and each piece is sorted by itself, so
that memory stays flat: beside a piece it holds 32 bytes for each source, its place in the catalogue.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import named, write_json
from equiradio.artefacts.provenance import SEVERAL, computers_of, with_computers
from equiradio.errors import RunRefusal, refused_as
from equiradio.folders import scratch_folder
from equiradio.printable import some_of
from equiradio.survey.folder import SHARD, Plan, SurveyFolder
from equiradio.survey.merged_forms import check_form, columns_left_out, columns_renamed, write_merged
from equiradio.survey.schema import ROW
from equiradio.survey.summary import Summary, summary_file

PIECE = 100_000  # rows that are sorted at once
CATALOGUE = "catalogue.parquet"
AGAIN = "Delete that file and run equiradio survey with --resume."
Progress = Callable[[str, int, int], object]


def merge(
    folder: Path,
    out: Path | None = None,
    *,
    page: bool = True,
    progress: Progress = lambda what, done, total: None,
    note: Callable[[str], object] = lambda line: None,
) -> Path:
    """Write the catalogue of a survey whose shards are all finished, a summary in numbers, and a page; where the catalogue is.

    Parameters
    ----------
    folder : of the survey.
    out : Parquet, CSV, FITS, VOTable or HATS by suffix; without one a folder of Parquet files. By default catalogue.parquet there.
    note : is given a line about what the form cannot hold, and about shards of several processors.

    Raises
    ------
    RunRefusal : shards that are not finished, results that are damaged, or that do not make up each source once.
    SettingRefusal : a form that cannot be written.
    """
    where = SurveyFolder(folder)
    plan = where.plan()
    out = folder / CATALOGUE if out is None else out
    check_form(out, plan.sources)
    _refuse_unfinished(where, plan)
    schema, places = _order(where, plan)
    summary = Summary(plan, [where.note(shard) or {} for shard in range(plan.shards)])
    with named(out), scratch_folder(out) as scratch:
        pieces = _dealt(where, schema, places, scratch, progress)
        written = write_merged(_counted(pieces, summary, progress), schema, out)
    summary.left_out = written.left_out
    for line in _notes(schema, out, summary, written.as_text):
        note(line)
    write_json(summary_file(out), summary.numbers())
    if page:
        from equiradio.survey.page import write_page

        write_page(out, summary)
    return out


def _notes(schema: pa.Schema, out: Path, summary: Summary, as_text: Sequence[str]) -> Iterator[str]:
    """What the form cannot hold, and what computed the shards where these were several, in words."""
    if absent := columns_left_out(schema, out):
        yield f"{out}: left out {', '.join(absent)}, which hold several numbers a source; Parquet keeps them"
    if as_text:
        yield f"{out}: {', '.join(as_text)} written as text, since the form has no numbers of so many digits; Parquet has"
    if renamed := columns_renamed(schema, out):
        yield f"{out}: {', '.join(f'{one} is called {other}' for one, other in renamed.items())}, since FITS takes 60 letters of ASCII"
    if summary.left_out:
        yield f"{out}: {summary.left_out:,} of {summary.sources:,} sources left out, which have no position"
    computers = computers_of([schema])
    if computers and SEVERAL in computers[0]:
        yield f"{out}: computed by {computers[0].replace(SEVERAL, ' and by ')}, whose answers differ by rounding"


def _refuse_unfinished(where: SurveyFolder, plan: Plan) -> None:
    unfinished = where.unfinished(plan)
    if unfinished:
        words = f"{len(unfinished):,} of {plan.shards:,} shards are not finished ({some_of(unfinished, 5)})"
        raise RunRefusal(where.folder, words, "all of them", "Run equiradio survey with --resume.")


def _order(where: SurveyFolder, plan: Plan) -> tuple[pa.Schema, list[np.ndarray]]:
    """The schema of all results, and for each shard the place of its rows in the catalogue."""
    rows, schemas, schema = list[np.ndarray](), list[pa.Schema](), None
    for shard in range(plan.shards):
        with _opened(where, shard) as file:
            own = _plain(file.schema_arrow)
            if schema is not None and not own.equals(schema):
                raise RunRefusal(where.result_file(shard), "columns that are not those of the other shards", "the same columns", AGAIN)
            schema = own if schema is None else schema
            schemas.append(own)
            rows.append(file.read([ROW.name]).column(0).to_numpy())
    every = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    order = np.argsort(every, kind="stable")
    twice = int((np.diff(every[order]) == 0).sum())
    if schema is None or len(every) != plan.sources or twice:
        found = f"{len(every):,} rows, {twice:,} of them twice"
        raise RunRefusal(
            where.folder, found, f"each of {plan.sources:,} sources once", "Delete its results and run equiradio survey again."
        )
    place = np.empty(len(every), np.int64)
    place[order] = np.arange(len(every))
    return with_computers(schema, computers_of(schemas)), np.split(place, np.cumsum([len(each) for each in rows])[:-1])


def _plain(schema: pa.Schema) -> pa.Schema:
    """Without the number of the shard."""
    return schema.with_metadata({key: value for key, value in (schema.metadata or {}).items() if key not in (SHARD, b"ARROW:schema")})


def _opened(where: SurveyFolder, shard: int) -> pq.ParquetFile:
    file = where.result_file(shard)
    with refused_as(RunRefusal, file, "a result of this survey", AGAIN):
        return pq.ParquetFile(file, page_checksum_verification=True)


def _dealt(where: SurveyFolder, schema: pa.Schema, places: list[np.ndarray], scratch: Path, progress: Progress) -> Iterator[pa.Table]:
    """Pieces of the catalogue, one after the other, from results that are read once."""
    total = sum(map(len, places))
    pieces = -(-total // PIECE)
    bearing = schema.append(pa.field("", pa.int64()))  # the place; no column of a catalogue is called so
    files = [scratch / f"{piece}.arrow" for piece in range(pieces)]
    writers = [pa.ipc.new_file(str(file), bearing) for file in files]
    try:
        for shard, place in enumerate(places):
            with _opened(where, shard) as file, refused_as(RunRefusal, where.result_file(shard), "a result of this survey", AGAIN):
                table = file.read().replace_schema_metadata(schema.metadata).append_column(bearing.field(len(schema)), pa.array(place))
            for piece in np.unique(place // PIECE):
                writers[piece].write_table(table.filter(pa.array(place // PIECE == piece)))
            progress("shards read", shard + 1, len(places))
    finally:
        for writer in writers:
            writer.close()
    for file in files:
        with pa.OSFile(str(file)) as content:
            table = pa.ipc.open_file(content).read_all()
        file.unlink()
        yield table.take(pa.array(np.argsort(table.column(len(schema)).to_numpy()))).select(range(len(schema)))


def _counted(tables: Iterator[pa.Table], summary: Summary, progress: Progress) -> Iterator[pa.Table]:
    """The same tables, counted on their way."""
    for table in tables:
        summary.add(table)
        progress("sources written", summary.sources, summary.plan.sources)
        yield table
