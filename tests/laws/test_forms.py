"""A whole network in Fourier or Winograd form is the network in dense form: outputs, gradients, symmetry, training step by step."""

import pytest
import torch
from test_invariance import check_invariance
from whole_networks import SMALL, check_same, distance, in_form, narrow, some_images

from equiradio.compute.form_timing import steerable_layers
from equiradio.layers.forms import all_forms
from equiradio.symmetry import BUILT, Dihedral, parse_group

by_group = pytest.mark.parametrize("name", [name for name in BUILT if name != "C1"])
by_form = pytest.mark.parametrize("form", [form for form in all_forms() if form != "dense"])


@by_form
@by_group
@torch.no_grad()
def test_networks_answer_the_same_in_any_form(name, form):
    net, images = narrow(parse_group(name), **SMALL), some_images(38, count=2)
    dense = net(images)
    assert len(steerable_layers(net)) == 10
    check_same(in_form(net, form)(images), dense, logits=1e-11, maps=1e-11)


@by_form
@by_group
def test_a_network_in_another_form_is_as_exact(name, form):
    group = parse_group(name)
    check_invariance(in_form(narrow(group, **SMALL), form), group, some_images(38), logits=1e-9, maps=1e-9)


@by_form
def test_gradients_of_all_weights_are_the_same(form):
    net, images = narrow(Dihedral(8), **SMALL), some_images(38, count=3)

    def gradients(form: str) -> list[torch.Tensor]:
        net.zero_grad()
        in_form(net, form)(images).logits.square().sum().backward()
        return [weight.grad.clone() for weight in net.parameters() if weight.grad is not None]

    dense, quick = gradients("dense"), gradients(form)
    assert len(dense) > 30
    for ours, theirs in zip(quick, dense, strict=True):
        assert distance(ours, theirs) < 1e-9 or float(theirs.norm()) < 1e-12


@by_form
def test_training_goes_the_same_way_in_any_form(form):
    def weights_after(form: str) -> dict[str, torch.Tensor]:
        net = in_form(narrow(Dihedral(4), **SMALL), form).train()
        optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3)
        for _ in range(3):
            torch.manual_seed(0)  # dropout
            optimiser.zero_grad()
            net(some_images(38, count=2)).logits[:, 0].mean().backward()
            optimiser.step()
        return net.state_dict()

    dense, quick = weights_after("dense"), weights_after(form)
    for name, value in dense.items():
        assert torch.allclose(value, quick[name], rtol=0, atol=1e-8), name
