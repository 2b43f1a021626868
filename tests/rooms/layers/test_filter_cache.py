"""Filters kept in evaluation always belong to the weights of the moment."""

import copy

import pytest
import torch
from layer_cases import as_if_trained, some_fields
from torch import nn
from torch.testing import assert_close

from equiradio.layers import SteerableConvolution
from equiradio.layers.convolution import SteeredConvolution
from equiradio.layers.forms import all_forms
from equiradio.symmetry import Dihedral

GROUP = Dihedral(4)
FORMS = list(all_forms())


def a_layer(seed: int) -> SteerableConvolution:
    return as_if_trained(SteerableConvolution(1, 2, GROUP), seed).eval()


@torch.no_grad()
def in_place(layer: SteerableConvolution) -> SteerableConvolution:
    layer.weight.mul_(2)
    return layer


def loaded(layer: SteerableConvolution) -> SteerableConvolution:
    layer.load_state_dict(a_layer(seed=1).state_dict())
    return layer


def assigned(layer: SteerableConvolution) -> SteerableConvolution:
    layer.load_state_dict(a_layer(seed=1).state_dict(), assign=True)
    return layer


def a_step(layer: SteerableConvolution) -> SteerableConvolution:
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(some_fields(GROUP, 5, fields=1)).square().sum().backward()
    optimiser.step()
    return layer


def through_data(layer: SteerableConvolution) -> SteerableConvolution:
    layer.weight.data.mul_(2)  # unseen by autograd's version counter: switching modes forgets the filters
    return layer.eval()


def copied(layer: SteerableConvolution) -> SteerableConvolution:
    return in_place(copy.deepcopy(layer))


def a_fused_step(layer: SteerableConvolution) -> SteerableConvolution:
    """Which autograd's version counter does not see either."""
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    layer(some_fields(GROUP, 5, fields=1)).square().sum().backward()
    optimiser.step()
    return layer


CHANGES = {
    "fused optimiser's step": a_fused_step,
    "in place": in_place,
    "state loaded": loaded,
    "state assigned": assigned,
    "optimiser's step": a_step,
    "through .data": through_data,
    "a copy": copied,
    "float32": lambda layer: layer.float(),
    "train and eval": lambda layer: layer.train().eval(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_filters_follow_the_weights(change):
    layer = a_layer(seed=0)
    with torch.no_grad():
        layer.prepared()
    layer = change(layer)
    fields = some_fields(GROUP, 5, fields=1).to(layer.weight.dtype)
    with torch.no_grad():
        answer = layer(fields)
        fresh = layer.filters()
    assert layer.prepared().dtype == layer.weight.dtype
    expected = nn.functional.conv2d(fields.transpose(1, 2).flatten(1, 2), fresh, padding=2)
    assert_close(answer.transpose(1, 2).flatten(1, 2), expected, rtol=0, atol=0)


def test_the_law_catches_filters_that_never_change(monkeypatch):
    def first_ever(self):
        self._kept = self._kept or (None, self.filters())
        return self._kept[1]

    monkeypatch.setattr(SteeredConvolution, "prepared", first_ever)
    with pytest.raises(AssertionError):
        test_filters_follow_the_weights(in_place)


def test_filters_are_made_once_while_nothing_changes():
    layer = a_layer(seed=0)
    with torch.no_grad():
        assert layer.prepared() is layer.prepared()
    with torch.inference_mode():
        kept = layer.prepared()
        assert kept is layer.prepared()


def test_filters_are_made_anew_where_a_gradient_is_wanted():
    layer = a_layer(seed=0)
    with torch.no_grad():
        layer.prepared()
    assert layer.prepared().requires_grad
    layer.train()
    with torch.no_grad():
        assert layer.prepared() is not layer.prepared()


@pytest.mark.parametrize("form", FORMS)
def test_what_a_form_multiplies_by_is_kept_while_the_weights_stay(form):
    layer, fields = a_layer(seed=0), some_fields(GROUP, 5, fields=1)
    layer.take(form)
    with torch.no_grad():
        before = layer(fields)
        kept = layer._kept[1]
        layer(fields)
        assert layer._kept[1] is kept
        layer.weight.mul_(2)
        for other in FORMS:  # what another form has kept is not taken for one's own
            layer.take(other)
            assert_close(layer(fields), 2 * before)


@torch.no_grad()
def test_filters_follow_an_autocast_into_it_and_out_again():
    for form in FORMS:
        layer = a_layer(seed=0).float()
        layer.take(form)
        fields = some_fields(GROUP, 9, fields=1).float()
        expected = layer(fields)
        with torch.autocast("cpu", torch.bfloat16):
            layer(fields)
        assert_close(layer(fields), expected, rtol=0, atol=0)


@torch.no_grad()
def test_weights_that_come_and_go_never_lend_their_filters():
    layer, fields = a_layer(seed=0), some_fields(GROUP, 5, fields=1)
    given = lambda factor: torch.func.functional_call(layer, {"weight": factor * layer.weight.detach()}, (fields,))
    one = given(1.0)
    for factor in range(2, 30):
        assert_close(given(float(factor)), factor * one)


def test_a_layer_made_in_inference_mode_answers():
    with torch.inference_mode():
        layer = SteerableConvolution(1, 1, GROUP).eval()
        assert layer(torch.zeros(1, 1, 8, 5, 5)).shape == (1, 1, 8, 5, 5)


def test_layers_are_made_on_the_device_that_is_the_default():
    with torch.device("meta"):
        assert SteerableConvolution(1, 1, GROUP).weight.device.type == "meta"


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_of_none_and_an_autocast_of_doubles(form):
    layer = a_layer(seed=0).double()
    layer.take(form)
    assert layer(torch.zeros(0, 1, 8, 9, 9).double()).shape == (0, 2, 8, 9, 9)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.zeros(1, 1, 8, 9, 9).double()).dtype == torch.float64


@pytest.mark.parametrize("form", FORMS)
def test_backward_inside_an_autocast_gives_the_gradients_of_one_outside(form):
    """Torch advises against it, and allows it."""
    gradients = []
    for inside in (True, False):
        layer = a_layer(seed=0).float()
        layer.take(form)
        with torch.autocast("cpu", torch.bfloat16):
            loss = layer(some_fields(GROUP, 9, fields=1).float()).float().square().sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        gradients.append(layer.weight.grad)
    assert_close(*gradients, rtol=0.05, atol=0.05 * float(gradients[1].abs().max()))
