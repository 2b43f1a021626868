"""Attention laid over the image it belongs to, as pixels: rows counted from below, so that north is up."""

from pathlib import Path

import numpy as np

from equiradio.artefacts.files import write_atomically

ZOOM = 4  # screen pixels for each pixel of the sky
LEVELS = (0.5, 0.7, 0.9)  # shares of the way from the lowest to the highest attention of a map, at which contours are drawn
GAP, STRIP = 12, 44  # screen pixels between panels, and for the words above them
BACKGROUND, WORDS, LINE = (18, 18, 22), (235, 235, 235), (90, 220, 255)


def overlay(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """RGBA uint8 (height, width, 4), first row on top: the image in grey, attention over it in colour, more opaque where it is high.

    Parameters
    ----------
    image : (height, width), any unit; its finite range is stretched by asinh.
    attention : (height, width), stretched from its lowest to its highest value; nan or flat for no map.
    """
    import matplotlib

    sky = grey(image)[..., None] * np.ones(3)
    share = stretched(attention)
    colour = matplotlib.colormaps["plasma"](share)[..., :3]
    weight = 0.75 * share[..., None] ** 1.5
    mixed = (1 - weight) * sky + weight * colour
    return np.dstack([np.round(255 * mixed).astype(np.uint8), np.full(image.shape, 255, np.uint8)])[::-1]


def stretched(attention: np.ndarray) -> np.ndarray:
    """0..1 from the lowest to the highest value; 0 where there is no map or a flat one."""
    if not np.isfinite(attention).all() or attention.max() <= attention.min():
        return np.zeros(attention.shape)
    return (attention - attention.min()) / (attention.max() - attention.min())


def grey(image: np.ndarray) -> np.ndarray:
    """0..1 by asinh, softened at a tenth of the brightest pixel."""
    finite = np.where(np.isfinite(image), image, 0.0).astype(float)
    top = max(float(finite.max()), 1e-30)
    return np.clip(np.arcsinh(np.maximum(finite, 0) / (0.1 * top)) / np.arcsinh(10), 0, 1)


def contours(attention: np.ndarray, levels: tuple[float, ...] = LEVELS, least: int = 8) -> list[tuple[float, np.ndarray]]:
    """Lines (points, 2) of column and row at each level of the stretched map, those of fewer than ``least`` points left out."""
    from contourpy import contour_generator

    maker = contour_generator(z=np.pad(stretched(attention), 1), name="serial")  # padded, so that lines at the edge close
    return [(level, np.asarray(line) - 1) for level in levels for line in maker.lines(level) if len(line) >= least]


def save_overlay(image: np.ndarray, attention: np.ndarray, title: str, words: str, path: Path) -> None:
    """A PNG of two panels: the image, and the same with attention, its contours and its peak."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = (ZOOM * side for side in image.shape)
    page = Image.new("RGB", (2 * width + 3 * GAP, height + STRIP + GAP), BACKGROUND)
    for number, shown in enumerate((np.zeros_like(attention), attention)):
        panel = Image.fromarray(overlay(image, shown)).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        page.paste(panel, (GAP + number * (width + GAP), STRIP))
    pen = ImageDraw.Draw(page)
    left, top = 2 * GAP + width, STRIP

    def place(column: float, row: float) -> tuple[float, float]:
        x, y = min(max(column, 0), image.shape[1] - 1), min(max(row, 0), image.shape[0] - 1)
        return left + ZOOM * (x + 0.5), top + height - ZOOM * (y + 0.5)

    for level, line in contours(attention):
        pen.line([place(*point) for point in line], LINE, 3 if level == LEVELS[-1] else 1)
    if np.isfinite(attention).any():
        row, column = np.unravel_index(int(np.nanargmax(attention)), attention.shape)
        x, y = place(float(column), float(row))
        for dx, dy in ((9, 0), (0, 9)):
            pen.line([(x - dx, y - dy), (x + dx, y + dy)], (255, 255, 255), 2)
    font = ImageFont.load_default(17)
    pen.text((GAP, 12), title, WORDS, font)
    pen.text((left, 12), words, WORDS, font)
    write_atomically(path, lambda part: page.save(part, format="PNG"))
