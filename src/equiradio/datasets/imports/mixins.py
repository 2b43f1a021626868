"""Columns that astropy holds as one and writes as several: positions (SkyCoord) as NAME.ra and NAME.dec, with their frame beside them."""

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


def in_parquet(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Units by column, and frames as in `as_plain`, of what astropy writes beside a Parquet table."""
    from astropy.table.meta import get_header_from_yaml

    header = get_header_from_yaml(text.splitlines())
    units = {column["name"]: str(column["unit"]) for column in header.get("datatype", []) if column.get("unit")}
    return units, frames_of(dict(header.get("meta") or {}).get(PARTS, {}))


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
