"""What follows from measurements: small sums done by hand."""

import pytest

from equiradio.bench.summary import share_of_peak, spread, spread_text, summarise, times_faster


def turn(milliseconds: float, peak: float | None = 100) -> dict:
    return {
        "milliseconds_per_image": milliseconds,
        "processor_milliseconds_per_image": 2 * milliseconds,
        "peak_mib": peak,
        "build_seconds": 0.5,
        "first_seconds": 1.0,
        "steps": 3,
        "precision": "bf16",
        "weights": 7,
        "torch": "2",
    }


def test_a_summary_has_median_least_and_most():
    found = summarise([turn(3, 90), turn(1, None), turn(2, 120)])
    assert found["milliseconds_per_image"] == {"median": 2, "low": 1, "high": 3, "rounds": [3, 1, 2]}
    assert found["processor_milliseconds_per_image"]["median"] == 4
    assert (found["peak_mib"], found["precision"], found["steps"]) == (120, "bf16", [3, 3, 3])
    assert summarise([turn(1, None)])["peak_mib"] is None


def test_ratios_are_taken_round_by_round():
    ratios = times_faster([turn(10), turn(40)], [turn(5), turn(10)])
    assert ratios["rounds"] == [2, 4]
    assert times_faster([turn(10), turn(40)], [turn(5)])["rounds"] == [2]


def test_share_of_peak():
    assert share_of_peak(50 * 10**9, 1000, 100) == 0.5


def test_told():
    assert spread_text(spread([4.25, 4.1, 4.63])) == "4.25 (4.10-4.63)"
    assert spread_text(None) == "-"
    with pytest.raises(Exception, match="no median"):
        spread([])
