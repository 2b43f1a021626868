"""Whatever happened to a file of ours, its reader answers with a refusal of one line: nothing raw comes out, and nothing hangs."""

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path
from unicodedata import category

import numpy as np
import pytest
from damage import Reader, damage, write_predictions, write_stored_maps

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.card import Card, read_card
from equiradio.artefacts.claim import is_claimed, lock_file
from equiradio.artefacts.form_choices import Choice, read_choices, write_choices
from equiradio.artefacts.job import differences, read_job
from equiradio.artefacts.manifest import Listing, as_json, read_manifest
from equiradio.artefacts.map_archive import write_archives
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import predicted_by, read_predictions
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.folder import read_folder
from equiradio.datasets.simulated import write_simulated
from equiradio.errors import Refusal
from equiradio.evaluation.scores import arranged
from equiradio.explain.folder import Folder
from equiradio.inference.team import load
from equiradio.paper.results import read_maps
from equiradio.paper.table1 import stored_size_only
from equiradio.serve.tables import Table, read_table
from equiradio.settings import from_toml, preset
from equiradio.sky.fits import read_cutout
from equiradio.training.resume import checkpoint_to_resume
from equiradio.verbs.calibrate import calibrate

TIMES = 100
CARD = Card("lenet", "none", 1, 1, {"mask_radius": None}, "sky", "", {"train": 2}, 0, "quick", "float32", "CPU", {"torch": "2"})
SUITED = {"temperature": 1.5, "threshold": 0.8, "out_of_distribution": {"file": "d.safetensors", "reach": 3.0}, "nll_by_poses": {"1": 0.4}}
SCORE = {"value": 0.9, "interval95": [0.8, 1.0]}


def card(folder):
    CARD.write(folder / "card.json")
    return Reader(folder / "card.json", lambda: read_card(folder / "card.json").labels.columns())


def team_card(folder):
    test = {"all": {"sources": 3, "accuracy": SCORE, "auc": SCORE}, "ece": 0.1}
    member = replace(CARD, classes=["A", "B", "C"]).__dict__
    write_json(folder / "card.json", {"model": "lenet", "members": [member, member], "poses": 2, "test": test} | SUITED)
    team = TeamFolder(folder)
    return Reader(team.card_file, lambda: (team.is_team, [team.card().settings_of(member) for member in team.card().members]))


def manifest(folder):
    listing = Listing({"card.json": {"sha256": "0" * 64, "size": 1}}, "BSD", url="https://example.org/{file}")
    write_json(folder / "manifest.json", as_json({"c4": listing, "lenet": listing}))
    return Reader(folder / "manifest.json", lambda: [each.lacking(folder) for each in read_manifest(folder / "manifest.json").values()])


def maps(folder):
    file = folder / "runs" / "a" / "maps.npz"
    write_stored_maps(file)
    return Reader(file, lambda: {name: array.sum() for name, array in read_maps(file).items() if name != "source_id"})


def index_of_maps(folder):
    write_stored_maps(folder / "runs" / "a" / "maps.npz")
    write_archives(folder)
    return Reader(folder / "maps.json", lambda: read_maps_again(folder))


def read_maps_again(folder):
    try:
        return read_maps(folder / "runs" / "a" / "maps.npz")
    except FileNotFoundError:  # the index names it no more
        return None


def archive_of_maps(folder):
    index_of_maps(folder)
    return Reader(next(folder.glob("maps-*.tar")), lambda: read_maps_again(folder))


def forms(folder):
    write_choices(folder / "forms.json", {name: Choice(name, "dense", {"dense": 1.0, "fourier": 2.0}) for name in ("one", "two")})
    return Reader(folder / "forms.json", lambda: read_choices(folder / "forms.json"))


def settings(folder):
    Run(folder).write_settings(preset("quick"))
    return Reader(folder / "settings.toml", lambda: from_toml(folder / "settings.toml"))


def history(folder):
    Run(folder).write_history([dict.fromkeys(("epoch", "seconds", "learning_rate", "images_per_second"), 1.0) | LOSSES] * 3)
    return Reader(folder / "history.csv", lambda: Run(folder).history())


LOSSES = {"train_loss": 0.5, "validation_loss": 0.6, "validation_accuracy": 0.7}


def predictions(folder):
    file = folder / "p.parquet"
    write_predictions(file)
    return Reader(file, lambda: (predicted_by(file), arranged(read_predictions(file), "p")))


def viewed_table(folder):
    file = folder / "p.parquet"
    write_predictions(file)

    def read():
        table = Table("p", file)
        return read_table(file), table.page([], "p_frii", True, 0, 9), table.histogram("label", []), table.votable([], None, False)

    return Reader(file, read)


def job(folder):
    """Beside a finished catalogue: what it is of."""
    write_json(folder / "c.csv.job.json", {"model": "c4-attention 0123", "max_nonfinite": 0.05, "answered": 2, "sha256": "0" * 64})
    return Reader(folder / "c.csv.job.json", lambda: differences(read_job(folder / "c.csv.job.json"), {"model": "c4-attention 0123"}))


def lock(folder):
    write_json(lock_file(folder / "run"), {"host": os.uname().nodename, "process": os.getpid(), "token": "0", "since": "2026"})
    return Reader(lock_file(folder / "run"), lambda: is_claimed(folder / "run"))


def npy(folder):
    np.save(folder / "a.npy", np.arange(150 * 150, dtype=np.uint32).reshape(150, 150).astype(np.uint8))
    return Reader(folder / "a.npy", lambda: read_cutout(folder / "a.npy"))


def npy_header(folder):
    """The header alone, where damage is met first; the pixels follow it whole."""
    whole = npy(folder).file.read_bytes()
    (folder / "header").write_bytes(whole[:128])
    return Reader(folder / "header", lambda: read_cutout((folder / "header").read_bytes() + whole[128:], "a.npy"))


def png(folder):
    from PIL import Image

    Image.fromarray(np.arange(150 * 150, dtype=np.uint32).reshape(150, 150).astype(np.uint8)).save(folder / "a.png")
    return Reader(folder / "a.png", lambda: read_cutout(folder / "a.png"))


def data_set(name):
    def of(folder):
        write_simulated(3, 0, folder / "sky")
        return Reader(folder / "sky" / name, lambda: read_folder(folder / "sky"))

    return of


def explanation(name):
    def of(folder):
        explained = Folder(folder)
        explained.check({"run": "a", "seed": 0})
        explained.write_part("maps", {"lifts": {"a": [1.0, None]}, "seconds": 1.0}, {"maps": np.arange(9.0)})

        def read():
            explained.check({"run": "a", "seed": 0})
            return explained.arrays("maps"), (explained.summary("maps") or {"lifts": {"a": [0]}})["lifts"]["a"][0]

        return Reader(folder / name, read)

    return of


def size_only(folder):
    numbers = dict.fromkeys(("cut_arcsec", "training_accuracy", "accuracy"), 0.5) | {"training_sources": 2, "sources": 3}
    write_json(folder / "size_only.json", {"size_only": numbers | {"larger_is": "FRII"}})
    return Reader(folder / "size_only.json", lambda: f"{(stored_size_only(folder) or numbers)['accuracy']:.3f}")


ALONE = {
    "card": card,
    "team's card": team_card,
    "manifest": manifest,
    "maps": maps,
    "index of maps": index_of_maps,
    "archive of maps": archive_of_maps,
    "forms": forms,
    "settings": settings,
    "history": history,
    "predictions": predictions,
    "viewer's table": viewed_table,
    "lock": lock,
    "npy": npy,
    "header of npy": npy_header,
    "png": png,
    "explanation": explanation("about.json"),
    "part": explanation("parts/maps.json"),
    "arrays of a part": explanation("parts/maps.npz"),
    "size alone": size_only,
} | {
    "job.json": job,
    **{f"{name} of a data set": data_set(name) for name in ("dataset.json", "images.npy", "catalogue.csv")},
}
RECOVERED = {"lock", "part", "job.json"}  # damage means that nobody holds it, that it is measured again, or another job


def law_of_damage(reader: Reader, seed: str, times: int = TIMES) -> int:
    """How many damaged files are refused, each in one line; whatever else is raised comes out of here."""
    reader.read()
    whole, chance, lines = reader.file.read_bytes(), random.Random(seed), []
    for number in range(times):
        reader.file.write_bytes(damage(whole, chance))
        os.utime(reader.file, ns=(number, number))  # no cache takes it for the file before
        try:
            reader.read()
        except Refusal as refusal:
            lines.append(str(refusal))
    assert not {category(letter) for letter in "".join(lines)} & {"Cc", "Cs", "Zl", "Zp"}
    return len(lines)


@pytest.mark.parametrize("name", ALONE)
def test_a_damaged_file_is_refused_in_a_line(name, tmp_path):
    refused = law_of_damage(ALONE[name](tmp_path), name)
    assert refused > 0 or name in RECOVERED


@pytest.mark.parametrize("name", ["card", "maps", "forms", "npy", "viewer's table"])
def test_the_law_catches_readers_that_let_errors_through(name, tmp_path, monkeypatch):
    monkeypatch.setattr("equiradio.errors.ANYTHING", ())
    monkeypatch.setattr("equiradio.sky.contents.ANYTHING", ())
    with pytest.raises(Exception) as caught:
        law_of_damage(ALONE[name](tmp_path), name)
    assert not isinstance(caught.value, Refusal)


@pytest.fixture(scope="module")
def whole_team(trained, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("teams") / "lenet"
    calibrate([trained("lenet")], out)
    return out


@pytest.mark.parametrize("name", ["seed0.safetensors", "distance.safetensors", "card.json"])
def test_a_damaged_team_is_refused_in_a_line(whole_team, tmp_path, name):
    folder = Path(shutil.copytree(whole_team, tmp_path / "team"))
    image = np.arange(150 * 150, dtype=np.uint32).reshape(1, 150, 150).astype(np.uint8)
    assert law_of_damage(Reader(folder / name, lambda: load(folder).answer(image)), name, 60) > 0


@pytest.mark.parametrize("name", ["settings.toml", "card.json", "weights.safetensors", "last.ckpt"])
def test_a_damaged_run_is_refused_in_a_line(copy_of, sky, tiny, name):
    run, wanted = Run(copy_of("lenet")), tiny("lenet", epochs=2)
    sources = read_folder(sky)

    def read():
        return load(run.folder), checkpoint_to_resume(run, wanted, True, sources)

    assert law_of_damage(Reader(run.folder / name, read), name, 60) > 0
