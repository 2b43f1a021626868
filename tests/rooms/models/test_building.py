"""Models by name: what is built, how many weights it has, what is refused."""

import pytest
import torch

from equiradio.errors import ModelRefusal
from equiradio.models import MODELS, TABLE1, GatedNet, build, group_of
from equiradio.models.names import WIDTHS
from equiradio.settings import ModelSettings
from equiradio.symmetry import BUILT, parse_group

TABLE1_TEXT = "lenet, attention, c4-attention, c8-attention, c16-attention, d4-attention, d8-attention, d16-attention"
WEIGHTS = {  # the published networks', less the bias that their gates' normalisation cancels
    "lenet": 2_641_506,
    "attention": 251_684,
    "c4-attention": 429_606,
    "c8-attention": 842_502,
    "d4-attention": 842_502,
    "c16-attention": 1_668_294,
    "d8-attention": 1_668_294,
    "d16-attention": 3_319_878,
}


def weights(name: str) -> int:
    return sum(parameter.numel() for parameter in build(name).parameters())


def test_the_names_are_those_of_the_design():
    assert ", ".join(TABLE1) == TABLE1_TEXT
    lower = [name.lower() for name in BUILT]
    kinds = ("attention", "attention-anchored", "attention-clean", "attention-narrow", "lenet")
    assert set(MODELS) == {"lenet", "attention", "attention-anchored", "attention-wide"} | {
        f"{name}-{kind}" for name in lower for kind in kinds
    }


@pytest.mark.parametrize("name", TABLE1)
def test_weights_are_as_many_as_the_paper_s(name):
    assert weights(name) == WEIGHTS[name]


def test_the_plain_network_has_its_biases():
    biases = [value.numel() for name, value in build("attention").named_parameters() if "convolutions" in name and name.endswith("bias")]
    assert sum(biases) == 290


@pytest.mark.parametrize("name", [name for name in MODELS if name not in TABLE1])
def test_all_other_names_build(name):
    assert weights(name) > 10_000


def test_the_wide_control_has_the_channels_of_c4():
    wide, c4 = build("attention-wide"), build("c4-attention")
    assert isinstance(wide, GatedNet)
    assert wide.group is None
    channels = [tuple(layer.weight.shape[:2]) for block in wide.blocks for layer in block.convolutions]
    assert channels == [tuple(layer.filters().shape[:2]) for block in c4.blocks for layer in block.convolutions]
    assert channels[-1] == (4 * WIDTHS[-1], 4 * WIDTHS[-1])


@pytest.mark.parametrize("downsampling", ["max", "antialiased"])
def test_clean_models_are_antialiased_whatever_the_settings_say(downsampling):
    clean, usual = build("d4-attention-clean", downsampling=downsampling), build("d4-attention", downsampling=downsampling)
    assert (clean.settings.downsampling, usual.settings.downsampling) == ("antialiased", downsampling)
    assert [value.shape for value in clean.state_dict().values()] == [value.shape for value in usual.state_dict().values()]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_knows_its_group(name):
    stem = name.partition("-")[0]
    group = group_of(name)
    assert group == (parse_group(stem) if stem.upper() in BUILT else None)
    assert (group is None) == (stem in ("lenet", "attention"))


def test_settings_reach_the_network():
    net = build("c4-attention", gates=2, kernel_size=3, dropout=0.25, normalisation="tanh")
    assert net.settings == ModelSettings(name="c4-attention", gates=2, kernel_size=3, dropout=0.25, normalisation="tanh")
    assert net.aggregate.dropout.p == 0.25
    assert [gate.normalisation for gate in net.gates] == ["tanh", "tanh"]
    same = build(ModelSettings(name="c4-attention", gates=1, kernel_size=3), gates=2, dropout=0.25, normalisation="tanh")
    assert same.settings == net.settings
    assert [module.p for module in build("c4-lenet", dropout=0.25).modules() if isinstance(module, torch.nn.Dropout)] == [0.25]
    assert build("c4-lenet", kernel_size=3).first.size == 3
    assert build("lenet", kernel_size=3, dropout=0.1).first.kernel_size == (3, 3)


def test_the_sky_is_padded_with_what_an_empty_pixel_becomes():
    assert build("attention").blank == pytest.approx(-0.0031 / 0.0350)
    assert build("attention", blank=-0.5).blank == -0.5


EXPECTED = f"expected {TABLE1_TEXT}, attention-wide."
GROUPS = "expected one of C1 C2 C4 C8 C16 D1 D2 D4 D8 D16."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c4-atention", f"model: 'c4-atention' is not a model; {EXPECTED} Did you mean c4-attention?"),
        ("LeNet", f"model: 'LeNet' is not a model; {EXPECTED} Did you mean lenet?"),
        ("d6-attention", f"group: D6 is not built here; {GROUPS} Nearest are D4 and D8."),
        ("d6-attention-clean", f"group: D6 is not built here; {GROUPS} Nearest are D4 and D8."),
        ("c3-lenet", f"group: C3 is not built here; {GROUPS} Nearest are C2 and C4."),
        ("xyz", f"model: 'xyz' is not a model; {EXPECTED} Choose one of these."),
        ("", f"model: '' is not a model; {EXPECTED} Choose one of these."),
    ],
)
@pytest.mark.parametrize("door", [build, group_of])
def test_other_names_are_refused_with_the_nearest(door, name, message):
    with pytest.raises(ModelRefusal) as refusal:
        door(name)
    assert str(refusal.value) == message


def test_a_size_without_a_basis_is_refused():
    with pytest.raises(ModelRefusal, match="kernel_size: 4 pixels; expected 3, 5, 7 or 9"):
        build("c4-attention", kernel_size=4)
