"""A report says and draws the same where the maps of its runs lie in archives."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from fake_results import fake_results

from equiradio.artefacts.map_archive import write_archives
from equiradio.errors import RunRefusal
from equiradio.paper import report as module
from equiradio.paper.report import report
from equiradio.paper.results import read_results

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Results, their report with maps beside each run, and their report with the maps archived; what the figures were given."""
    home = tmp_path_factory.mktemp("archived")
    fake_results(home / "results")
    drawn = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equiradio.evaluation.asymmetry.PERMUTATIONS", 50)
        for name in ("beside", "archived"):
            for figure in ("figure2", "figure3"):
                patch.setattr(module.paper_figures, figure, recorder(drawn.setdefault((name, figure), []), figure))
            if name == "archived":
                write_archives(home / "results")
            report(home / "results", home / name, data_dir=home / "no data")
            patch.undo()
            patch.setattr("equiradio.evaluation.asymmetry.PERMUTATIONS", 50)
    return home, drawn


def recorder(kept, name):
    draw = getattr(module.paper_figures, name)

    def figure(rows, *others):
        kept.extend(rows)
        return draw(rows, *others)

    return figure


@pytest.mark.parametrize("name", ["table1.json", "findings.json", "table1.csv"])
def test_the_numbers_are_the_same(folders, name):
    home, _ = folders
    assert not list((home / "results").rglob("maps.npz"))
    assert (home / "archived" / name).read_bytes() == (home / "beside" / name).read_bytes()
    assert json.loads((home / "archived" / "findings.json").read_text())["asymmetry"]


@pytest.mark.parametrize("figure", ["figure2", "figure3"])
def test_the_figures_are_handed_the_same(folders, figure):
    _, drawn = folders
    beside, archived = (arrays_of(drawn[name, figure]) for name in ("beside", "archived"))
    assert len(beside) == len(archived) > 0
    assert all(np.array_equal(one, other) for one, other in zip(beside, archived, strict=True))


def arrays_of(value):
    if isinstance(value, np.ndarray):
        return [value]
    parts = value if isinstance(value, list | tuple) else vars(value).values() if hasattr(value, "__dict__") else []
    return [array for part in parts for array in arrays_of(part)]


def test_every_link_of_the_page_leads_to_a_file(folders):
    home, _ = folders
    page = (home / "archived" / "report.html").read_text(encoding="utf-8")
    links = [unquote(link) for link in re.findall(r'href="([^"#]+)"', page) if "://" not in link]
    assert not [link for link in links if not (home / "archived" / link).exists()]
    assert any(re.search(r"maps-[0-9a-f]{12}\.tar$", link) for link in links)


def test_untrained_networks_are_found_in_archives(folders):
    assert list(read_results(folders[0] / "results").untrained) == ["attention"]


def test_a_changed_archive_stops_the_report(tmp_path):
    fake_results(tmp_path)
    (archive,) = write_archives(tmp_path)
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(RunRefusal, match=r"sha256 .* as maps\.json says"):
        assert read_results(tmp_path).shown("attention").maps


def test_the_maps_of_this_repository_are_in_archives_that_fit_it():
    index = json.loads((ROOT / "results" / "maps.json").read_text(encoding="utf-8"))
    assert not list((ROOT / "results").rglob("maps.npz"))
    for name, listed in index.items():
        assert (ROOT / "results" / name).stat().st_size == listed["size"] < 10e6
    gated = [result for result in read_results(ROOT / "results").runs if result.maps is not None]
    assert len(gated) == 21
