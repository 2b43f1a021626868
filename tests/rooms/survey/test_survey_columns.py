"""Columns of a user's catalogue through a whole survey: they come back as they were, in every form."""

import csv
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import votable
from astropy.table import Table
from survey_files import positions, table_of, write_catalogue, write_mosaics

from equiradio.inference.team import load
from equiradio.survey.merge import merge
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey

WORDS = {
    "name": [f"{number}e{number}" for number in range(12)],
    "gaia": [str(5853498713190525696 + number) for number in range(12)],
    "hash": [str(2**64 - 1 - number) for number in range(12)],
    "huge": [str(2**64 + number) for number in range(12)],
    "mixed": ["9007199254740993", "0.5", "", *["1"] * 9],
    "code": [f"{number:03d}" for number in range(12)],
    "day": ["2019-05-01"] * 12,
    "hour": ["12:30:00"] * 12,
    "host": ["NA", "", "M 87", *["x"] * 9],
}
N = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    write_mosaics(folder := tmp_path_factory.mktemp("columns"))
    return folder


@pytest.fixture(scope="module")
def through(untrained, place, tmp_path_factory):
    """A function that takes a catalogue through a survey, and gives the merged tables by form and what was noted."""
    team = load(untrained("lenet"))

    def run(file: Path):
        out, notes = tmp_path_factory.mktemp("through"), []
        survey(team, Asked(catalogue=file, images=[str(place)]), out / "survey", readers=0)
        forms = {
            form: merge(out / "survey", out / f"c.{form}", page=False, note=notes.append) for form in ("parquet", "csv", "fits", "vot")
        }
        return forms, notes

    return run


def texts(file: Path, name: str) -> list[str]:
    """A column of a file as words, empty where there is none."""
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as content:
            return [row[name] for row in csv.DictReader(content)]
    if file.suffix == ".parquet":
        return ["" if value is None else str(value) for value in pq.read_table(file)[name].to_pylist()]
    table = Table.read(file)
    table.convert_bytestring_to_unicode()
    return ["" if value is np.ma.masked else str(value) for value in table[name]]


def test_words_of_a_csv_come_back_digit_for_digit_in_every_form(through, tmp_path):
    ra, dec = positions()
    columns = {**WORDS, "ra": map(str, ra), "dec": (f"{each:+.4f}" for each in dec)}
    file = tmp_path / "c.csv"
    with file.open("w", newline="") as content:
        csv.writer(content).writerows([columns, *zip(*columns.values(), strict=True)])
    forms, notes = through(file)
    for form in forms.values():
        assert {name: texts(form, name) for name in WORDS} == WORDS, form.name
        assert texts(form, "source_id") == WORDS["name"]
        assert [float(word) for word in texts(form, "dec")] == dec.tolist()
    assert notes == [f"{forms['vot']}: hash written as text, since the form has no numbers of so many digits; Parquet has"]


NUMBERS = {  # values, and what they are in FITS and VOTable
    "flux": (pa.array([Decimal("1.25"), Decimal("-0.10"), None] * 4, pa.decimal128(10, 2)), "fD", "double"),
    "count": (pa.array([Decimal(10**17 + 1), Decimal(3), None] * 4, pa.decimal128(20, 0)), "iK", "long"),
    "exact": (pa.array([Decimal("12345678901234567890.123"), None] * 6, pa.decimal128(30, 3)), "SA", "char"),
    "small": (pa.array([0, 1, None] * 4, pa.uint64()), "iK", "long"),
    "large": (pa.array([2**64 - 1, 0, 2**63] * 4, pa.uint64()), "uK", "char"),
    "gaps": (pa.array([2**64 - 1, None, 0] * 4, pa.uint64()), "SA", "char"),
}


def test_numbers_stay_numbers_where_a_form_holds_every_digit(through, tmp_path):
    table = table_of(**{name: values for name, (values, *_) in NUMBERS.items()})
    forms, notes = through(write_catalogue(tmp_path, table))
    stored = Table.read(forms["fits"])
    fields = {field.name: field for field in votable.parse(forms["vot"]).get_first_table().fields}
    for name, (values, in_fits, in_votable) in NUMBERS.items():
        assert stored[name].dtype.kind == in_fits[0]
        assert fields[name].datatype == in_votable
        for form in forms.values():
            assert [Decimal(word) if word else None for word in texts(form, name)] == [
                None if value is None else Decimal(value) for value in values.to_pylist()
            ], (form.name, name)
    form = "written as text, since the form has no numbers of so many digits; Parquet has"
    assert notes == [f"{forms['fits']}: exact, gaps {form}", f"{forms['vot']}: exact, large, gaps {form}"]


def test_names_that_a_form_cannot_hold_are_its_own_and_said(through, tmp_path):
    """Two names that become one ID of XML had the values of the other, and letters beyond ASCII ended the merge."""
    odd = {"a b": 0, "a_b": 20, "größe": 40, "x" * 70: 60, "x" * 71: 80, "": 100, "Flags": 120, "it's": 140}
    table = table_of(**{name: [start + place for place in range(N)] for name, start in odd.items()})
    place = table.column_names.index("größe")
    micro = table.schema.field(place).with_metadata({"unit": "µJy", "description": "on two\n lines"})
    forms, notes = through(write_catalogue(tmp_path, table.set_column(place, micro, table.column(place))))
    output = {"": f"column_{table.column_names.index('') + 1}", "Flags": "input_Flags"}
    rows = {output.get(name, name): list(range(start, start + N)) for name, start in odd.items()}
    whole = pq.read_table(forms["parquet"])
    assert {name: whole[name].to_pylist() for name in rows} == rows
    fields = votable.parse(forms["vot"]).get_first_table()
    assert {field.name: fields.array[field.ID].tolist() for field in fields.fields if field.name in rows} == rows
    renamed = {"größe": r"gr\xf6\xdfe", "x" * 70: "x" * 60, "x" * 71: "x" * 60 + "_2"}
    stored = Table.read(forms["fits"])
    assert {name: list(stored[renamed.get(name, name)]) for name in rows} == rows
    assert (str(stored[renamed["größe"]].unit), str(fields.get_field_by_id_or_name("größe").unit)) == ("uJy", "µJy")
    assert fields.get_field_by_id_or_name("größe").description == "on two lines"
    assert notes == [
        f"{forms['fits']}: {', '.join(f'{one} is called {other}' for one, other in renamed.items())}, since FITS takes 60 letters of ASCII"
    ]


def test_words_of_other_types_come_back(through, tmp_path):
    """Of lists those that are there, where one is null."""
    kinds = {
        "view": pa.array(["x", None, "y"] * 4, pa.string_view()),
        "large": pa.array(["x", None, "y"] * 4, pa.large_string()),
        "code": pa.array(["x", None, "y"] * 4).dictionary_encode(),
    }
    lists = {
        "gap": pa.array([["a", None], ["b", "c"], None] * 4),
        "long": pa.array([["a"], ["b", "c"], None] * 4, pa.large_list(pa.large_string())),
        "pair": pa.array([["a", None], ["b", "c"], None] * 4, pa.list_(pa.string(), 2)),
    }
    forms, notes = through(write_catalogue(tmp_path, table_of(**kinds, **lists)))
    for form in forms.values():
        assert {name: texts(form, name) for name in kinds} == dict.fromkeys(kinds, ["x", "", "y"] * 4)
    for form in ("csv", "fits", "vot"):
        assert {name: texts(forms[form], name) for name in lists} == dict.fromkeys(lists, ["a", "b c", ""] * 4)
    assert not notes
