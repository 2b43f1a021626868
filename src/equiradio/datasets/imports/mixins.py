"""Columns that astropy holds as one and writes as several: positions (SkyCoord) as NAME.ra and NAME.dec, masks as NAME.mask."""

from collections.abc import Iterable, Mapping
from typing import Any

MARKS = (",", ";", "\t", "|")  # that may stand between the columns of CSV: the one that the heading has most of
OF_ASTROPY = b"table_meta_yaml"  # key under which it writes what Parquet has no place for
PARTS = "__serialized_columns__"  # where astropy says what it has taken apart
AS_ICRS = ("icrs", "fk5")  # within 0.1 arcsec, where the equinox is J2000


def as_plain(table: Any) -> tuple[Any, dict[str, str]]:
    """An astropy table with plain columns alone, and the frames of its positions that are not ICRS, by column."""
    if not table.has_mixin_columns:
        return table, {}
    from astropy.table.serialize import represent_mixins_as_columns

    plain = represent_mixins_as_columns(table)
    return plain, frames_of(plain.meta.get(PARTS, {}))


def in_parquet(table: Any) -> tuple[Any, dict[str, str], dict[str, str]]:
    """An Arrow table, with null for what astropy masked where it wrote it; units by column, and frames as in `as_plain`."""
    stated = (table.schema.metadata or {}).get(OF_ASTROPY)
    if not stated:
        return table, {}, {}
    from astropy.table.meta import get_header_from_yaml

    header = get_header_from_yaml(stated.decode().splitlines())
    units = {column["name"]: str(column["unit"]) for column in header.get("datatype", []) if column.get("unit")}
    parts = dict(header.get("meta") or {}).get(PARTS, {})
    return _with_nulls(table, _masks_in(parts)), units, frames_of(parts)


def _masks_in(parts: Any) -> dict[str, str]:
    """Columns of masks, by the column that each belongs to: both are parts, at any depth, of a column that was taken apart."""
    if not isinstance(parts, Mapping):
        return {}
    data, mask = parts.get("data"), parts.get("mask")
    masks = {data["name"]: mask["name"]} if isinstance(data, Mapping) and isinstance(mask, Mapping) else {}
    for part in parts.values():
        masks |= _masks_in(part)
    return masks


def _with_nulls(table: Any, masks: Mapping[str, str]) -> Any:
    """An Arrow table with null for what is masked, and without the masks; columns of lists stay as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, mask in masks.items():
        field = table.schema.field(name)
        if pa.types.is_boolean(table.schema.field(mask).type):
            values = pc.if_else(table[mask], pa.scalar(None, field.type), table[name])
            table = table.set_column(table.column_names.index(name), field, values).drop_columns(mask)
    return table


def frames_of(parts: Mapping[str, Any]) -> dict[str, str]:
    """Frames that are not ICRS, by column, of positions that were taken apart."""
    frames: dict[str, str] = {}
    for name, stated in parts.items():
        frame, equinox = str(stated.get("frame", "icrs")), getattr(stated.get("equinox"), "jyear", 2000.0)
        if not str(stated.get("__class__", "")).endswith("SkyCoord") or (frame in AS_ICRS and abs(equinox - 2000) < 0.01):
            continue
        words = f"{frame} of J{equinox:g}" if frame in AS_ICRS else frame
        frames |= {f"{name}.{part}": words for part in ("ra", "dec")}
    return frames


def positions_in(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of columns NAME.ra and NAME.dec among these."""
    there = list(names)
    return [(name, f"{name[:-3]}.dec") for name in there if name.endswith(".ra") and f"{name[:-3]}.dec" in there]
