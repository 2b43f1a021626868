"""What made a product, written into it: INFO and PARAM of a VOTable, cards of FITS, metadata of a table's schema (and so of Parquet)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from equiradio.printable import as_ascii, printable

Provenance = Mapping[str, str | int | float]  # by the names of `ENTRIES`; what does not apply is left out


class Entry(NamedTuple):
    """One thing to say of a product.

    card : FITS keyword. kind : of its values.
    """

    name: str
    card: str
    kind: type[str] | type[int] | type[float]
    ucd: str
    meaning: str


COMPUTED, SEVERAL = "computed_by", "; "  # between what computed the parts
ENTRIES = (
    Entry("version", "CREATOR", str, "meta.version;meta.software", "program and its version"),
    Entry("model", "MODEL", str, "meta.id;meta.modelled", "network, start of SHA-256 of its weights"),
    Entry("members", "MEMBERS", int, "meta.number", "networks of the team"),
    Entry("poses", "POSES", int, "meta.number", "in which each of them is asked"),
    Entry("temperature", "TEMPER", float, "stat.param", "logits are divided by it"),
    Entry("threshold", "THRESH", float, "stat.probability;stat.min", "abstains where top probability is lower"),
    Entry("prior", "PRIOR", str, "stat.probability", "mix of classes that probabilities are for"),
    Entry("quick_model", "QUICK", str, "meta.id;meta.modelled", "network that was asked first"),
    Entry("sure_from", "SUREFROM", float, "stat.probability;stat.min", "its answer counts from this probability"),
    Entry(COMPUTED, "COMPUTER", str, "meta.note", "processor and compiled kernels, or GPU"),
    Entry("command", "COMMAND", str, "meta.note", "command line"),
    Entry("selection", "SELECT", str, "meta.note", "rows chosen in the viewer, and their order"),
)


def with_provenance(schema: pa.Schema, about: Provenance) -> pa.Schema:
    """The schema with this in its metadata, beside what stands there."""
    added = {name.encode(): printable(str(value)).encode() for name, value in about.items()}
    return schema.with_metadata({**(schema.metadata or {}), **added})


def computers_of(schemas: Iterable[pa.Schema]) -> list[str]:
    """What computed the parts of one product, each once, in the order they come."""
    each = ((schema.metadata or {}).get(COMPUTED.encode(), b"").decode("utf-8", "replace") for schema in schemas)
    return [name for name in dict.fromkeys(each) if name]


def with_computers(schema: pa.Schema, computers: Sequence[str]) -> pa.Schema:
    """The schema of a product that all of these computed."""
    return with_provenance(schema, {COMPUTED: SEVERAL.join(computers)}) if computers else schema


def provenance_of(schema: pa.Schema) -> Iterator[tuple[Entry, str | int | float]]:
    """What a schema says of its product, in the order of `ENTRIES`."""
    metadata = schema.metadata or {}
    for entry in ENTRIES:
        if entry.name.encode() in metadata:
            try:
                yield entry, entry.kind(metadata[entry.name.encode()].decode("utf-8", "replace"))
            except ValueError:  # another program's, under the same name
                continue


def cards(about: Provenance) -> Iterator[tuple[str, str | int | float, str]]:
    """Keyword, value and comment of FITS cards, in ASCII; a comment has no room beside a long text."""
    for entry in ENTRIES:
        if entry.name in about:
            value = about[entry.name]
            value = as_ascii(value) if isinstance(value, str) else value
            yield entry.card, value, entry.meaning if len(str(value)) + len(entry.meaning) < 62 else ""
