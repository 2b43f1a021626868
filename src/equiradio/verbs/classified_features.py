"""Features beside a catalogue: kept in its parts, written into a file of their own when it is finished."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.catalogue import Row
from equiradio.artefacts.features import COLUMNS, DISTANCE, OPTION, VECTOR, check_features_suffix, features_schema, of_two_teams
from equiradio.artefacts.provenance import Provenance
from equiradio.errors import SettingRefusal
from equiradio.inference.answers import Answers
from equiradio.inference.cascade import Cascade
from equiradio.inference.reading import Classifier
from equiradio.sky.recipe import Recipe


def check_features(file: Path, team: Classifier, out: Path | None) -> None:
    """Refuse a file that cannot hold features, and a cascade, whose teams have features of their own each."""
    check_features_suffix(file)
    if isinstance(team, Cascade):
        raise of_two_teams(OPTION, "Drop one of --features and --cascade.")
    if out is not None and file.resolve() == out.resolve():
        raise SettingRefusal(OPTION, f"{file} is the catalogue", "a file of its own", "Name another file.")


def with_features(schema: pa.Schema) -> pa.Schema:
    """The catalogue's columns and those of features."""
    return schema.append(DISTANCE).append(VECTOR)


def add_features(rows: Sequence[Row], asked: Sequence[bool], answers: Answers) -> None:
    """Add the vector and the distance of each source to its row; nothing to one without an answer.

    Parameters
    ----------
    asked : which rows are of sources that ``answers`` are about, in their order.
    """
    each = zip(answers.features, answers.distance, strict=True)
    for row in (row for row, there in zip(rows, asked, strict=True) if there):
        vector, distance = next(each)
        if row["label"]:
            row[VECTOR.name], row[DISTANCE.name] = vector.tolist(), float(distance) if math.isfinite(distance) else None


def write_features(file: Path, tables: Iterable[pa.Table], catalogue: pa.Schema, about: Provenance, recipe: Recipe) -> None:
    """Write the features of parts into one file, part by part."""
    schema = features_schema(catalogue, about, recipe)

    def write(part: Path) -> None:
        with pq.ParquetWriter(part, schema, write_page_checksum=True) as writer:
            for table in tables:
                writer.write_table(table.select(list(COLUMNS)).cast(schema))

    write_atomically(file, write)
