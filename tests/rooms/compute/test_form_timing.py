"""The plan takes the quicker form of each layer, measures a case once, and changes nothing else."""

import pytest
import torch

from equiradio.artefacts.forms import FORMS, Choice
from equiradio.compute import form_timing as plan
from equiradio.compute.form_timing import Case, by_rule, plan_forms, steerable_layers, take
from equiradio.errors import SettingRefusal
from equiradio.models import GatedNet, build
from equiradio.settings import ModelSettings
from equiradio.symmetry import Cyclic, Dihedral, Group


def small(group: Group) -> GatedNet:
    return GatedNet(ModelSettings(side=40), group, -0.1, (2, 3, 4, 5))


def forms(network: torch.nn.Module) -> list[str]:
    return [layer.form for layer in steerable_layers(network).values()]


def test_every_layer_takes_what_was_measured_of_its_case(timed):
    net = small(Cyclic(8))
    choices = plan_forms(net, 8, "bf16", training=True)
    assert forms(net) == [choice.form for choice in choices.values()] == ["dense"] * 5 + ["fourier"] * 5
    assert [(case.fields_in, case.fields_out, case.height, case.width) for case in timed] == [
        (2, 2, 40, 40),
        (2, 3, 20, 20),
        (3, 3, 20, 20),
        (3, 4, 10, 10),
        (4, 4, 10, 10),
        (4, 5, 5, 5),
        (5, 5, 5, 5),
    ]
    assert str(timed[0]) == "C8 2->2 5x5 at 40x40, 2 images, bf16, cpu, training"


def test_what_is_known_is_not_measured_again(timed):
    net = small(Dihedral(4))
    first = plan_forms(net, 8, "bf16", training=True)
    count = len(timed)
    again = plan_forms(small(Dihedral(4)), 8, "bf16", training=True, known={choice.case: choice for choice in first.values()})
    assert again == first
    assert len(timed) == count
    for other in ({"precision": "float32"}, {"training": False}):
        plan_forms(net, **({"batch": 8, "precision": "bf16", "training": True} | other), known={c.case: c for c in first.values()})
        assert len(timed) == (count := count + 7)


def test_a_known_choice_outweighs_what_would_be_measured(timed):
    net = small(Cyclic(8))
    known = {choice.case: Choice(choice.case, "fourier") for choice in plan_forms(net, 2, "float32", True).values()}
    plan_forms(net, 2, "float32", training=True, known=known)
    assert forms(net) == ["fourier"] * 10


@pytest.mark.parametrize("form", FORMS)
def test_a_pinned_form_is_taken_without_measuring(timed, form):
    net = small(Cyclic(8))
    plan_forms(net, 8, "float32", training=True, pin=form)
    assert forms(net) == [form] * 10
    assert timed == []


def a_case(group: Group, size: int, precision: str, device: str) -> Case:
    return Case(group, 2, 3, size, 9, 7, 2, precision, device, True)


def test_only_forms_that_may_win_are_tried():
    """Fourier in large groups; Winograd on a CPU, for filters of 3 or 5 pixels, and in bf16 in large groups only."""
    assert a_case(Cyclic(4), 5, "bf16", "cpu").forms == ("dense",)
    assert a_case(Cyclic(4), 5, "float32", "cpu").forms == ("dense", "winograd")
    assert a_case(Cyclic(8), 5, "bf16", "cpu").forms == ("dense", "fourier", "winograd")
    assert a_case(Cyclic(8), 5, "bf16", "cuda").forms == ("dense", "fourier")
    assert a_case(Dihedral(4), 7, "float32", "cpu").forms == ("dense", "fourier")
    assert a_case(Dihedral(4), 3, "float32", "cpu").forms == ("dense", "fourier", "winograd")
    assert a_case(Dihedral(4), 5, "float32", "cuda").forms == ("dense", "fourier")


def test_where_one_form_alone_may_win_nothing_is_measured(timed):
    for name in ("lenet", "attention", "c4-lenet", "c4-attention"):
        net = build(name)
        choices = plan_forms(net, 16, "bf16", training=True)
        assert set(forms(net)) <= {"dense"}
        assert {choice.dense_ms for choice in choices.values()} <= {None}
    assert timed == []


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_measuring_times_every_form_and_takes_the_least(training, precision):
    case = Case(Cyclic(8), 2, 3, 5, 9, 7, 2, precision, "cpu", training)
    choice = case.measure()
    taken = {form: spent for form in FORMS if (spent := getattr(choice, f"{form}_ms")) is not None}
    assert tuple(taken) == case.forms
    assert min(taken.values()) > 0
    assert choice.form == min(taken, key=taken.__getitem__)


def test_measuring_leaves_network_and_random_numbers_alone():
    net = small(Cyclic(8)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    plan_forms(net, 2, "float32", training=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert all(weight.grad is None for weight in net.parameters())


def test_it_tells_how_far_it_is(timed):
    seen = []
    plan_forms(small(Cyclic(8)), 2, "float32", training=True, progress=lambda *told: seen.append(told))
    assert seen == [("layer shapes", done, 7) for number in range(7) for done in (number, number + 1)]
    plan_forms(build("c4-lenet"), 2, "bf16", training=True, progress=lambda *told: seen.append(told))
    assert len(seen) == 14


def test_the_rule_takes_fourier_for_large_groups_and_many_fields():
    names = ("d4-attention", "c16-attention", "d8-attention")
    counts = {name: list(by_rule(build(name)).values()).count("fourier") for name in names}
    assert counts == {"d4-attention": 0, "c16-attention": 4, "d8-attention": 7}


def test_the_rule_takes_winograd_for_many_channels_in_float32_on_a_cpu():
    net = build("c4-attention")
    assert list(by_rule(net).values()) == ["dense"] * 3 + ["winograd"] * 7
    for elsewhere in ({"precision": "bf16"}, {"device": "cuda"}):
        assert set(by_rule(net, **elsewhere).values()) == {"dense"}
    assert set(by_rule(build("c4-attention", kernel_size=7)).values()) == {"dense"}


def test_forms_are_taken_by_name():
    net = small(Cyclic(8))
    take(net, {"blocks.1.convolutions.0": "fourier"})
    assert forms(net).count("fourier") == 1
    assert net.blocks[1].convolutions[0].form == "fourier"


def test_winograd_for_large_filters_is_refused_before_anything_is_set():
    net = build("c4-lenet", kernel_size=7)
    with pytest.raises(SettingRefusal, match="winograd for filters of 7 pixels; expected filters of 3 or 5 pixels"):
        plan_forms(net, 2, "float32", training=True, pin="winograd")
    assert forms(net) == ["dense"]


def test_the_clock_of_a_case_waits_for_the_work(monkeypatch):
    """The least of the counted calls, the first not counted."""
    ticks = iter([0, 9, 10, 13, 20, 22, 0])
    monkeypatch.setattr(plan.time, "perf_counter", lambda: next(ticks))
    assert plan._seconds(lambda: None, "cpu") == 2
