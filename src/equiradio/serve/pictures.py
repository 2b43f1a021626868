"""Small pictures for lists, and FITS files of maps."""

import io
from typing import TYPE_CHECKING

import numpy as np

from equiradio.labels import Labels
from equiradio.printable import as_ascii
from equiradio.serve.held import Held

if TYPE_CHECKING:
    from equiradio.inference.evidence import PixelEvidence

SHOWN = 100  # pixels of a picture in a gallery


def png(pixels: np.ndarray, colours: str = "gray") -> bytes:
    """A picture of uint8 pixels, row 0 at the bottom; grey through a square root, so that lobes show beside the core."""
    from matplotlib import colormaps
    from PIL import Image

    shades = np.sqrt(pixels / 255.0) if colours == "gray" else pixels / 255.0
    table = (np.asarray(colormaps[colours](np.arange(256)))[:, :3] * 255).round().astype(np.uint8)
    picture = Image.fromarray((shades[::-1] * 255).round().astype(np.uint8), mode=None).resize((SHOWN, SHOWN), Image.Resampling.BILINEAR)
    picture.putpalette(table.tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def maps_as_fits(
    source: Held, model: str, maps: np.ndarray, labels: Labels, evidence: "PixelEvidence | None", rotation_deg: float, version: str
) -> bytes:
    """Image, attention maps and evidence turned back to the sky, one HDU each, with the source's WCS where it has one.

    ``model`` says in words whose maps they are.
    """
    from astropy.io import fits

    from equiradio.verbs.sky_maps import evidence_hdu

    wcs = source.any_wcs()
    header = wcs.to_header() if wcs is not None else fits.Header()
    header["OBJECT"] = as_ascii(source.name)[:60]
    header["HISTORY"] = as_ascii(f"equiradio {version}, model {model}")
    header["HISTORY"] = f"maps of the source turned by {rotation_deg:g} deg, turned back"
    hdus = [fits.PrimaryHDU(source.pixels, header)]
    for number, plane in enumerate(maps.astype(np.float32)):
        hdus.append(fits.ImageHDU(plane, header, name="ATTENTION" if number == 0 else f"GATE{number}"))
    if evidence is not None:
        hdus.append(evidence_hdu(evidence, header, labels))
    file = io.BytesIO()
    fits.HDUList(hdus).writeto(file)
    return file.getvalue()
