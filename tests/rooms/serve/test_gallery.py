"""Galleries of runs: means over passes, disagreement over runs, filters, order."""

import shutil

import numpy as np
import pyarrow as pa
import pytest

from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import predictions_schema, write_table
from equiradio.errors import RunRefusal
from equiradio.labels import Labels
from equiradio.serve.gallery import Runs, arranged
from equiradio.serve.offers import gather
from equiradio.serve.refusals import NotOffered, RequestRefusal

SAID = {"one": {"a": (0.9, 0.7), "b": (0.2, 0.4), "h": (0.5, 0.5)}, "two": {"a": (0.2, 0.2), "b": (0.3, 0.3), "h": (0.5, 0.5)}}
LABELS = {"a": 1, "b": 1, "h": -1}


@pytest.fixture
def runs(untrained, tmp_path):
    tmp_path = tmp_path / "runs"
    for name, said in SAID.items():
        rows = [(source, LABELS[source], number, p) for number in (0, 1) for source, p in ((key, ps[number]) for key, ps in said.items())]
        p = np.array([row[3] for row in rows])
        columns = {"source_id": [row[0] for row in rows], "label": [row[1] for row in rows], "confidence": ["confident"] * len(rows)}
        columns |= {"pass": [row[2] for row in rows], "logit_fri": -p, "logit_frii": p, "p_fri": 1 - p, "p_frii": p}
        write_table(pa.table(columns, schema=predictions_schema()), Run(tmp_path / name).predictions_file("sky", "test"))
        shutil.copy(Run(untrained("lenet")).card_file, tmp_path / name / "card.json")
    np.savez(tmp_path / "one" / "maps.npz", maps=np.full((1, 150, 150), 7, np.uint8), source_id=np.array(["a"]))
    return Runs([tmp_path])


def tiles(runs, **chosen):
    usual = {"classes": "", "answer": "", "sureness": "", "sort": "name", "descending": False}
    return arranged(runs.tiles("one", "sky-test"), runs.labels("one", "sky-test"), **(usual | chosen))


def test_means_and_disagreement(runs):
    a, b, h = tiles(runs)
    assert (a["p_frii"], a["spread"]) == pytest.approx((0.8, 0.1))
    assert a["disagreement"] == pytest.approx(np.std([0.8, 0.2]))
    assert (a["says"], a["correct"], a["p"]) == ("FRII", True, a["p_frii"])
    assert (b["says"], b["correct"], b["p"]) == ("FRI", False, b["p_fri"])
    assert (h["label"], h["correct"]) == ("hybrid", None)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"answer": "wrong"}, "b"),
        ({"answer": "correct"}, "a"),
        ({"classes": "hybrid"}, "h"),
        ({"sureness": "uncertain"}, ""),
        ({"sort": "confidence", "descending": True}, "abh"),
        ({"sort": "disagreement"}, "hba"),
        ({"sort": "p_frii"}, "bha"),
    ],
)
def test_filters_and_orders(runs, chosen, expected):
    assert "".join(tile["source_id"] for tile in tiles(runs, **chosen)) == expected


def test_what_a_gallery_of_fanaroff_riley_classes_offers(runs):
    (one, _) = runs.listing()
    assert one["choices"] == {"sky-test": {"labels": ["FRI", "FRII", "hybrid"], "sorts": {"p_frii": "FRII"}}}


SHAPES = Labels(("Compact", "Bent", "Ring"))
CHANCES = {  # source: probabilities of the three classes in two passes
    "a": ((0.6, 0.3, 0.1), (0.8, 0.1, 0.1)),
    "b": ((0.2, 0.3, 0.5), (0.3, 0.3, 0.4)),
    "c": ((0.1, 0.8, 0.1), (0.1, 0.6, 0.3)),
}


@pytest.fixture
def shapes(untrained, tmp_path):
    """Two runs with three classes that answer alike but for source b, and a run of FRI and FRII with the same evaluation's name."""
    for name, shift in (("one", 0.0), ("two", 0.2)):
        rows = [(source, number, np.array(p[number])) for number in (0, 1) for source, p in CHANCES.items()]
        p = np.array([values + ([shift, 0, -shift] if source == "b" else 0) for source, _, values in rows])
        columns = {"source_id": [row[0] for row in rows], "label": [{"a": 0, "b": 0, "c": 1}[row[0]] for row in rows]}
        columns |= {"confidence": ["confident"] * len(rows), "pass": [row[1] for row in rows]}
        columns |= dict(zip([*SHAPES.columns("logit"), *SHAPES.columns()], [*np.log(p).T, *p.T], strict=True))
        write_table(pa.table(columns, schema=predictions_schema(SHAPES)), Run(tmp_path / name).predictions_file("sky", "test"))
        shutil.copy(Run(untrained("lenet", classes=SHAPES.names)).card_file, tmp_path / name / "card.json")
    columns = {"source_id": ["a"], "label": [0], "confidence": ["confident"], "pass": [0], "logit_fri": [0.0], "logit_frii": [9.0]}
    columns |= {"p_fri": [0.0], "p_frii": [1.0]}
    write_table(pa.table(columns, schema=predictions_schema()), Run(tmp_path / "other").predictions_file("sky", "test"))
    shutil.copy(Run(untrained("lenet")).card_file, tmp_path / "other" / "card.json")
    return Runs([tmp_path])


def test_three_classes(shapes):
    a, b, c = tiles(shapes)
    assert [(each["label"], each["says"], each["correct"]) for each in (a, b, c)] == [
        ("Compact", "Compact", True),
        ("Compact", "Ring", False),
        ("Bent", "Bent", True),
    ]
    assert (a["p"], a["p_compact"], a["p_bent"], a["spread"]) == pytest.approx((0.7, 0.7, 0.2, 0.1))
    assert b["disagreement"] == pytest.approx(np.std([0.45, 0.25]), abs=1e-9)
    assert a["disagreement"] == c["disagreement"] == 0, "a run of other classes has no say"
    assert shapes.listing()[0]["choices"]["sky-test"] == {
        "labels": ["Compact", "Bent", "Ring"],
        "sorts": {"p_compact": "Compact", "p_bent": "Bent", "p_ring": "Ring"},
    }


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [({"classes": "Bent"}, "c"), ({"answer": "wrong"}, "b"), ({"sort": "p_bent"}, "abc"), ({"sort": "confidence"}, "bac")],
)
def test_three_classes_are_filtered_and_sorted(shapes, chosen, expected):
    assert "".join(tile["source_id"] for tile in tiles(shapes, **chosen)) == expected


@pytest.mark.parametrize("chosen", [{"classes": "FRI"}, {"sort": "p_frii"}])
def test_classes_of_other_runs_are_refused(shapes, chosen):
    with pytest.raises(RequestRefusal, match="ompact"):
        tiles(shapes, **chosen)


def test_classes_of_a_damaged_table_are_those_of_the_run(shapes, tmp_path):
    file = Run(tmp_path / "one").predictions_file("sky", "test")
    file.write_bytes(file.read_bytes()[:40])
    assert shapes.labels("one", "sky-test").names == SHAPES.names
    with pytest.raises(RunRefusal, match="Parquet"):
        shapes.tiles("one", "sky-test")


@pytest.mark.parametrize("chosen", [{"answer": "perhaps"}, {"classes": "spiral"}, {"sort": "beauty"}, {"sureness": "very"}])
def test_unknown_filters_are_refused(runs, chosen):
    with pytest.raises(RequestRefusal):
        tiles(runs, **chosen)


def test_figures_are_those_of_the_run_and_of_the_report_around_it(runs, tmp_path):
    own, report = tmp_path / "runs" / "one" / "figures" / "loss.png", tmp_path / "report" / "figure2.png"
    for path in (own, report, report.with_name("figure9.png"), report.with_name("secret.png")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    assert runs.figures("one") == {"loss": own, "figure2": report}
    assert runs.figure("two", "figure2") == b"figure2.png"


def test_runs_of_one_name_in_two_folders_are_told_apart(runs, tmp_path):
    shutil.copytree(tmp_path / "runs", tmp_path / "mine")
    both = Runs([tmp_path / "runs", tmp_path / "mine", tmp_path / "mine" / "one"])
    assert list(both.by_name) == ["one", "two", "one (2)", "two (2)"]
    assert both.get("one (2)").folder == (tmp_path / "mine" / "one").resolve()


def test_only_what_was_offered_is_read(runs, tmp_path):
    for name in ("../one", "/etc", "three"):
        with pytest.raises(NotOffered):
            runs.get(name)
    for evaluation in ("../../one/predictions/sky-test", "sky-train"):
        with pytest.raises(NotOffered):
            runs.tiles("one", evaluation)
    with pytest.raises(NotOffered):
        runs.figure("one", "../card.json")
    assert runs.attention("one", "a").max() == 7
    assert runs.attention("one", "b") is None
    assert runs.attention("two", "a") is None
    with pytest.raises(RunRefusal, match="no run in it"):
        Runs([tmp_path / "runs" / "one" / "predictions"])


def test_a_run_that_cannot_be_read_is_named_beside_the_others(runs):
    (bad,) = [run for name, run in runs.by_name.items() if name == "two"]
    bad.card_file.write_text(bad.card_file.read_text().replace('"seed": 0', '"seed": "none"'))
    one, two = runs.listing()
    assert (one["name"], one["problem"], one["model"]) == ("one", None, "lenet")
    assert (two["name"], two["state"], two["model"], two["evaluations"]) == ("two", "unreadable", None, [])
    assert "the card.seed is 'none', not int" in two["problem"]
    assert len(runs.tiles("one", "sky-test")) == 3


def test_one_damaged_run_keeps_no_other_from_the_list_of_models(untrained, tmp_path):
    for name in ("good", "bad"):
        shutil.copytree(untrained("lenet"), tmp_path / name)
    card = tmp_path / "bad" / "card.json"
    card.write_text(card.read_text().replace('"classes": [', '"classes": [1, '))
    offers = gather([], [tmp_path], ["simulated"], None, [])
    assert "good" in offers.networks.by_name
    assert "bad" not in offers.networks.by_name
    assert [str(card) in str(problem) for problem in offers.problems] == [True]
    with pytest.raises(RunRefusal):
        gather([str(card.parent)], [], ["simulated"], None, [])


def test_a_team_among_the_runs_is_passed_over(runs, team_folder, tmp_path):
    shutil.copytree(team_folder("lenet"), tmp_path / "runs" / "team")
    assert [run["name"] for run in Runs([tmp_path / "runs"]).listing()] == ["one", "two"]
