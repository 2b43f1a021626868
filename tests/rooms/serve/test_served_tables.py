"""Tables a page at a time: filters and orders agree with NumPy, numbers that JSON lacks become nothing."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import votable
from astropy.table import Table as SkyTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv

from equiradio.artefacts.catalogue import catalogue_schema, write_catalogue
from equiradio.artefacts.provenance import with_provenance
from equiradio.errors import DataRefusal, Refusal
from equiradio.serve import tables as module
from equiradio.serve.refusals import RequestRefusal
from equiradio.serve.tables import Table

ROWS = 500


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(0)
    p = rng.random(ROWS)
    names = [f"J{k:04d}" for k in range(ROWS)]
    return {"source_id": names, "p_frii": p, "label": np.where(p > 0.5, "FRII", "FRI"), "uncertain": abs(p - 0.5) < 0.1}


@pytest.fixture(scope="module")
def table(columns, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "a.parquet"
    pq.write_table(pa.table(columns), path)
    return Table("a.parquet", path)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(low=st.floats(0, 1), descending=st.booleans(), offset=st.integers(0, 600), limit=st.integers(1, 100))
def test_a_page_is_a_piece_of_the_filtered_and_sorted_table(table, columns, low, descending, offset, limit):
    page = table.page([f"p_frii:min:{low}"], "p_frii", descending, offset, limit)
    kept = np.sort(columns["p_frii"][columns["p_frii"] >= low])
    expected = (kept[::-1] if descending else kept)[offset : offset + limit]
    assert page["selected"] == len(kept)
    assert [row[1] for row in page["rows"]] == expected.tolist()


def test_the_law_of_pages_catches_a_limit_read_as_an_end(table, columns, monkeypatch):
    monkeypatch.setattr(Table, "page", lambda self, where, sort, down, offset, limit: {"selected": ROWS, "rows": []})
    with pytest.raises(AssertionError):
        test_a_page_is_a_piece_of_the_filtered_and_sorted_table.hypothesis.inner_test(table, columns, 0.0, False, 0, 10)


def test_tests_of_every_kind(table, columns):
    count = lambda *where: table.page(list(where), None, False, 0, 1)["selected"]
    assert count() == ROWS
    assert count("label:is:FRII") + count("label:not:FRII") == ROWS
    assert count("source_id:has:j000") == 10
    assert count("uncertain:is:true") == int(columns["uncertain"].sum())
    assert count("p_frii:min:0.2", "p_frii:max:0.3") == int(((columns["p_frii"] >= 0.2) & (columns["p_frii"] <= 0.3)).sum())


@pytest.mark.parametrize("where", ["", "p_frii", "p_frii:over:1", "p:min:1", "p_frii:min:high", "p_frii:min:nan", "label:min:1"])
def test_what_is_no_filter_is_refused(table, where):
    with pytest.raises(RequestRefusal):
        table.page([where], None, False, 0, 1)


def test_histograms_count_every_row_once(table, columns):
    found = table.histogram("p_frii", [])
    assert np.array_equal(found["counts"], np.histogram(columns["p_frii"], module.BINS)[0])
    assert sum(table.histogram("label", ["p_frii:max:0.5"])["counts"]) == int((columns["p_frii"] <= 0.5).sum())
    assert table.histogram("p_frii", ["p_frii:min:2"]) == {"column": "p_frii", "edges": [], "counts": []}


@pytest.mark.parametrize("column", ["p_frii", "whole", "uncertain", "label", "when", "code"])
def test_every_bar_of_a_histogram_selects_what_it_counts(tmp_path, columns, column):
    """Filters as the page makes them of a bar: half-open but for the last."""
    days = np.datetime64("2026-11-26T00:00:00.000000001") + np.arange(ROWS) % 3
    more = {
        "whole": np.arange(ROWS) % 65,
        "when": days,
        "code": pa.array([None if k % 5 == 0 else f"c{k % 4}" for k in range(ROWS)]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns | more), tmp_path / "a.parquet")
    table = Table("a.parquet", tmp_path / "a.parquet")
    found = table.histogram(column, [])
    for k, count in enumerate(found["counts"]):
        last = k == len(found["counts"]) - 1
        where = (
            [f"{column}:is:{found['words'][k]}"]
            if "words" in found
            else [f"{column}:min:{found['edges'][k]}", f"{column}:{'max' if last else 'below'}:{found['edges'][k + 1]}"]
        )
        assert table.page(where, None, False, 0, 1)["selected"] == count


def test_columns_that_other_programs_write_can_be_looked_at(tmp_path):
    """Whole numbers beyond what JavaScript can tell apart, words by code, lists, bytes."""
    big = 2**60 + np.arange(5)
    odd = {
        "id": big,
        "kind": pa.array(["b", "a", "b", "a", "c"]).dictionary_encode(),
        "list": [[1], [2, 3], None, [], [1]],
        "raw": [b"x"] * 5,
        "word": pa.array(["1", "b", "1", "a", "c"], pa.string_view()),
    }
    pq.write_table(pa.table(odd), tmp_path / "a.parquet")
    table = Table("a.parquet", tmp_path / "a.parquet")
    for column in odd:
        assert sum(table.histogram(column, [])["counts"]) == (4 if column == "list" else 5)
        assert len(table.page([f"{column}:has:1"], column, True, 0, 5)["rows"]) <= 5
    assert [row[0] for row in table.page(["id:min:0"], None, False, 0, 5)["rows"]] == [str(number) for number in big]
    assert [row[1] for row in table.page([], "kind", False, 0, 5)["rows"]] == ["a", "a", "b", "b", "c"]
    table.votable([], None, False)


def test_words_of_a_csv_are_shown_digit_for_digit(tmp_path):
    """Names, and numbers that are codes or too long for a double; what is a number is sorted as one."""
    text = "source_id,code,long,mixed,flux\n1e5,007,18446744073709551615,9007199254740993,1e5\n2e5,08,1,1.5,9\n"
    (tmp_path / "c.csv").write_text(text)
    table = Table("c.csv", tmp_path / "c.csv")
    rows = [["1e5", "007", "18446744073709551615", "9007199254740993", 1e5], ["2e5", "08", 1, "1.5", 9.0]]
    assert table.page([], None, False, 0, 9)["rows"] == rows
    assert table.page([], "flux", False, 0, 9)["rows"] == rows[::-1]


def test_odd_numbers_are_nothing_in_json(tmp_path):
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table({"x": [1.0, float("nan"), float("inf"), None], "when": pa.array([0, 1, None, 2], pa.timestamp("s"))}), path)
    page = Table("odd", path).page([], "x", False, 0, 10)
    assert [row[0] for row in page["rows"]].count(None) == 3
    json.dumps(page, allow_nan=False)
    assert sum(Table("odd", path).histogram("x", [])["counts"]) == 1
    assert len(SkyTable.read(io.BytesIO(Table("odd", path).votable([], None, False)), format="votable")) == 4


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("nothing", ["old", "new"])
def test_rows_without_an_answer_are_the_same_in_tables_of_old_and_new(tmp_path, suffix, nothing):
    """Of old they hold nan and an empty text."""
    absent = (float("nan"), "") if nothing == "old" else (None, None)
    columns = {"source_id": ["a", "b", "c", "d"], "p_frii": [0.1, 0.95, absent[0], 0.2], "label": ["FRI", "FRII", absent[1], "FRI"]}
    path = tmp_path / f"a.{suffix}"
    (pq.write_table if suffix == "parquet" else csv.write_csv)(pa.table(columns), path)
    table = Table("a", path)
    names = lambda *where, **order: [row[0] for row in table.page(list(where), order.get("sort"), order.get("down", False), 0, 9)["rows"]]
    assert table.page([], None, False, 2, 1)["rows"] == [["c", None, None]]
    assert names("p_frii:min:0.9") == ["b"]
    assert names("p_frii:max:0.5") == ["a", "d"]
    assert names("label:is:") == ["c"]
    assert names("label:not:") == ["a", "b", "d"]
    assert names("label:not:FRI") == ["b", "c"]
    assert names(sort="p_frii") == ["a", "d", "b", "c"]
    assert names(sort="p_frii", down=True) == ["b", "d", "a", "c"]
    assert table.histogram("label", []) == {"column": "label", "words": ["FRI", "FRII"], "counts": [2, 1]}
    read = SkyTable.read(io.BytesIO(table.votable([], None, False)), format="votable")
    assert read["p_frii"].mask.tolist() == [False, False, True, False]


def test_a_selection_becomes_a_votable(table, columns, monkeypatch):
    read = SkyTable.read(io.BytesIO(table.votable(["label:is:FRII"], "p_frii", True)), format="votable")
    expected = np.sort(columns["p_frii"][columns["p_frii"] > 0.5])[::-1]
    assert read.colnames == list(columns)
    assert np.array_equal(read["p_frii"], expected)
    monkeypatch.setattr(module, "MOST_EXPORTED", 10)
    with pytest.raises(RequestRefusal, match="at most 10"):
        table.votable([], None, False)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_an_exported_catalogue_is_as_rich_as_the_file_that_classify_writes(tmp_path, suffix):
    """Of CSV, too, which holds neither units nor descriptions."""
    row = {"source_id": "a", "ra_deg": 10.0, "dec_deg": 5.0, "p_frii": 0.9, "answered": True, "flags": 0, "flag_names": "", "label": "FRII"}
    schema = with_provenance(catalogue_schema(), {"version": "equiradio 1.0", "threshold": 0.9})
    rows = pa.Table.from_pylist([row, row | {"p_frii": 0.1}], schema=schema)
    write_catalogue(rows, tmp_path / f"c.{suffix}")
    exported = Table(f"c.{suffix}", tmp_path / f"c.{suffix}").votable(["p_frii:min:0.5"], "p_frii", True)
    (resource,) = votable.parse(io.BytesIO(exported)).resources
    fields = {field.name: field for field in resource.tables[0].fields}
    for field in catalogue_schema():
        about = {key.decode(): value.decode() for key, value in field.metadata.items()}
        assert (" ".join(fields[field.name].description.split()), fields[field.name].ucd) == (about["description"], about["ucd"])
        assert str(fields[field.name].unit or "").replace(" ", "") == about["unit"]
    assert [frame.system for frame in resource.coordinate_systems] == ["ICRS"]
    said = {info.name: info.value for info in resource.infos} | {parameter.name: parameter.value for parameter in resource.params}
    made = {"version": "equiradio 1.0", "threshold": 0.9} if suffix == "parquet" else {}
    assert said == made | {"selection": f"1 of 2 rows of c.{suffix}; p_frii:min:0.5; sorted by p_frii, descending"}


def test_files_that_are_no_tables(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"nonsense")
    (tmp_path / "b.csv").write_text("source_id,p_frii\na,0.5\nb,0.7\n")
    with pytest.raises(DataRefusal, match="cannot be read"):
        Table("a", tmp_path / "a.parquet").columns()
    assert Table("b", tmp_path / "b.csv").page([], "p_frii", True, 0, 1)["rows"] == [["b", 0.7]]
    with pytest.raises(Refusal):
        Table("c", tmp_path / "c.parquet").columns()
