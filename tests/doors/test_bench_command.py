"""The verb bench, from the command line."""

import inspect
import json

import pytest

from equiradio.bench import run as module
from equiradio.cli.main import main
from equiradio.inference.team import load


@pytest.fixture
def workers(monkeypatch):
    canned = {"float32_gmacs": 100.0, "bf16_gmacs": 200.0, "copy_gb_per_second": 10.0, "forms": {"training": {}, "inference": {}}}
    canned |= {"milliseconds_per_image": 2.0, "processor_milliseconds_per_image": 4.0, "first_seconds": 0.1, "steps": 1, "threads": 1}
    canned |= {"build_seconds": 0.1, "precision": "float32", "peak_mib": 300, "leaves_out": False, "weights": 1, "torch": "2"}
    monkeypatch.setattr(module, "run_job", lambda job, threads: dict(canned))


def test_a_table_and_the_peak(workers, capsys):
    assert main(["bench", "--models", "lenet", "--rounds", "1"]) == 0
    shown = capsys.readouterr()
    assert all(f"{variant} (float32)" in shown.out for variant in ("default", "default-noise", "float32", "float32-dense"))
    assert "train takes the variant default; classify float32, with --precision bf16 default" in shown.out.splitlines()
    assert "peak: 100 (float32) and 200 (bf16)" in shown.out
    assert shown.err.count("round 1 of 1") == 8


def test_the_variant_that_classify_takes_is_one_of_its_precision_and_its_forms():
    taken = module.VARIANTS["float32"]
    usual = inspect.signature(load).parameters["precision"].default
    assert (taken["precision"], taken["form"], taken["keep_blocks"]) == (usual, None, True)
    assert "float32" in module.USUAL


def test_json(workers, capsys, tmp_path):
    assert main(["bench", "--models", "lenet", "--rounds", "1", "--json", "--out", str(tmp_path / "speed.json")]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "speed.json").read_text())


def test_refusals(capsys):
    assert main(["bench", "--models", "resnet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_interrupted(workers, monkeypatch, capsys, tmp_path):
    def stop(job, threads):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_job", stop)
    assert main(["bench", "--models", "lenet", "--out", str(tmp_path / "speed.json")]) == 130
    assert "run the same command to go on" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--models", "--variants"])
def test_an_empty_list_of_names_is_refused_and_stands_for_nothing_else(option, capsys):
    assert main(["bench", option, ""]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{option}: no name; expected names, comma-separated.")
