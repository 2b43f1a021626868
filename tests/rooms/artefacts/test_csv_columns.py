"""CSV to columns with types: no digit of a word is lost, and what is a number is one."""

import csv

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiradio.artefacts import csv_columns
from equiradio.artefacts.csv_columns import MISSING, read_csv


def column_of(folder, words, *names):
    with (folder / "c.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("a", "other"), *((word, "x") for word in words)])
    return read_csv(folder / "c.csv", names).column(0)


@pytest.mark.parametrize(
    ("words", "kind", "values"),
    [
        (["7", "NA", "9"], pa.int64(), [7, None, 9]),
        (["9007199254740993", "nan"], pa.int64(), [9007199254740993, None]),
        (["-9223372036854775808", "9223372036854775807"], pa.int64(), [-(2**63), 2**63 - 1]),
        (["9223372036854775808", "18446744073709551615"], pa.uint64(), [2**63, 2**64 - 1]),
        ([" 5", "6 "], pa.int64(), [5, 6]),
        (["1e5", "2"], pa.float64(), [1e5, 2.0]),
        (["+12.5", "-05.3", "1.", ".5"], pa.float64(), [12.5, -5.3, 1.0, 0.5]),
        (["+5", "6"], pa.float64(), [5.0, 6.0]),
        (["9007199254740992", "1.5"], pa.float64(), [2.0**53, 1.5]),
        (["12345678900000000000000000", "1.5"], pa.float64(), [1.23456789e25, 1.5]),
        (["inf", "-Infinity", "1"], pa.float64(), [float("inf"), -float("inf"), 1.0]),
        (["True", "false", ""], pa.bool_(), [True, False, None]),
        (["", "NA"], pa.null(), [None, None]),
    ],
)
def test_numbers_and_truths_are_such(words, kind, values, tmp_path):
    column = column_of(tmp_path, words)
    assert column.type == kind
    assert column.to_pylist() == values


@pytest.mark.parametrize(
    "words",
    [
        ["007", "8"],
        ["007", "1.5"],
        ["18446744073709551616", "1"],
        ["9007199254740993", "1.5"],
        ["9007199254740993.0", "1.5"],
        ["1e400", "1"],
        ["0x10", "1"],
        ["2019-05-01", "2020-01-01"],
        ["12:30:00", "01:02:03"],
        ["True", "1"],
        ["NA", "M 87"],
        [" a", "b "],
        ["1_000", "2"],
    ],
)
def test_what_would_change_is_the_words_it_was(words, tmp_path):
    column = column_of(tmp_path, words)
    assert column.type == pa.string()
    assert column.to_pylist() == words


@pytest.mark.parametrize("words", [["1e5", "2e5"], ["+5", "6"], ["1.50", "2"], ["True", "False"], ["NA", "7"]])
def test_names_are_words_whatever_they_look_like(words, tmp_path):
    assert column_of(tmp_path, words, "A").to_pylist() == words


whole = st.integers(-(2**70), 2**70).map(str) | st.integers(0, 99).map("{:03d}".format)


@given(st.lists(whole | st.sampled_from(MISSING) | st.floats(0, 1).map(repr), min_size=1))
def test_whole_numbers_come_back_digit_for_digit(tmp_path_factory, words):
    back = column_of(tmp_path_factory.mktemp("law"), words).to_pylist()
    for word, value in zip(words, back, strict=True):
        if word.lstrip("-").isdecimal():
            assert value == word or int(value) == value == int(word)


def test_the_law_catches_whole_numbers_that_become_doubles(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(csv_columns, "LONG", "^$")
    with pytest.raises(AssertionError):
        test_whole_numbers_come_back_digit_for_digit.hypothesis.inner_test(tmp_path_factory, ["9007199254740993", "0.5"])
