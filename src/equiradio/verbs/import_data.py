"""Import a source of any form into a folder: the data set, a report of what was read and left out, and a montage to look at."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from equiradio.datasets.folder import fill_folder, refuse_in_use, whole
from equiradio.datasets.imports.building import read_source, with_notes
from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.overview import overview
from equiradio.report.figures import save, sources_montage

REPORT, MONTAGE = "report.json", "montage.png"


def import_data(
    source: Path, out: Path, choices: Choices, progress: Callable[[str, int, int], object] = lambda what, done, total: None
) -> dict[str, Any]:
    """Write the data set in a source into a new folder, whole or not at all; the report, as written to ``out``/report.json.

    Raises
    ------
    DataRefusal, SettingRefusal : it cannot be used, or the folder holds something already.
    """
    refuse_in_use(out)  # before the work is done
    sources, report = read_source(source, choices, progress)
    about = report.as_json() | {"data": overview(sources), "recipe": sources.recipe.as_card()}
    with whole(out) as unfinished:
        fill_folder(with_notes(sources, report), unfinished, source=str(source))
        save(sources_montage(sources), unfinished / MONTAGE)
        (unfinished / REPORT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return about
