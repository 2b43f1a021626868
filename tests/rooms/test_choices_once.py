"""A refusal names what can be chosen once, and the nearest of it whatever letters' case was typed."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equiradio.datasets import first, mirabest
from equiradio.datasets.imports.tables import Columns
from equiradio.datasets.registry import check_name, open_data
from equiradio.errors import Refusal, nearest
from equiradio.layers.forms import find_form
from equiradio.models.names import MODELS, architecture
from equiradio.settings import Settings, change, preset
from equiradio.survey.catalogue import sources_of
from equiradio.survey.choice import Chosen

REFUSED = {
    "model": lambda folder, data: architecture("zzzz"),
    "preset": lambda folder, data: preset("zzzz"),
    "setting": lambda folder, data: change(Settings(), {"zzzz": 1}),
    "choice": lambda folder, data: change(Settings(), {"optimiser": "zzzz"}),
    "form": lambda folder, data: find_form("zzzz"),
    "data": lambda folder, data: check_name("zzzz"),
    "first": lambda folder, data: first.load("zzzz", None),
    "mirabest": lambda folder, data: mirabest.load("zzzz", None),
    "class": lambda folder, data: open_data(str(data), classes=["zzzz", "FRI"]),
    "column": lambda folder, data: Columns("table", {"name": ["a"], "ra": [1.0]}).column("label", "zzzz"),
    "catalogue": lambda folder, data: sources_of(catalogue(folder), Chosen(id="zzzz")),
}


def catalogue(folder):
    columns = {"ra": [1.0], "dec": [2.0], **{f"column_{number}": [0] for number in range(30)}}
    pq.write_table(pa.table(columns), folder / "c.parquet")
    return folder / "c.parquet"


@pytest.mark.parametrize("what", REFUSED)
def test_choices_are_named_once(what, tmp_path, sky):
    with pytest.raises(Refusal) as refusal:
        REFUSED[what](tmp_path, sky)
    assert re.fullmatch(r"[\w.@-]+( \(\d+\))?(, ([\w.@-]+( \(\d+\))?|\.\.\.))+", refusal.value.expected.removeprefix("one of "))
    assert refusal.value.do == "Choose one of these."


def test_the_nearest_is_found_whatever_its_case():
    assert nearest("SOURCE", ["ra", "Source"]) == nearest("source", ["ra", "Source"]) == "Did you mean Source?"
    assert nearest("D16-Attention", list(MODELS)) == "Did you mean d16-attention?"
