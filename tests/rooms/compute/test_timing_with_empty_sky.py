"""A form that leaves out empty sky is timed with about as much of it as images of MiraBest have."""

import re

import pytest
import torch

from equiradio.compute.form_timing import MOST_LIT, Case, choose_forms, islands, shifted, steerable_layers
from equiradio.layers.forms import Shape
from equiradio.layers.forms.native import FORM as NATIVE
from equiradio.layers.forms.native import library
from equiradio.layers.forms.native.kernels import Kernels, layout_of
from equiradio.models import GatedNet
from equiradio.settings import ModelSettings
from equiradio.symmetry import Cyclic

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")

MIRABEST = [0.12, 0.19, 0.36, 0.51, 0.63, 0.82]  # of 16 training images in their poses, lit behind layers 2 to 7


def a_net(**changes) -> GatedNet:
    return GatedNet(ModelSettings(**changes), Cyclic(8), -0.1, (2, 3, 4, 5))


def cases_of(net, timed, **asked) -> list[Case]:
    choose_forms(net, **{"batch": 16, "precision": "float32", "training": True} | asked)
    return timed


@pytest.mark.parametrize("normalisation", ["range", "anchored"])
@pytest.mark.parametrize("task", ["training", "answering"])
def test_layers_see_as_much_sky_as_on_real_images(timed, task, normalisation):
    cases = cases_of(a_net(normalisation=normalisation), timed, training=task == "training")
    shares = [None if case.lit is None else float(case.lit.float().mean()) for case in cases]
    assert shares[:6] == pytest.approx(MIRABEST, abs=0.03)
    assert max(share for share in shares if share) <= MOST_LIT
    assert shares[6:] == [None] * 3
    assert re.search(rf", {task}, 16 at a time with 1\d % lit$", str(timed[0]))
    assert str(timed[-1]).endswith(f", {task}")


@pytest.mark.parametrize("asked", [{"precision": "bf16"}, {"batch": 1}, {"batch": 1, "training": False}], ids=str)
def test_elsewhere_there_is_no_sky_to_leave_out(timed, asked, monkeypatch):
    monkeypatch.setattr(library, "multiplies_bf16", lambda: False)
    assert all(case.lit is None for case in cases_of(a_net(side=40), timed, **asked))
    assert timed


@pytest.mark.skipif(not library.multiplies_bf16(), reason="this processor, or this build, has no kernels that multiply bf16")
def test_in_bf16_there_is_where_the_kernels_multiply_it(timed):
    assert any(case.lit is not None for case in cases_of(a_net(), timed, precision="bf16"))


def test_where_there_are_no_kernels_neither(timed, no_kernels):
    assert all(case.lit is None for case in cases_of(a_net(side=40), timed))
    assert timed


@pytest.mark.parametrize("batch", [2, 5, 40])
def test_as_many_images_as_a_step_has_up_to_some(timed, batch):
    lit = cases_of(a_net(), timed, batch=batch)[0].lit
    assert lit is not None
    assert len(lit) == min(batch, 16)


def test_only_the_form_that_leaves_it_out_is_given_the_sky(monkeypatch):
    given, usual = [], type(NATIVE).learn
    monkeypatch.setattr(
        type(NATIVE), "learn", lambda form, layer, fields, *rest: given.append(fields.shape) or usual(form, layer, fields, *rest)
    )
    lit = torch.zeros(4, 9, 7, dtype=torch.bool)
    lit[:, :3] = True
    choice = Case(Shape(Cyclic(4), 2, 3, 5), 9, 7, 2, "float32", "cpu", True, lit).measure()
    assert {tuple(shape) for shape in given} == {(4, 2, 4, 9, 7)}
    assert {"dense", "native", "winograd"} == choice.milliseconds.keys()
    assert choice.case == "C4 2->3 5x5 at 9x7, 2 images, float32, cpu, training, 4 at a time with 33 % lit"


def test_in_answering_too_only_what_is_lit_is_computed(monkeypatch):
    given, usual = [], Kernels.convolve
    monkeypatch.setattr(Kernels, "convolve", lambda kernels, *asked: given.append(asked) or usual(kernels, *asked))
    lit = torch.zeros(4, 19, 17, dtype=torch.bool)
    lit[:, 5:12, 4:11] = True
    Case(Shape(Cyclic(4), 2, 3, 5), 19, 17, 2, "float32", "cpu", False, lit).measure()
    beside = [asked for asked in given if len(asked) == 4]  # an empty sky is given with them
    assert len(beside) == 3
    for images, packed, finish, sky in beside:
        kernels = Kernels(layout_of(Shape(Cyclic(4), 2, 3, 5), torch.float32), images, torch.float32)
        assert finish is not None
        assert torch.equal((usual(kernels, images, packed) != usual(kernels, sky[0], packed)).any(4).any(3), lit)


def test_finding_out_leaves_network_and_random_numbers_alone(timed):
    net = a_net(side=40).eval()
    before, state = {name: value.clone() for name, value in net.state_dict().items()}, torch.get_rng_state()
    cases_of(net, timed)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not net.training
    assert len(steerable_layers(net)) == 10


def test_images_are_the_same_sky_moved():
    lit = islands()[0, 0] > 0
    moved = shifted(lit, 8)
    assert moved.sum((1, 2)).tolist() == [int(lit.sum())] * 8
    assert not any(torch.equal(one, other) for number, one in enumerate(moved) for other in moved[:number])
