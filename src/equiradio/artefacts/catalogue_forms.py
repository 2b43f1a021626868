"""Tables as bytes of CSV, FITS and VOTable, and as astropy's: nulls, units, UCDs and descriptions in the way of each form."""

import io
import math
import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from equiradio.artefacts.form_names import in_fits, unit_in_fits, xml_ids
from equiradio.artefacts.provenance import cards, provenance_of
from equiradio.printable import as_ascii, in_one_line, printable


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
    "uint64": Kind(np.uint64, "K", "char"),
    "halffloat": Kind(np.float32, "E", "float"),
    "float": Kind(np.float32, "E", "float"),
    "double": Kind(np.float64, "D", "double"),
}
TEXT = Kind(np.str_, "A", "char")  # what any other type is written as
UNSIGNED = 2**63  # TZERO of whole numbers of 64 bits without a sign


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

    def as_text(self) -> "Column":
        """With words in the place of values."""
        return self._replace(kind=TEXT, values=[None if value is None else printable(str(value)) for value in self.values])


def columns_of(table: pa.Table) -> Iterator[Column]:
    """The columns of a table; what is no number, truth or text is written as text."""
    for place, field in enumerate(table.schema):
        about = {key.decode(): in_one_line(value.decode("utf-8", "replace")) for key, value in (field.metadata or {}).items()}
        values = _as_usual(table.column(place))
        column = Column(field.name, KINDS.get(str(values.type), TEXT), values.to_pylist(), about)
        yield column.as_text() if column.kind is TEXT else column


def _as_usual(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimals and whole numbers without a sign as whole numbers with one, or as doubles, where no digit is lost; any other as it is."""
    decimals = pa.types.is_decimal(column.type)
    if not decimals and column.type != pa.uint64():
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        numbers = column.cast(pa.float64(), safe=False) if decimals else column
    pairs = zip(column.to_pylist(), numbers.to_pylist(), strict=True)
    return numbers if all(value is None or value == Decimal(repr(number)) for value, number in pairs) else column


def numbers_as_text(table: pa.Table, suffix: str) -> list[str]:
    """Columns of numbers that FITS (``suffix`` .fits) or VOTable can hold as text alone."""
    numbers = [place for place, field in enumerate(table.schema) if pa.types.is_decimal(field.type) or field.type == pa.uint64()]
    some, fit = columns_of(table.select(numbers)), _for_fits if suffix == ".fits" else _for_votable
    return [column.name for column in map(fit, some) if column.kind is TEXT]


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
    for name, column in zip(in_fits(table.column_names), columns, strict=True):
        values, form = column.array(), column.kind.fits
        if column.kind is TEXT:
            values = np.array([as_ascii(value) for value in values], np.str_)
            form = f"{max(values.dtype.itemsize // 4, 1)}A"
        decimals = int(column.about.get("decimals", "0"))
        shown = f"F{decimals + 5}.{decimals}" if decimals else None
        null = int(column.about["null"]) if "null" in column.about else None
        unit, zero = unit_in_fits(column.unit or "") or None, UNSIGNED if values.dtype == np.uint64 else None
        made.append(fits.Column(name, form, unit, null=null, bzero=zero, disp=shown, array=values))
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
    """With a TNULL that no value has, where a whole number is missing; where a truth is, 1 and 0: readers take its null for false.

    Of whole numbers without a sign TNULL is that of what is stored, which astropy, for one, does not go by: they become text.
    """
    if "null" in column.about or column.kind.fits not in "LIJK" or not any(column.absent()):
        return column
    if column.kind.numpy is np.uint64:
        return column.as_text()
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

    columns = [_for_votable(column) for column in columns_of(table)]
    file, resource = tree.VOTableFile(), tree.Resource(type="results")
    file.resources.append(resource)
    element = tree.TableElement(file, ID="table_equiradio", name="equiradio")
    resource.tables.append(element)
    for frame in sorted({column.about["frame"] for column in columns if "frame" in column.about}):
        resource.coordinate_systems.append(tree.CooSys(ID=f"frame_{frame}", system=frame))
    _say_provenance(file, resource, table.schema)
    element.fields.extend(_field(file, column, key) for column, key in zip(columns, xml_ids(table.column_names), strict=True))
    element.create_arrays(len(table))
    for field, column in zip(element.fields, columns, strict=True):
        element.array[field.ID], element.array.mask[field.ID] = column.array(), column.absent()
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


def _for_votable(column: Column) -> Column:
    """As text where VOTable has no such numbers: its whole ones have a sign."""
    return column.as_text() if column.kind.votable == TEXT.votable else column


def _field(file: Any, column: Column, key: str) -> Any:
    from astropy.io.votable import tree

    about, kind = column.about, column.kind.votable
    frame = f"frame_{about['frame']}" if "frame" in about else None
    if column.kind is TEXT and not all(value is None or value.isascii() for value in column.values):
        kind = "unicodeChar"
    size = "*" if column.kind is TEXT else None
    more = {"unit": column.unit, "ucd": about.get("ucd") or None, "precision": about.get("decimals"), "ref": frame}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units as people write them, which readers get as they are
        field = tree.Field(file, key, column.name, datatype=kind, arraysize=size, **more)
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
