"""Maps of some of a survey's sources are those of classify, drawn once, and of the sources that were asked for."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from survey_files import table_of, write_catalogue, write_mosaics

from equiradio.cli.main import main
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.inference.calibration import Calibration
from equiradio.inference.team import Team, load
from equiradio.survey import maps as drawing
from equiradio.survey.folder import SurveyFolder
from equiradio.survey.maps import Choice, draw_maps
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey

NAMES = ["a/b", "a_b", "A_B", "..", *(f"s {number}" for number in range(4, 12))]
SHARD = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    write_mosaics(folder / "mosaics")
    write_catalogue(folder, table_of(name=NAMES))
    return folder


@pytest.fixture(scope="module")
def team(untrained):
    opened = load(untrained("attention"), "cpu")
    return Team(opened.members, Calibration(poses=1, threshold=0.0), opened.card)


@pytest.fixture
def done(team, place, tmp_path):
    """A survey whose second and fifth source are abstained from, and whose seventh has no answer."""
    asked = Asked(place / "c.parquet", [str(place / "mosaics")], shard_size=SHARD)
    survey(team, asked, tmp_path / "out", readers=0)
    return SurveyFolder(tmp_path / "out")


def with_rows(folder, change):
    """The results again, each row changed."""
    plan = folder.plan()
    for shard in range(plan.shards):
        table = pq.read_table(folder.result_file(shard))
        rows = [row | change(row) for row in table.to_pylist()]
        folder.write_result(shard, plan, pa.Table.from_pylist(rows, schema=table.schema), {})


def index(folder):
    with (folder.folder / "maps" / "index.csv").open(newline="") as file:
        return {row["source_id"]: row["map_name"] for row in csv.DictReader(file)}


def test_those_of_a_list_are_drawn_as_classify_draws_them(done, team, tmp_path):
    (tmp_path / "names").write_text("s 5\na/b\n\ns 9\n")
    drawn = draw_maps(team, done, Choice.of(f"ids:{tmp_path / 'names'}"), {}, readers=0)
    assert (drawn.sources, drawn.drawn) == (3, 3)
    assert index(done) == {"a/b": "a_b", "s 5": "s_5", "s 9": "s_9"}
    files = sorted(path.name for path in drawn.folder.iterdir() if not path.name.startswith("."))
    assert files == sorted(
        ["index.csv", "job.json", *(f"{name}{end}" for name in ("a_b", "s_5", "s_9") for end in (".fits", ".png", ".reg"))]
    )
    rows = {row["source_id"]: row for row in pq.read_table(done.result_file(1)).to_pylist()}
    _, answers = team.ask([mosaic_cutout(rows["s 5"])])
    with fits.open(drawn.folder / "s_5.fits") as hdus:
        np.testing.assert_allclose(hdus["ATTENTION"].data, answers.attention[0], atol=1e-6)


def mosaic_cutout(row):
    from equiradio.sky.fits import read_cutout

    return read_cutout(Path(row["file"]), ra_deg=row["target_ra_deg"], dec_deg=row["target_dec_deg"])


def test_the_doubtful_and_the_surest(done, team):
    p = {name: 0.5 + place / 100 for place, name in enumerate(NAMES)}
    doubtful = {"a_b", "s 4"}

    def change(row):
        name = row["source_id"]
        gone = (
            {"answered": False, "label": None, "p_fri": None, "p_frii": None}
            if name == "s 6"
            else {"p_fri": p[name], "p_frii": 1 - p[name]}
        )
        return {"uncertain": name in doubtful or name == "s 6"} | gone

    with_rows(done, change)
    draw_maps(team, done, Choice.of("uncertain"), {}, readers=0)
    assert index(done).keys() == doubtful
    with pytest.raises(RunRefusal, match="maps of this survey with other choice"):
        draw_maps(team, done, Choice.of("top:3"), {}, readers=0)
    (done.folder / "maps").rename(done.folder / "before")
    draw_maps(team, done, Choice.of("top:3"), {}, readers=0)
    assert index(done).keys() == {"s 9", "s 10", "s 11"}


def test_a_choice_of_nobody_does_not_stand_in_the_way_of_another(done, team):
    with_rows(done, lambda row: {"uncertain": not row["answered"]})
    assert draw_maps(team, done, Choice.of("uncertain"), {}, readers=0)[1:] == (0, 0)
    assert draw_maps(team, done, Choice.of("top:2"), {}, readers=0)[1:] == (2, 2)
    with pytest.raises(RunRefusal, match="maps of this survey with other choice"):
        draw_maps(team, done, Choice.of("top:3"), {}, readers=0)


def test_a_choice_that_was_refused_before_a_map_was_drawn_does_not_either(done, team, monkeypatch):
    def stops(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(drawing, "write_maps", stops)
        with pytest.raises(KeyboardInterrupt):
            draw_maps(team, done, Choice.of("top:3"), {}, readers=0)
    assert draw_maps(team, done, Choice.of("top:2"), {}, readers=0)[1:] == (2, 2)


def test_names_that_a_disk_would_take_for_one_stay_apart(done, team):
    draw_maps(team, done, Choice.of("top:12"), {}, readers=0)
    names = index(done)
    assert [names[each] for each in ("a/b", "a_b", "A_B", "..")] == ["a_b-row0", "a_b-row1", "A_B-row2", "source"]
    assert len({name.lower() for name in names.values()}) == 12


def test_what_is_drawn_is_not_drawn_again(done, team, monkeypatch):
    plain, written = drawing.write_maps, []

    def stops(folder, cutout, maps, row, about):
        if len(written) == 2:
            raise KeyboardInterrupt
        plain(folder, cutout, maps, row, about)
        written.append(row["map_name"])

    monkeypatch.setattr(drawing, "write_maps", stops)
    with pytest.raises(KeyboardInterrupt):
        draw_maps(team, done, Choice.of("top:4"), {}, readers=0)
    monkeypatch.setattr(drawing, "write_maps", plain)
    assert draw_maps(team, done, Choice.of("top:4"), {}, readers=0)[1:] == (4, 2)
    assert draw_maps(team, done, Choice.of("top:4"), {}, readers=0)[1:] == (4, 0)


@pytest.mark.parametrize("text", ["", "all", "top:", "top:0", "top:-1", "top:1.5", "ids:", "ids:nowhere", "surest"])
def test_other_choices_are_refused(text):
    with pytest.raises(SettingRefusal):
        Choice.of(text)


def test_names_of_nobody_are_refused_before_anything_is_drawn(done, team, tmp_path):
    (tmp_path / "names").write_text("s 5\nnobody\n")
    with pytest.raises(SettingRefusal, match=r"1 names that no source has \(nobody\)"):
        draw_maps(team, done, Choice.of(f"ids:{tmp_path / 'names'}"), {}, readers=0)
    assert not (done.folder / "maps").exists()


def test_images_that_were_replaced_are_refused(done, team, place):
    note = json.loads(done.plan_file.read_text())
    note["images"][0]["stamp"] = "other"
    done.plan_file.write_text(json.dumps(note))
    with pytest.raises(RunRefusal, match="changed since the plan was made"):
        draw_maps(team, done, Choice.of("top:12"), {}, readers=0)


def test_the_command_draws_after_the_catalogue(place, untrained, tmp_path, capsys):
    words = [str(place / "c.parquet"), "--images", str(place / "mosaics"), "--model", str(untrained("attention")), "--readers", "0"]
    assert main(["survey", *words, "--out", str(tmp_path / "out"), "--maps", "top:2"]) == 0
    assert "maps of" in capsys.readouterr().out
    assert main(["survey", *words, "--out", str(tmp_path / "out"), "--maps", "top:2", "--part", "1/2"]) == 2
    assert "--maps: top:2 in a part; expected a run of the whole survey." in capsys.readouterr().err
