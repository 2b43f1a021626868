"""The compiled form is the dense form: answers and gradients, on every kind of processor, alone or in company, with empty sky left out."""

import gc
import mmap
import threading
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from equiradio.errors import SettingRefusal
from equiradio.layers.convolution import SteerableConvolution
from equiradio.layers.forms import EmptySky, native
from equiradio.layers.forms.native import library
from equiradio.layers.forms.native.panels import Product
from equiradio.layers.forms.native.plan import SIZE, Layout, adjoint
from equiradio.symmetry import BUILT, Cyclic, Dihedral, parse_group

pytestmark = pytest.mark.skipif(library.best() is None, reason="the kernels were not compiled here")

by_group = pytest.mark.parametrize("name", BUILT)


def a_layer(name="D4", fields_in=6, fields_out=16, dtype=torch.float64) -> SteerableConvolution:
    torch.manual_seed(1)
    return SteerableConvolution(fields_in, fields_out, parse_group(name)).to(dtype)


def some_fields(layer, height=13, width=17, batch=2) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(batch, layer.fields_in, layer.group.order, height, width, dtype=layer.weight.dtype, requires_grad=True)


def answer_and_gradients(layer, fields, form):
    layer.take(form)
    answer = layer(fields)
    return answer, *torch.autograd.grad(answer, (fields, layer.weight), torch.cos(answer.detach()))


@by_group
@pytest.mark.parametrize("sides", [(6, 16), (3, 5), (17, 32)], ids=str)
def test_answers_and_gradients_are_those_of_the_dense_form(variant, name, sides):
    layer = a_layer(name, *sides)
    fields = some_fields(layer)
    for ours, dense in zip(answer_and_gradients(layer, fields, "native"), answer_and_gradients(layer, fields, "dense"), strict=True):
        assert_close(ours, dense, rtol=0, atol=1e-12 * float(dense.detach().abs().max()))


@pytest.mark.parametrize("name", ["C6", "C5", "D3"])
def test_groups_that_have_no_name_are_computed_too(variant, name):
    group = Cyclic(int(name[1:])) if name[0] == "C" else Dihedral(int(name[1:]))
    layer = SteerableConvolution(4, 7, group).double()
    fields = some_fields(layer)
    for ours, dense in zip(answer_and_gradients(layer, fields, "native"), answer_and_gradients(layer, fields, "dense"), strict=True):
        assert_close(ours, dense, rtol=0, atol=1e-12 * float(dense.detach().abs().max()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("fields", range(1, 10))
def test_any_number_of_fields_in_a_vector(variant, fields, dtype):
    layer = a_layer("C4", fields, 10 - fields, dtype)
    given, scale = some_fields(layer), 1e-12 if dtype == torch.float64 else 1e-5
    for ours, dense in zip(answer_and_gradients(layer, given, "native"), answer_and_gradients(layer, given, "dense"), strict=True):
        assert_close(ours, dense, rtol=0, atol=scale * float(dense.detach().abs().max()))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (4, 2), (40, 150)], ids=str)
def test_images_of_any_size(variant, size):
    layer = a_layer("C4", 3, 4)
    fields = some_fields(layer, *size, batch=1)
    for ours, dense in zip(answer_and_gradients(layer, fields, "native"), answer_and_gradients(layer, fields, "dense"), strict=True):
        assert_close(ours, dense, rtol=0, atol=1e-12 * float(dense.detach().abs().max()))


def test_float32_has_the_digits_of_the_dense_form(variant):
    layer, exact = a_layer("D8", 16, 16, torch.float32), a_layer("D8", 16, 16)
    exact.load_state_dict(layer.state_dict())
    fields = some_fields(layer)
    fields = fields.detach()
    right = exact(fields.double()).detach()
    error = {}
    for form in ("native", "dense"):
        layer.take(form)
        error[form] = float((layer(fields).detach() - right).norm() / right.norm())
    assert error["native"] < 2 * error["dense"]


@torch.no_grad()
def test_an_image_alone_answers_as_in_company_bit_for_bit(variant):
    layer = a_layer("C8", 16, 16, torch.float32).eval()
    layer.take("native")
    fields = some_fields(layer, 40, 33, batch=5)
    together = layer(fields)
    for number in range(5):
        assert torch.equal(layer(fields[number : number + 1]), together[number : number + 1])


@torch.no_grad()
def test_threads_change_no_bit(variant):
    layer = a_layer("D4", 6, 16, torch.float32).eval()
    layer.take("native")
    fields, threads = some_fields(layer, 60, 60, batch=1), torch.get_num_threads()
    answers = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            answers.append(layer(fields))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


def test_threads_change_no_bit_of_a_gradient(variant):
    layer, threads = a_layer("C4", 6, 6, torch.float32), torch.get_num_threads()
    fields, gradients = some_fields(layer, 20, 20, batch=5), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            gradients.append(answer_and_gradients(layer, fields, "native"))
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(gradients[0] * 2, gradients[1] + gradients[2], strict=True):
        assert torch.equal(one, other)


def a_sky_with_islands(layer, batch=3):
    """Fields of an empty sky that is nowhere the same, and of images that differ from it in a few pixels, one at a corner."""
    torch.manual_seed(3)
    empty = torch.randn(1, 41, 37, layer.group.order, layer.fields_in, dtype=layer.weight.dtype)
    images = empty.repeat(batch, 1, 1, 1, 1)
    for number, (row, column) in enumerate([(0, 0), (20, 30), (40, 36)][:batch]):
        images[number, row, column] += 1
    return empty, images.permute(0, 4, 3, 1, 2)


@torch.no_grad()
def check_empty_sky(layer, shown):
    empty, images = a_sky_with_islands(layer)
    layer.empty_sky = None
    everywhere = layer(images)
    layer.empty_sky = EmptySky(shown(empty))
    assert torch.equal(layer(images), everywhere)


@by_group
def test_leaving_out_empty_sky_changes_no_bit(variant, name):
    layer = a_layer(name, 6, 5, torch.float32).eval()
    layer.take("native")
    check_empty_sky(layer, shown=lambda empty: empty)


def test_an_empty_sky_of_another_network_changes_no_bit_either(variant):
    layer = a_layer("C4", 6, 5, torch.float32).eval()
    layer.take("native")
    check_empty_sky(layer, shown=lambda empty: empty + 1)
    check_empty_sky(layer, shown=lambda empty: empty[:, :5])


@torch.no_grad()
def test_new_weights_are_not_answered_for_by_old_ones(variant):
    layer = a_layer("C4", 6, 5, torch.float32).eval()
    layer.take("native")
    empty, images = a_sky_with_islands(layer)
    layer.empty_sky = EmptySky(empty)
    before = layer(images)
    layer.weight.mul_(2)
    after = layer(images)
    layer.empty_sky = None
    assert torch.equal(layer(images), after)
    assert not torch.equal(before, after)


def test_the_law_of_empty_sky_catches_a_wrong_answer(monkeypatch):
    monkeypatch.setattr(EmptySky, "answer", lambda sky, prepared, finish, compute: compute(sky.fields) + 1)
    layer = a_layer("C4", 6, 5, torch.float32).eval()
    layer.take("native")
    with pytest.raises(AssertionError):
        check_empty_sky(layer, shown=lambda empty: empty)


@torch.no_grad()
def test_only_pixels_that_see_a_difference_are_computed(monkeypatch):
    """A fill of nan in place of the empty sky's answer shows which pixels were copied."""
    monkeypatch.setattr(EmptySky, "answer", lambda sky, prepared, finish, compute: torch.full_like(compute(sky.fields), torch.nan))
    layer = a_layer("C4", 6, 5, torch.float32).eval()
    layer.take("native")
    empty, images = a_sky_with_islands(layer)
    layer.empty_sky = EmptySky(empty)
    computed = layer(images)[:, 0, 0].isfinite()
    assert computed.sum((1, 2)).tolist() == [9, 25, 9]


@by_group
def test_the_adjoint_layer_has_the_turned_filters(name):
    layer = a_layer(name, 3, 4)
    back = SteerableConvolution(4, 3, layer.group).double()
    back.weight = torch.nn.Parameter(adjoint(layer.weight.detach(), layer.group, SIZE))
    filters = layer.filters().detach()
    assert_close(back.filters().detach(), filters.flip(2, 3).transpose(0, 1), rtol=0, atol=1e-12)


def test_packed_weights_have_no_column_and_no_row_that_is_always_empty():
    layer = a_layer("D8", 16, 16)
    layout = Layout(layer.shape, Product(16))
    halves = [len(layout.halves(block)) for block in range(layout.blocks)]
    assert halves == [1, 1, 2, 2, 2, 2, 2, 2, 1, 1]
    lone = 4 * 3  # blocks of the lowest and highest frequency: of three planes without a direction one part is always 0
    assert len(layout.packed(layer.weight)) == sum(halves) * 16 * layout.depth - lone * 16 * 16


@by_group
def test_every_number_of_the_bank_has_one_place(name):
    layout = Layout(a_layer(name, 3, 5).shape, Product(8))
    places = [(block, place) for line in layout.moves() for _, block, place in line]
    assert len(places) == len(set(places))
    assert len(layout.packed(a_layer(name, 3, 5).weight)) == sum(8 * 3 * len(layout.halves(block)) for block, _ in places)


def test_a_plan_outlives_the_garbage_collector():
    layer = a_layer("C4", 3, 4)
    layer.take("native")
    fields = some_fields(layer)
    before = layer(fields)
    gc.collect()
    assert torch.equal(layer(fields), before)


def test_without_kernels_the_form_is_not_possible(monkeypatch):
    monkeypatch.setattr(library, "best", lambda: None)
    layer = a_layer("C4")
    assert not native.FORM.possible(layer.shape, "cpu", "float32")


@pytest.mark.parametrize(("device", "precision", "size"), [("cuda", "float32", 5), ("cuda", "bf16", 5), ("cpu", "float32", 7)])
def test_what_it_does_not_take(device, precision, size):
    shape = SteerableConvolution(3, 4, Cyclic(4), size).shape
    assert not native.FORM.possible(shape, device, precision)
    assert native.FORM.possible(shape._replace(size=5), "cpu", "float32")


def test_numbers_that_there_are_no_kernels_for_are_refused(variant):
    layer = a_layer("C4", 3, 4, torch.float32).eval()
    layer.take("native")
    fields = some_fields(layer).detach()
    with (
        pytest.raises(SettingRefusal, match=r"form: native for float16 on cpu; expected .* Take another form \(`take`\), or"),
        torch.no_grad(),
    ):
        layer.half()(fields.half())
    layer.float()
    with pytest.raises(SettingRefusal, match=r"form: native for float32 on meta; expected"):
        native.FORM.apply(layer, fields.to("meta"), layer.prepared())  # where nothing lies in this machine's memory


@pytest.mark.filterwarnings("ignore:.*jit.trace:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_of_it_is_refused(variant):
    """It would hold the numbers of the images that it was made with."""
    layer = a_layer("C4", 3, 4, torch.float32).eval()
    layer.take("native")
    with pytest.raises(SettingRefusal, match=r"form: native in a trace; expected images to compute, .* `export` gives"), torch.no_grad():
        torch.jit.trace(layer, some_fields(layer).detach())


def test_a_second_derivative_is_refused_and_no_part_of_it_is_dropped():
    layer = a_layer("C4", 2, 2)
    layer.take("native")
    fields = some_fields(layer)
    (slope,) = torch.autograd.grad(layer(fields).square().sum(), fields, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        (slope.square().sum() + layer.weight.square().sum()).backward()


@pytest.mark.parametrize("size", [(0, 5), (0, 0)], ids=str)
def test_an_image_without_rows_has_an_answer_without_rows(size):
    layer = a_layer("C4", 3, 4).eval()
    layer.take("native")
    with torch.no_grad():
        assert layer(torch.zeros(2, 3, 4, *size, dtype=torch.float64)).shape == (2, 4, 4, *size)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not say how much memory there is")
def test_threads_that_end_leave_no_memory_behind(variant):
    layer = a_layer("D8", 16, 16, torch.float32).eval()
    layer.take("native")
    fields = some_fields(layer, 40, 40, batch=1).detach()

    def ask():
        with torch.inference_mode():
            layer(fields)

    def mib_after(threads):
        for _ in range(threads):
            (thread := threading.Thread(target=ask)).start()
            thread.join()
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / (1 << 20)

    before = mib_after(5)
    assert mib_after(40) - before < 20  # more than a MiB for each thread, where it stays
