"""Where symmetry is lost: the Lie-derivative error of every layer."""

from typing import Any

import numpy as np
import torch

from equiradio.explain.case import Case, evenly
from equiradio.explain.folder import Folder
from equiradio.explain.generator import lie_errors
from equiradio.explain.part import Measured
from equiradio.report.explanation_figures import layers_figure
from equiradio.report.figures import save
from equiradio.report.page import Page

PLACE, NEEDS = 30, ()
SOURCES = 8


def measure(case: Case, folder: Folder) -> Measured:
    """Error of each layer, mean over a few sources; ``errors`` (layers, sources)."""
    rows = evenly(case.sources.labels, SOURCES)
    pixels = torch.from_numpy(case.sources.images[rows])[:, None].to(case.member.device)
    with torch.inference_mode():
        errors = lie_errors(case.member.network.stages, case.member.preprocess(pixels))
    case.count(3 * len(rows))
    names, values = list(errors), np.stack([error.cpu().numpy() for error in errors.values()])
    case.progress("layers", 1, 1)
    return {"error": dict(zip(names, values.mean(1), strict=True))}, {"names": np.array(names), "errors": values}


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Error layer by layer."""
    arrays = folder.arrays("layers")
    names, errors = [str(name) for name in arrays["names"]], arrays["errors"]
    columns = ["layer", *(f"error_{number}" for number in range(errors.shape[1]))]
    folder.write_table("layers", columns, [[name, *map(float, row)] for name, row in zip(names, errors, strict=True)])
    page.heading("Symmetry layer by layer")
    caption = "Where symmetry is lost: Lie-derivative error layer by layer."
    page.picture(save(layers_figure(names, errors), folder.figure("layers")), caption)
