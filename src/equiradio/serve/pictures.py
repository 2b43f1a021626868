"""Small pictures for lists."""

import io

import numpy as np

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
