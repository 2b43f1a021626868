"""A network whose steerable layers multiply bf16 in the compiled form learns as exactly as in the dense form under an autocast."""

import pytest
import torch
from whole_networks import SMALL, narrow

from equiradio.compute.form_timing import steerable_layers
from equiradio.layers.forms.native import library
from equiradio.symmetry import parse_group

pytestmark = pytest.mark.skipif(not library.multiplies_bf16(), reason="this processor, or this build, has no kernels that multiply bf16")


def away(ours, right) -> float:
    return float((ours.double() - right).norm() / right.norm())


def step(form: str, dtype: torch.dtype, images: torch.Tensor, group: str, normalisation: str) -> dict[str, torch.Tensor]:
    """Logits and gradients of one step; a float32 network multiplies bf16."""
    net = narrow(parse_group(group), **SMALL | {"side": 80, "normalisation": normalisation}).to(dtype).train()
    for layer in steerable_layers(net).values():
        layer.take(form, "bf16" if dtype == torch.float32 else "float32")
    torch.manual_seed(0)  # dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
        logits = net(images.to(dtype)).logits
    logits.float().square().sum().backward()
    return {"logits": logits.detach()} | {name: each.grad for name, each in net.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("normalisation", ["range", "anchored"])
@pytest.mark.parametrize("group", ["C4", "D4"])
def test_rounding_costs_a_step_no_more_than_in_the_dense_form(group, normalisation):
    torch.manual_seed(4)
    images = torch.full((6, 1, 78, 78), -0.1)
    for image in images[:, 0]:
        row, column = torch.randint(5, 65, (2,)).tolist()
        image[row : row + 6, column : column + 9] = 3 * torch.rand(6, 9)
    exact = step("dense", torch.float64, images, group, normalisation)
    ours, dense = (step(form, torch.float32, images, group, normalisation) for form in ("native", "dense"))
    assert ours.keys() == exact.keys()
    weights = [name for name, each in exact.items() if each.ndim > 1 and float(each.norm()) > 1e-9]
    assert len(weights) > 8
    errors = torch.tensor([[away(one[name], exact[name].double()) for name in weights] for one in (ours, dense)])
    assert float(errors[0].mean()) < 1.5 * float(errors[1].mean())
