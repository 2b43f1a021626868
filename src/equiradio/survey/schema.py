"""Columns of a survey: those of ``classify``, where each source was looked for, and what its catalogue said of it."""

from collections.abc import Sequence

import pyarrow as pa

from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.artefacts.features import DISTANCE, VECTOR
from equiradio.errors import DataRefusal
from equiradio.labels import Labels

PREFIX = "input_"


def _field(name: str, kind: pa.DataType, unit: str, ucd: str, description: str, **more: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "ucd": ucd, "description": description, **more})


ROW = _field("catalogue_row", pa.int64(), "", "meta.record", "row of the input catalogue, from 0; of a group its first")
RA = _field("target_ra_deg", pa.float64(), "deg", "pos.eq.ra", "right ascension looked at, ICRS", decimals="7", frame="ICRS")
DEC = _field("target_dec_deg", pa.float64(), "deg", "pos.eq.dec", "declination looked at, ICRS", decimals="7", frame="ICRS")
MEMBERS = _field("members", pa.list_(pa.string()), "", "meta.id", "names of the components that are this source")
IMAGE, FLAGS = pa.field("image", pa.int32()), pa.field("plan_flags", pa.string())  # of a plan's shards alone


def output_names(where: object, inputs: Sequence[str], labels: Labels) -> dict[str, str]:
    """What input columns are called in the result: their own names, but ``input_<name>`` where that, letters' case aside, is one of ours.

    One without a name, as pandas writes its index to CSV, is ``column_N``, counted from 1.

    Raises
    ------
    DataRefusal : two columns would have one name.
    """
    ours = {name.lower() for name in (*catalogue_schema(labels).names, ROW.name, RA.name, DEC.name, MEMBERS.name)}
    ours |= {DISTANCE.name, VECTOR.name, IMAGE.name, FLAGS.name}
    named = {name: name or f"column_{place}" for place, name in enumerate(inputs, 1)}
    names = {name: PREFIX + output if output.lower() in ours else output for name, output in named.items()}
    taken: dict[str, str] = {}
    for name, output in names.items():  # FITS does not tell letters' case apart
        if (other := taken.setdefault(output.lower(), name)) != name:
            found = f"columns '{other}' and '{name}', which would both be called '{output}'"
            raise DataRefusal(where, found, "names that stay apart, whatever the case of their letters", "Rename one of them.")
    return names


def shard_schema(inputs: pa.Schema, *, grouped: bool) -> pa.Schema:
    """Columns of a plan's shard; ``inputs`` under their output names."""
    source_id = pa.field("source_id", pa.string())
    return pa.schema([ROW, source_id, RA, DEC, IMAGE, FLAGS, *([MEMBERS] if grouped else []), *inputs])


def result_schema(answers: pa.Schema, inputs: Sequence[pa.Field], *, grouped: bool, features: bool) -> pa.Schema:
    """Columns of a result: ``answers``, those of ``classify``; those of the survey, and those of the input."""
    added = [ROW, RA, DEC, *([MEMBERS] if grouped else []), *([DISTANCE, VECTOR] if features else [])]
    return pa.schema([*_named(answers), *added, *inputs])


NAMED = {
    "source_id": "name of the source in the catalogue; row-N, from 1, where it has none",
    "file": "image that it was cut from",
}


def _named(schema: pa.Schema) -> list[pa.Field]:
    """The columns of ``classify``; two of them mean something else here."""
    fields = []
    for field in schema:
        changed = {**field.metadata, b"description": NAMED[field.name].encode()} if field.name in NAMED else field.metadata
        fields.append(field.with_metadata(changed))
    return fields
