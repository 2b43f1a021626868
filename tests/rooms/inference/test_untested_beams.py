"""A beam through which a team was not found to tell classes apart is flagged and never certain; an unknown one is flagged."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sky_files import header, sky, write

from equiradio.errors import RunRefusal
from equiradio.inference.calibration import Calibration
from equiradio.inference.team import Team, load
from equiradio.serve.answers import in_words
from equiradio.sky.beams import Beam
from equiradio.sky.conditions import Condition, seen
from equiradio.sky.pictures import from_pixels

SURE = Calibration(poses=1, threshold=0.0, beams=(4.5, 6.48))


@pytest.fixture(scope="module")
def team(untrained):
    opened = load(untrained("lenet"), "cpu")
    return Team(opened.members, SURE, opened.card)


def spot():
    rows, columns = np.indices((150, 150)) - 75
    return np.select([np.hypot(rows, columns) <= 14, np.hypot(rows, columns) <= 15], [200, 10], 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("beam", "flag"),
    [
        ([5.4], ""),
        ([6.48], ""),
        ([6.52], ""),
        ([6.6], "beam_untested"),
        ([15.0], "beam_untested"),
        ([4.5], ""),
        ([4.4], "beam_untested"),
        ([2.5], "beam_untested"),
        ([6.4, 5.4, 0.0], ""),
        ([6.8, 5.4, 0.0], ""),  # FIRST's own in the south
        ([6.8, 6.4, 0.0], "beam_untested"),
        ([9.0, 3.5, 30.0], "beam_untested"),  # of the area of FIRST's
        ([6.0, 3.0, 30.0], "beam_untested"),
    ],
)
def test_a_beam_beyond_what_was_tested_abstains(team, beam, flag):
    (row,), _ = team.ask([from_pixels("a", spot(), beam)])
    assert ({"beam_untested", "no_beam"} & set(row["flag_names"].split())) == ({flag} - {""})
    assert row["uncertain"] == bool(flag)
    assert row["answered"]


def test_a_minor_axis_that_is_not_stated_counts_as_the_major_one():
    assert SURE.of_beam(Beam(6.0)) == set()
    assert SURE.of_beam(Beam(7.0)) == {"beam_untested"}


def test_a_beam_that_is_not_stated_is_a_doubt_and_no_abstention(team):
    (row,), _ = team.ask([from_pixels("a", spot())])
    assert (row["flag_names"], row["uncertain"]) == ("no_wcs no_beam", False)


@pytest.mark.parametrize(("pixel", "untested"), [(None, False), (1.8, False), (3.24, False), (3.25, True), (15.0, True)])
def test_pixels_that_sample_no_tested_beam_abstain_where_none_is_stated(team, pixel, untested):
    (row,), _ = team.ask([replace(from_pixels("a", spot()), file_pixel_arcsec=pixel)])
    assert row["flag_names"].split() == ["no_wcs", *(["beam_untested"] if untested else []), "no_beam"]
    assert row["uncertain"] == untested
    assert SURE.of_beam(Beam(5.4), pixel) == set()  # what a file states holds


def test_a_file_of_nvss_that_states_no_beam_is_not_answered(team, tmp_path):
    (row,) = team.classify(write(tmp_path / "nvss.fits", sky(36, 15.0), header(36, 15.0)))
    assert {"reprojected", "other_beam", "no_beam", "beam_untested"} <= set(row["flag_names"].split())
    assert row["uncertain"]


def test_first_southern_beam_is_untested_where_first_itself_is(team):
    other = replace(SURE, beams=(15.0, 25.0))
    assert other.of_beam(Beam(6.8, 5.4, 0.0)) == {"beam_untested"}
    assert other.of_beam(Beam(20.0, 20.0, 0.0)) == set()


@pytest.mark.parametrize(
    ("beam", "level"),
    [
        (None, 0.7),
        (Beam(5.4), 0.7),
        (Beam(5.45), 0.7),
        (Beam(6.8, 5.4, 0.0), 0.7),  # FIRST's own in the south
        (Beam(6.48), 0.8),
        (Beam(6.0, 6.0, 0.0), 0.8),  # between two that were tested
        (Beam(7.0, 6.0, 20.0), 0.8),  # 6.48 by its area
        (Beam(7.0), 0.9),
        (Beam(8.1), 0.9),
        (Beam(4.5), 0.7),  # what was chosen through it is lower
        (Beam(5.0), 0.7),
    ],
)
def test_the_threshold_is_that_of_the_beam_and_never_lower_than_the_images_own(beam, level):
    assert replace(SURE, threshold=0.7, thresholds={4.5: 0.6, 6.48: 0.8, 8.1: 0.9}, beams=(4.5, 8.1)).threshold_of(beam) == level
    assert replace(SURE, threshold=None).threshold_of(beam) is None


def test_an_answer_that_is_sure_enough_for_one_beam_is_not_for_another(team):
    _, answers = team.ask([from_pixels("a", spot(), [5.4])])
    top = float(answers.p[0].max())
    between = Team(team.members, replace(SURE, threshold=top - 1e-3, thresholds={6.48: top + 1e-3}), team.card)
    rows, _ = between.ask([from_pixels("a", spot(), beam) for beam in ([5.4], [6.48], [6.0], None)])
    assert [row["uncertain"] for row in rows] == [False, True, True, False]


def test_a_team_without_such_beams_flags_nothing(team):
    rows, _ = Team(team.members, replace(SURE, beams=None), team.card).ask([from_pixels("a", spot(), beam) for beam in (None, [15.0])])
    assert [row["uncertain"] for row in rows] == [False, False]
    assert not {"beam_untested", "no_beam"} & {name for row in rows for name in row["flag_names"].split()}


def test_what_a_larger_beam_shows_is_answered_by_no_team_that_was_not_tested_through_it(team):
    rows, _ = team.ask([seen("a", spot(), condition, 0) for condition in (Condition(), Condition("beam", 15.0), Condition("noise", 2.0))])
    assert [row["uncertain"] for row in rows] == [False, True, False]


@pytest.mark.parametrize(
    ("by_beams", "beams"),
    [
        ({}, None),
        ({"beams_arcsec": [5.4, 6.48], "rows": []}, (5.4, 6.48)),
        ({"beams_arcsec": [5.4], "finer_arcsec": [3.6, 4.5], "rows": [], "thresholds": {"3.6": 0.9, "4.5": 0.8}}, (3.6, 5.4)),
    ],
)
def test_the_card_says_which(tmp_path, calibrated, by_beams, beams):
    folder = shutil.copytree(calibrated, tmp_path / "team")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"by_beams": by_beams}))
    chosen = load(folder, "cpu").calibration
    assert chosen.beams == beams
    assert chosen.thresholds == {float(beam): level for beam, level in by_beams.get("thresholds", {}).items()}


@pytest.mark.parametrize("thresholds", [{"6.48": 1.2}, {"6.48": "a"}, {"a": 0.8}, {"-1": 0.8}, [0.8]])
def test_thresholds_that_are_none_are_refused(tmp_path, calibrated, thresholds):
    folder = shutil.copytree(calibrated, tmp_path / "team")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"by_beams": {"beams_arcsec": [5.4, 6.48], "rows": [], "thresholds": thresholds}}))
    with pytest.raises(RunRefusal, match=r"card\.json"):
        load(folder, "cpu")


@pytest.mark.parametrize("beams", [[-5.4], [5400.0], ["a"], 5.4])
def test_beams_that_are_none_are_refused(tmp_path, calibrated, beams):
    folder = shutil.copytree(calibrated, tmp_path / "team")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"by_beams": {"beams_arcsec": beams, "rows": []}}))
    with pytest.raises(RunRefusal, match=r"card\.json: .*by_beams"):
        load(folder, "cpu")


@pytest.fixture(scope="module")
def calibrated(trained, tmp_path_factory):
    from equiradio.verbs.calibrate import calibrate

    out = tmp_path_factory.mktemp("teams") / "team"
    calibrate([trained("lenet")], out, most_poses=1)
    return out


def test_a_calibrated_team_was_tested_through_its_own_beam_and_the_viewer_says_why_it_abstains(calibrated):
    low, high = load(calibrated, "cpu").calibration.beams
    assert low <= 5.4 <= high
    said = in_words("FRI", {"p": 0.9, "low": 0.8, "high": 0.95}, True, 0.8, {"beam_untested"})
    assert said == "Abstains: through this beam it was never found to tell classes apart. It would say FRI with 90 %."
    said = in_words("FRI", {"p": 0.9, "low": 0.8, "high": 0.95}, True, 0.8, {"beam_untested", "no_beam"})
    assert said.startswith("Abstains: the file's pixels are too coarse for any beam through which it was found to tell classes apart.")
