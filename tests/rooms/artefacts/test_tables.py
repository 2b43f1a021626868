"""Tables: what is written comes back, nothing half-written is ever seen, and damage is refused."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiradio.artefacts import tables
from equiradio.artefacts.tables import labels_in, predicted_by, predictions_schema, read_predictions, write_table
from equiradio.errors import DataRefusal, RunRefusal
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.serve.tables import read_table

row = st.fixed_dictionaries(
    {
        "source_id": st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        "label": st.sampled_from([-1, 0, 1]),
        "confidence": st.sampled_from(["confident", "uncertain"]),
        "pass": st.integers(0, 100),
        **{name: st.floats(-50, 50) for name in ("logit_fri", "logit_frii")},
        **{name: st.floats(0, 1) for name in ("p_fri", "p_frii")},
    }
)


def a_table(count=40):
    return pa.Table.from_pylist(
        [
            {"source_id": f"J{n:04d}", "label": n % 2, "confidence": "confident", "pass": n % 3}
            | {"logit_fri": 0.1 * n, "logit_frii": -0.1 * n, "p_fri": 1 / (n + 1), "p_frii": n / (n + 1)}
            for n in range(count)
        ],
        schema=predictions_schema(),
    )


def test_the_columns_are_those_of_the_contract():
    assert predictions_schema().names == ["source_id", "label", "confidence", "pass", "logit_fri", "logit_frii", "p_fri", "p_frii"]
    for field in predictions_schema():
        assert set(field.metadata) == {b"unit", b"description"}
        assert field.metadata[b"description"]
        assert not field.nullable


@given(st.lists(row, max_size=6))
def test_what_is_written_comes_back(tmp_path_factory, rows):
    table = pa.Table.from_pylist(rows, schema=predictions_schema())
    path = tmp_path_factory.mktemp("run") / "predictions" / "mirabest-test.parquet"
    assert write_table(table, path) == path
    back = read_predictions(path)
    assert back.equals(table)
    assert back.schema.equals(predictions_schema(), check_metadata=True)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("p_frii", 1.5, "0 to 1"),
        ("p_fri", -0.1, "0 to 1"),
        ("p_fri", float("nan"), "0 to 1"),
        ("logit_fri", float("inf"), "finite numbers"),
        ("label", 2, "-1 to 1"),
        ("label", -2, "-1 to 1"),
        ("pass", -1, "0 or more"),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path, column, value, expected):
    rows = a_table().to_pylist()
    rows[7][column] = value
    path = write_table(pa.Table.from_pylist(rows, schema=predictions_schema()), tmp_path / "p.parquet")
    with pytest.raises(RunRefusal) as caught:
        read_predictions(path)
    assert f"{path}: {column} is {value:g} in row 7; expected {expected}. Run 'equiradio evaluate'" in str(caught.value)


def test_a_folder_that_looks_like_a_partition_adds_no_column(tmp_path):
    path = write_table(a_table(), tmp_path / "seed=3" / "label=9" / "mirabest-test.parquet")
    assert read_predictions(path).equals(a_table())


def test_other_types_that_fit_are_brought_to_ours_and_other_columns_dropped(tmp_path):
    wide = a_table().cast(pa.schema([(f.name, pa.int64() if pa.types.is_integer(f.type) else f.type) for f in predictions_schema()]))
    wide = wide.append_column("note", pa.array(["x"] * len(wide))).select([*reversed(predictions_schema().names), "note"])
    assert read_predictions(write_table(wide, tmp_path / "wide.parquet")).equals(a_table())


def law_a_reader_never_sees_a_half(tmp_path, monkeypatch):
    """Whatever fails on the way, the old table stays readable and nothing is left beside it."""
    path = write_table(a_table(4), tmp_path / "mirabest-test.parquet")

    def breaks_off(table, where, **_):
        with open(where, "wb") as file:
            file.write(b"PAR1 and then the disk was full")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", breaks_off)
        with pytest.raises(OSError, match="no space left"):
            tables.write_table(a_table(9), path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes()[-4:] == b"PAR1", "the old table is gone"
    assert len(read_predictions(path)) == 4


def test_a_write_that_breaks_off_leaves_the_old_table(tmp_path, monkeypatch):
    law_a_reader_never_sees_a_half(tmp_path, monkeypatch)


def test_the_half_law_catches_writing_in_place(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "write_table", lambda table, path: pq.write_table(table, path))
    with pytest.raises(AssertionError):
        law_a_reader_never_sees_a_half(tmp_path, monkeypatch)


def test_a_replacement_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        write_table(a_table(), tmp_path / "mirabest-test.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(RunRefusal) as refusal:
        read_predictions(tmp_path / "mirabest-test.parquet")
    words = "mirabest-test.parquet: no such file; expected predictions of a run. Run 'equiradio evaluate' on the run first."
    assert str(refusal.value).endswith(words)
    with pytest.raises(RunRefusal):
        read_predictions(tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_a_truncated_table_is_refused(tmp_path, kept):
    path = write_table(a_table(), tmp_path / "mirabest-test.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    with pytest.raises(RunRefusal) as refusal:
        read_predictions(path)
    found = f"{len(whole[:kept]):,} bytes that are not a whole Parquet file; expected a table of predictions."
    assert found in str(refusal.value)


def test_a_flipped_bit_in_the_data_is_refused(tmp_path):
    path = write_table(a_table(), tmp_path / "mirabest-test.parquet")
    whole = bytearray(path.read_bytes())
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    kept = 0
    for position in range(4, len(whole) - footer, 37):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        try:
            assert read_predictions(path).equals(a_table()), f"a bit flipped at byte {position} changed a number unseen"
            kept += 1  # a flip in a page header's statistics changes no number
        except RunRefusal:
            continue
    assert kept < (len(whole) - footer) / 37 / 2


def test_a_lacking_column_is_named(tmp_path):
    path = write_table(a_table().drop_columns(["p_fri", "pass"]), tmp_path / "mirabest-test.parquet")
    with pytest.raises(RunRefusal, match=r"no column pass, p_fri; expected the columns source_id, label, "):
        read_predictions(path)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("label", [300], r"column label holds int64 that does not fit; expected int8\."),
        ("p_frii", ["high"], r"column p_frii holds string that does not fit; expected double\."),
        ("label", [None], r"1 of 1 rows have no label; expected a value in every row\."),
    ],
)
def test_a_column_that_does_not_fit_is_refused(tmp_path, column, values, words):
    table = a_table(1)
    place = table.column_names.index(column)
    path = write_table(table.set_column(place, column, pa.array(values)), tmp_path / "mirabest-test.parquet")
    with pytest.raises(RunRefusal, match=words):
        read_predictions(path)


def test_a_table_of_other_classes_comes_back_with_them(tmp_path):
    labels = Labels(("Ring", "Two dots", "Bar"), unknown="oddity")
    schema = predictions_schema(labels)
    assert schema.names[4:] == ["logit_ring", "logit_two_dots", "logit_bar", "p_ring", "p_two_dots", "p_bar"]
    row = {"source_id": "a", "label": -1, "confidence": "confident", "pass": 0} | dict.fromkeys(schema.names[4:], 0.25)
    back = read_predictions(write_table(pa.Table.from_pylist([row], schema=schema), tmp_path / "t.parquet"))
    assert labels_in(back.schema) == labels
    assert back.to_pylist() == [row]
    assert "-1 oddity" in back.schema.field("label").metadata[b"description"].decode()


def test_a_table_that_does_not_name_its_classes_is_of_fri_and_frii(tmp_path):
    old = predictions_schema().remove_metadata()
    table = pa.Table.from_pylist([], schema=old)
    assert labels_in(old) == FANAROFF_RILEY
    assert read_predictions(write_table(table, tmp_path / "t.parquet")).column_names == predictions_schema().names


def test_classes_that_cannot_be_understood_are_refused(tmp_path):
    for classes in ("3", "[", '["a"]', '["a", "A"]'):
        table = pa.Table.from_pylist([], schema=predictions_schema().with_metadata({"classes": classes}))
        with pytest.raises(RunRefusal, match="classes that cannot be understood"):
            read_predictions(write_table(table, tmp_path / "t.parquet"))


def text_that_is_no_utf8():
    offsets = pa.py_buffer(np.array([0, 2, 4], np.int32).tobytes())
    return pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xffb\xfe")])


def test_text_that_is_no_utf8_is_refused(tmp_path):
    file = tmp_path / "p.parquet"
    pq.write_table(pa.table({"source_id": text_that_is_no_utf8()}), file)
    with pytest.raises(RunRefusal):
        read_predictions(file)
    with pytest.raises(DataRefusal, match=r"p\.parquet: cannot be read"):
        read_table(file)
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({b"weights": b"\xff\xfe"}), file)
    assert predicted_by(file)["weights"].strip("\ufffd") == ""
