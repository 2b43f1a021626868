"""Attention and evidence on the sky: a FITS file, a PNG overlay and a DS9 region file for each source."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equiradio.artefacts.atomic import write_atomically, write_text
from equiradio.artefacts.catalogue import Row
from equiradio.artefacts.provenance import Provenance, cards
from equiradio.inference.evidence import PixelEvidence
from equiradio.inference.rows import peak
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.printable import as_ascii
from equiradio.report.overlay import LEVELS, Sky, Why, contours, full_colour, outlines, save_overlay
from equiradio.sky.cutout import Cutout
from equiradio.sky.positions import on_sky, steps
from equiradio.sky.recipe import MIRABEST

SYSTEM = {True: "icrs", False: "image"}  # of a region file, with and without a WCS
HALF = 0.5  # of a picture's full colour, where outlines of evidence are drawn
COMMENT = 47  # characters that fit behind a number in a FITS card


class SkyMaps(NamedTuple):
    """What a team sees in a cutout, on its pixels.

    gates : float32 (gates, 150, 150), maps of each gate, shallow to deep; none for a network without attention.
    attention : float32 (150, 150), one map of all gates; nan without any.
    evidence : why, if the answer is a sum over pixels.
    agreement : the catalogue's ``map_agreement``.
    """

    gates: np.ndarray
    attention: np.ndarray
    labels: Labels
    evidence: PixelEvidence | None = None
    agreement: float | None = None


def write_maps(folder: Path, cutout: Cutout, maps: SkyMaps, row: Row, about: Provenance) -> None:
    """Write FITS, PNG and DS9 regions into a folder, named by the row's ``map_name``.

    Parameters
    ----------
    row : the source's row of the catalogue.
    about : what made the maps.
    """
    attention, evidence, labels = maps.attention, maps.evidence, maps.labels
    name_of, column, low, high = shown_class(row, labels)
    history = [f"equiradio classify: {column} {row[column]:.4f}, flags {row['flags']} {row['flag_names']}"]
    name = row["map_name"]
    write_atomically(folder / f"{name}.fits", lambda part: part.write_bytes(as_fits(cutout, maps, about, history)))
    write_text(folder / f"{name}.reg", region(cutout, attention, evidence, labels))
    words = f"{row['label']}  p({name_of}) {row[column]:.2f}, {row[low]:.2f} to {row[high]:.2f}"
    words += "  uncertain" if row["uncertain"] else ""
    shown = cutout.image if cutout.pixels is None else np.where(cutout.image > 0, cutout.pixels, 0)
    why = None if evidence is None else Why(evidence.plane, sides_of(evidence, labels), in_words(evidence, labels))
    save_overlay(shown, attention, name, words, folder / f"{name}.png", sky_of(cutout), why)


def sky_of(cutout: Cutout) -> Sky | None:
    """Size of the pixels, and where north and east lie in the middle; None without a WCS."""
    if cutout.wcs is None or not cutout.pixel_arcsec:
        return None
    middle = (len(cutout.image) - 1) / 2
    along = steps(cutout.wcs, middle, middle) / cutout.pixel_arcsec
    if not abs(np.linalg.det(along)) > 0:  # nan too
        return Sky(cutout.pixel_arcsec)
    east, north = (each / np.linalg.norm(each) for each in np.linalg.inv(along).T)
    return Sky(cutout.pixel_arcsec, tuple(north), tuple(east))


def shown_class(row: Row, labels: Labels) -> tuple[str, str, str, str]:
    """The class whose probability is shown, and its columns: of two the second, else the one answered."""
    place = 1 if labels.binary else labels.names.index(row["label"])
    column = labels.columns()[place]
    return labels.names[place], column, f"{column}_low", f"{column}_high"


def sides_of(evidence: PixelEvidence, labels: Labels) -> tuple[str, str]:
    """What evidence below and above 0 speaks for."""
    name = labels.names[evidence.toward]
    return (labels.names[0] if labels.binary else f"not {name}"), name


def in_words(evidence: PixelEvidence, labels: Labels) -> tuple[str, str]:
    """Both sums and the constant, as 'pixels for FRI -2.6, for FRII +1.8, constant +0.1'; and how alike the networks' evidence is."""
    (below, above), (against, speaking) = sides_of(evidence, labels), evidence.sides
    other = f"for {below}" if labels.binary else f"against {above}"
    sums = f"pixels {other} {against:+.1f}, for {above} {speaking:+.1f}, constant {evidence.constant:+.1f}"
    alike = "one network" if evidence.agreement is None else f"networks agree {evidence.agreement:.2f} (1: all alike)"
    return f"{sums} = {evidence.margin:+.1f} of log-odds", alike


def as_fits(cutout: Cutout, maps: SkyMaps, about: Provenance, history: Sequence[str]) -> bytes:
    """Image, evidence, attention, and what the network saw: one HDU each, all with the cutout's WCS, beam and unit.

    The primary header says what made them: ``about`` as cards, and lines of ``history``.
    """
    from astropy.io import fits

    header = _header(cutout)
    primary = fits.PrimaryHDU(cutout.image if cutout.pixels is None else cutout.pixels.astype(np.float32), header)
    primary.header["BUNIT"] = cutout.unit if cutout.unit.isascii() and cutout.unit.isprintable() else ""
    for key, value, comment in cards(about):
        primary.header[key] = (value, comment)
    for line in history:
        primary.header["HISTORY"] = as_ascii(line)
    if cutout.resampled:
        primary.header["HISTORY"] = f"resampled to {MIRABEST.scale_arcsec} arcsec, ICRS, north up: {cutout.resampled}"
    share, shown, attention = header.copy(), header.copy(), header.copy()
    share["BUNIT"] = attention["BUNIT"] = ("", "no unit: the share of attention, 0 to 1")
    shown["BUNIT"] = ("", "no unit: what the network saw, 0 to 255")
    if maps.agreement is not None:
        attention["MAPAGREE"] = (maps.agreement, "mean correlation of networks' maps")
    hdus = [primary] if maps.evidence is None else [primary, evidence_hdu(maps.evidence, header, maps.labels)]
    hdus += [fits.ImageHDU(maps.attention.astype(np.float32), attention, name="ATTENTION")]
    hdus += [fits.ImageHDU(gate.astype(np.float32), share, name=f"GATE{number}") for number, gate in enumerate(maps.gates, 1)]
    hdus.append(fits.ImageHDU(cutout.image, shown, name="NETWORK"))
    file = io.BytesIO()
    fits.HDUList(hdus).writeto(file, checksum=True, output_verify="ignore")  # cards were checked as they were set
    return file.getvalue()


def _header(cutout: Cutout) -> Any:
    """Cards that all maps of a source share: its WCS, its beam in degrees, and what its file says of object, telescope and frequency."""
    from astropy.io import fits

    header = fits.Header() if cutout.wcs is None else cutout.wcs.to_header(relax=True)
    if cutout.ellipse is not None:
        major, minor, angle = cutout.ellipse
        header["BMAJ"], header["BMIN"] = (major / 3600, "beam, degrees"), (minor / 3600, "beam, degrees")
        header["BPA"] = (angle, "degrees from north through east")
    header.update(cutout.about)
    return header


def evidence_hdu(evidence: PixelEvidence, header: Any, labels: Labels) -> Any:
    """The HDU named EVIDENCE: the plane, with CONSTANT and MARGIN, both sums and the networks' agreement in its header."""
    from astropy.io import fits

    name = labels.names[evidence.toward].encode("ascii", "replace").decode()[:20]
    others = labels.names[0].encode("ascii", "replace").decode()[:20] if labels.binary else "mean of the others"
    margin = f"logit {name} - logit {others} of what was shown" if labels.binary else f"logit {name} - {others}"
    hdu = fits.ImageHDU(evidence.plane.astype(np.float32), header, name="EVIDENCE")
    hdu.header["BUNIT"] = ("", "no unit: log-odds")
    hdu.header["CONSTANT"] = (evidence.constant, f"log-odds of {name} without any of these pixels"[:COMMENT])
    hdu.header["AGAINST"], hdu.header["FOR"] = (
        (total, f"sum of the pixels {way} {name}"[:COMMENT]) for way, total in zip(("against", "for"), evidence.sides, strict=True)
    )
    if evidence.agreement is not None:
        hdu.header["MAPAGREE"] = (evidence.agreement, "mean correlation of networks' evidence")
    hdu.header["MARGIN"] = (evidence.margin, margin[:COMMENT])
    return hdu


def region(cutout: Cutout, attention: np.ndarray, evidence: PixelEvidence | None = None, labels: Labels = FANAROFF_RILEY) -> str:
    """Outlines of evidence, contours and peak of attention for DS9: in degrees where there is a WCS, else in pixels counted from 1."""
    lines = ["# Region file format: DS9 version 4.1", "global color=cyan", SYSTEM[cutout.wcs is not None]]
    if evidence is not None:
        lines += _sides(cutout, evidence, labels)
    drawn = contours(attention)
    closed = [_open(line) for _, line in drawn]
    column, row = peak(attention)
    points = np.concatenate([*closed, np.array([[column, row]], float)])
    places = iter(_places(cutout, points))
    for (level, _), line in zip(drawn, closed, strict=True):
        corners = ",".join(next(places) for _ in line)
        lines.append(f"polygon({corners}) # width={LEVELS[level]} text={{{level:g}}} tag={{attention {level:g}}}")
    if column >= 0:
        lines.append(f"point({next(places)}) # point=cross color=white text={{attention peak}} tag={{attention peak}}")
    return "\n".join(lines) + "\n"


def _sides(cutout: Cutout, evidence: PixelEvidence, labels: Labels) -> list[str]:
    """Polygons around the pixels that speak for either side by at least half of a picture's full colour."""
    below, above = sides_of(evidence, labels)
    lines = []
    for hand, colour, words in ((-1, "blue", f"for {below}" if labels.binary else below), (1, "orange", f"for {above}")):
        strength = np.clip(hand * evidence.plane / full_colour(evidence.plane), 0, 1)
        for line in outlines(strength, HALF):
            corners = ",".join(_places(cutout, _open(line)))
            lines.append(f"polygon({corners}) # color={colour} width=2 tag={{evidence {as_ascii(words)}}}")
    return lines


def _open(line: np.ndarray) -> np.ndarray:
    """The corners of a closed line, the first one once."""
    return line[:-1] if np.allclose(line[0], line[-1]) else line


def _places(cutout: Cutout, points: np.ndarray) -> list[str]:
    if cutout.wcs is None:
        return [f"{column + 1:.3f},{row + 1:.3f}" for column, row in points]
    return [f"{ra:.7f},{dec:.7f}" for ra, dec in zip(*on_sky(cutout.wcs, points[:, 0], points[:, 1]), strict=True)]
