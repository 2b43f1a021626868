"""Attention and evidence laid over the image they belong to, as pixels: rows counted from below, so that north is up."""

from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equiradio.artefacts.atomic import write_atomically
from equiradio.report.png import png

ZOOM = 4  # screen pixels for each pixel of the sky
LEVELS = {0.5: 1, 0.7: 2, 0.9: 3}  # shares of the way from the lowest to the highest attention of a map -> width of the contour there
BAR, BAR_MARGIN, LINE_HEIGHT = 120, 66, 20  # screen pixels: the bar of evidence's colours, room for a number beside it, lines of words
GAP, STRIP = 12, 44  # screen pixels between panels, and for the words above and below them
OUTLINE_COLOUR = (90, 90, 96)
BACKGROUND, WORDS, FAINT, LINE = (18, 18, 22), (235, 235, 235), (160, 160, 168), (90, 220, 255)
BAR_ARCSEC = 60.0
ARM, TO_LETTER = 30, 40  # screen pixels from where the arms of the compass meet to their ends, and to the middle of their letters
LARGE, SMALL = 17, 14  # sizes of the font
FOR_FRII, FOR_FRI = (204, 85, 0), (20, 95, 190)  # on white; the colour-blind can tell them from each other too
OUTLINE, LIGHT = 0.2, (250, 250, 250)  # of the stretched image, drawn over evidence in grey; what says nothing
STRONG = 99.5  # percent of the pixels of an evidence map that are weaker than its full colour


def overlay(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """RGBA uint8 (height, width, 4), first row on top: the image in grey, attention over it in colour, more opaque where it is high.

    Parameters
    ----------
    image : (height, width), any unit; its finite range is stretched by asinh.
    attention : (height, width), stretched from its lowest to its highest value; nan or flat for no map.
    """
    sky = grey(image)[..., None] * np.ones(3)
    share = stretched(attention)
    colour = _plasma()[np.minimum((256 * share).astype(int), 255)]
    weight = 0.75 * share[..., None] ** 1.5
    return _pixels((1 - weight) * sky + weight * colour)


@cache
def _plasma() -> np.ndarray:
    """Colours of attention from lowest to highest, 0..1 (256, 3)."""
    import matplotlib

    return matplotlib.colormaps["plasma"](np.arange(256))[:, :3]


class Sky(NamedTuple):
    """What pixels are on the sky: their size, and the steps (columns, rows) of length 1 towards north and east, where these are known."""

    arcsec: float
    north: tuple[float, float] | None = None
    east: tuple[float, float] | None = None


class Why(NamedTuple):
    """Evidence of a picture: the plane, what pixels below and above 0 speak for, and two lines of words."""

    plane: np.ndarray
    sides: tuple[str, str] = ("", "")
    words: tuple[str, str] = ("", "")


def evidence_overlay(evidence: np.ndarray) -> np.ndarray:
    """RGBA uint8 (height, width, 4), first row on top: what speaks for FRII in orange and for FRI in blue, on white.

    ``evidence`` (height, width) is above 0 for FRII; the stronger, the darker.
    """
    weight = np.clip(abs(evidence) / full_colour(evidence), 0, 1)[..., None]
    colour = np.where(evidence[..., None] > 0, FOR_FRII, FOR_FRI) / 255
    return _pixels((1 - weight) * np.array(LIGHT) / 255 + weight * colour)


def full_colour(evidence: np.ndarray) -> float:
    """The evidence, for or against, from which on a pixel has its full colour."""
    return max(float(np.percentile(abs(evidence), STRONG)), 1e-30)


def _pixels(colour: np.ndarray) -> np.ndarray:
    return np.dstack([np.round(255 * colour).astype(np.uint8), np.full(colour.shape[:2], 255, np.uint8)])[::-1]


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


def contours(attention: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Closed lines (points, 2) of column and row at each of the `LEVELS` of the stretched map, of a single pixel too."""
    share = stretched(attention)
    return [(level, line) for level in LEVELS for line in outlines(share, level)]


def outlines(plane: np.ndarray, level: float) -> list[np.ndarray]:
    """Closed lines (points, 2) of column and row around what is higher than a level."""
    from contourpy import contour_generator

    maker = contour_generator(z=np.pad(plane, 1), name="serial")  # padded, so that lines at the edge close
    return [np.asarray(line) - 1 for line in maker.lines(level)]


def save_overlay(
    image: np.ndarray, attention: np.ndarray, title: str, words: str, path: Path, sky: Sky | None = None, why: Why | None = None
) -> None:
    """A PNG of panels: the image, evidence where there is any, and the image with attention, its contours and its peak.

    A bar and a compass say what ``sky`` does.
    """
    from PIL import Image, ImageDraw

    panels = [overlay(image, np.zeros_like(attention)), *([] if why is None else [evidence_overlay(why.plane)]), overlay(image, attention)]
    height, width = (ZOOM * side for side in image.shape)
    lefts = _lefts(len(panels), width)
    page = _empty_page(len(panels), width, height, bool(np.isfinite(attention).any()), None if why is None else why.sides).copy()
    pen = ImageDraw.Draw(page)
    for left, panel in zip(lefts, panels, strict=True):
        picture = Image.fromarray(panel).convert("RGB")
        page.paste(picture.resize((width, height), Image.Resampling.BILINEAR), (left, STRIP))
    for left, text in zip(lefts, (title, words), strict=False):
        pen.text((left, 12), text, WORDS, _font(LARGE))
    if why is not None:
        _draw_evidence(pen, why, image, lefts[1], STRIP)
    _draw_map(pen, attention, lefts[-1], STRIP)
    if sky is not None:
        _draw_bar(pen, GAP + 16, STRIP + height - 16, BAR_ARCSEC / sky.arcsec * ZOOM)
        _draw_compass(pen, GAP + width - 24, STRIP + height - 16, sky)
    content = png(np.asarray(page))
    write_atomically(path, lambda part: part.write_bytes(content))


def _lefts(panels: int, width: int) -> list[int]:
    """Where each panel begins, in screen pixels."""
    return [GAP + number * (width + GAP) for number in range(panels)]


@lru_cache(maxsize=16)
def _empty_page(panels: int, width: int, height: int, attention: bool, sides: tuple[str, str] | None) -> Any:
    """A page without its panels, with the words below them and the bars of colours: what pages of many sources share."""
    from PIL import Image, ImageDraw

    lefts, below, small = _lefts(panels, width), STRIP + height + 13, _font(SMALL)
    lines = 1 if sides is None else 3
    page = Image.new("RGB", (lefts[-1] + width + GAP, height + 2 * STRIP + (lines - 1) * LINE_HEIGHT), BACKGROUND)
    pen = ImageDraw.Draw(page)
    pen.text((lefts[0], below), "brightness, asinh stretch", FAINT, small)
    if attention:
        page.paste(_colour_bar(120, 12), (lefts[-1], below + 3))
        shares = ", ".join(f"{100 * level:g}" for level in LEVELS)
        pen.text((lefts[-1] + 130, below), f"attention, lowest to highest; lines at {shares} %; cross: peak", FAINT, small)
    if sides is not None:
        page.paste(_evidence_bar(BAR, 12), (lefts[1] + BAR_MARGIN, below + 3))
        pen.text((lefts[1] + BAR + 2 * BAR_MARGIN + 4, below), f"evidence: blue for {sides[0]}, orange for {sides[1]}", FAINT, small)
    return page


def _draw_evidence(pen: Any, why: Why, image: np.ndarray, left: int, top: int) -> None:
    """The image's outline over its evidence, the numbers of the bar of colours, and the sums in words below."""
    rows = image.shape[0]
    for line in outlines(grey(image), OUTLINE):
        pen.line([(left + ZOOM * (column + 0.5), top + ZOOM * (rows - row - 0.5)) for column, row in line], OUTLINE_COLOUR, 1)
    small, below = _font(SMALL), top + ZOOM * rows + 13
    full = f"{full_colour(why.plane):.2g}"
    pen.text((left + BAR_MARGIN - 4, below), f"-{full}", FAINT, small, anchor="ra")
    pen.text((left + BAR_MARGIN + BAR + 4, below), f"+{full}", FAINT, small)
    for number, words in enumerate(why.words, 1):
        pen.text((left, below + number * LINE_HEIGHT), words, WORDS if number == 1 else FAINT, small)


def _draw_map(pen: Any, attention: np.ndarray, left: int, top: int) -> None:
    """Contours and peak; where a contour only follows the edge of the image, it is left out."""
    rows, columns = attention.shape

    def place(column: float, row: float) -> tuple[float, float]:
        return left + ZOOM * (column + 0.5), top + ZOOM * (rows - row - 0.5)

    for level, line in contours(attention):
        inside = np.all((line >= 0) & (line <= np.array([columns - 1, rows - 1])), axis=1)
        for number in np.flatnonzero(inside[:-1] & inside[1:]):
            pen.line([place(*line[number]), place(*line[number + 1])], LINE, LEVELS[level])
    if np.isfinite(attention).any():
        row, column = np.unravel_index(int(np.nanargmax(attention)), attention.shape)
        x, y = place(float(column), float(row))
        for dx, dy in ((9, 0), (0, 9)):
            pen.line([(x - dx, y - dy), (x + dx, y + dy)], (255, 255, 255), 2)


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _colour_bar(width: int, height: int) -> Any:
    """The colours of `overlay` over a black sky, from the lowest attention to the highest."""
    from PIL import Image

    ramp = np.repeat(np.linspace(0, 1, width)[None], height, 0)
    return Image.fromarray(overlay(np.zeros_like(ramp), ramp)).convert("RGB")


def _evidence_bar(width: int, height: int) -> Any:
    """The colours of `evidence_overlay`, from all for FRI to all for FRII."""
    from PIL import Image

    ramp = np.repeat(np.linspace(-1, 1, width)[None], height, 0)
    return Image.fromarray(evidence_overlay(ramp)).convert("RGB")


def _draw_bar(pen: Any, left: int, bottom: int, length: float) -> None:
    """A bar of `BAR_ARCSEC`."""
    pen.line([(left, bottom), (left + length, bottom)], WORDS, 2)
    pen.text((left, bottom - 22), f'{BAR_ARCSEC:g}"', WORDS, _font(SMALL))


def _draw_compass(pen: Any, right: int, bottom: int, sky: Sky) -> None:
    """North and east, left of and above a place of the page; nothing where they are unknown."""
    arms = [(letter, np.array(arm) * (1, -1)) for letter, arm in (("N", sky.north), ("E", sky.east)) if arm is not None]  # rows go down
    beyond = np.max([arm for _, arm in arms], axis=0, initial=0)
    start = np.round((right, bottom) - TO_LETTER * beyond)
    for letter, arm in arms:
        pen.line([tuple(start), tuple(np.round(start + ARM * arm))], WORDS, 2)
        pen.text(tuple(start + TO_LETTER * arm), letter, WORDS, _font(SMALL), anchor="mm")
