"""Scores of each catalogue are those of its sources alone."""

import numpy as np

from equiradio.evaluation.catalogues import by_catalogue
from equiradio.evaluation.scores import metrics
from equiradio.labels import FANAROFF_RILEY


def predictions(count=40, passes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    p = np.clip(rng.normal(np.tile(labels, passes) * 0.4 + 0.3, 0.2), 0.01, 0.99)
    return {
        "source_id": np.tile([f"s{k}" for k in range(count)], passes),
        "label": np.tile(labels, passes),
        "confidence": np.full(count * passes, "confident"),
        "pass": np.repeat(np.arange(passes), count),
        "p_fri": 1 - p,
        "p_frii": p,
    }


def test_each_catalogue_scores_as_it_would_alone():
    table, catalogues = predictions(), np.where(np.arange(40) % 5 < 2, "a", "b")
    table["label"][np.flatnonzero(table["source_id"] == "s0")] = -1  # of no class: counts nowhere
    blocks = by_catalogue(table, catalogues, 0, FANAROFF_RILEY)
    assert {name: block["sources"] for name, block in blocks.items()} == {"a": 15, "b": 24}
    for name in ("a", "b"):
        rows = np.tile(catalogues == name, 3) & (table["label"] >= 0)
        alone = metrics({column: values[rows] for column, values in table.items()}, data="", split="", labels=FANAROFF_RILEY)
        counts = np.bincount(table["label"][:40][(catalogues == name) & (table["label"][:40] >= 0)]).tolist()
        assert blocks[name] == {
            "sources": alone["sources"],
            "of_class": dict(zip(("FRI", "FRII"), counts, strict=True)),
            **alone["per_source"],
        }
    assert blocks["a"]["accuracy"] != blocks["b"]["accuracy"]


def test_one_catalogue_is_none():
    assert by_catalogue(predictions(), np.full(40, "a"), 0, FANAROFF_RILEY) == {}
