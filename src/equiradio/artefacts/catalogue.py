"""The catalogue that `equiradio classify` writes: columns, units and UCDs; Parquet, CSV, FITS and VOTable by suffix."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.catalogue_forms import as_csv, as_fits, as_votable
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.labels import FANAROFF_RILEY, Labels

Row = dict[str, Any]  # of a catalogue: a value for each column of `catalogue_schema`, which depend on the classes; None for no answer


AGREEMENT = "mean correlation of the attention maps of all pairs of networks; none where there is one, or no map"
EVIDENCE_AGREEMENT = "mean correlation of the evidence of all pairs of networks; none where there is one, or no evidence"


def _column(name: str, kind: pa.DataType, unit: str, ucd: str, description: str, **more: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "ucd": ucd, "description": description, **more})


def _place(name: str, ucd: str, description: str) -> pa.Field:
    return _column(name, pa.float64(), "deg", ucd, f"{description}, ICRS", decimals="7", frame="ICRS")


def _share(name: str, ucd: str, description: str) -> pa.Field:
    return _column(name, pa.float64(), "", ucd, description, decimals="6")


def _shape() -> list[pa.Field]:
    """What `equiradio.sky.shape` measures; see there."""
    flux, number = "phot.flux.density;em.radio", pa.float64()
    return [
        _column(
            "peak_jy_per_beam", number, "Jy/beam", f"{flux};stat.max", "brightest pixel of the source, as the network sees it", decimals="9"
        ),
        _column("total_jy", number, "Jy", flux, "flux density within the source's islands, grown by one beam", decimals="9"),
        _column("rms_jy_per_beam", number, "Jy/beam", "instr.det.noise", "noise of the field, clipped", decimals="9"),
        _column("size_arcsec", number, "arcsec", "phys.angSize", "largest angular size: widest extent above 3 sigma", decimals="2"),
        _column("axis_ratio", number, "", "phys.angSize;arith.ratio", "minor to major axis by second moments, 0 to 1", decimals="4"),
        _column("islands", pa.int32(), "", "meta.number", "islands of the source, above 3 sigma with a peak above 5", null="-1"),
        _column("beams_across", number, "", "phys.angSize;arith.ratio", "size_arcsec over the beam's width in its direction", decimals="3"),
        _column(
            "offset_arcsec", number, "arcsec", "pos.angDistance", "target's distance from the source's islands, 0 among them", decimals="2"
        ),
    ]


def _evidence(labels: Labels) -> list[pa.Field]:
    """Sums of evidence: of two classes for the second, else for the class answered."""
    toward, against = (labels.names[1], f"for {labels.names[0]}") if labels.binary else ("the class answered", "against the class answered")
    return [
        _odds("evidence_against", "arith.sum", f"sum of the pixels that speak {against}, 0 or less"),
        _odds("evidence_for", "arith.sum", f"sum of the pixels that speak for {toward}, 0 or more"),
        _odds("evidence_constant", "arith.zp", f"log-odds of {toward} without any pixel; with both sums its log-odds uncalibrated"),
        _odds("evidence_agreement", "stat.correlation", EVIDENCE_AGREEMENT),
    ]


def _odds(name: str, ucd: str, description: str) -> pa.Field:
    return _column(name, pa.float64(), "", ucd, description, decimals="4")


def spread_columns(labels: Labels) -> list[tuple[int, str, str]]:
    """Classes whose model spread has columns: place, low column, high column. Of two classes the second is enough."""
    columns = labels.columns()
    places = [1] if labels.binary else range(len(labels))
    return [(place, f"{columns[place]}_low", f"{columns[place]}_high") for place in places]


def _probabilities(labels: Labels, prior: str) -> list[pa.Field]:
    mix = f" where sources are mixed {prior}" if prior else ""
    columns = [
        _share(column, "stat.probability", f"probability of {name}{mix}") for column, name in zip(labels.columns(), labels, strict=True)
    ]
    for place, low, high in spread_columns(labels):
        of = labels.columns()[place]
        columns.append(_share(low, "stat.probability;stat.min", f"5 % of the model spread of {of}"))
        columns.append(_share(high, "stat.probability;stat.max", f"95 % of the model spread of {of}"))
    return columns


@lru_cache
def catalogue_schema(labels: Labels = FANAROFF_RILEY, prior: str = "") -> pa.Schema:
    """Columns of the table of ``classify``; what has no answer is null.

    ``prior`` : the mix of classes that probabilities are for, in words, where it is not the one that was learned from.

    Metadata of a column: ``unit``, ``ucd``, ``description``; ``decimals`` that mean something; ``frame`` of positions; ``null``, a whole
    number that stands for no answer where a form has no other way (FITS).
    """
    which = " or ".join(labels) if labels.binary else f"one of {labels}"
    doubt = "abstain: probability below the threshold, no answer, or a flag that says why the class cannot be told"
    return pa.schema(
        [
            _column("source_id", pa.string(), "", "meta.id;meta.main", "file's name without its suffix, or the array's number"),
            _column("file", pa.string(), "", "meta.id;meta.file", "file as it was given"),
            _column("hdu", pa.int32(), "", "meta.number", "HDU that holds the image, counted from 0", null="-1"),
            _place("ra_deg", "pos.eq.ra;meta.main", "right ascension of the crop's centre"),
            _place("dec_deg", "pos.eq.dec;meta.main", "declination of the crop's centre"),
            _column("answered", pa.bool_(), "", "meta.code", "whether there is an answer: a class and its probabilities"),
            _column("label", pa.string(), "", "src.class", f"{which}, whichever is more probable"),
            *_probabilities(labels, prior),
            _column("set", pa.string(), "", "src.class", "classes of which the true one is among them in 90 % of sources of each class"),
            _column("uncertain", pa.bool_(), "", "meta.code.qual", doubt),
            _share("expected_accuracy", "stat.probability", "share right of answers like this one, where they were measured"),
            _column("flags", pa.int64(), "", "meta.code.qual", "quality flags, one bit each"),
            _column("flag_names", pa.string(), "", "meta.note", "names of these flags, separated by spaces"),
            _share("padded_share", "stat.value", "share of the crop that lies beyond the file's field and was filled with empty sky"),
            *_shape(),
            *_evidence(labels),
            _place("attention_peak_ra_deg", "pos.eq.ra", "right ascension of the brightest attention pixel"),
            _place("attention_peak_dec_deg", "pos.eq.dec", "declination of the brightest attention pixel"),
            _column("map_agreement", pa.float64(), "", "stat.correlation", AGREEMENT, decimals="4"),
            _column("map_name", pa.string(), "", "meta.id", "name of its maps, without their suffix"),
            _column("model", pa.string(), "", "meta.id;meta.modelled", "network that answered, and the hash of its weights"),
        ]
    )


def described(table: pa.Table) -> pa.Table:
    """A catalogue from a form without units and descriptions, such as CSV, with those of `catalogue_schema`; other tables as they are."""
    if not {"source_id", "flag_names", *FANAROFF_RILEY.columns()} <= set(table.column_names):
        return table
    ours_of = {field.name: field.metadata for field in catalogue_schema()}
    fields = [field.with_metadata(field.metadata or ours_of.get(field.name)) for field in table.schema]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


SUFFIXES = (".parquet", ".csv", ".fits", ".vot")


def check_suffix(path: Path) -> None:
    """Refuse a table that could not be written, before work is done for it."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingRefusal("--out", f"'{path.name}'", f"a name that ends in {', '.join(SUFFIXES)}", "Change the suffix.")


def write_catalogue(table: pa.Table, path: Path) -> None:
    """Write a table whole or not at all; the suffix says in which format."""
    check_suffix(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        write_atomically(path, lambda part: pq.write_table(table, part, write_page_checksum=True))
    else:
        form = {".csv": as_csv, ".fits": as_fits, ".vot": as_votable}[suffix]
        write_atomically(path, lambda part: part.write_bytes(form(table)))


def read_texts(path: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Columns of text of a catalogue, as `write_catalogue` wrote them; what has no answer is empty, in every form.

    Raises
    ------
    RunRefusal : the file is no catalogue with these columns.
    """
    suffix, wanted = path.suffix.lower(), list(names)
    try:
        if suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                table = file.read(columns=wanted)
        elif suffix == ".csv":
            texts = pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()))
            table = pyarrow.csv.read_csv(path, convert_options=texts)
        else:
            from astropy.table import Table

            with path.open("rb") as content:
                read = Table.read(content, format="fits" if suffix == ".fits" else "votable")[wanted]
            read.convert_bytestring_to_unicode()
            texts = lambda column: ["" if value is np.ma.masked else str(value) for value in column]  # empty texts come masked
            table = pa.table({name: texts(read[name]) for name in wanted})
        return {name: [value or "" for value in table.column(name).to_pylist()] for name in wanted}
    except Exception as error:  # pyarrow and astropy meet damage in dozens of ways
        raise RunRefusal(path, "a file that is no catalogue of ours", f"columns {', '.join(wanted)}", "Name another --out.") from error
