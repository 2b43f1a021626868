"""Attention at the scale of the image: on the input's pixels, averaged over gates, and free quarter turns that are as good as paid ones."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from equiradio.datasets.registry import open_data
from equiradio.explain import attention
from equiradio.explain.attention import exact_quarter_turns, maps, rotation_means
from equiradio.inference.gate_maps import combined_map, gate_maps
from equiradio.inference.team import load
from equiradio.models.registry import build


def a_spot(side, row, column):
    gate = torch.zeros(1, 1, side, side)
    gate[0, 0, row, column] = 1
    return gate


def centre_of(plane):
    weights = plane.numpy() / plane.sum().item()
    rows, columns = np.indices(weights.shape)
    return (rows * weights).sum(), (columns * weights).sum()


@given(st.sampled_from([1, 2, 4]), st.integers(3, 34), st.integers(3, 34))
def test_a_spot_lies_on_the_pixels_it_came_from(step, row, column):
    """Pixel k of a gate `step` times coarser covers pixels step k ... step k + step - 1 of the padded sky, whose edge is one pixel."""
    deepest = a_spot(38, 20, 20)
    gates = [torch.zeros(1, 1, 152, 152), torch.zeros(1, 1, 76, 76), deepest]
    place = {1: 0, 2: 1, 4: 2}[step]
    gates[place] = a_spot(152 // step, row, column)
    planes = gate_maps(gates)
    assert planes.shape == (1, 3, 150, 150)
    expected = [step * k + (step - 1) / 2 - 1 for k in (row, column)]
    np.testing.assert_allclose(centre_of(planes[0, place]), expected, atol=1e-4)


def test_the_place_law_catches_a_map_that_is_not_cropped(monkeypatch):
    monkeypatch.setattr(gate_maps, "__defaults__", (152,))
    with pytest.raises(AssertionError):
        test_a_spot_lies_on_the_pixels_it_came_from.hypothesis.inner_test(step=1, row=5, column=9)


@pytest.mark.parametrize("side", [150, 152])
@pytest.mark.parametrize("gates", [1, 2, 3])
def test_every_network_gives_maps_of_the_image_s_size(side, gates):
    network = build("attention", gates=gates, side=side).eval()
    with torch.inference_mode():
        output = network(torch.rand(2, 1, 150, 150))
    assert gate_maps(output.attention).shape == (2, gates, 150, 150)
    assert combined_map(gate_maps(output.attention), network.anchored).shape == (2, 150, 150)


def test_the_finest_gate_is_only_cropped():
    gate = torch.rand(2, 1, 152, 152)
    assert torch.equal(gate_maps([gate])[:, 0], gate[:, 0, 1:-1, 1:-1])


@given(st.integers(0, 3))
def test_maps_turn_with_their_gates(turns):
    gates = [torch.rand(1, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(side)) for side in (152, 76, 38)]
    turned = [torch.rot90(gate, turns, (-2, -1)) for gate in gates]
    for anchored in (False, True):
        whole, moved = (combined_map(gate_maps(each), anchored) for each in (gates, turned))
        assert_close(moved, torch.rot90(whole, turns, (-2, -1)), rtol=0, atol=1e-12)


def test_the_combined_map_is_the_mean_over_gates():
    gates = [torch.full((1, 1, side, side), value) for side, value in ((152, 0.0), (76, 0.3), (38, 0.9))]
    assert_close(combined_map(gate_maps(gates), anchored=False), torch.full((1, 150, 150), 0.4))


@pytest.fixture(scope="module")
def sources(sky):
    return open_data(str(sky)).of_split("test")


def test_maps_come_in_the_order_of_their_images(trained, sources):
    member = load(trained("c4-attention"), "cpu").members[0]
    whole = maps(member, sources.images, batch=4)
    assert (whole.shape, whole.dtype) == ((6, 150, 150), np.float32)
    np.testing.assert_allclose(maps(member, sources.images[4:5])[0], whole[4], atol=1e-3)


@pytest.mark.parametrize(
    ("group", "side", "exact"),
    [
        ("C4", 152, True),
        ("D8", 152, True),
        ("C16", 152, True),
        ("C2", 152, False),
        ("D2", 152, False),
        ("C4", 150, False),
        (None, 152, False),
    ],
)
def test_only_groups_with_quarter_turns_on_the_padded_sky_are_exact(group, side, exact):
    from equiradio.symmetry.groups import parse_group

    stand_in = SimpleNamespace(group=group and parse_group(group), network=SimpleNamespace(anchored=False, side=side, gate_count=3))
    assert exact_quarter_turns(stand_in) == exact
    stand_in.network.gate_count = 0  # a LeNet has no maps, and poolings that do not halve evenly
    assert not exact_quarter_turns(stand_in)


class Mirror:
    """A stand-in whose attention is the image itself, so that means are known."""

    group = None
    network = SimpleNamespace(anchored=False, side=150, gate_count=3)

    @staticmethod
    def look(images, poses=None, *, raw=False):
        from equiradio.compute.poses import show

        return SimpleNamespace(attention=[show(torch.from_numpy(images), poses.matrices())])


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 1, 0], [0] * 6, [1] * 6])
def test_class_means_are_means_over_sources_and_rotations(sources, labels):
    labels = np.array(labels)
    mean_maps, mean_images, of_sources = rotation_means(Mirror, sources.images, labels, batch=2)
    assert of_sources.shape == (6, 50, 50)
    np.testing.assert_allclose(mean_maps, mean_images, atol=1e-3)
    disc = np.hypot(*(np.indices((150, 150)) - 74.5)) < 60
    for label in (0, 1):
        of_class = sources.images[labels == label]
        total = of_class[:, disc].sum() / max(len(of_class), 1)
        assert mean_images[label][disc].sum() == pytest.approx(total, rel=0.05, abs=1e-6)
        if len(of_class):
            squares = mean_maps[label].reshape(50, 3, 50, 3).mean(axis=(1, 3))
            np.testing.assert_allclose(of_sources[labels == label].mean(axis=0), squares, rtol=1e-4, atol=1e-3)
        quarter = np.rot90(mean_images[label])
        np.testing.assert_allclose(quarter, mean_images[label], atol=0.05)


def test_means_of_four_classes_are_those_of_each_alone(sources):
    labels = np.array([3, 1, 1, 0, 3, 3])
    mean_maps, *_ = rotation_means(Mirror, sources.images, labels, 4)
    assert mean_maps.shape == (4, 150, 150)
    assert not mean_maps[2].any()
    alone, *_ = rotation_means(Mirror, sources.images[labels == 3], np.zeros(3, int), 1)
    np.testing.assert_allclose(mean_maps[3], alone[0], rtol=1e-6)


@pytest.mark.parametrize(("exact", "asked"), [(True, 9), (False, 36)])
def test_exact_networks_are_asked_nine_times_for_thirty_six_rotations(sources, monkeypatch, exact, asked):
    monkeypatch.setattr(attention, "exact_quarter_turns", lambda member: exact)
    steps = []
    rotation_means(Mirror, sources.images, sources.labels, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (6 * asked, 6 * asked)


def saved_and_paid_for(member, sources, monkeypatch):
    """Means over 4 rotations, once with quarter turns for free and once without."""
    monkeypatch.setattr(attention, "ANGLES", 4)
    both = []
    for exact in (True, False):
        monkeypatch.setattr(attention, "exact_quarter_turns", lambda member, exact=exact: exact)
        both.append(rotation_means(member, sources.images[:2], sources.labels[:2]))
    return both


def test_free_quarter_turns_are_as_good_as_paid_ones(trained, sources, monkeypatch):
    saved, paid = saved_and_paid_for(load(trained("c4-attention"), "cpu").members[0], sources, monkeypatch)
    np.testing.assert_allclose(saved[0], paid[0], rtol=0, atol=1e-3)
    np.testing.assert_allclose(saved[1], paid[1], rtol=0, atol=0.01)
    np.testing.assert_allclose(saved[2], paid[2], rtol=0, atol=1e-3)


def test_they_would_be_wrong_for_a_plain_network(trained, sources, monkeypatch):
    saved, paid = saved_and_paid_for(load(trained("attention"), "cpu").members[0], sources, monkeypatch)
    assert abs(saved[0] - paid[0]).max() > 1e-3


@pytest.mark.parametrize(("side", "padded"), [(88, 88), (86, 88)])
def test_maps_of_smaller_images_have_their_size(side, padded):
    gates = [torch.rand(2, 1, padded // 2**level, padded // 2**level) for level in range(3)]
    planes = gate_maps(gates, side)
    assert planes.shape == (2, 3, side, side)
    edge = (padded - side) // 2
    assert torch.equal(planes[:, :1], gates[0][..., edge : edge + side, edge : edge + side])
