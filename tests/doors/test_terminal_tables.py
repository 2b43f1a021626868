"""Tables on narrow terminals: no line too long, no first column cut, and nothing lost without a word."""

import pytest

from equiradio.cli.main import main
from equiradio.cli.tables import table_lines, terminal_width

COLUMNS = ("source", "class", "p(FRII)", "flags")
ROWS = [("FIRST_J104345.3+131324_a-long-name", "FRII", "0.870", "other_beam nonfinite"), ("b", "FRI", "0.010", "")]


def test_a_wide_table_is_whole_and_aligned():
    lines = list(table_lines(COLUMNS, ROWS, "c8-attention"))
    assert lines == [
        "c8-attention",
        "source                              class  p(FRII)  flags",
        "----------------------------------  -----  -------  --------------------",
        "FIRST_J104345.3+131324_a-long-name  FRII     0.870  other_beam nonfinite",
        "b                                   FRI      0.010",
    ]


def test_what_does_not_fit_stands_beneath_its_row():
    assert list(table_lines(COLUMNS, ROWS, width=60)) == [
        "source                              class  p(FRII)",
        "----------------------------------  -----  -------",
        "FIRST_J104345.3+131324_a-long-name  FRII     0.870",
        "    flags other_beam nonfinite",
        "b                                   FRI      0.010",
    ]


def test_what_stands_beneath_shares_a_line_only_where_it_fits():
    columns, rows = ("name", "what", "where"), [("a", "something long enough", "here"), ("b", "short", "there")]
    lines = ["a", "    what something long", "    enough", "    where here", "b", "    what short", "    where there"]
    assert list(table_lines(columns, rows, width=26))[2:] == lines
    assert list(table_lines(columns, [("a" * 20, "x", "y")], width=20))[2:] == ["a" * 20, "    what x; where y"]


@pytest.mark.parametrize("width", [34, 40, 45, 60, 72, 80, 200])
def test_no_line_is_longer_than_the_terminal_and_no_cell_is_lost(width):
    lines = list(table_lines(COLUMNS, ROWS, "title", width))
    assert max(map(len, lines)) <= width
    assert all(any(line.startswith(row[0]) for line in lines) for row in ROWS)
    words = [word.strip(";") for word in " ".join(lines).split()]
    assert not {word for row in ROWS for cell in row for word in cell.split()} - set(words)


def test_the_first_column_is_not_cut_where_it_alone_is_too_wide():
    assert ROWS[0][0] in list(table_lines(COLUMNS, ROWS, width=20))


def test_spare_columns_are_left_out_in_their_order_and_named():
    lines = list(table_lines(COLUMNS, ROWS, width=60, spare=("class", "flags")))
    assert lines[0].split() == ["source", "p(FRII)"]
    assert lines[-2:] == ["Left out in 60 characters: class, flags. A wider terminal or", "--json shows them."]


def test_wide_letters_count_twice():
    lines = list(table_lines(("a", "b"), [("銀河", "x"), ("four", "y")]))
    assert lines[1:] == ["----  -", "銀河  x", "four  y"]


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize("verb", [("models",), ("data", "list")])
def test_verbs_are_readable_in_narrow_terminals(verb, width, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("EQUIRADIO_DATA", str(tmp_path))
    assert main([*verb]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    firsts = ["attention", "c4-attention", "c8-attention *"] if verb == ("models",) else ["mirabest-uncertain", "simulated"]
    assert all(any(line.startswith(f"{name} ") or line == name for line in out.splitlines()) for name in firsts)


def test_models_say_which_weights_are_here(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("equiradio.artefacts.shelf.names_here", lambda: ["c4-attention"])
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "teams that open by name; scores with 95 % intervals over sources"
    assert {line.split()[0]: line.split()[1] for line in lines if line.startswith("c") and "*" not in line} == {"c8-attention": "no"}
    assert any(line.startswith("c4-attention *  yes") for line in lines)
    assert any(line.startswith("weights not here: attention, c8-attention, ") for line in lines)


def test_a_pipe_is_as_wide_as_it_takes(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width() is None
    monkeypatch.setenv("COLUMNS", "72")
    assert terminal_width() == 72
