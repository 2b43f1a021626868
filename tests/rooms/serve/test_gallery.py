"""Galleries of runs: means over passes, disagreement over runs, filters, order."""

import shutil

import numpy as np
import pyarrow as pa
import pytest

from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import PREDICTIONS, write_table
from equiradio.errors import RunRefusal
from equiradio.serve.gallery import Runs, arranged
from equiradio.serve.refusals import NotOffered, RequestRefusal

SAID = {"one": {"a": (0.9, 0.7), "b": (0.2, 0.4), "h": (0.5, 0.5)}, "two": {"a": (0.2, 0.2), "b": (0.3, 0.3), "h": (0.5, 0.5)}}
LABELS = {"a": 1, "b": 1, "h": -1}


@pytest.fixture
def runs(tmp_path):
    tmp_path = tmp_path / "runs"
    for name, said in SAID.items():
        rows = [(source, LABELS[source], number, p) for number in (0, 1) for source, p in ((key, ps[number]) for key, ps in said.items())]
        p = np.array([row[3] for row in rows])
        columns = {"source_id": [row[0] for row in rows], "label": [row[1] for row in rows], "confidence": ["confident"] * len(rows)}
        columns |= {"pass": [row[2] for row in rows], "logit_fri": -p, "logit_frii": p, "p_fri": 1 - p, "p_frii": p}
        write_table(pa.table(columns, schema=PREDICTIONS), Run(tmp_path / name).predictions_file("sky", "test"))
        (tmp_path / name / "card.json").write_text("{}")
    np.savez(tmp_path / "one" / "maps.npz", maps=np.full((1, 150, 150), 7, np.uint8), source_id=np.array(["a"]))
    return Runs([tmp_path])


def tiles(runs, **chosen):
    usual = {"classes": "", "answer": "", "sureness": "", "sort": "name", "descending": False}
    return arranged(runs.tiles("one", "sky-test"), **(usual | chosen))


def test_means_and_disagreement(runs):
    a, b, h = tiles(runs)
    assert (a["p_frii"], a["spread"]) == pytest.approx((0.8, 0.1))
    assert a["disagreement"] == pytest.approx(np.std([0.8, 0.2]))
    assert (a["says"], a["correct"]) == ("FRII", True)
    assert (b["says"], b["correct"]) == ("FRI", False)
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
