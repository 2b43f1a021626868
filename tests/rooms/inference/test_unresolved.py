"""A source of fewer beams across than a team can tell is flagged and never certain; where beams are unknown, nothing is flagged."""

from dataclasses import replace

import numpy as np
import pytest

from equiradio.inference.calibration import Calibration
from equiradio.inference.team import Team, load
from equiradio.sky.pictures import from_pixels

SURE = Calibration(poses=1, threshold=0.0, centre=None, reach=None)


@pytest.fixture(scope="module")
def team(untrained):
    opened = load(untrained("lenet"), "cpu")
    return Team(opened.members, replace(SURE, resolved_from=6.0), opened.card)


def spot(beams):
    """An image in MiraBest form of a bright round source, so many beams of 5.4 arcsec wide where it is lit."""
    rows, columns = np.indices((150, 150)) - 75
    away = np.hypot(rows, columns) - beams * 3 / 2
    return np.select([away <= -1, away <= 0], [200, 10], 0).astype(np.uint8)


@pytest.mark.parametrize(("beams", "flagged"), [(3, True), (5, True), (8, False), (20, False)])
def test_fewer_beams_are_flagged(team, beams, flagged):
    (row,), _ = team.ask([from_pixels("a", spot(beams), [5.4])])
    assert row["beams_across"] == pytest.approx(beams, abs=0.5)
    assert ("unresolved" in row["flag_names"].split()) == flagged
    assert row["uncertain"] == flagged
    assert row["answered"]
    assert row["label"] in ("FRI", "FRII")


def test_a_larger_beam_has_the_same_source_unresolved(team):
    rows, _ = team.ask([from_pixels("a", spot(8), [width]) for width in (5.4, 10.8)])
    assert [row["uncertain"] for row in rows] == [False, True]


@pytest.mark.parametrize("angle", [[], [0.0]], ids=["no angle", "angle"])
def test_a_beam_without_an_angle_is_no_way_around_it(team, angle):
    rows, _ = team.ask([from_pixels("a", spot(beams), [6.0, 5.0, *angle]) for beams in (3, 20)])
    assert [("unresolved" in row["flag_names"].split(), row["uncertain"]) for row in rows] == [(True, True), (False, False)]


def test_without_a_beam_or_a_number_nothing_is_flagged(team):
    (row,), _ = team.ask([from_pixels("a", spot(3))])
    assert row["beams_across"] is None
    assert (row["flag_names"], row["uncertain"]) == ("no_wcs", False)
    (row,), _ = Team(team.members, SURE, team.card).ask([from_pixels("a", spot(3), [5.4])])
    assert (row["flag_names"], row["uncertain"]) == ("no_wcs", False)


def test_the_door_of_files_and_arrays_measures_too(team, tmp_path):
    np.save(tmp_path / "a.npy", spot(3))
    for source in (tmp_path / "a.npy", spot(3)):
        (row,) = team.classify(source, beam=[5.4])
        assert "unresolved" in row["flag_names"]
        assert row["islands"] == 1
        assert row["size_arcsec"] == pytest.approx(3 * 5.4, abs=2.7)
        assert row["peak_jy_per_beam"] is row["total_jy"] is row["rms_jy_per_beam"] is None


def test_a_file_without_an_answer_has_no_shape(team, tmp_path):
    (row,) = team.classify([tmp_path / "gone.fits"])
    assert {row[name] for name in ("peak_jy_per_beam", "total_jy", "rms_jy_per_beam", "size_arcsec", "islands", "beams_across")} == {None}
