"""Forms are settled once: as the run has them, then the machine's, then the clock; what was measured is kept for both."""

import pytest
import torch

from equiradio.artefacts import form_choices as records
from equiradio.artefacts.form_choices import Choice, machine_file, read_choices, write_choices
from equiradio.compute.form_timing import steerable_layers
from equiradio.compute.forms import settle_forms, take_likely_forms
from equiradio.compute.machine import machine
from equiradio.errors import RunRefusal
from equiradio.layers.forms import all_forms
from equiradio.layers.forms.native import library
from equiradio.models import GatedNet, build
from equiradio.settings import ModelSettings
from equiradio.symmetry import Cyclic, Group

pytestmark = pytest.mark.usefixtures("no_kernels")

ASKED = {"batch": 8, "precision": "bf16", "training": True}


def small(group: Group) -> GatedNet:
    return GatedNet(ModelSettings(side=40), group, -0.1, (2, 3, 4, 5))


def forms(network: torch.nn.Module) -> list[str]:
    return [layer.form.name for layer in steerable_layers(network).values()]


@pytest.fixture
def machines_file(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "user_cache", lambda: tmp_path / "cache")
    return machine_file(machine("cpu"))


def test_what_is_measured_is_kept_for_the_run_and_the_machine(timed, tmp_path, machines_file):
    choices = settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED)
    kept = read_choices(tmp_path / "forms.json")
    assert kept == read_choices(machines_file) == {choice.case: choice for choice in choices.values()}
    assert len(timed) == len(kept) == 7


def test_another_run_on_this_machine_takes_the_same_and_measures_nothing(timed, tmp_path, machines_file):
    first = settle_forms(small(Cyclic(8)), tmp_path / "one.json", **ASKED)
    count = len(timed)
    assert settle_forms(small(Cyclic(8)), tmp_path / "two.json", **ASKED) == first
    assert len(timed) == count
    assert read_choices(tmp_path / "two.json") == read_choices(tmp_path / "one.json")


def test_kernels_compiled_anew_are_timed_anew(timed, tmp_path, machines_file, monkeypatch):
    settle_forms(small(Cyclic(8)), tmp_path / "one.json", **ASKED)
    count = len(timed)
    monkeypatch.setattr(library, "identity", lambda: "kernels of later sources")
    settle_forms(small(Cyclic(8)), tmp_path / "two.json", **ASKED)
    assert len(timed) == 2 * count


def test_a_run_keeps_its_forms_on_another_machine(timed, tmp_path, machines_file):
    settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED)
    other = {case: Choice(case, "fourier", {"dense": 9.0, "fourier": 8.0, "winograd": 9.5}) for case in read_choices(machines_file)}
    write_choices(machines_file, other)
    net = small(Cyclic(8))
    settle_forms(net, tmp_path / "forms.json", **ASKED)
    assert forms(net) == ["dense"] * 5 + ["fourier"] * 5
    assert read_choices(machines_file) == other


def test_training_and_answering_are_kept_side_by_side(timed, tmp_path, machines_file):
    settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED)
    settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED | {"training": False})
    assert [case.rsplit(" ", 1)[1] for case in read_choices(tmp_path / "forms.json")] == ["training"] * 7 + ["answering"] * 7


@pytest.mark.parametrize("form", [form for form in all_forms() if form != "native"])
def test_a_pinned_form_writes_nothing(timed, tmp_path, machines_file, form):
    net = small(Cyclic(8))
    settle_forms(net, tmp_path / "forms.json", **ASKED, form=form)
    assert forms(net) == [form] * 10
    assert timed == []
    assert not machines_file.exists()
    assert not (tmp_path / "forms.json").exists()


def test_small_groups_write_nothing(tmp_path, machines_file):
    settle_forms(build("c4-lenet"), tmp_path / "forms.json", **ASKED)
    assert not machines_file.exists()
    assert not (tmp_path / "forms.json").exists()


def test_a_damaged_cache_is_measured_anew_and_damaged_forms_of_a_run_is_refused(timed, tmp_path, machines_file):
    machines_file.parent.mkdir(parents=True)
    machines_file.write_text("{")
    settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED)
    assert len(read_choices(machines_file)) == 7
    (tmp_path / "forms.json").write_text("{")
    with pytest.raises(RunRefusal, match="Delete it to measure again"):
        settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED)


def test_a_cache_that_cannot_be_written_stops_nothing(timed, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file in the folder's place")
    monkeypatch.setattr(records, "user_cache", lambda: tmp_path / "cache")
    settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED)
    assert len(read_choices(tmp_path / "forms.json")) == 7


def test_without_measuring_the_rule_or_the_given_form_is_taken():
    net = build("c16-attention")
    take_likely_forms(net, "auto")
    assert forms(net).count("fourier") == 4
    for form in ("dense", "fourier", "winograd"):
        take_likely_forms(net, form)
        assert forms(net) == [form] * 10


def test_a_form_that_is_not_possible_here_gives_way_to_the_rule():
    """A run that was trained with compiled kernels is asked on a machine without a compiler."""
    net = build("c16-attention")
    take_likely_forms(net, "auto")
    usual = forms(net)
    take_likely_forms(net, "native")
    assert forms(net) == usual


def test_a_runs_choice_that_is_not_possible_here_is_measured_anew(timed, tmp_path, machines_file):
    settle_forms(small(Cyclic(8)), tmp_path / "forms.json", **ASKED)
    elsewhere = {case: Choice(case, "native", {"native": 1.0}) for case in read_choices(tmp_path / "forms.json")}
    write_choices(tmp_path / "forms.json", elsewhere)
    machines_file.unlink()
    timed.clear()
    net = small(Cyclic(8))
    settle_forms(net, tmp_path / "forms.json", **ASKED)
    assert set(forms(net)) == {"dense", "fourier"}
    assert len(timed) == 7
