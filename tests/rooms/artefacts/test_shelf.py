"""Teams by name: found in the order that is promised, never with files that the manifest does not list, else refused in one line."""

import hashlib
import http.server
import json
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from equiradio.artefacts import manifest, shelf
from equiradio.artefacts.manifest import as_json, listing_of, read_manifest
from equiradio.artefacts.shelf import default_name, find_team, list_models, names_here, team_card_of, team_names
from equiradio.artefacts.team import TeamFolder
from equiradio.errors import ModelRefusal, Refusal

ROOT = Path(__file__).parents[3]
SCORES = {key: {"value": None, "interval95": None} for key in ("accuracy", "auc")}
MEMBER = {"model": "lenet", "group": "none", "order": 1, "weights": 1, "preprocessing": {}, "data": "sky", "data_md5": "", "sources": {}}
MEMBER |= {"seed": 0, "preset": "quick", "precision": "float32", "device": "CPU", "versions": {}}


def write_team(folder: Path, content: bytes = b"weights", nll: float = 0.3, data: str = "sky") -> Path:
    """A team of one member whose weights are these bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {
        "model": "lenet",
        "members": [MEMBER | {"data": data}],
        "validation": {"nll_after": nll},
        "test": {"all": {"sources": 6} | SCORES, "ece": 0.1},
    }
    (folder / "card.json").write_text(json.dumps(card))
    (folder / "seed0.safetensors").write_bytes(content)
    return folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Package, variable, cache and checkout, all empty but for a package that lists `near` (in it) and `far` (its card alone)."""
    folders = {name: tmp_path / name for name in ("package", "variable", "cache/weights", "checkout/weights", "published")}
    write_team(folders["package"] / "near", nll=0.4)
    write_team(folders["published"] / "far", nll=0.2)
    listings = {"near": listing_of(TeamFolder(folders["package"] / "near")), "far": listing_of(TeamFolder(folders["published"] / "far"))}
    (folders["package"] / "manifest.json").write_text(json.dumps(as_json(listings)))
    (folders["package"] / "far").mkdir()
    (folders["package"] / "far" / "card.json").write_bytes((folders["published"] / "far" / "card.json").read_bytes())
    monkeypatch.setattr(shelf, "PACKAGED", folders["package"])
    monkeypatch.setattr(shelf, "user_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(shelf, "checkout", lambda: tmp_path / "checkout")
    monkeypatch.setenv("EQUIRADIO_WEIGHTS", str(folders["variable"]))
    return folders


def publish(places, url):
    """Let the manifest say where `far` is fetched from."""
    file = places["package"] / "manifest.json"
    content = json.loads(file.read_text())
    content["far"]["url"] = url
    file.write_text(json.dumps(content))


def refused(name):
    with pytest.raises(ModelRefusal) as caught:
        find_team(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_places_are_looked_through_in_order(places):
    for place in ("checkout/weights", "cache/weights", "variable", "package"):
        there = write_team(places[place] / "far", nll=0.2)
        assert find_team("far").path == there
    assert find_team("near").path == places["package"] / "near"


def test_the_law_of_order_catches_a_cache_before_the_variable(places, monkeypatch):
    cache_first = lambda: [places[name] for name in ("package", "cache/weights", "variable", "checkout/weights")]
    monkeypatch.setattr(shelf, "_places", cache_first)
    with pytest.raises(AssertionError):
        test_places_are_looked_through_in_order(places)


def test_a_variable_that_is_empty_counts_as_not_set(places, monkeypatch, tmp_path):
    monkeypatch.setenv("EQUIRADIO_WEIGHTS", "")
    monkeypatch.chdir(tmp_path / "published")
    assert "EQUIRADIO_WEIGHTS is not set" in refused("far")


def test_a_folder_that_lacks_a_file_is_passed_over(places):
    write_team(places["variable"] / "far", nll=0.2)
    (places["variable"] / "far" / "seed0.safetensors").unlink()
    there = write_team(places["cache/weights"] / "far", nll=0.2)
    assert find_team("far").path == there


@pytest.mark.parametrize("place", ["variable", "cache/weights", "checkout/weights", "package"])
def test_another_content_is_refused_with_both_hashes(places, place):
    there = write_team(places[place] / "far", b"other weights", nll=0.2)
    line = refused("far")
    assert line.startswith(f"{there / 'seed0.safetensors'}: sha256 ")
    for content in (b"weights", b"other weights"):
        assert hashlib.sha256(content).hexdigest() in line


def test_the_hash_law_catches_a_check_that_lets_all_pass(places, monkeypatch):
    monkeypatch.setattr(manifest.Listing, "verify", lambda self, folder: None)
    with pytest.raises(pytest.fail.Exception):
        test_another_content_is_refused_with_both_hashes(places, "variable")


def test_files_are_read_once_a_process_unless_they_change(places, monkeypatch):
    reads = []
    digest = hashlib.file_digest
    monkeypatch.setattr(manifest.hashlib, "file_digest", lambda file, name: reads.append(file.name) or digest(file, name))
    there = write_team(places["variable"] / "far", nll=0.2)
    for _ in range(3):
        find_team("far")
    assert len(reads) == 2
    (there / "seed0.safetensors").write_bytes(b"longer than the weights were")
    refused("far")
    assert len(reads) == 3


def test_a_team_that_is_nowhere_is_refused_naming_both_ways(places):
    line = refused("far")
    for words in ("the weights of 'far'", "no published record yet", "card.json, seed0.safetensors", "Set EQUIRADIO_WEIGHTS", "network"):
        assert words in line
    assert str(places["variable"] / "far") in line


def test_nothing_is_fetched_before_all_names_and_folders_are_known(places, tmp_path, monkeypatch):
    publish(places, "https://example.org/{file}")
    fetched = []
    monkeypatch.setattr(shelf, "_fetch", lambda name, listing: fetched.append(name) or write_team(places["cache/weights"] / "far", nll=0.2))
    for other, line in (("fra", "Did you mean far"), (tmp_path / "runs" / "none", "no such folder")):
        with pytest.raises(Refusal, match=line):
            shelf.check_trained("far", other)
    assert shelf.recipe_at("far").side == 150
    assert fetched == []
    shelf.check_trained("far", "near")
    assert fetched == ["far"]


def test_an_unknown_name_is_refused_with_the_nearest(places):
    assert refused("fer").endswith("expected far, near. Did you mean far?")
    assert "neither a packaged team" in refused("../near")
    with pytest.raises(ModelRefusal):
        team_card_of("fer")


@pytest.fixture
def server(places):
    """The published files over HTTP, and the paths that were asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(places["published"]))) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        publish(places, f"http://127.0.0.1:{served.server_port}/far/{{file}}")
        yield asked
        served.shutdown()


def test_a_published_team_is_fetched_once_into_the_cache(places, server):
    folder = find_team("far").path
    assert folder == places["cache/weights"] / "far"
    assert (folder / "seed0.safetensors").read_bytes() == b"weights"
    find_team("far")
    assert server == ["/far/card.json", "/far/seed0.safetensors"]


def test_what_is_fetched_with_another_hash_is_refused_and_not_kept(places, server):
    (places["published"] / "far" / "seed0.safetensors").write_bytes(b"forged")
    line = refused("far")
    assert "fetching them failed (ValueError" in line
    assert "Set EQUIRADIO_WEIGHTS" in line
    assert not (places["cache/weights"] / "far" / "seed0.safetensors").exists()


def test_without_network_or_pooch_the_refusal_is_in_one_line(places, monkeypatch):
    publish(places, "http://127.0.0.1:1/{file}")
    line = refused("far")
    assert "fetching them failed (ConnectionError" in line
    assert line.endswith("or use a machine with network.")
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert "fetching them failed (ModuleNotFoundError" in refused("far")


def test_all_are_listed_and_the_default_is_the_best_of_those_here(places):
    assert list(list_models()) == team_names() == ["far", "near"]
    assert (names_here(), default_name()) == (["near"], "near")  # far has the lower likelihood and no weights
    write_team(places["variable"] / "far", nll=0.2)
    assert (names_here(), default_name()) == (["far", "near"], "far")


def test_likelihoods_on_other_sources_do_not_compare(places):
    other = write_team(places["package"] / "other", nll=0.1, data="sky+more")
    manifest = json.loads((places["package"] / "manifest.json").read_text())
    manifest |= as_json({"other": listing_of(TeamFolder(other))})
    (places["package"] / "manifest.json").write_text(json.dumps(manifest))
    write_team(places["variable"] / "far", nll=0.2)
    assert (names_here(), default_name()) == (["far", "near", "other"], "far")


def test_the_default_law_catches_one_without_weights(places, monkeypatch):
    monkeypatch.setattr(shelf, "names_here", team_names)
    assert default_name() == "far"
    with pytest.raises(AssertionError):
        test_all_are_listed_and_the_default_is_the_best_of_those_here(places)


def test_a_package_without_manifest_opens_as_before(places):
    (places["package"] / "manifest.json").unlink()
    write_team(places["package"] / "far", b"other weights")
    assert find_team("far").path == places["package"] / "far"
    assert names_here() == ["far", "near"]


@pytest.mark.parametrize("content", ["[]", "{", '{"far": {"licence": ""}}', '{"far": 1}'])
def test_a_broken_manifest_is_refused(places, content):
    (places["package"] / "manifest.json").write_text(content)
    assert "expected a manifest of teams in JSON" in refused("far")


def test_the_manifest_of_the_package_lists_what_lies_in_the_repository():
    listings = read_manifest(ROOT / "src" / "equiradio" / "weights" / "manifest.json")
    assert list(listings) == ["attention", "c4-attention", "c8-attention", "d4-attention", "d8-attention", "quick", "quick-wide"]
    for name, listing in listings.items():
        inside = ROOT / "src" / "equiradio" / "weights" / name
        home = ROOT / "weights" / name if (ROOT / "weights" / name).is_dir() else inside
        assert listing == listing_of(TeamFolder(home), listing.url), "run scripts/list_weights.py"
        assert (inside / "card.json").read_bytes() == (home / "card.json").read_bytes(), "run scripts/list_weights.py"


def test_four_small_teams_come_with_the_package_and_one_of_them_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("EQUIRADIO_WEIGHTS", raising=False)
    monkeypatch.setattr(shelf, "user_cache", lambda: tmp_path)
    monkeypatch.setattr(shelf, "checkout", lambda: None)
    assert names_here() == ["c4-attention", "c8-attention", "quick", "quick-wide"]
    assert default_name() == "c8-attention"
    files = [file for file in shelf.PACKAGED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 8.5e6
    assert "the weights of 'd8-attention' do not come with the package" in refused("d8-attention")
