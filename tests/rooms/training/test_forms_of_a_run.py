"""A training, its continuation and its evaluation compute in the forms that the run has."""

import pytest

from equiradio.artefacts import form_choices as records
from equiradio.artefacts.form_choices import Choice, read_choices, write_choices
from equiradio.compute.form_timing import Case
from equiradio.layers import SteerableConvolution
from equiradio.training.fit import train
from equiradio.verbs.evaluate import evaluate


@pytest.fixture
def used(monkeypatch, tmp_path) -> set[tuple[bool, str]]:
    """(training?, form) of every image that passed a steerable layer, where the clock always says fourier."""
    seen: set[tuple[bool, str]] = set()
    forward = SteerableConvolution.forward

    def watched(layer, fields):
        seen.add((layer.training, layer.form.name))
        return forward(layer, fields)

    monkeypatch.setattr(SteerableConvolution, "forward", watched)
    monkeypatch.setattr(Case, "measure", lambda case: Choice(str(case), "fourier", {"dense": 2.0, "fourier": 1.0, "winograd": 3.0}))
    monkeypatch.setattr(records, "user_cache", lambda: tmp_path / "cache")
    return seen


def test_the_measured_form_is_trained_with_and_kept_when_resumed(tiny, tmp_path, used):
    settings = tiny("c8-lenet", epochs=2)
    run = train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    assert used == {(True, "fourier"), (False, "fourier")}
    (case,) = read_choices(run.forms_file)
    assert case == "C8 6->16 5x5 at 75x75, 2 images, float32, cpu, training"
    write_choices(run.forms_file, {case: Choice(case, "dense", {"dense": 1.0, "fourier": 2.0})})
    used.clear()
    train(settings, tmp_path / "run", device="cpu", resume=True)
    assert used == {(True, "dense"), (False, "dense")}


def test_a_pinned_form_is_trained_and_evaluated_with(tiny, tmp_path, used):
    run = train(tiny("c8-lenet", epochs=1, layer_form="dense"), tmp_path / "run", device="cpu")
    evaluate(run.folder, passes=0)
    assert used == {(True, "dense"), (False, "dense")}
    assert not run.forms_file.exists()


def test_an_evaluation_measures_its_own_case(tiny, tmp_path, used):
    run = train(tiny("c8-lenet", epochs=1), tmp_path / "run", device="cpu")
    used.clear()
    evaluate(run.folder, passes=0)
    assert used == {(False, "fourier")}
    assert [case.rsplit(" ", 1)[1] for case in read_choices(run.forms_file)] == ["training", "answering"]
