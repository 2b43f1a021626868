"""From the cards of a header to a WCS of two celestial axes. What moves positions is followed or refused, never dropped."""

import math
import re
from typing import Any

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.axes import Axes
from equiradio.sky.cards import as_number
from equiradio.sky.frames import Degrees, from_icrs, to_icrs, unit_vectors

BY_AXIS = re.compile(r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)(\d)")
MATRIX = re.compile(r"(CD|PC)(\d{1,2})_(\d{1,2})|PC(\d{3})(\d{3})")
PARAMETER = re.compile(r"(P[VS])(\d)_(\d{1,2})")
SIP = re.compile(r"[AB]P?_(ORDER|\d_\d)")
NUMBERS, TEXTS = {"LONPOLE", "LATPOLE", "EQUINOX", "EPOCH"}, {"RADESYS", "RADECSYS", "DATE-OBS", "MJD-OBS"}
NOT_FOLLOWED = re.compile(r"C[PQ]DIS\d|D2IMDIS\d|D2IMARR|AXISCORR")  # distortions by tables, or of pixels
PROJECTIONS = re.compile(
    r"AZP|SZP|TAN|STG|SIN|ARC|ZPN|ZEA|AIR|CYP|CEA|CAR|MER|COP|COE|COD|COO|SFL|GLS|PAR|MOL|AIT|BON|PCO|TSC|CSC|QSC|HPX|XPH|NCP|TPV"
)
AROUND = {"CAR": 0.0, "CEA": 0.0, "CYP": 0.0, "MER": 0.0, "HPX": 90.0}  # may go on beyond 180 degrees; may be moved by steps of so many
FRAMES = {"ICRS", "FK5", "FK4", "FK4-NO-E"}
EQUINOXES = (1800.0, 2100.0)  # what is no year of these, 0 above all, is no equinox
CORRECT = "Correct the header, or regrid the image to a plain projection."


def celestial(header: Any, axes: Axes, name: str) -> tuple[Any, set[str]]:
    """The WCS of (columns, rows), astropy's, in the file's own frame; and the flags that it earns.

    Raises
    ------
    ImageRefusal : cards that cannot be used, a projection, distortion or coordinates that are not followed.
    """
    from astropy.io import fits
    from astropy.wcs import WCS

    cards, flags = _cards(header, axes, name)
    try:
        wcs = WCS(fits.Header(cards))
        wcs.wcs.set()
    except MemoryError:
        raise
    except Exception as error:  # wcslib refuses in many ways
        words = " ".join(str(error).split()).split(".c: ")[-1][:120].rstrip(".") or type(error).__name__
        raise ImageRefusal("damaged", name, f"a WCS that cannot be understood ({words})", "one that can", CORRECT) from None
    wcs.pixel_shape = (axes.columns.length, axes.rows.length)
    _bring_within(wcs)
    return wcs, flags


def _bring_within(wcs: Any) -> None:
    """Move the reference point of a map that reaches beyond 180 degrees of longitude from it, along the equator to where it does not.

    Pixels there have no position by wcslib, and positions there lie in pixels a turn away.
    """
    step, (lng, lat) = AROUND.get(str(wcs.wcs.ctype[0])[-3:]), (wcs.wcs.lng, wcs.wcs.lat)
    if step is None or wcs.wcs.crval[lat] != 0 or wcs.wcs.lonpole != 0 or wcs.wcs.theta0 != 0 or distorted(wcs):
        return
    ends = [(-0.5, length - 0.5) for length in wcs.pixel_shape]
    corners = np.array([(column, row) for column in ends[0] for row in ends[1]]) + 1 - wcs.wcs.crpix
    along = corners @ wcs.pixel_scale_matrix[lng]
    if np.abs(along).max() <= 180:
        return
    turn = (along.min() + along.max()) / 2
    turn = round(turn / step) * step if step else turn
    wcs.wcs.crpix += np.linalg.solve(wcs.pixel_scale_matrix, turn * np.eye(2)[lng])
    wcs.wcs.crval = wcs.wcs.crval + turn * np.eye(2)[lng]
    wcs.wcs.set()


def distorted(wcs: Any) -> bool:
    """Whether positions are bent by more than the projection."""
    return wcs.sip is not None or tpv_header(wcs) is not None


def tpv_header(wcs: Any) -> str | None:
    """The header of a TPV projection, which alone shows its terms; None of other projections.

    astropy follows the terms and calls the axes TAN from then on; the header that it would write says TPV again.
    """
    header = wcs.wcs.to_header() if str(wcs.wcs.ctype[0]).endswith("TAN") else ""
    return header if "TPV" in header else None


def nominal_scale(wcs: Any) -> float:
    """Side of a pixel in arcsec by the header's matrix, which holds at its reference point."""
    return math.sqrt(abs(float(np.linalg.det(wcs.pixel_scale_matrix)))) * 3600


def from_pixel(wcs: Any, column: int, row: int, side: int) -> Any:
    """The WCS of the square of pixels that begins at a column and row of an image with ``wcs``."""
    part = wcs.deepcopy()
    part.wcs.crpix = [part.wcs.crpix[0] - column, part.wcs.crpix[1] - row]
    if part.sip is not None:  # has a reference pixel of its own, which is not moved with the other
        from astropy.wcs import Sip

        a, b, ap, bp = part.sip.a, part.sip.b, part.sip.ap, part.sip.bp
        part.sip = Sip(a, b, ap, bp, [part.sip.crpix[0] - column, part.sip.crpix[1] - row])
    part.pixel_shape = (side, side)
    return part


def on_sky(wcs: Any, columns: Any, rows: Any) -> Degrees:
    """ICRS of pixels in degrees, that of ``wcs.pixel_to_world(columns, rows).icrs`` in a fraction of its time; nan where there is none."""
    world = wcs.pixel_to_world_values(columns, rows)
    return to_icrs(wcs, world[wcs.wcs.lng], world[wcs.wcs.lat])


def on_pixels(wcs: Any, ra_deg: Any, dec_deg: Any) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of positions (ICRS), float64 (count,), counted from the centre of the first pixel; nan where there is none."""
    lon, lat = from_icrs(wcs, np.atleast_1d(ra_deg), np.atleast_1d(dec_deg))
    world = [lon, lon]
    world[wcs.wcs.lat] = lat
    with np.errstate(invalid="ignore"):
        columns, rows = wcs.world_to_pixel_values(*world)
    return np.asarray(columns, float), np.asarray(rows, float)


def position(wcs: Any, column: float, row: float) -> tuple[float, float]:
    """ICRS of a pixel in degrees; nan where there is no WCS."""
    if wcs is None:
        return math.nan, math.nan
    ra, dec = on_sky(wcs, column, row)
    return float(ra), float(dec)


def steps(wcs: Any, column: float, row: float) -> np.ndarray:
    """Arcsec towards (east, north) by one pixel along (column, row) at a place of the image; nan where it has no position.

    The linear matrix of a header says so only at its reference point and in its own frame.
    """
    return all_steps(wcs, np.array([column]), np.array([row]))[0]


def all_steps(wcs: Any, columns: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """The same at many places, in hardly more time than at one."""
    if not len(columns):
        return []
    near = np.repeat(columns, 3) + np.tile([0, 1, 0], len(columns)), np.repeat(rows, 3) + np.tile([0, 0, 1], len(rows))
    ra_deg, dec_deg = on_sky(wcs, *near)
    places, made = unit_vectors(ra_deg, dec_deg).T, []
    for first, (ra, dec) in enumerate(zip(np.radians(ra_deg[::3]), np.radians(dec_deg[::3]), strict=True)):
        east = (-math.sin(ra), math.cos(ra), 0.0)
        north = (-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec))
        here, ahead = places[:, 3 * first : 3 * first + 1], places[:, 3 * first + 1 : 3 * first + 3]
        made.append(np.degrees(np.array([east, north]) @ (ahead - here)) * 3600)
    return made


def north_angle(wcs: Any, column: float, row: float) -> float:
    """Position angle in ICRS, degrees from north through east, of the direction that the image's own frame calls north."""
    from astropy.coordinates import position_angle

    world = wcs.pixel_to_world_values(column, row)
    lon, lat = float(world[wcs.wcs.lng]), float(world[wcs.wcs.lat])
    sign = 1 if lat < 89 else -1
    (ra, ahead_ra), (dec, ahead_dec) = (np.radians(each) for each in to_icrs(wcs, [lon, lon], [lat, lat + sign * 1e-3]))
    return float(position_angle(ra, dec, ahead_ra, ahead_dec).deg) + (0.0 if sign > 0 else 180.0)


def _cards(header: Any, axes: Axes, name: str) -> tuple[list[tuple[str, Any]], set[str]]:
    """The cards of the two axes, numbered 1 and 2, and the flags that go with them."""
    new = {axes.columns.number: 1, axes.rows.number: 2}
    pair = f"{axes.columns.kind} and {axes.rows.kind}"
    _check_kinds(axes, name, pair)
    cards, frame, bent = dict[str, Any](), dict[str, Any](), False
    for card in header.cards:
        key = card.keyword
        if NOT_FOLLOWED.fullmatch(key):
            raise ImageRefusal("distorted", name, f"positions bent by {key}", "a plain projection, or SIP", CORRECT)
        target = _target(key, new)
        if target is None:
            continue
        value, text = _value(card), key[:5] in ("CTYPE", "CUNIT") or key.startswith("PS") or key in TEXTS
        number = None if text else as_number(value)
        if target == "" and number not in (0.0, None):
            raise ImageRefusal("distorted", name, f"{key} = {number:g} mixes the sky with another axis", f"{key} = 0", CORRECT)
        if key in TEXTS or key in ("EQUINOX", "EPOCH"):
            frame.setdefault(key, value if text or number is not None else math.nan)
        elif not text and number is None:
            words = f"{key} holds {str(value)[:40]!r}" if value is not None else f"{key} cannot be read"
            raise ImageRefusal("damaged", name, words, "a number", CORRECT)
        elif target:
            bent |= bool(SIP.fullmatch(key))
            cards.setdefault(target, str(value).strip() if text else int(number or 0) if key.endswith("ORDER") else number)
    if bent and (axes.columns.number, axes.rows.number) != (1, 2):
        raise ImageRefusal("distorted", name, f"SIP terms of axes that are not {pair}", "RA and DEC first", CORRECT)
    for key in ("CTYPE1", "CTYPE2") if bent else ():  # terms are followed with or without the suffix that announces them
        cards[key] = cards[key].removesuffix("-SIP") + "-SIP"
    added, flags = _frame(frame, axes.columns.kind)
    return [*cards.items(), *added], flags


def _target(key: str, new: dict[int, int]) -> str | None:
    """The keyword with the axes' new numbers; empty for a term between the sky and another axis, None for what is not of the sky."""
    if key in NUMBERS or key in TEXTS or SIP.fullmatch(key):
        return key
    if match := BY_AXIS.fullmatch(key):
        return f"{match[1]}{new[int(match[2])]}" if int(match[2]) in new else None
    if match := PARAMETER.fullmatch(key):
        return f"{match[1]}{new[int(match[2])]}_{int(match[3])}" if int(match[2]) in new else None
    if match := MATRIX.fullmatch(key):
        kind, first, second = (match[1], int(match[2]), int(match[3])) if match[1] else ("PC", int(match[4]), int(match[5]))
        if first in new and second in new:
            return f"{kind}{new[first]}_{new[second]}"
        return "" if first in new or second in new else None
    return None


def _value(card: Any) -> Any:
    """None where the card is illegal."""
    try:
        return card.value
    except Exception:  # astropy refuses in several ways
        return None


def _check_kinds(axes: Axes, name: str, pair: str) -> None:
    """Refuse coordinates and projections that would be misunderstood."""
    systems = {kind[:4] for kind in (axes.columns.kind, axes.rows.kind)}
    if systems not in ({"RA--", "DEC-"}, {"GLON", "GLAT"}):
        expected = "RA and DEC or GLON and GLAT with a projection, such as RA---SIN"
        raise ImageRefusal("absurd_scale", name, f"coordinates {pair}", expected, CORRECT)
    codes = {kind[4:].lstrip("-").removesuffix("-SIP") for kind in (axes.columns.kind, axes.rows.kind)}
    if len(codes) > 1 or not all(PROJECTIONS.fullmatch(code) for code in codes):
        raise ImageRefusal("distorted", name, f"projection of {pair} is not followed", "one of the FITS standard", CORRECT)


def _frame(frame: dict[str, Any], kind: str) -> tuple[list[tuple[str, Any]], set[str]]:
    """Cards of the reference frame; one that is unknown is left to the equinox and flagged.

    Galactic coordinates have none: astropy would take them for equatorial ones where the header has RADESYS.
    """
    flags, cards = set[str](), list[tuple[str, Any]]()
    if not kind.startswith("RA"):
        return cards, flags
    system = next((str(frame[key] or "?").strip().upper() for key in ("RADESYS", "RADECSYS") if key in frame), "")
    if system and system not in FRAMES:
        flags.add("unknown_frame")
    elif system:
        cards.append(("RADESYS", system))
    equinox = next((frame[key] for key in ("EQUINOX", "EPOCH") if key in frame), None)
    if equinox is not None and system != "ICRS":
        year = as_number(equinox)
        if year is None or not EQUINOXES[0] <= year <= EQUINOXES[1]:
            flags.add("unknown_frame")
        else:
            cards.append(("EQUINOX", year))
    dates = [(key, frame[key]) for key in ("DATE-OBS", "MJD-OBS") if frame.get(key) is not None]
    return cards + [(key, value) for key, value in dates if (key == "DATE-OBS") == isinstance(value, str)], flags
