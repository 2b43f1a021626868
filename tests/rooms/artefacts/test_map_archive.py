"""Maps of many runs in archives: the same bytes come back, wherever they lie, and an archive of another content is refused."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from equiradio.artefacts import map_archive
from equiradio.artefacts.map_archive import holder_of, lies_in, maps_in, write_archives
from equiradio.errors import RunRefusal

NAMES = ("runs/a/maps.npz", "runs/b/maps.npz", "runs/c/maps.npz", "untrained/a/maps.npz")


@pytest.fixture
def results(tmp_path):
    """A folder of results with four maps.npz, their bytes by path."""
    folder = tmp_path / "results"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True)
        np.savez(folder / name, maps=np.full((2, 3), number, np.uint8), noise=np.random.default_rng(number).random(200))
    return folder


def first_of(folder):
    """The first number of each run's maps."""
    return [int(maps_in(folder / name)["maps"][0, 0]) for name in NAMES]


def members_of(archives):
    content = {}
    for archive in archives:
        with tarfile.open(archive) as file:
            content |= {name: file.extractfile(name).read() for name in file.getnames()}
    return content


def test_what_is_archived_comes_back_to_the_byte(results):
    before = {name: (results / name).read_bytes() for name in NAMES}
    (archive,) = write_archives(results)
    assert sorted(path.name for path in results.rglob("*") if path.is_file()) == sorted([archive.name, "maps.json"])
    assert first_of(results) == [0, 1, 2, 3]
    assert members_of([archive]) == before
    assert all(holder_of(results / name) == archive for name in NAMES)


def test_maps_of_their_own_go_before_those_of_an_archive(results):
    write_archives(results)
    np.savez(results / NAMES[1], maps=np.full((2, 3), 9, np.uint8))
    assert first_of(results) == [0, 9, 2, 3]
    assert lies_in(results, NAMES[1]) == NAMES[1]
    assert lies_in(results, NAMES[0]).startswith("maps-")
    assert lies_in(results, "runs/a/card.json") == "runs/a/card.json"


def test_the_order_law_catches_an_archive_that_is_asked_first(results, monkeypatch):
    own = holder_of
    monkeypatch.setattr(map_archive, "holder_of", lambda path: next(path.parents[1].parent.glob("maps-*.tar"), None) or own(path))
    with pytest.raises(AssertionError):
        test_maps_of_their_own_go_before_those_of_an_archive(results)


def test_new_maps_join_those_archived_before(results):
    (old,) = write_archives(results)
    np.savez(results / NAMES[1], maps=np.full((2, 3), 9, np.uint8))
    (new,) = write_archives(results)
    assert not old.exists()
    assert first_of(results) == [0, 9, 2, 3]
    assert write_archives(results) == [new]  # the same maps, the same archive


def test_archives_are_split_by_size(results, monkeypatch):
    monkeypatch.setattr(map_archive, "LARGEST", 18_000)
    archives = write_archives(results)
    assert len(archives) == 2
    assert set(members_of(archives)) == set(NAMES)
    assert first_of(results) == [0, 1, 2, 3]


def refused(folder):
    with pytest.raises(RunRefusal) as caught:
        maps_in(folder / NAMES[0])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_archive_of_another_content_is_refused(results):
    (archive,) = write_archives(results)
    content = bytearray(archive.read_bytes())
    content[700] ^= 1
    archive.write_bytes(content)
    line = refused(results)
    assert line.startswith(f"{archive}: sha256 ")
    assert "as maps.json says" in line
    archive.unlink()
    assert "no such file; expected the archive of maps that maps.json names" in refused(results)


def test_the_hash_law_catches_a_check_that_lets_all_pass(results, monkeypatch):
    monkeypatch.setattr(map_archive, "_verify", lambda archive, expected: None)
    with pytest.raises(AssertionError):  # the archive is opened, and refused for other reasons
        test_an_archive_of_another_content_is_refused(results)


def test_where_nothing_lies_nothing_is_invented(results):
    assert holder_of(results / "runs" / "d" / "maps.npz") is None
    with pytest.raises(FileNotFoundError):
        maps_in(results / "runs" / "d" / "maps.npz")
    (results / "maps.json").write_text('{"maps-1.tar": {"sha256": "1"}}')
    with pytest.raises(RunRefusal, match="expected archives of maps and their members"):
        holder_of(results / "runs" / "d" / "maps.npz")


def test_relative_paths_lead_to_the_archive_from_inside_and_outside(results, monkeypatch):
    (archive,) = write_archives(results)
    monkeypatch.chdir(results / "runs")
    assert holder_of(Path("a/maps.npz")) == archive
    arrays = maps_in(Path("b/maps.npz"))
    assert arrays["maps"][0, 0] == 1
    assert lies_in(Path(), "a/maps.npz") == f"../{archive.name}"
    assert lies_in(results / "runs", "a/maps.npz") == f"../{archive.name}"


def test_no_archive_is_larger_than_the_largest(tmp_path, monkeypatch):
    monkeypatch.setattr(map_archive, "LARGEST", 40_000)
    for name, size in {"a": 17_000, "b": 3_000, "c": 17_000, "d": 17_000, "e": 3_000}.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "maps.npz").write_bytes(bytes(size))
    archives = write_archives(tmp_path)
    assert max(archive.stat().st_size for archive in archives) <= 40_000
    held = [sorted(name.split("/")[1] for name in members_of([archive])) for archive in archives]
    assert held == [["a", "b"], ["c"], ["d", "e"]]
