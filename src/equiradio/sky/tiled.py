"""A tile-compressed image that stays in its file: the tiles that a cutout needs are unpacked, and kept for its neighbours."""

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from equiradio.errors import ImageRefusal
from equiradio.sky.axes import Axes
from equiradio.sky.contents import LIMITS, FileBytes
from equiradio.sky.stored import Ends, FilePlane
from equiradio.sky.tiles import part_of, tile_of

AT_ONCE = 16_000_000  # pixels of an image that is unpacked as a whole
MOST = 32_000_000  # pixels of tiles that stay in memory, or a few more where one cutout needs them

Tile = tuple[int, int]  # which one down and across


class TiledPlane(FilePlane):
    """A plane of a tile-compressed FITS image, of which the tiles that are asked for are unpacked.

    Parameters
    ----------
    file, number : the file's bytes, and its HDU.

    Raises
    ------
    ImageRefusal : the table of tiles cannot be that of the image.
    """

    def __init__(self, file: FileBytes, number: int, axes: Axes, chosen: Mapping[int, int], name: str) -> None:
        super().__init__(axes, chosen)
        self._file, self._number, self._name = file, number, name
        self._tile = tile_of(str(file.path), number, name, LIMITS.pixels)
        self._sides = [self._tile[len(self._tile) - axis.number] for axis in (axes.rows, axes.columns)]
        self._tiles: OrderedDict[Tile, np.ndarray] = OrderedDict()

    def _read(self, rows: Ends, columns: Ends) -> np.ndarray:
        (top, bottom), (left, right), (tall, wide) = rows, columns, self._sides
        pixels = np.empty((bottom - top, right - left), np.float32)
        needed = [(down, across) for down in range(top // tall, -(-bottom // tall)) for across in range(left // wide, -(-right // wide))]
        self._unpack([tile for tile in needed if tile not in self._tiles])
        for down, across in needed:
            self._tiles.move_to_end((down, across))
            y, x = down * tall, across * wide
            high, broad = slice(max(top, y), min(bottom, y + tall)), slice(max(left, x), min(right, x + wide))
            here = self._tiles[down, across][high.start - y : high.stop - y, broad.start - x : broad.stop - x]
            pixels[high.start - top : high.stop - top, broad.start - left : broad.stop - left] = here
        while len(self._tiles) > len(needed) and sum(each.size for each in self._tiles.values()) > MOST:
            self._tiles.popitem(last=False)
        return pixels

    def _unpack(self, missing: list[Tile]) -> None:
        """Keep these tiles, and what else lies in the smallest rectangle around them."""
        if not missing:
            return
        (down, below), (across, beside) = ((min(places), max(places) + 1) for places in zip(*missing, strict=True))
        tall, wide = self._sides
        rows, columns = (down * tall, min(below * tall, self.shape[0])), (across * wide, min(beside * wide, self.shape[1]))
        block = self._part(rows, columns)
        for y in range(down, below):
            for x in range(across, beside):
                tile = block[(y - down) * tall : (y + 1 - down) * tall, (x - across) * wide : (x + 1 - across) * wide]
                self._tiles[y, x] = tile.copy()  # a view would keep the whole block

    def _part(self, rows: Ends, columns: Ends) -> np.ndarray:
        """Whole tiles, float32."""
        self._refuse_another()
        section = part_of(str(self._file.path), self._number, self._ends(rows, columns), self._tile, self._name)
        self._refuse_another()
        return self._turned(section).astype(np.float32)

    def _refuse_another(self) -> None:
        """The worker opens the file by its name: it must be the one that was opened."""
        if not self._file.is_there():
            found = "another file by that name than when it was opened"
            raise ImageRefusal("truncated", self._name, found, "a file that nobody changes meanwhile", "Begin again.")
