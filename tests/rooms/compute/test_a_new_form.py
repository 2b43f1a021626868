"""A form is one new file: it is timed, chosen, kept, counted and set by its name without an edit, and refused where it cannot be."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from equiradio.artefacts import form_choices as records
from equiradio.artefacts.form_choices import Choice, machine_file, read_choices, write_choices
from equiradio.bench.counting import count_layers
from equiradio.compute import form_timing
from equiradio.compute.form_timing import by_rule, steerable_layers
from equiradio.compute.forms import settle_forms, take_likely_forms
from equiradio.compute.machine import machine
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.layers import SteerableConvolution, forms
from equiradio.layers.forms import all_forms, find_form
from equiradio.models import build
from equiradio.settings import change, preset
from equiradio.symmetry import Cyclic
from equiradio.training.fit import train

TOY = '''
"""Half of the dense filter, and its answer twice."""

from equiradio.layers.forms.dense import Dense


class Toy(Dense):
    name, limits = "toy", "groups of 8 elements or more"

    def possible(self, shape, device, precision):
        return shape.group.order >= 8

    def likely(self, shape, device, precision):
        return 9

    def multiply_adds(self, shape, pixels):
        return 7

    def prepare(self, layer):
        return layer.filters() / 2

    def apply(self, layer, fields, prepared):
        return 2 * super().apply(layer, fields, prepared)


FORM = Toy()
'''
USUAL = ["dense", "fourier", "winograd"]
pytestmark = pytest.mark.usefixtures("no_kernels")
ASKED = {"batch": 2, "precision": "float32", "training": True}


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Iterator[None]:
    """A file ``toy.py`` in a folder of the package of forms."""
    folder = tmp_path / "more forms"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    monkeypatch.setattr(forms, "__path__", [*forms.__path__, str(folder)])
    yield
    sys.modules.pop("equiradio.layers.forms.toy", None)


@pytest.fixture
def clock(monkeypatch, tmp_path) -> list[str]:
    """Every form is timed, and the later in the alphabet the slower, but for toy; what was timed, in order."""
    timed: list[str] = []

    def seconds(call, device):
        (layer,) = (cell.cell_contents for cell in call.__closure__ if isinstance(cell.cell_contents, SteerableConvolution))
        call()
        timed.append(layer.form.name)
        return {"dense": 2.0, "fourier": 3.0, "toy": 1.0, "winograd": 4.0}[layer.form.name]

    monkeypatch.setattr(form_timing, "_seconds", seconds)
    monkeypatch.setattr(records, "user_cache", lambda: tmp_path / "cache")
    return timed


def names(network: torch.nn.Module) -> list[str]:
    return [layer.form.name for layer in steerable_layers(network).values()]


def test_it_is_among_the_forms_while_its_file_is_there(toy, monkeypatch):
    assert list(all_forms()) == ["dense", "fourier", "native", "toy", "winograd"]
    monkeypatch.undo()
    assert list(all_forms()) == ["dense", "fourier", "native", "winograd"]


def test_it_is_timed_chosen_and_kept(toy, clock, tmp_path):
    net = build("c8-lenet")
    settle_forms(net, tmp_path / "forms.json", **ASKED)
    assert clock == ["dense", "fourier", "toy", "winograd"]
    assert names(net) == ["toy"]
    (kept,) = json.loads((tmp_path / "forms.json").read_text()).values()
    assert kept == {"form": "toy", "milliseconds": {"dense": 2000.0, "fourier": 3000.0, "toy": 1000.0, "winograd": 4000.0}}


def test_what_a_machine_timed_without_it_is_timed_again_and_a_run_keeps_its_own(clock, tmp_path, request):
    settle_forms(build("c8-lenet"), tmp_path / "forms.json", **ASKED)
    assert clock == USUAL
    settle_forms(build("c8-lenet"), tmp_path / "another.json", **ASKED)
    assert clock == USUAL
    request.getfixturevalue("toy")
    net = build("c8-lenet")
    settle_forms(net, tmp_path / "forms.json", **ASKED)
    assert names(net) == ["dense"]
    assert clock == USUAL
    settle_forms(net, tmp_path / "new.json", **ASKED)
    assert names(net) == ["toy"]
    assert clock == [*USUAL, "dense", "fourier", "toy", "winograd"]
    (choice,) = read_choices(machine_file(machine("cpu"))).values()
    assert choice.form == "toy"


def test_a_form_that_has_gone_is_timed_without_and_refused_in_a_run(clock, tmp_path):
    case = "C8 6->16 5x5 at 75x75, 2 images, float32, cpu, training"
    gone = {case: Choice(case, "toy", dict.fromkeys([*USUAL, "toy"], 1.0))}
    write_choices(machine_file(machine("cpu")), gone)
    net = build("c8-lenet")
    settle_forms(net, tmp_path / "forms.json", **ASKED)
    assert names(net) == ["dense"]
    write_choices(tmp_path / "forms.json", gone)
    with pytest.raises(
        RunRefusal, match=f"form 'toy' for {case}; expected one of dense, fourier, native, winograd. Delete it to measure again."
    ):
        settle_forms(net, tmp_path / "forms.json", **ASKED)


def test_it_is_set_by_its_name_and_computes(toy):
    layer = SteerableConvolution(2, 3, Cyclic(8)).eval()
    fields = torch.randn(1, 2, 8, 9, 9)
    with torch.no_grad():
        dense = layer(fields)
        layer.take("toy")
        assert_close(layer(fields), dense)
        assert_close(layer.prepared(), layer.filters() / 2)
    assert layer.form is find_form("toy")
    net = build("c8-lenet")
    take_likely_forms(net, "toy")
    assert names(net) == ["toy"]


def test_the_rule_and_the_count_ask_it(toy):
    net = build("c8-lenet")
    assert by_rule(net) == {"second": "toy"}
    assert by_rule(build("c4-lenet")) == {"second": "dense"}
    count = count_layers(net)["second"]
    assert list(count.forms) == ["dense", "fourier", "toy", "winograd"]
    assert count.least("bf16") == 7


def test_it_is_refused_where_it_is_impossible(toy, tiny, tmp_path):
    line = "toy for C4 6->16 5x5 in float32 on cpu; expected groups of 8 elements or more. Take auto, or one of dense, fourier, winograd."
    layer = SteerableConvolution(6, 16, Cyclic(4))
    with pytest.raises(SettingRefusal) as caught:
        layer.take("toy")
    assert str(caught.value) == f"form: {line}"
    assert layer.form is find_form("dense")
    out = tmp_path / "run"
    with pytest.raises(SettingRefusal) as caught:
        train(tiny("c4-lenet", layer_form="toy"), out, device="cpu")
    assert str(caught.value) == f"training.layer_form: {line}"
    assert not out.exists()


def test_a_run_trains_with_it_and_is_read_again(toy, tiny, tmp_path):
    run = train(tiny("c8-lenet", epochs=1, layer_form="toy"), tmp_path / "run", device="cpu")
    assert run.settings().training.layer_form == "toy"
    assert not run.forms_file.exists()


def test_an_unknown_one_is_refused_before_anything_is_written(tiny, tmp_path):
    settings = change(preset("quick"), {"layer_form": "fourrier", "data.name": "no such data"})
    out: Path = tmp_path / "run"
    with pytest.raises(SettingRefusal) as caught:
        train(settings, out, device="cpu")
    assert str(caught.value) == (
        "training.layer_form: 'fourrier' is not a form; expected auto, dense, fourier, native, winograd. Did you mean fourier?"
    )
    assert list(tmp_path.iterdir()) == []


def test_one_of_another_package_comes_by_its_entry_point(tmp_path, monkeypatch):
    about = tmp_path / "stars-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stars\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[equiradio.layers.forms]\ntoy = stars_form\n")
    (tmp_path / "stars_form.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    forms._all_forms.cache_clear()
    try:
        assert find_form("toy").limits == "groups of 8 elements or more"
    finally:
        forms._all_forms.cache_clear()
        sys.modules.pop("stars_form", None)
