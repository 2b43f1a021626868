"""Every layer takes the quickest form, which is measured once for each case, and nothing else changes."""

import pytest
import torch

from equiradio.artefacts.form_choices import Choice
from equiradio.compute import form_timing
from equiradio.compute.form_timing import Case, by_rule, choose_forms, steerable_layers, take
from equiradio.errors import SettingRefusal
from equiradio.layers.forms import Shape, all_forms
from equiradio.models import GatedNet, build
from equiradio.settings import ModelSettings
from equiradio.symmetry import Cyclic, Dihedral, Group

pytestmark = pytest.mark.usefixtures("no_kernels")


def small(group: Group) -> GatedNet:
    return GatedNet(ModelSettings(side=40), group, -0.1, (2, 3, 4, 5))


def forms(network: torch.nn.Module) -> list[str]:
    return [layer.form.name for layer in steerable_layers(network).values()]


def test_every_layer_takes_what_was_measured_of_its_case(timed):
    net = small(Cyclic(8))
    choices = choose_forms(net, 8, "bf16", training=True)
    assert forms(net) == [choice.form for choice in choices.values()] == ["dense"] * 5 + ["fourier"] * 5
    assert [(case.shape.fields_in, case.shape.fields_out, case.height, case.width) for case in timed] == [
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
    first = choose_forms(net, 8, "bf16", training=True)
    count = len(timed)
    again = choose_forms(small(Dihedral(4)), 8, "bf16", training=True, before={choice.case: choice for choice in first.values()})
    assert again == first
    assert len(timed) == count
    for other in ({"precision": "float32"}, {"training": False}):
        choose_forms(net, **({"batch": 8, "precision": "bf16", "training": True} | other), before={c.case: c for c in first.values()})
        assert len(timed) == (count := count + 7)


def test_a_known_choice_outweighs_what_would_be_measured(timed):
    net = small(Cyclic(8))
    known = {choice.case: Choice(choice.case, "fourier") for choice in choose_forms(net, 2, "float32", True).values()}
    choose_forms(net, 2, "float32", training=True, before=known)
    assert forms(net) == ["fourier"] * 10


@pytest.mark.parametrize("form", [form for form in all_forms() if form != "native"])
def test_a_pinned_form_is_taken_without_measuring(timed, form):
    net = small(Cyclic(8))
    choose_forms(net, 8, "float32", training=True, form=form)
    assert forms(net) == [form] * 10
    assert timed == []


def a_case(group: Group, size: int, precision: str, device: str) -> Case:
    return Case(Shape(group, 2, 3, size), 9, 7, 2, precision, device, True)


def tried(case: Case) -> tuple[str, ...]:
    return tuple(form.name for form in case.forms)


def test_only_forms_that_may_win_are_tried():
    """Fourier in large groups; Winograd on a CPU, for filters of 3 or 5 pixels, and in bf16 in large groups only."""
    assert tried(a_case(Cyclic(4), 5, "bf16", "cpu")) == ("dense",)
    assert tried(a_case(Cyclic(4), 5, "float32", "cpu")) == ("dense", "winograd")
    assert tried(a_case(Cyclic(8), 5, "bf16", "cpu")) == ("dense", "fourier", "winograd")
    assert tried(a_case(Cyclic(8), 5, "bf16", "cuda")) == ("dense", "fourier")
    assert tried(a_case(Dihedral(4), 7, "float32", "cpu")) == ("dense", "fourier")
    assert tried(a_case(Dihedral(4), 3, "float32", "cpu")) == ("dense", "fourier", "winograd")
    assert tried(a_case(Dihedral(4), 5, "float32", "cuda")) == ("dense", "fourier")


def test_where_one_form_alone_may_win_nothing_is_measured(timed):
    for name in ("lenet", "attention", "c4-lenet", "c4-attention"):
        net = build(name)
        choices = choose_forms(net, 16, "bf16", training=True)
        assert set(forms(net)) <= {"dense"}
        assert not any(choice.milliseconds for choice in choices.values())
    assert timed == []


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_measuring_times_every_form_and_takes_the_least(training, precision):
    case = Case(Shape(Cyclic(8), 2, 3, 5), 9, 7, 2, precision, "cpu", training)
    choice = case.measure()
    assert tuple(choice.milliseconds) == tried(case)
    assert min(choice.milliseconds.values()) > 0
    assert choice.form == min(choice.milliseconds, key=choice.milliseconds.__getitem__)


def test_measuring_leaves_network_and_random_numbers_alone():
    net = small(Cyclic(8)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    choose_forms(net, 2, "float32", training=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert all(weight.grad is None for weight in net.parameters())


def test_it_tells_how_far_it_is(timed):
    seen = []
    choose_forms(small(Cyclic(8)), 2, "float32", training=True, progress=lambda *step: seen.append(step))
    assert seen == [("layer shapes", done, 7) for number in range(7) for done in (number, number + 1)]
    choose_forms(build("c4-lenet"), 2, "bf16", training=True, progress=lambda *step: seen.append(step))
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
    assert net.blocks[1].convolutions[0].form.name == "fourier"


def test_winograd_for_large_filters_is_refused_before_anything_is_set():
    net = build("c4-lenet", kernel_size=7)
    with pytest.raises(SettingRefusal) as caught:
        choose_forms(net, 2, "float32", training=True, form="winograd")
    assert str(caught.value) == (
        "training.layer_form: winograd for C4 6->16 7x7 in float32 on cpu; expected filters of 3 or 5 pixels. "
        "Take auto, or one of dense, fourier."
    )
    assert forms(net) == ["dense"]


def test_the_clock_of_a_case_waits_for_the_work(monkeypatch):
    """The least of the counted calls, the first not counted."""
    ticks = iter([0, 9, 10, 13, 20, 22, 0])
    monkeypatch.setattr(form_timing.time, "perf_counter", lambda: next(ticks))
    assert form_timing._seconds(lambda: None, "cpu") == 2
