"""The compiled passes between steerable layers are torch's, on every kind of processor, alone or in company, on any number of threads."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from equiradio.layers.attention_gate import _Score, attend, interpolation
from equiradio.layers.convolution import LiftingConvolution
from equiradio.layers.fields import to_fields
from equiradio.layers.forms import EmptySky
from equiradio.layers.forms.native import library, passes
from equiradio.layers.pooling import both_pools, group_pool, max_pool
from equiradio.symmetry import parse_group

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")

EXACT = {"rtol": 0, "atol": 1e-12}
by_type = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    torch.manual_seed(5)
    return torch.randn(*shape, dtype=dtype)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("sides", [(1, 1), (3, 2), (21, 34)], ids=str)
@torch.no_grad()
def test_lifting_is_an_ordinary_convolution(variant, size, sides):
    for fields_in, channels in ((1, 24), (3, 5), (2, 130)):
        images, filters, finish = noise(2, fields_in, *sides), noise(channels, fields_in, size, size), noise(2, channels)
        right = F.conv2d(images, filters, padding=size // 2)
        ours = passes.lift(images.permute(0, 2, 3, 1).contiguous(), filters, None, None)
        assert_close(ours.permute(0, 3, 1, 2), right, **EXACT)
        ours = passes.lift(images.permute(0, 2, 3, 1).contiguous(), filters, finish, None)
        assert_close(ours.permute(0, 3, 1, 2), F.relu(right) * finish[0, :, None, None] + finish[1, :, None, None], **EXACT)


@torch.no_grad()
def check_lifting_over_empty_sky():
    """A sky that is nowhere the same, and images that differ from it in a corner, at an edge and inside: the same bits as without a sky."""
    layer, sky = LiftingConvolution(1, 6, parse_group("D4")).eval(), noise(1, 1, 40, 31, dtype=torch.float32)
    images = sky.repeat(3, 1, 1, 1)
    for number, (row, column) in enumerate([(0, 0), (20, 30), (17, 12)]):
        images[number, 0, row, column] += 1
    everywhere = layer(images)
    layer.empty_sky = EmptySky(sky.permute(0, 2, 3, 1).contiguous())
    assert torch.equal(layer(images), everywhere)


def test_lifting_over_an_empty_sky_changes_no_bit(variant):
    check_lifting_over_empty_sky()


@pytest.mark.parametrize("place", [0, 20], ids=["border", "inside"])
def test_the_law_catches_an_answer_that_is_wrong_at_the_border_or_inside(monkeypatch, place):
    def wrong(sky, prepared, finish, compute):
        answer = compute(sky.fields).clone()
        answer[:, place, -1] = 0
        return answer

    monkeypatch.setattr(EmptySky, "answer", wrong)
    with pytest.raises(AssertionError):
        check_lifting_over_empty_sky()


@by_type
@pytest.mark.parametrize(("order", "fields"), [(4, 6), (16, 6), (8, 16), (2, 33), (3, 1)])
def test_pooling_is_exact(variant, dtype, order, fields):
    maps = to_fields(noise(2, order * fields, 9, 11, dtype=dtype).contiguous(memory_format=torch.channels_last), order)
    maps[0, 0, 1, 2, 3] = torch.nan
    with torch.no_grad():
        assert_close(group_pool(maps), maps.amax(2), rtol=0, atol=0, equal_nan=True)
        pooled = torch.stack([F.max_pool2d(maps[:, :, g], 2) for g in range(order)], 2)
        assert_close(max_pool(maps), pooled, rtol=0, atol=0, equal_nan=True)


@by_type
def test_pooling_of_channels_and_of_other_layouts(variant, dtype):
    for layout in (torch.channels_last, torch.contiguous_format):
        channels = noise(2, 5, 8, 7, dtype=dtype).contiguous(memory_format=layout)
        assert torch.equal(max_pool(channels), F.max_pool2d(channels, 2))


@pytest.mark.parametrize("sides", [(1, 1), (1, 5), (5, 1), (2, 1)], ids=str)
def test_pooling_of_less_than_two_pixels_leaves_none(variant, sides):
    fields = noise(2, *sides, 4, 3).permute(0, 4, 3, 1, 2)
    assert max_pool(fields).shape == (2, 3, 4, sides[0] // 2, sides[1] // 2)


@pytest.mark.parametrize("pool", [lambda columns: passes.learning_group_pool(columns), lambda columns: passes.learning_pools(columns)[0]])
def test_a_second_derivative_of_pooling_is_refused(pool):
    columns = noise(1, 4, 4, 3, 2).requires_grad_()
    (slope,) = torch.autograd.grad(pool(columns).square().sum(), columns, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        (slope.sum() + columns.sum()).backward()


def test_a_second_derivative_of_a_score_is_refused():
    features, *others = a_gate(5, 8)
    features.requires_grad_()
    (slope,) = torch.autograd.grad(passes.learning_score(features, *others).square().sum(), features, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        (slope.sum() + features.sum()).backward()


def a_gate(context_side: int, hidden: int, features: int = 6, dtype: torch.dtype = torch.float64, batch: int = 2):
    matrices = [interpolation(context_side, side, dtype, torch.device("cpu")) for side in (40, 33)]
    maps = noise(batch, 40, 33, features, dtype=dtype), noise(batch, context_side, context_side, hidden, dtype=dtype)
    return *maps, noise(hidden, features, dtype=dtype), noise(hidden, dtype=dtype), *matrices


@pytest.mark.parametrize("context_side", [1, 2, 5, 19, 60])
@pytest.mark.parametrize("hidden", [64, 10, 1])
@torch.no_grad()
def test_a_score_is_the_one_of_torch(variant, context_side, hidden):
    given = a_gate(context_side, hidden)
    assert_close(passes.score(*given), _Score.apply(*given), rtol=0, atol=1e-11)


def check_a_difference_of_scores(dtype, hidden, context_side=19):
    """At pixels that show what an empty sky does nothing is looked at; at others both scores are those of their own, bit for bit."""
    features, *others = a_gate(context_side, hidden, dtype=dtype)
    empty = noise(1, 40, 33, 6, dtype=dtype) + 1
    dark = noise(2, 40, 33, 1) > -1
    features = torch.where(dark, empty, features)
    features[1, 7, 5] = empty[0, 7, 5]
    features[1, 7, 5, 3] += 1  # one feature of a pixel that differs
    score, difference = passes.apart(features, empty, *others)
    lit = (features != empty).any(-1)
    assert lit[1, 7, 5]
    assert torch.equal(score, passes.score(features, *others) * lit)
    assert torch.equal(difference, (passes.score(features, *others) - passes.score(empty.expand_as(features), *others)) * lit)
    assert difference.count_nonzero() > 100


@pytest.mark.parametrize("hidden", [64, 10, 1])
@by_type
@torch.no_grad()
def test_a_difference_of_scores_is_that_of_two(variant, dtype, hidden):
    check_a_difference_of_scores(dtype, hidden)


@torch.no_grad()
def test_the_law_catches_a_pixel_that_is_passed_over(monkeypatch):
    whole = passes.apart
    wrong = lambda features, empty, *others: [each * (features != empty).all(-1) for each in whole(features, empty, *others)]
    monkeypatch.setattr(passes, "apart", wrong)
    with pytest.raises(AssertionError):
        check_a_difference_of_scores(torch.float64, 10)


def check_gradients(ours, torchs, given: list[torch.Tensor]) -> None:
    """Two functions of the same numbers: what they answer, and gradients of a weighted sum of that."""
    every = []
    for compute in (ours, torchs):
        own = [numbers.detach().clone().requires_grad_() for numbers in given]
        answers = compute(*own)
        total = sum((each * torch.cos(torch.arange(each.numel(), dtype=each.dtype)).view(each.shape)).sum() for each in answers)
        every.append([*answers, *torch.autograd.grad(total, own)])
    for one, other in zip(*every, strict=True):
        assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("context_side", "hidden", "features"), [(19, 64, 6), (5, 10, 17), (1, 1, 1), (60, 64, 32)])
def test_gradients_of_a_score_are_those_of_torch(variant, context_side, hidden, features):
    *given, rows, columns = a_gate(context_side, hidden, features)
    few = (noise(2, 40, 33) > 0.5).double()  # pixels without a gradient are passed over
    check_gradients(
        lambda *own: [passes.learning_score(*own, rows, columns) * few], lambda *own: [_Score.apply(*own, rows, columns) * few], given
    )


def check_gradients_of_a_difference(hidden: int, features: int) -> None:
    """Also by the empty sky, and where an image shows it, at pixels with a gradient and without."""
    *given, rows, columns = a_gate(19, hidden, features)
    empty = given[0][:1].where(noise(1, 40, 33, 1) > 0, noise(1, 40, 33, features))
    few = (noise(2, 40, 33) > 0.5).double()
    by_torch = lambda maps, nothing, *own: [
        (_Score.apply(maps, *own, rows, columns) - _Score.apply(nothing.expand_as(maps), *own, rows, columns)) * few
    ]
    ours = lambda maps, nothing, *own: [passes.learning_apart(maps, nothing, *own, rows, columns)[1] * few]
    check_gradients(ours, by_torch, [given[0], empty, *given[1:]])


@pytest.mark.parametrize(("hidden", "features"), [(64, 6), (10, 17), (1, 1)])
def test_gradients_of_a_difference_are_those_of_two_scores(variant, hidden, features):
    check_gradients_of_a_difference(hidden, features)


def test_the_law_catches_an_empty_sky_that_learns_of_one_image(monkeypatch):
    usual = passes._slopes
    one = torch.tensor([1.0, 0.0])[:, None, None]
    first = lambda grad, features, *others: usual(grad if len(features) > 1 else grad * one, features, *others)
    monkeypatch.setattr(passes, "_slopes", first)
    with pytest.raises(AssertionError):
        check_gradients_of_a_difference(10, 6)


@pytest.mark.parametrize(("order", "fields"), [(4, 6), (2, 33), (16, 1)])
@pytest.mark.parametrize("sides", [(8, 10), (9, 7)], ids=str)
def test_gradients_of_pooling_are_those_of_torch_where_values_are_equal_too(variant, order, fields, sides):
    values = torch.randint(3, (2, fields, order, *sides), generator=torch.Generator().manual_seed(1)).double()
    check_pooling(values.permute(0, 3, 4, 2, 1).contiguous())


def check_pooling(maps: torch.Tensor) -> None:
    def seen(columns):
        return columns.permute(0, 4, 3, 1, 2)

    def by_torch(columns):
        return [seen(columns).amax(2), F.max_pool2d(seen(columns).flatten(1, 2), 2).unflatten(1, seen(columns).shape[1:3])]

    check_gradients(lambda columns: [*both_pools(seen(columns))], by_torch, [maps])
    check_gradients(lambda columns: [group_pool(seen(columns))], lambda columns: by_torch(columns)[:1], [maps])


def test_the_law_catches_pooled_gradients_that_are_lost(monkeypatch):
    usual = passes._pool_back
    monkeypatch.setattr(passes, "_pool_back", lambda images, largest, grad, *halved: usual(images, largest, grad))
    with pytest.raises(AssertionError):
        check_pooling(noise(2, 8, 10, 4, 6))


@torch.no_grad()
def test_attended_features_are_the_sum_over_pixels(variant):
    for channels in (1, 6, 40):
        features, attention = noise(2, channels, 13, 9).contiguous(memory_format=torch.channels_last), noise(2, 1, 13, 9)
        assert_close(attend(features, attention), (features * attention).sum((2, 3)), **EXACT)


def all_passes(batch: slice) -> list[torch.Tensor]:
    """The answers of every pass to some images of a batch, in float32."""
    images, filters = noise(4, 45, 22, 1, dtype=torch.float32)[batch], noise(24, 1, 5, 5, dtype=torch.float32)
    lifted = passes.lift(images, filters, None, None)
    features, context, *others = a_gate(19, 64, dtype=torch.float32, batch=4)
    score = passes.score(features[batch], context[batch], *others)
    pooled = passes.group_pool(lifted.unflatten(3, (4, 6)))
    empty = features[:1].roll(1, 2).where(features[:1] > 0, features[:1])
    apart = passes.apart(features[batch], empty, context[batch], *others)
    return [lifted, pooled, passes.max_pool(lifted), score, *apart, passes.attend(features[batch], score)]


def check_company_and_threads():
    threads, together = torch.get_num_threads(), all_passes(slice(None))
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            for number in range(4):
                for alone, whole in zip(all_passes(slice(number, number + 1)), together, strict=True):
                    assert torch.equal(alone[0], whole[number])
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def test_company_and_threads_change_no_bit(variant):
    check_company_and_threads()


@torch.no_grad()
def test_the_law_of_threads_catches_a_forgotten_row(monkeypatch):
    whole = passes.strips
    monkeypatch.setattr(
        passes, "strips", lambda images, height: [(i, low, high - (high < height)) for i, low, high in whole(images, height)]
    )
    monkeypatch.setattr(torch.Tensor, "new_empty", torch.Tensor.new_zeros)
    with pytest.raises(AssertionError):
        check_company_and_threads()


def test_what_the_kernels_do_not_take(monkeypatch):
    numbers = noise(3)
    assert passes.possible(numbers)
    assert not passes.possible(numbers.bfloat16())
    assert not passes.possible(numbers, numbers.float())
    assert not passes.possible(numbers.clone().requires_grad_())
    with torch.no_grad():
        assert passes.possible(numbers.clone().requires_grad_())
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: True)
    assert not passes.possible(numbers)


def test_nothing_is_possible_without_kernels(no_kernels):
    assert not passes.possible(noise(3))
