"""Images of all rows by one recipe, which the first of them and the user's choices settle."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.imports.gathering import Gathered
from equiradio.datasets.imports.report import SHOWN, Report
from equiradio.errors import DataRefusal, ImageRefusal
from equiradio.printable import some_of
from equiradio.sky.own import Plane, own_cutout
from equiradio.sky.recipe import MIRABEST, Recipe

MOST_LOST = 0.1  # of the images, that may be of no use before the whole is refused
APART_ARCSEC = 60.0  # a table's position and an image's own that are farther apart are of two places
Step = Callable[[str, int, int], object]


class Cut(NamedTuple):
    """Rows that have an image: their numbers, images uint8 (count, side, side), positions in degrees (nan: unknown), and the recipe."""

    rows: np.ndarray
    images: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    recipe: Recipe


def cut_all(rows: Gathered, wanted: np.ndarray, choices: Choices, report: Report, step: Step) -> Cut:
    """Cut the images of the wanted rows (numbers); what cannot be used is left out.

    Raises
    ------
    DataRefusal : images of several sides, kinds or scales, more than a tenth of no use, or positions that are not the images' own.
    """
    recipe: Recipe | None = None
    sides: Counter[tuple[int, ...]] = Counter()
    kinds: Counter[str] = Counter()
    done: list[tuple[int, np.ndarray, float, float]] = []
    lost: list[tuple[int, ImageRefusal]] = []
    padded: dict[int, float] = {}
    visits = wanted if rows.held_by is None else wanted[np.argsort(rows.held_by[wanted], kind="stable")]
    for number, row in enumerate(visits.tolist(), 1):
        try:
            plane = rows.plane(row)
            sides[plane.sky.pixels.shape] += 1
            kinds["pictures" if plane.picture else "numbers"] += 1
            if recipe is None or (plane.scale_arcsec and not recipe.scale_arcsec):  # the first that states its scale settles that of all
                recipe = _recipe(plane, rows, choices)
            target = (float(rows.ra_deg[row]), float(rows.dec_deg[row])) if rows.at_positions else (None, None)
            cutout = own_cutout(plane, recipe, *target)
            done.append((row, cutout.image, cutout.ra_deg, cutout.dec_deg))
            padded |= {row: cutout.padded} if cutout.padded else {}
        except ImageRefusal as refusal:
            lost.append((row, refusal))
        step("images", number, len(wanted))
    _refuse_mixtures(rows, choices, sides, kinds)
    _leave_out(rows, lost, len(wanted), report)
    assert recipe is not None
    done.sort(key=lambda each: each[0])
    numbers = np.array([row for row, *_ in done])
    own = np.array([(ra, dec) for *_, ra, dec in done]).reshape(-1, 2)
    if recipe.scale_arcsec and (without := [rows.names[row] for row in numbers[np.isnan(own[:, 0])]]):
        what = f"{len(without):,} of {len(numbers):,} images state no scale ({some_of(without, SHOWN)})"
        report.notes.append(f"{what}: their pixels are taken for {recipe.scale_arcsec:g} arcsec as those of the others")
    _note_sides(rows, recipe.side, sides, padded, report)
    ra, dec = _places(rows, numbers, own, report)
    return Cut(numbers, np.stack([image for _, image, *_ in done]), ra, dec, recipe)


def _recipe(plane: Plane, rows: Gathered, choices: Choices) -> Recipe:
    """That of all images: MiraBest's where these are its pixels, its side and its way of clipping."""
    least = min(plane.sky.pixels.shape)
    side = choices.side or (MIRABEST.side if rows.at_positions else least - least % 2)
    stretch = choices.stretch or ("linear" if plane.picture else MIRABEST.stretch)
    clip = MIRABEST.clip_sigma if choices.clip is None else choices.clip
    beam = plane.sky.beam
    scale = plane.scale_arcsec
    first = abs(scale / MIRABEST.scale_arcsec - 1) < 0.01 and (beam is None or beam.of_first)
    if first and (side, stretch, clip) == (MIRABEST.side, MIRABEST.stretch, MIRABEST.clip_sigma):
        return MIRABEST
    ellipse = None if beam is None else beam.ellipse
    width = 0.0 if ellipse is None else round(float(np.sqrt(ellipse[0] * ellipse[1])), 3)
    if not 16 <= side <= 1024:
        found = f"images of {' x '.join(map(str, plane.sky.pixels.shape))} pixels (first: {plane.sky.name})"
        raise DataRefusal(rows.where, found, "a side of 16 to 1024", "Name the side of cutouts by --side.")
    return Recipe(side, round(scale, 4), 2 * side, clip, MIRABEST.clip_rounds, width, stretch)


def _refuse_mixtures(rows: Gathered, choices: Choices, sides: Counter[tuple[int, ...]], kinds: Counter[str]) -> None:
    """Refuse images of several sides or kinds, unless the user has chosen what to make of them."""
    if len(sides) > 1 and choices.side is None and not rows.at_positions:
        shapes = ", ".join(f"{count:,} of {height} x {width}" for (height, width), count in sides.most_common(4))
        found = f"images of {len(sides)} sizes ({shapes} pixels)"
        raise DataRefusal(rows.where, found, "one size", "Name the side of cutouts by --side; smaller ones are filled up with empty sky.")
    if len(kinds) > 1 and choices.stretch is None:
        found = " and ".join(f"{count:,} images of {kind}" for kind, count in kinds.most_common())
        raise DataRefusal(rows.where, f"{found} (pictures are clipped already)", "images of one kind", "Choose one, or name a --stretch.")


def _note_sides(rows: Gathered, side: int, sides: Counter[tuple[int, ...]], padded: Mapping[int, float], report: Report) -> None:
    """Note images that end within a cutout (row -> the share of it that is filled up), and of which the cutout is but a part."""
    larger = sum(count for shape, count in sides.items() if max(shape) > side + 1)  # a row or a column less makes an odd side even
    if larger and not rows.at_positions:
        report.notes.append(f"{larger:,} of {sum(sides.values()):,} images are larger than {side} x {side} pixels: cut about their middle")
    if padded:
        first = some_of([rows.names[row] for row in sorted(padded)], SHOWN)
        what = f"{len(padded):,} images end within their cutout of {side} x {side} pixels ({first})"
        report.notes.append(f"{what}: up to {100 * max(padded.values()):.0f} % of it is filled up with empty sky")


def _leave_out(rows: Gathered, lost: Sequence[tuple[int, ImageRefusal]], count: int, report: Report) -> None:
    """Note what cannot be used; refuse the whole where it is much."""
    broken = [refusal for _, refusal in lost if refusal.flag not in ("outside", "too_small")]  # a catalogue may be wider than its mosaics
    if len(lost) == count:
        broken = [refusal for _, refusal in lost]
    if len(broken) > MOST_LOST * count:
        first = broken[0]
        found = f"{len(broken):,} of {count:,} images cannot be used (first: {first.where}: {first.found})"
        raise DataRefusal(rows.where, found, f"at most {100 * MOST_LOST:g} %, and {first.expected}", first.do)
    for row, refusal in sorted(lost, key=lambda each: each[0]):
        report.leave_out(refusal.flag.replace("_", " "), [f"{rows.names[row]} ({refusal.found})"])


def _places(rows: Gathered, numbers: np.ndarray, own: np.ndarray, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """The list's positions, else those of the images; refused where more than a tenth of the two are of other places on the sky."""
    from equiradio.datasets.splits import angular_separation_arcsec

    ra, dec = rows.ra_deg[numbers], rows.dec_deg[numbers]
    stated = np.isfinite(ra) & np.isfinite(dec)
    both = stated & np.isfinite(own).all(1)
    if both.any() and not rows.at_positions:
        apart = angular_separation_arcsec(ra[both], dec[both], own[both, 0], own[both, 1])
        far = apart > APART_ARCSEC
        lie = f"{int(far.sum()):,} of {len(far):,} positions lie up to {apart.max():,.0f} arcsec from those of their images"
        lie += f" ({some_of([rows.names[row] for row in numbers[both][far]], SHOWN)})"
        if far.mean() > MOST_LOST:
            hours = angular_separation_arcsec(15 * ra[both] % 360, dec[both], own[both, 0], own[both, 1]) <= APART_ARCSEC
            do = "They are hours: multiply them by 15." if hours[far].mean() > 0.5 else "Are the rows in another order than the files?"
            raise DataRefusal(rows.where, lie, f"at most {100 * MOST_LOST:g} % over {APART_ARCSEC:g} arcsec", do)
        if far.any():
            report.notes.append(f"{lie}: those of the table are taken")
    half = np.isfinite(ra) != np.isfinite(dec)
    if half.any():
        what = f"{int(half.sum()):,} rows have one of ra and dec alone ({some_of([rows.names[row] for row in numbers[half]], SHOWN)})"
        report.notes.append(f"{what}: their positions are those of the images, if these have one")
    return np.where(stated, ra, own[:, 0]), np.where(stated, dec, own[:, 1])
