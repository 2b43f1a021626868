"""Messages that docs/reference/errors.md quotes beside a command that can be given as it stands are printed so."""

import re
import shlex
from pathlib import Path

import pytest

from equiradio.cli.main import main

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z]+(?: [^`]*)?)` \| `(.*)` \|$", TEXT, re.MULTILINE))
NEED = {  # files of one's own
    "classify cutouts --maps cutouts",
    "classify --out *.fits",
    "calibrate RUN --poses 3 --out teams/c4",
    "export teams/c4 --seed 7",
    """train --data shapes --set 'data.classes=["Rong"]'""",
}
COMMANDS = [
    row
    for row in ROWS
    if row.split()[0] in ("calibrate", "classify", "data", "evaluate", "explain", "export", "reproduce", "serve", "train")
]


def test_the_rows_are_read():
    assert len(COMMANDS) > 25
    assert set(COMMANDS) >= NEED


@pytest.mark.parametrize("command", [row for row in COMMANDS if row not in NEED])
def test_a_quoted_message_is_printed(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == ROWS[command]
