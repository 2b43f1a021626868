"""Features beside the catalogue, and the sources that look most like one."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from PIL import Image
from sky_files import sky, write
from typer.testing import CliRunner

from equiradio.artefacts.features import read_features
from equiradio.cli.main import app
from equiradio.errors import ImageRefusal, RunRefusal, SettingRefusal
from equiradio.inference import reading
from equiradio.inference.cascade import Cascade
from equiradio.inference.team import load
from equiradio.sky.listing import image_files
from equiradio.verbs import classify as room
from equiradio.verbs.similar import similar


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty cutouts, the last of them damaged."""
    place = tmp_path_factory.mktemp("cutouts")
    for number in range(20):
        write(place / f"J{number:02d}.fits", sky(at=(3 * number - 30, -number), seed=number))
    (place / "J19.fits").write_bytes(b"SIMPLE  = nothing")
    return place


@pytest.fixture(scope="module")
def run(untrained):
    return untrained("attention", kernel_size=3)


@pytest.fixture(scope="module")
def table(run, folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("features") / "f.parquet"
    room.classify(load(run), image_files([folder]), out=file.with_name("c.csv"), features=file)
    return file


def test_every_source_has_the_vector_that_the_team_gives(table, run, folder):
    files = image_files([folder])
    features = read_features(table)
    expected = load(run).features(files)
    np.testing.assert_allclose(features.vectors, expected, rtol=1e-5, atol=1e-6)
    assert np.isnan(features.vectors[19]).all()
    assert features.source_ids == [f"J{number:02d}" for number in range(20)]
    assert features.labels[19] == ""
    assert features.model == load(run).name
    assert pq.read_table(table)["features"].null_count == 1


def test_the_catalogue_is_as_without_them(table, run, folder):
    files = image_files([folder])
    plain = room.classify(load(run), files)
    beside = room.classify(load(run), files, features=table.with_name("again.parquet"))
    assert beside.equals(plain)
    assert pq.read_table(table.with_name("again.parquet")).equals(pq.read_table(table))


def test_an_interrupted_run_goes_on_and_has_all_vectors(table, run, folder, tmp_path, monkeypatch):
    team, files, asked = load(run), image_files([folder]), []

    def once(*given):
        if asked:
            raise KeyboardInterrupt
        asked.append(1)
        return reading.answered(*given)

    places = {"out": tmp_path / "c.parquet", "features": tmp_path / "f.parquet"}
    with monkeypatch.context() as patch:
        patch.setattr(room, "answered", once)
        with pytest.raises(KeyboardInterrupt):
            room.classify(team, files, **places)
    assert not places["features"].exists()
    room.classify(team, files, resume=True, **places)
    assert pq.read_table(places["features"]).equals(pq.read_table(table))
    room.classify(team, files, resume=True, **places)
    places["features"].unlink()
    with pytest.raises(RunRefusal, match="the features written with it"):
        room.classify(team, files, resume=True, **places)


def test_a_cascade_and_other_files_are_refused_before_any_work(run, folder, tmp_path):
    team = load(run)
    for who, file, words in (
        (Cascade(team, team, 0.5), "f.parquet", "asked of a cascade, .*one team, whose features can be compared"),
        (team, "f.csv", r"a name that ends in \.parquet"),
        (team, "c.parquet", "is the catalogue"),
    ):
        with pytest.raises(SettingRefusal, match=words):
            room.classify(who, [folder / "J00.fits"], out=tmp_path / "c.parquet", features=tmp_path / file)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("quarters", [1, 2])
def test_a_turned_source_finds_itself(untrained, folder, tmp_path, quarters):
    """For a network that quarter turns do not change."""
    team = load(untrained("c4-attention", kernel_size=3))
    file, files = tmp_path / "f.parquet", image_files([folder])[:6]
    room.classify(team, files, features=file)
    turned = tmp_path / "turned.npy"
    np.save(turned, np.rot90(reading.read_any(0, files[3]).image, quarters))
    folder_of = str(untrained("c4-attention", kernel_size=3))
    first, second = similar(str(turned), file, 2, model=folder_of)
    assert first.source_id == "J03"
    assert first.distance < 1e-3 < second.distance


def test_nearest_by_spread_of_each_feature_and_never_itself(table, run):
    features = read_features(table)
    others = np.delete(features.vectors[:19].astype(float), 4, 0)
    names = [name for name in features.source_ids[:19] if name != "J04"]
    spread = others.std(0)
    varies = spread > 1e-3 * abs(others).max(0)
    assert 0 < varies.sum() <= len(varies)
    apart = np.sqrt((((others - features.vectors[4])[:, varies] / spread[varies]) ** 2).mean(1))
    expected = [names[place] for place in np.argsort(apart)]
    found = similar("J04", table, 50)
    assert [each.source_id for each in found] == expected, "no damaged one, nor the source itself"
    assert [each.distance for each in found] == pytest.approx(sorted(apart), rel=1e-6)
    asked = similar(next(each for each in features.files if "J04" in each), table, 50, model=str(run))
    assert [each.distance for each in asked] == pytest.approx([each.distance for each in found], rel=5e-3)


@pytest.mark.parametrize(
    ("source", "words"),
    [("J44", "'J44' is no file, and none of 20 sources.*Did you mean"), ("J19", "has no answer, and so no features")],
)
def test_a_source_that_is_not_there_is_refused(table, source, words):
    with pytest.raises(SettingRefusal, match=words):
        similar(source, table)


def test_an_image_that_needs_a_choice_is_refused_without_the_options_of_another_command(table, run, tmp_path):
    fits.HDUList([fits.PrimaryHDU(sky()), fits.ImageHDU(sky())]).writeto(tmp_path / "two.fits")
    with pytest.raises(ImageRefusal, match=r"expected one 2-D image\. Save the image as a file of its own\."):
        similar(str(tmp_path / "two.fits"), table, model=str(run))
    fits.PrimaryHDU(np.stack([sky(), sky()])).writeto(tmp_path / "cube.fits")
    with pytest.raises(ImageRefusal, match=r"expected one plane\. Save one plane as a file of its own\."):
        similar(str(tmp_path / "cube.fits"), table, model=str(run))


def test_features_of_another_team_or_no_features_are_refused(table, folder, untrained, tmp_path):
    other = str(untrained("attention", seed=1, kernel_size=3))
    with pytest.raises(RunRefusal, match=r"features of attention .*, not of attention"):
        similar(str(folder / "J00.fits"), table, model=other)
    with pytest.raises(RunRefusal, match=r"features of attention .*Name the team that made them by --model"):
        similar(str(folder / "J00.fits"), table)
    with pytest.raises(RunRefusal, match="no such file"):
        similar("J00", tmp_path / "none.parquet")
    pq.write_table(pq.read_table(table, columns=["source_id", "file", "label"]), tmp_path / "catalogue.parquet")
    line = r"catalogue.parquet: no column distance and no features, as of a catalogue; expected a file of features. Make it anew with"
    with pytest.raises(RunRefusal, match=line):
        similar("J00", tmp_path / "catalogue.parquet")
    (tmp_path / "text.parquet").write_text("nothing")
    with pytest.raises(RunRefusal, match="cannot be read"):
        similar("J00", tmp_path / "text.parquet")


def test_the_team_is_known_by_what_made_the_features(folder, tmp_path):
    """A packaged team's name is not that of its model."""
    file = tmp_path / "f.parquet"
    room.classify(load("quick").in_poses(1), image_files([folder])[:3], features=file)
    assert [each.source_id for each in similar(str(folder / "J01.fits"), file)] == [each.source_id for each in similar("J01", file)]


def test_the_command_lists_and_draws(table, tmp_path):
    picture = tmp_path / "similar.png"
    done = CliRunner().invoke(app, ["similar", "J02", "--among", str(table), "--count", "3", "--json", "--out", str(picture)])
    assert done.exit_code == 0, done.output
    nearest = json.loads(done.stdout)
    assert [set(each) for each in nearest] == [{"source_id", "file", "label", "distance"}] * 3
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 500
    shown = CliRunner().invoke(app, ["similar", "J02", "--among", str(table), "--count", "3"])
    assert nearest[0]["source_id"] in shown.stdout
