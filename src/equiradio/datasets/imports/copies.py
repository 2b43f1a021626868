"""Images that are nearly the same: one source in two files, compressed, resampled or moved by part of a pixel, turned and mirrored too.

Sources of a shape look alike, above all compact ones; copies share the islands of noise around the source too. Two images are copies where
one is the other to first order (itself, moved and blurred a little): all of it to `ALIKE`, small images to `ALIKE_BY_PIXEL`, and what lies
outside the source to `AROUND`.

Of MiraBest's 1,222 sources and 1,200 simulated ones none is taken for a copy of another, of the 1,758 of `first` one pair. Of MiraBest's
copies these are recognised: JPEG of quality 95, 85 and 75 88, 85 and 83 %; moved by half a pixel 80 %; to twice the pixels and back 88 %.
Not those that are turned by other angles than quarters or shown in another scale, nor images with hardly a lit pixel around the source.
"""

import numpy as np

from equiradio.datasets.sources import turned

GRID = 75  # cells of a side, about: two of MiraBest's pixels each, so that islands of noise stay
ROUGH = 3  # cells of the grid that make one by which neighbours are looked for
FAINT = 4  # grey levels that compression leaves in empty sky
NEVER = -1  # likeness of images that no pair is looked for among
NEAREST, BEST = 12, 3  # neighbours that are turned, and of which so many are looked at closely
LIKELY = 0.97  # correlation of rough images below which a pair is no candidate
ALIKE, AROUND = 0.97, 0.4  # shares of the variance
ALIKE_BY_PIXEL = 0.99  # where a cell is one pixel: such small images hold little but the source, and those of a shape are alike to 0.98
BRIGHT = 0.15  # of the brightest cell: what is fainter, `MARGIN` away, is outside the source
LIT, LEVEL = 4, 0.3  # cells around the source that are brighter, fewer of which tell nothing
MARGIN = 4  # pixels around what is bright that are of the source too, at least two cells
IMAGES, AT_ONCE, CLOSELY = 1000, 5000, 200  # images that are made coarse, and pairs that are compared roughly and closely, at once
TABLE = 20_000_000  # numbers of a table of images against all others that is held at once


def near_copies(images: np.ndarray, owner: np.ndarray | None = None, placed: np.ndarray | None = None) -> np.ndarray:
    """Places (pairs, 2), the smaller first, of uint8 images (count, side, side), even sides, that are nearly the same.

    With ``owner`` and ``placed`` (count,) of two data sets, by whose numbers these go, where one of the images at least has no position.
    """
    parts = [_means(_cells(images[first : first + IMAGES]), ROUGH) for first in range(0, len(images), IMAGES)]
    rough = np.concatenate(parts) if parts else np.empty((0, 1, 1), np.float32)
    owner, placed = (np.arange(len(images)) if owner is None else owner, np.zeros(len(images), bool) if placed is None else placed)
    pairs, poses = _likely(rough, _neighbours(rough, owner, placed))
    some = [slice(first, first + CLOSELY) for first in range(0, len(pairs), CLOSELY)]
    alike = [_are_copies(images, pairs[part], poses[part]) for part in some]
    return pairs[np.concatenate(alike)] if alike else pairs


def _block(images: np.ndarray) -> int:
    """Pixels of a cell's side."""
    return max(round(images.shape[-1] / GRID), 1)


def _cells(images: np.ndarray) -> np.ndarray:
    """Roots of the pixels, in which noise weighs more, as means of blocks, slightly blurred: float32 (count, cells, cells)."""
    side = images.shape[-1]
    block = _block(images)
    number = -(-side // (2 * ROUGH * block)) * 2 * ROUGH
    edge = (number * block - side) // 2
    roots = np.sqrt(np.maximum(np.arange(256, dtype=np.float32) - FAINT, 0))
    cells = np.empty((len(images), number, number), np.float32)
    padded = np.zeros((number * block,) * 2, np.float32)
    for place, image in enumerate(images):
        padded[edge : edge + side, edge : edge + side] = roots[image]
        cells[place] = _means(padded, block)
    for axis in (1, 2):
        cells = (np.roll(cells, 1, axis) + 4 * cells + np.roll(cells, -1, axis)) / 6
    return cells


def _means(images: np.ndarray, block: int) -> np.ndarray:
    """Means of blocks of images (..., side, side)."""
    number = images.shape[-1] // block
    total = sum(images[..., row::block, column::block] for row in range(block) for column in range(block))
    return np.asarray(total, np.float32).reshape(*images.shape[:-2], number, number) / block**2


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (count, size) of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _neighbours(rough: np.ndarray, owner: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """Pairs (pairs, 2), the smaller first, of the nearest by numbers that are the same in all poses; of two owners, and not both placed."""
    corner = np.triu_indices(rough.shape[-1] // 2)
    poses = [turned(rough, pose)[:, *corner] for pose in range(8)]
    folded = _unit(np.concatenate([np.mean(poses, 0), np.sqrt(np.mean(np.square(poses), 0))], 1))
    number = min(NEAREST, len(folded) - 1)
    pairs = []
    rows = max(TABLE // max(len(folded), 1), 1)
    for first in range(0, len(folded), rows):
        alike = folded[first : first + rows] @ folded.T
        some = slice(first, first + len(alike))
        alike[(owner[some, None] == owner) | (placed[some, None] & placed)] = NEVER
        near = np.argpartition(-alike, number - 1, 1)[:, :number]
        row, column = np.nonzero(np.take_along_axis(alike, near, 1) > NEVER)
        pairs.append(np.stack([first + row, near[row, column]], 1))
    return np.unique(np.sort(np.concatenate(pairs), 1), axis=0)


def _likely(rough: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of pairs those whose rough images are alike, the best few of each image; and the pose of the second that is most like the first."""
    flat = rough - rough.mean((1, 2), keepdims=True)
    posed = [_unit(turned(flat, pose).reshape(len(rough), -1)) for pose in range(8)]
    alike = np.empty((8, len(pairs)), np.float32)
    for first in range(0, len(pairs), AT_ONCE):
        one, other = pairs[first : first + AT_ONCE].T
        for pose in range(8):
            alike[pose, first : first + AT_ONCE] = np.einsum("np,np->n", posed[0][one], posed[pose][other])
    best, rank = alike.max(0), np.zeros(len(pairs), int)
    for which in (pairs, pairs[:, ::-1]):  # the rank of each pair among those of either image
        order = np.lexsort((-best, which[:, 0]))
        starts = np.searchsorted(which[order, 0], which[order, 0])
        rank[order] = np.minimum(np.arange(len(pairs)) - starts, rank[order] if which is not pairs else len(pairs))
    chosen = (best > LIKELY) & (rank < BEST)
    return pairs[chosen], alike.argmax(0)[chosen]


def _outside(cells: np.ndarray, margin: int) -> np.ndarray:
    """What lies outside the source and a margin around it, bool as ``cells`` (count, cells, cells)."""
    from scipy.ndimage import maximum_filter

    power = cells**2
    near = maximum_filter(power, (1, 2 * margin + 1, 2 * margin + 1))
    return np.asarray(near < BRIGHT * power.max((1, 2), keepdims=True))


def _are_copies(images: np.ndarray, pairs: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Which pairs of images are copies, the second in a pose: bool (pairs,)."""
    places, rows = np.unique(pairs, return_inverse=True)
    cells = _cells(images[places])
    outside = _outside(cells, max(-(-MARGIN // _block(images)), 2))
    first, second = rows.reshape(pairs.shape).T
    seconds = list(zip(second.tolist(), poses.tolist(), strict=True))
    one, other = cells[first], np.stack([turned(cells[place], pose) for place, pose in seconds])
    around = outside[first] & np.stack([turned(outside[place], pose) for place, pose in seconds])
    moved = [np.roll(one, step, axis) for axis in (1, 2) for step in (1, -1)]
    parts = np.stack([np.ones_like(one), one, moved[0] - moved[1], moved[2] - moved[3], sum(moved) - 4 * one], 1)
    lit = np.minimum(*(((each > LEVEL) & around).sum((1, 2)) for each in (one, other))) >= LIT
    least = ALIKE if _block(images) > 1 else ALIKE_BY_PIXEL
    return lit & (_explained(parts, other, np.ones_like(around)) > least) & (_explained(parts, other, around) > AROUND)


def _explained(parts: np.ndarray, wanted: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Share of the variance of images (count, side, side) that a sum of ``parts`` (count, parts, side, side) explains, where it is set."""
    basis = (parts * where[:, None]).reshape(*parts.shape[:2], -1)
    middle = wanted.sum((1, 2), where=where) / np.maximum(where.sum((1, 2)), 1)
    wanted = ((wanted - middle[:, None, None]) * where).reshape(len(wanted), -1, 1)
    gram, along = basis @ basis.swapaxes(1, 2) + 1e-4 * np.eye(parts.shape[1], dtype=np.float32), basis @ wanted
    explained: np.ndarray = (along * np.linalg.solve(gram, along)).sum((1, 2))
    return explained / np.maximum((wanted**2).sum((1, 2)), 1e-3)
