"""Off a terminal long work says every half minute how far it has come, on stderr."""

import time

import pytest

from equiradio.cli import progress
from equiradio.cli.progress import Pace, bars


def test_a_line_says_what_is_done_and_how_long_the_rest_takes():
    pace = Pace()
    pace.began = 100.0
    assert pace.line(130.0) == "at work for 0:00:30"
    pace.step("sources", 200, 1000, 110.0)  # resumed: 200 were there already
    assert pace.line(115.0) == "sources: 200 of 1,000 after 0:00:15"
    pace.step("sources", 400, 1000, 130.0)
    assert pace.line(130.0) == "sources: 400 of 1,000 after 0:00:30, about 0:01:00 left"
    pace.step("maps", 0, 3, 131.0)
    assert pace.line(132.0) == "maps: 0 of 3 after 0:00:32"
    pace.step("sources", 1000, 1000, 140.0)
    assert pace.line(140.0) == "sources: 1,000 of 1,000 after 0:00:40"


def test_the_same_work_begun_again_is_timed_anew():
    pace = Pace()
    pace.began = 0.0
    pace.step("passes", 0, 10, 0.0)
    pace.step("passes", 10, 10, 100.0)
    pace.step("passes", 0, 10, 100.0)
    pace.step("passes", 5, 10, 105.0)
    assert pace.line(105.0) == "passes: 5 of 10 after 0:01:45, about 0:00:05 left"


def test_lines_come_while_a_step_takes_long(capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.05)
    with bars() as step:
        step("sources", 1, 4)
        time.sleep(0.4)
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) >= 2
    assert set(err.splitlines()) == {"sources: 1 of 4 after 0:00:00"}
    time.sleep(0.2)
    assert not capsys.readouterr().err, "the end of the work is the end of the lines"


def test_the_lines_end_with_an_error():
    with pytest.raises(KeyError), bars():
        raise KeyError
    assert progress.EVERY == 30.0
