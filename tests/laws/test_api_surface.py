"""The public names are those on record: none appears or goes by accident."""

import importlib
import json
from pathlib import Path

import pytest

RECORD = json.loads((Path(__file__).parents[1] / "api_surface.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", RECORD)
def test_public_names_are_those_on_record(module):
    assert sorted(importlib.import_module(module).__all__) == RECORD[module]


@pytest.mark.parametrize("module", RECORD)
def test_every_public_name_is_there_and_says_what_it_is(module):
    for name in RECORD[module]:
        public = getattr(importlib.import_module(module), name)
        assert not callable(public) or (public.__doc__ or "").strip(), name


def test_other_names_are_missing_in_the_usual_way():
    with pytest.raises(AttributeError, match="module 'equiradio' has no attribute 'trian'"):
        importlib.import_module("equiradio").trian  # noqa: B018
