"""Several data sets as one: ``mirabest+first-fr``. No source on two sides, none twice, and catalogues weighed against being the class.

Sides are those of the data sets. In this order sources are taken: test, validation, training, and within each the data sets as named. One
that lies within `SAME_ARCSEC` of a source of another data set that was taken before is left out: it is the same source again, or too near
to one that is held back. What is then a neighbour of a held-back source of another data set, so that both images show some of the same
sky (`LINKING_ARCSEC`, chains of neighbours included), is left out of the lower side too.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from equiradio.datasets.imports.copies import near_copies
from equiradio.datasets.sources import Sources, turned_hash
from equiradio.datasets.splits import LINKING_ARCSEC, friends_of_friends, pairs_within
from equiradio.errors import DataRefusal
from equiradio.labels import UNKNOWN, Labels, labels_of
from equiradio.sky.recipe import other_than

SAME_ARCSEC = 45.0
SIDES = {"test": 0, "validation": 1, "train": 2}  # in the order in which they are taken
MOST = 4.0  # times the usual, or as little of it, that a source is drawn in training
CLIPS = 20  # times that weights are cut; after ten they hardly change
KINDS = {"test": "a test source", "validation": "a validation source", "train": "a training source"}


def united(parts: Sequence[Sources], classes: Sequence[str] = ()) -> Sources:
    """The sources of several data sets, in the order in which these are named, weighed by `balanced`.

    Classes go by their names; those of all parts together are distinguished, or those of ``classes`` alone. A source without a position
    is compared by its pixels alone, with those that are nearly the same: see `equiradio.datasets.imports.copies`.

    Raises
    ------
    DataRefusal : parts without a common class, of other image sides, or one of which nothing would be left.
    """
    _refuse_unlike(parts)
    whole = _joined(parts, _classes(parts))
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    reasons = _left_out(whole, owner, [part.name for part in parts])
    keep = np.array([not each for each in reasons])
    for number, part in enumerate(parts):
        if not keep[owner == number].any():
            found = f"all {len(part):,} sources are left out ({_counted([each for each in reasons[owner == number] if each])})"
            raise DataRefusal(f"{whole.name}: {part.name}", found, "sources of its own", "Leave it out of the union.")
    lines = [line for part in parts for line in part.left_out]
    lines += [f"{part.name}: {_counted(reasons[owner == number])}" for number, part in enumerate(parts) if any(reasons[owner == number])]
    lines += without_position(parts)
    some = replace(whole, left_out=tuple(lines)).choose(np.flatnonzero(keep)).only(classes)
    return replace(some, weights=balanced(some.labels, some.catalogues, some.split == "train"))


def balanced(labels: np.ndarray, catalogues: np.ndarray, training: np.ndarray) -> np.ndarray:
    """How often each training source is drawn, 1 on average: float64 (count,), 1 for sources that are not trained on.

    Within a catalogue its classes weigh alike. A catalogue that has only some of the classes weighs by their share of all: what sets it
    apart from others says as much as the class. No weight is beyond `MOST` times the usual, or less than its inverse.
    """
    weights, classes = np.ones(len(labels)), np.unique(labels[training])
    for name in np.unique(catalogues[training]):
        inside = training & (catalogues == name)
        there, counts = np.unique(labels[inside], return_counts=True)
        for label, count in zip(there, counts, strict=True):
            # a class's share of its catalogue is evened out (1 / len(there)), and a catalogue weighs len(there) / len(classes)
            weights[inside & (labels == label)] = inside.sum() / (len(classes) * count)
    for _ in range(CLIPS if training.any() else 0):  # a weight cut changes the mean
        weights[training] = np.clip(weights[training] / weights[training].mean(), 1 / MOST, MOST)
    weights[training] /= weights[training].mean() if training.any() else 1
    return weights


def guessed_by_catalogue(labels: np.ndarray, catalogues: np.ndarray, weights: np.ndarray) -> float:
    """Balanced accuracy, 0..1, of answering with the class that weighs most in a source's catalogue: chance where class and catalogue are
    apart, 1 where they are one. A class weighs alike however many sources it has.
    """
    kinds, places = np.unique(labels, return_inverse=True)
    names, rows = np.unique(catalogues, return_inverse=True)
    table = np.zeros((len(names), len(kinds)))
    np.add.at(table, (rows, places), weights)
    table /= table.sum(0)
    return float(table.max(1).sum() / len(kinds))


def _refuse_unlike(parts: Sequence[Sources]) -> None:
    """Refuse parts that cannot be one data set."""
    name = "+".join(part.name for part in parts)
    common = set(parts[0].classes).intersection(*(part.classes for part in parts[1:]))
    if not common:
        found = "; ".join(f"{part.name} has {part.classes}" for part in parts)
        raise DataRefusal(
            name, f"{found}, and no class in common", "data sets that share classes by name", "Rename classes, or choose others."
        )
    if odd := next((part for part in parts if part.recipe != parts[0].recipe), None):
        ways = (f"{key} {theirs} in {odd.name}, {ours} in {parts[0].name}" for key, (theirs, ours) in _odd(parts[0], odd).items())
        raise DataRefusal(name, f"images made by other recipes ({'; '.join(ways)})", "images of one recipe", "Import them alike.")
    if odd := next((part for part in parts if part.images.shape[1:] != parts[0].images.shape[1:]), None):
        one, other = (f"{part.name} of {' x '.join(map(str, part.images.shape[1:]))}" for part in (parts[0], odd))
        found = f"images in {one} pixels, in {other}"
        raise DataRefusal(name, found, "images of one side", "Import them anew with the same --side.")


def _odd(ours: Sources, theirs: Sources) -> dict[str, tuple[str, str]]:
    """In what their recipe differs from ours."""
    return other_than(ours.recipe, theirs.recipe.as_card())


def _classes(parts: Sequence[Sources]) -> Labels:
    """All classes by name, in the order in which parts name them, and the first word for sources of none."""
    names = dict.fromkeys(name for part in parts for name in part.classes)
    return labels_of(tuple(names), next((part.classes.unknown for part in parts if part.classes.unknown), ""))


def _joined(parts: Sequence[Sources], classes: Labels) -> Sources:
    """The parts one after the other, labelled by ``classes``; a name that an earlier part has goes by its data set too."""
    labels, names, seen = [], [], set[str]()
    for part in parts:
        place = np.array([*(classes.names.index(name) for name in part.classes), UNKNOWN])  # the last is that of sources of no class
        labels.append(place[part.labels])
        names.append(np.array([f"{part.name}/{each}" if each in seen else each for each in part.source_ids.tolist()]))
        seen.update(part.source_ids.tolist())
    together = lambda column: np.concatenate([getattr(part, column) for part in parts])
    masks = None if any(part.masks is None for part in parts) else together("masks")
    soft = None if all(part.soft is None for part in parts) else np.concatenate([_shares(part, classes) for part in parts])
    return Sources(
        name="+".join(part.name for part in parts),
        images=together("images"),
        labels=np.concatenate(labels),
        source_ids=np.concatenate(names),
        confidence=together("confidence"),
        split=together("split"),
        size_arcsec=together("size_arcsec"),
        md5=hashlib.md5(" ".join(part.md5 for part in parts).encode(), usedforsecurity=False).hexdigest(),
        classes=classes,
        ra_deg=column_of(parts, "ra_deg"),
        dec_deg=column_of(parts, "dec_deg"),
        masks=masks,
        soft=soft,
        catalogue=together("catalogues"),
        recipe=parts[0].recipe,
        elsewhere=" ".join(part.elsewhere for part in parts if part.elsewhere),
    )


def column_of(parts: Sequence[Sources], column: str) -> np.ndarray:
    """A column of numbers of the parts, one after the other; not a number where a part has none."""
    return np.concatenate([np.full(len(part), np.nan) if (values := getattr(part, column)) is None else values for part in parts])


def _shares(part: Sources, classes: Labels) -> np.ndarray:
    """A part's soft labels by the classes of all."""
    shares = np.zeros((len(part), len(classes)))
    shares[:, [classes.names.index(name) for name in part.classes]] = part.shares
    return shares


def _left_out(whole: Sources, owner: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Why each source is left out, in words: objects (count,), empty for those that stay."""
    rank = np.array([SIDES[split] for split in whole.split.tolist()])
    reasons = np.full(len(whole), "", dtype=object)
    assert whole.ra_deg is not None
    assert whole.dec_deg is not None
    placed = np.isfinite(whole.ra_deg) & np.isfinite(whole.dec_deg)
    near = partners(whole.ra_deg, whole.dec_deg, whole.images, owner, whole.made_up)
    for row in np.lexsort((np.arange(len(whole)), owner, rank)):
        earlier = [each for each in near.get(row, ()) if not reasons[each] and (rank[each], owner[each]) < (rank[row], owner[row])]
        if earlier:
            first = min(earlier, key=lambda each: (rank[each], owner[each]))
            kind, of = KINDS[whole.split[first]], names[owner[first]]
            how = f"within {SAME_ARCSEC:g} arcsec" if placed[row] and placed[first] else _pixels(whole.images[row], whole.images[first])
            reasons[row] = f"again what {of} has" if rank[first] == rank[row] else f"{how} of {kind} of {of}"
    there = np.flatnonzero((reasons == "") & placed)
    if len(there):
        _leave_out_neighbours(whole, owner, names, reasons, there, rank)
    return reasons


def _pixels(image: np.ndarray, other: np.ndarray) -> str:
    """In which way two images are alike."""
    return "with the pixels" if turned_hash(image) == turned_hash(other) else "with nearly the pixels"


def _leave_out_neighbours(
    whole: Sources, owner: np.ndarray, names: Sequence[str], reasons: np.ndarray, there: np.ndarray, rank: np.ndarray
) -> None:
    """Leave out of ``there`` whose chain of neighbours has a source of another data set on a side that is held back further."""
    assert whole.ra_deg is not None
    assert whole.dec_deg is not None
    group = friends_of_friends(whole.ra_deg[there], whole.dec_deg[there], LINKING_ARCSEC)
    for number in np.flatnonzero(np.bincount(group) > 1):
        rows = there[group == number]
        for row in rows:
            held = [each for each in rows if rank[each] < rank[row] and owner[each] != owner[row]]
            if held:
                first = min(held, key=lambda each: rank[each])
                reasons[row] = f"a neighbour of {KINDS[whole.split[first]]} of {names[owner[first]]} (within {LINKING_ARCSEC} arcsec)"


def partners(
    ra_deg: np.ndarray, dec_deg: np.ndarray, images: np.ndarray | Sequence[np.ndarray], owner: np.ndarray, made_up: np.ndarray
) -> dict[int, list[int]]:
    """Sources of other data sets at the place of each, or, where one has none, with the same pixels or nearly these, turned and mirrored.

    By row, rows. Of sources that are ``made_up`` (bool) those of the same pixels alone.
    """
    placed = np.isfinite(ra_deg) & np.isfinite(dec_deg)
    there = np.flatnonzero(placed)
    near: dict[int, list[int]] = {}
    pairs = [there[each] for each in pairs_within(ra_deg[there], dec_deg[there], SAME_ARCSEC)]
    for one, other in [*pairs, *_same_pixels(images, placed), *_nearly_same(images, owner, placed | made_up)]:
        if owner[one] != owner[other]:
            near.setdefault(int(one), []).append(int(other))
            near.setdefault(int(other), []).append(int(one))
    return near


def _nearly_same(images: np.ndarray | Sequence[np.ndarray], owner: np.ndarray, placed: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of images of two data sets that are nearly the same, of which one is not ``placed``; none where sides differ."""
    if placed.all() or len({image.shape for image in images}) > 1:
        return []
    return [(int(one), int(other)) for one, other in near_copies(np.asarray(images), owner, placed)]


def _same_pixels(images: Iterable[np.ndarray], placed: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of images alike, of which one has no place on the sky."""
    if placed.all():
        return []
    alike: dict[str, list[int]] = {}
    for row, image in enumerate(images):
        alike.setdefault(turned_hash(image), []).append(row)
    groups = (rows for rows in alike.values() if len(rows) > 1)
    return [(one, other) for rows in groups for one in rows for other in rows if one < other and not (placed[one] and placed[other])]


def _counted(reasons: np.ndarray | Sequence[str]) -> str:
    """How many are left out for each reason, the most frequent first."""
    counts = Counter(each for each in reasons if each).most_common()
    return "; ".join(f"{count:,} left out, {why}" for why, count in counts)


def without_position(parts: Sequence[Sources]) -> list[str]:
    """In lines how many sources have no position."""
    lines = []
    for part in parts:
        lost = len(part) if part.ra_deg is None or part.dec_deg is None else int((~np.isfinite(part.ra_deg + part.dec_deg)).sum())
        if lost:
            lines.append(f"{part.name}: {lost:,} of {len(part):,} have no position and were compared by their pixels alone")
    return lines
