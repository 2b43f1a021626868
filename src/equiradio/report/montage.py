"""Small pictures of sources side by side, with a line under each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from equiradio.artefacts.atomic import write_atomically

COLUMNS, INCHES = 4, 1.9  # of a picture's row, of a picture's side


def save_montage(images: Sequence[np.ndarray | None], lines: Sequence[str], path: Path, *, first: bool = True) -> None:
    """Write images uint8 (side, side) as one PNG; an empty frame where there is none.

    With ``first`` the first one, which the others are compared with, has a frame in colour.
    """
    from matplotlib.figure import Figure

    rows = -(-len(images) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * INCHES, rows * (INCHES + 0.35)), layout="constrained")
    for number, (image, line) in enumerate(zip(images, lines, strict=True)):
        axes = figure.add_subplot(rows, COLUMNS, number + 1)
        axes.set_xticks([])
        axes.set_yticks([])
        if image is not None:
            axes.imshow(np.sqrt(image / 255), cmap="gray_r", origin="lower", vmin=0, vmax=1)
        axes.set_xlabel(line, fontsize=7)
        for edge in axes.spines.values():
            edge.set(color="#c23b22" if first and number == 0 else "#888888", linewidth=2 if first and number == 0 else 0.6)
    write_atomically(path, lambda part: figure.savefig(part, dpi=140, format="png"))
