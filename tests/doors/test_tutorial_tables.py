"""The tables of answers that the first tutorial shows are those that its commands print."""

import re
from pathlib import Path

import pytest

from equiradio.cli.main import main

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "first-cutouts.md"
SHOWN = re.findall(r"```text\n(c8-attention .*?)\n```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)


def words(table):
    """Lines of words; numbers of three decimals as numbers, which another processor rounds otherwise."""
    number = re.compile(r"\d\.\d{3}")
    lines = [line.split() for line in table.strip().splitlines() if not line.startswith("---")]
    plain = [[number.sub("#", word) for word in line] for line in lines]
    return plain, [float(each) for line in lines for word in line for each in number.findall(word)]


@pytest.mark.parametrize(("place", "simulated"), [(0, ""), (1, "data simulate --fits --count 12 --seed 7 --out cutouts")])
def test_what_the_tutorial_shows_is_what_comes(place, simulated, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if simulated:
        assert main(simulated.split()) == 0
    capsys.readouterr()
    assert main(["classify", "cutouts" if simulated else "--example"]) == 0
    answer = capsys.readouterr().out
    text, numbers = words(answer[answer.index("c8-attention") :])
    shown_text, shown_numbers = words(SHOWN[place])
    assert text == shown_text
    assert numbers == pytest.approx(shown_numbers, abs=0.0021)


def test_numbers_apart_are_seen():
    assert words(SHOWN[1])[0] != words(SHOWN[1].replace("yes        unusual", "yes"))[0]
    assert len(words(SHOWN[1])[1]) == 36
