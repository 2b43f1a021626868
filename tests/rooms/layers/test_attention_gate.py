"""The attention gate: its formula, its gradient, its normalisations, its independence of neighbours and of the sky's pose."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from equiradio.layers import AttentionGate, attention_gate
from equiradio.layers.attention_gate import NORMALISATIONS, PIXELS, attend, normalise_batch_range, normalise_range
from equiradio.settings import ModelSettings

PER_IMAGE = [name for name in NORMALISATIONS if name != "batch-range"]
sides = st.integers(3, 12)
seeds = st.integers(0, 2**31)
names = st.sampled_from(PER_IMAGE)
per_image = pytest.mark.parametrize("name", PER_IMAGE)


def a_case(name: str, height: int, width: int, seed: int, batch: int = 3) -> tuple[AttentionGate, Tensor, Tensor]:
    """A gate, features (batch, 4, height, width) and a context of about a quarter of that height and width, float64."""
    torch.manual_seed(seed)
    gate = AttentionGate(4, 5, hidden=6, normalisation=name).double()
    features = torch.randn(batch, 4, height, width, dtype=torch.float64)
    return gate, features, torch.randn(batch, 5, (height + 3) // 4, (width + 3) // 4, dtype=torch.float64)


def naive(gate: AttentionGate, features: Tensor, context: Tensor) -> Tensor:
    """Equation 1 as it is written, by torch's own interpolation."""
    upsampled = F.interpolate(gate.from_context(context), size=features.shape[-2:], mode="bilinear", align_corners=False)
    score = gate.to_score(F.relu(gate.from_features(features) + upsampled))
    return NORMALISATIONS[gate.normalisation](score)


def test_every_normalisation_of_the_settings_is_there():
    choices = ModelSettings.__dataclass_fields__["normalisation"].metadata["choices"]
    assert set(choices) == set(NORMALISATIONS)


@settings(deadline=None, max_examples=40)
@given(names, sides, sides, seeds)
def test_the_gate_is_its_formula_in_values_and_gradients(name, height, width, seed):
    gate, features, context = a_case(name, height, width, seed)
    features.requires_grad_()
    context.requires_grad_()
    wanted = [features, context, *gate.parameters()]
    found, expected = gate(features, context), naive(gate, features, context)
    assert_close(found, expected, rtol=1e-10, atol=1e-10)
    cotangent = torch.randn_like(found)
    found, expected = (torch.autograd.grad(alpha, wanted, cotangent) for alpha in (found, expected))
    largest = max(float(gradient.abs().max()) for gradient in expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, rtol=1e-9, atol=1e-11 * (1 + largest))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda features, context, from_features, rows, columns: _linear(features, context, from_features, rows, columns),
        lambda features, context, from_features, rows, columns: _linear(
            features, context, from_features, _nearest(rows), _nearest(columns)
        ).relu_(),
    ],
    ids=["no ReLU", "nearest pixel"],
)
def test_the_formula_law_catches_another_formula(monkeypatch, no_kernels, wrong):
    monkeypatch.setattr(attention_gate, "_hidden", wrong)
    with pytest.raises(AssertionError):
        test_the_gate_is_its_formula_in_values_and_gradients.hypothesis.inner_test("sigmoid", 8, 9, seed=0)


def _linear(features: Tensor, context: Tensor, from_features: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    upsampled = torch.einsum("yi,xj,nijk->nyxk", rows, columns, context)
    return upsampled + features @ from_features.T


def _nearest(matrix: Tensor) -> Tensor:
    return F.one_hot(matrix.argmax(1), matrix.shape[1]).to(matrix)


@per_image
def test_the_gradient_is_that_of_finite_differences(name):
    gate, features, context = a_case(name, 5, 4, seed=1, batch=2)
    assert torch.autograd.gradcheck(gate, (features.requires_grad_(), context.requires_grad_()))


def test_one_piece_answers_as_many(monkeypatch, no_kernels):
    """A GPU takes the batch at once, a CPU strip by strip."""
    gate, features, context = a_case("range", 9, 7, seed=0)
    one_by_one = gate(features, context)
    gradient = torch.autograd.grad(one_by_one.square().sum(), gate.parameters())
    monkeypatch.setattr(attention_gate, "_pieces", lambda features: [(slice(0, len(features)), slice(0, 7))])
    at_once = gate(features, context)
    assert_close(at_once, one_by_one, rtol=1e-12, atol=1e-12)
    monkeypatch.setattr(
        attention_gate, "_pieces", lambda features: [(slice(n, n + 1), slice(left, left + 3)) for n in range(3) for left in (0, 3, 6)]
    )
    assert_close(gate(features, context), one_by_one, rtol=1e-12, atol=1e-12)
    for found, expected in zip(torch.autograd.grad(at_once.square().sum(), gate.parameters()), gradient, strict=True):
        assert_close(found, expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(names, sides, seeds)
def test_the_map_turns_with_the_sky(name, side, seed):
    gate, features, context = a_case(name, side, side, seed)
    alpha = gate(features, context)
    for turns in range(4):
        for move in (lambda image: torch.rot90(image, turns, PIXELS), lambda image: torch.rot90(image.flip(-1), turns, PIXELS)):  # noqa: B023
            assert_close(gate(move(features), move(context)), move(alpha), rtol=0, atol=1e-10)


def test_the_sky_law_catches_corners_that_are_not_symmetric(monkeypatch):
    right = attention_gate.interpolation
    monkeypatch.setattr(attention_gate, "interpolation", lambda *key: right(*key).roll(1, 0))
    with pytest.raises(AssertionError):
        test_the_map_turns_with_the_sky.hypothesis.inner_test("range", 8, seed=0)


@settings(deadline=None, max_examples=25)
@given(names, sides, seeds)
def test_an_image_alone_answers_as_in_company(name, side, seed):
    gate, features, context = a_case(name, side, side, seed)
    assert_close(gate(features[:1], context[:1]), gate(features, context)[:1], rtol=0, atol=1e-10)


def test_the_company_law_catches_a_batch_wide_range(monkeypatch):
    monkeypatch.setitem(NORMALISATIONS, "range", normalise_batch_range)
    with pytest.raises(AssertionError):
        test_an_image_alone_answers_as_in_company.hypothesis.inner_test("range", side=9, seed=0)


def some_scores(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 5 + 3 * torch.randn(4, 1, 6, 7, generator=generator, dtype=torch.float64)


@given(seeds)
@settings(deadline=None)
def test_what_each_normalisation_promises(seed):
    score = some_scores(seed)
    alpha = {name: normalise(score) for name, normalise in NORMALISATIONS.items()}
    image, one, zero = (1, 2, 3), torch.ones(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    assert torch.equal(alpha["range"].amin(image), zero)
    assert torch.equal(alpha["range"].amax(image), one)
    assert (float(alpha["batch-range"].min()), float(alpha["batch-range"].max())) == (0, 1)
    assert_close(alpha["softmax"].sum(image), one)
    assert float(alpha["softmax"].min()) > 0
    assert_close(alpha["std-mean"].mean(image), zero, rtol=0, atol=1e-12)
    assert_close(alpha["std-mean"].std(image, correction=0), one)
    assert_close(alpha["sigmoid"].logit(), score, rtol=1e-6, atol=1e-6)
    assert_close(alpha["tanh"], 2 * torch.sigmoid(2 * score) - 1)
    assert torch.equal(alpha["anchored"].amax(image), one)
    assert_close(alpha["anchored"], score.abs() / score.abs().amax(image, keepdim=True))
    for name in set(PER_IMAGE) - {"anchored"}:  # no other normalisation changes which pixel is attended to more
        order = score.flatten(1).argsort(1)
        assert (alpha[name].flatten(1).gather(1, order).diff(dim=1) >= 0).all()


@pytest.mark.parametrize(("name", "value"), [("range", 1.0), ("batch-range", 1.0), ("std-mean", 0.0)])
@pytest.mark.parametrize("level", [0.0, 1.0, -7.0, 1e-30])
def test_a_flat_score_has_a_map_of_one_value(name, value, level):
    flat = torch.full((2, 1, 5, 5), level, requires_grad=True)
    alpha = NORMALISATIONS[name](flat)
    assert torch.equal(alpha, torch.full_like(alpha, value))
    assert torch.equal(torch.autograd.grad(alpha.sum(), flat)[0], torch.zeros_like(flat))  # not "not a number" either


def test_rounding_on_a_flat_score_is_not_stretched():
    rounding = 3 + 1e-6 * torch.rand(1, 1, 5, 5)
    assert torch.equal(normalise_range(rounding), torch.ones_like(rounding))


def test_a_flat_image_leaves_its_neighbours_alone():
    scores = some_scores(0)
    with_flat = torch.cat([scores, torch.ones_like(scores[:1])])
    assert torch.equal(normalise_range(with_flat)[:-1], normalise_range(scores))


def test_the_map_is_float32_under_bf16_autocast():
    gate, features, context = a_case("range", 12, 12, seed=0)
    gate, features, context = gate.float(), features.float(), context.float()
    exact = gate(features, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        alpha = gate(features.bfloat16(), context.bfloat16())
        total = attend(features.bfloat16(), alpha)
    assert alpha.dtype == total.dtype == torch.float32
    assert len(alpha.unique()) > len(alpha.bfloat16().unique())  # finer than bf16 can say
    assert_close(alpha, exact, rtol=0, atol=0.05)
    assert_close(total, attend(features.bfloat16().float(), alpha), rtol=0, atol=0)


def test_attending_is_the_sum_over_pixels_of_map_times_features():
    _, features, _ = a_case("range", 5, 6, seed=0)
    alpha = torch.rand(3, 1, 5, 6, dtype=torch.float64)
    assert_close(attend(features, alpha), (features * alpha).sum(PIXELS), rtol=1e-12, atol=1e-12)


def test_backward_inside_an_autocast_gives_the_same_gradients():
    gradients = []
    for inside in (True, False):
        torch.manual_seed(0)
        gate, features, context = AttentionGate(3, 5), torch.randn(2, 3, 12, 12), torch.randn(2, 5, 3, 3)
        with torch.autocast("cpu", torch.bfloat16):
            loss = gate(features, context).square().sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        gradients.append(gate.to_score.weight.grad)
    torch.testing.assert_close(*gradients)
