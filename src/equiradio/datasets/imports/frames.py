"""Frames of positions that tables state: RADESYS and equinox, a VOTable's COOSYS, and the image that a source finder looked at."""

import re
from collections.abc import Mapping
from typing import Any

OTHER_FRAMES = ("FK4", "GALACTIC", "ECL", "SUPER")  # how the names of frames begin that are not ICRS within 0.1 arcsec
OLD = 1984.0  # equinoxes before it are of FK4 where no frame is named, as the FITS standard has it
OF_IMAGE = re.compile(r"CTYPE[12]\s*=\s*'?GLON")  # in PyBDSF's comments, whose RA and DEC are l and b then
GALACTIC = "galactic coordinates, by the comment about its image (CTYPE = 'GLON...')"


def other_frames(frames: Mapping[str, str]) -> dict[str, str]:
    """Those of the frames that are not ICRS within 0.1 arcsec."""
    return {name: frame for name, frame in frames.items() if frame.upper().removeprefix("EQ_").startswith(OTHER_FRAMES)}


def frames_in_cards(meta: Mapping[str, Any]) -> dict[str, str]:
    """Frames other than ICRS by column, of "" that of all others, that a table's cards state (an astropy table's ``meta``)."""
    cards = {str(name).upper(): value for name, value in meta.items()}
    words = [str(cards.get(name) or "").strip() for name in ("RADESYS", "RADECSYS", "EQUINOX")]
    frame = words[0] or words[1] or ("FK4" if _is_old(words[2]) else "")
    comments = cards.get("COMMENTS") or []
    galactic = any(OF_IMAGE.match(str(line).strip()) for line in ([comments] if isinstance(comments, str) else comments))
    of_finder = dict.fromkeys(("RA", "DEC"), GALACTIC) if galactic else {}
    return other_frames({"": frame}) | of_finder


def frames_in_votable(whole: Any, table: Any) -> dict[str, str]:
    """The same of one of the tables of a VOTable, by its COOSYS."""
    systems = {system.ID: str(system.system) for system in whole.iter_coosys()}
    frames = {field.name: systems[field.ref] for field in table.fields if field.ref in systems}
    if len(set(systems.values())) == 1:  # that of columns which name none, too
        frames[""] = next(iter(systems.values()))
    return other_frames(frames)


def _is_old(equinox: str) -> bool:
    """Of 1950 or the like: ``1950.0``, ``B1950``."""
    try:
        return equinox.upper().startswith("B") or 0 < float(equinox) < OLD
    except ValueError:
        return False
