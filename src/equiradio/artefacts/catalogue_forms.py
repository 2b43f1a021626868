"""Tables as bytes of CSV, FITS and VOTable, and as astropy's: nulls, units, UCDs and descriptions in the way of each form."""

import io
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from equiradio.artefacts.provenance import cards, provenance_of
from equiradio.printable import as_ascii, printable


class Kind(NamedTuple):
    """A type of values in NumPy, FITS and VOTable."""

    numpy: Any
    fits: str
    votable: str


KINDS = {
    "bool": Kind(np.bool_, "L", "boolean"),
    "int8": Kind(np.int16, "I", "short"),
    "uint8": Kind(np.int16, "I", "short"),
    "int16": Kind(np.int16, "I", "short"),
    "int32": Kind(np.int32, "J", "int"),
    "uint16": Kind(np.int32, "J", "int"),
    "int64": Kind(np.int64, "K", "long"),
    "uint32": Kind(np.int64, "K", "long"),
    "halffloat": Kind(np.float32, "E", "float"),
    "float": Kind(np.float32, "E", "float"),
    "double": Kind(np.float64, "D", "double"),
}
TEXT = Kind(np.str_, "A", "char")  # what any other type is written as


class Column(NamedTuple):
    """A column to write: its values (None for null) and what its field's metadata say; see `catalogue_schema`."""

    name: str
    kind: Kind
    values: list[Any]
    about: dict[str, str]

    @property
    def null(self) -> Any:
        """What fills the place of a null."""
        whole = int(self.about.get("null", "0"))
        return {"A": "", "L": False, "E": math.nan, "D": math.nan}.get(self.kind.fits, whole)

    @property
    def unit(self) -> str | None:
        """None where there is none: 1 is no unit."""
        unit = self.about.get("unit", "")
        return None if unit in ("", "1") else unit

    def array(self) -> np.ndarray:
        """Values, with `null` in the place of None."""
        return np.array([self.null if value is None else value for value in self.values], self.kind.numpy)

    def absent(self) -> list[bool]:
        """Which are None."""
        return [value is None for value in self.values]


def columns_of(table: pa.Table) -> Iterator[Column]:
    """The columns of a table; what is no number, truth or text is written as text."""
    for field in table.schema:
        about = {key.decode(): printable(value.decode("utf-8", "replace")) for key, value in (field.metadata or {}).items()}
        values, kind = table.column(field.name).to_pylist(), KINDS.get(str(field.type), TEXT)
        if kind is TEXT:
            values = [None if value is None else printable(str(value)) for value in values]
        yield Column(field.name, kind, values, about)


def as_csv(table: pa.Table) -> bytes:
    """Nulls are empty, numbers rounded to the decimals that mean something."""
    file = io.BytesIO()
    pyarrow.csv.write_csv(rounded(table), file)
    return file.getvalue()


def rounded(table: pa.Table) -> pa.Table:
    """Numbers rounded to the decimals that mean something."""
    for place, field in enumerate(table.schema):
        decimals = (field.metadata or {}).get(b"decimals")
        if decimals:
            table = table.set_column(place, field, pc.round(table.column(place), int(decimals)))
    return table


def as_fits(table: pa.Table) -> bytes:
    """A binary table. Nulls are nan, TNULL or empty; letters that are not ASCII are written as \\xfc or \\u0142."""
    from astropy.io import fits

    columns, made = [_for_fits(column) for column in columns_of(table)], []
    for column in columns:
        values, form = column.array(), column.kind.fits
        if column.kind is TEXT:
            values = np.array([as_ascii(value) for value in values], np.str_)
            form = f"{max(values.dtype.itemsize // 4, 1)}A"
        decimals = int(column.about.get("decimals", "0"))
        shown = f"F{decimals + 5}.{decimals}" if decimals else None
        null = int(column.about["null"]) if "null" in column.about else None
        made.append(fits.Column(column.name, form, column.unit, null=null, disp=shown, array=values))
    hdu = fits.BinTableHDU.from_columns(made, name="CATALOGUE")
    for number, column in enumerate(columns, 1):
        for key, entry in (("TCOMM", "description"), ("TUCD", "ucd")):
            if column.about.get(entry):
                hdu.header.set(f"{key}{number}", as_ascii(column.about[entry]), after=f"TFORM{number}")
    hdu.header.extend(cards({entry.name: value for entry, value in provenance_of(table.schema)}), bottom=True)
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file, checksum=True)
    return file.getvalue()


def _for_fits(column: Column) -> Column:
    """With a TNULL that no value has, where a whole number is missing; where a truth is, 1 and 0: readers take its null for false."""
    if "null" in column.about or column.kind.fits not in "LIJK" or not any(column.absent()):
        return column
    values = [None if value is None else int(value) for value in column.values]
    kind = KINDS["int16"] if column.kind.fits == "L" else column.kind
    limits, taken = np.iinfo(kind.numpy), set(values)
    free = next(value for value in range(limits.min, limits.max) if value not in taken)
    return column._replace(kind=kind, values=values, about={**column.about, "null": str(free)})


def as_votable(table: pa.Table) -> bytes:
    """A VOTable with frames, UCDs, descriptions and precisions; nulls are empty cells.

    Prefixes of IDs keep them apart from those of the columns, which are their names.
    """
    from astropy.io.votable import tree

    columns = list(columns_of(table))
    file, resource = tree.VOTableFile(), tree.Resource(type="results")
    file.resources.append(resource)
    element = tree.TableElement(file, ID="table_equiradio", name="equiradio")
    resource.tables.append(element)
    for frame in sorted({column.about["frame"] for column in columns if "frame" in column.about}):
        resource.coordinate_systems.append(tree.CooSys(ID=f"frame_{frame}", system=frame))
    _say_provenance(file, resource, table.schema)
    element.fields.extend(_field(file, column) for column in columns)
    element.create_arrays(len(table))
    for field, column in zip(element.fields, columns, strict=True):
        element.array[field.name], element.array.mask[field.name] = column.array(), column.absent()
    out = io.BytesIO()
    file.to_xml(out)
    return out.getvalue()


def _say_provenance(file: Any, resource: Any, schema: pa.Schema) -> None:
    """Numbers as PARAM, texts as INFO."""
    from astropy.io.votable import tree

    for entry, value in provenance_of(schema):
        if isinstance(value, str):
            resource.infos.append(tree.Info(ID=f"about_{entry.name}", name=entry.name, value=value))
            continue
        kind = {int: "int", float: "double"}[entry.kind]
        parameter = tree.Param(file, f"about_{entry.name}", entry.name, value, kind, ucd=entry.ucd)
        parameter.description = entry.meaning
        resource.params.append(parameter)


def _field(file: Any, column: Column) -> Any:
    from astropy.io.votable import tree

    about, kind = column.about, column.kind.votable
    frame = f"frame_{about['frame']}" if "frame" in about else None
    if column.kind is TEXT and not all(value is None or value.isascii() for value in column.values):
        kind = "unicodeChar"
    size = "*" if column.kind is TEXT else None
    more = {"unit": column.unit, "ucd": about.get("ucd") or None, "precision": about.get("decimals"), "ref": frame}
    field = tree.Field(file, name=column.name, datatype=kind, arraysize=size, **more)
    field.description = about.get("description")
    return field


def as_astropy(table: pa.Table) -> Any:
    """As an astropy table, with units, descriptions and UCDs; nulls are masked."""
    from astropy.table import Column as Whole
    from astropy.table import MaskedColumn, Table

    made = []
    for column in columns_of(table):
        about = {"unit": column.unit, "description": column.about.get("description"), "meta": {"ucd": column.about.get("ucd", "")}}
        absent = column.absent()
        made.append(
            MaskedColumn(column.array(), column.name, mask=absent, fill_value=column.null, **about)
            if any(absent)
            else Whole(column.array(), column.name, **about)
        )
    return Table(made, meta={"name": "equiradio"})
