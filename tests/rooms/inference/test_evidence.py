"""Evidence by pixel adds up to the answer, and other maps in place of attention give what the network would say with them."""

import numpy as np
import pytest
import torch

from equiradio.errors import SettingRefusal
from equiradio.inference import evidence as room
from equiradio.inference.evidence import Evidence, Sum, evidence, joined, margins, on_sky, taken_apart
from equiradio.inference.team import Team, load
from equiradio.labels import Labels
from equiradio.models import build

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 150, 150)).astype(np.uint8)
FRII = np.ones(3, int)


def one(folder):
    (member,) = load(folder, "cpu").members
    return member


def log_odds(member, images=IMAGES) -> np.ndarray:
    """Of each class against the mean of the others, (count, classes)."""
    logits = member.look(images).logits.double().numpy()
    count = logits.shape[1]
    return (count * logits - logits.sum(1, keepdims=True)) / (count - 1)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize("aggregation", ["fine-tuned", "mean", "deep-supervision", "concat"])
@pytest.mark.parametrize("gates", [1, 3])
def test_the_pixels_add_up_to_the_margin(untrained, aggregation, gates, pooling):
    member = one(untrained("c4-attention", kernel_size=3, aggregation=aggregation, gates=gates, pooling=pooling))
    found = evidence(member, IMAGES, batch=2)
    assert [part.reading.shape == (3, 2, *part.attention.shape[2:]) for part in found.parts] == [True] * gates
    np.testing.assert_allclose(margins(found), log_odds(member), rtol=2e-4, atol=2e-5)
    logits = member.look(IMAGES).logits.double()
    np.testing.assert_allclose(margins(found)[:, 1], logits[:, 1] - logits[:, 0], rtol=2e-4, atol=2e-5)
    assert np.ptp(log_odds(member)[:, 1]) > 1e-3


def law_alone_as_in_company(member):
    """Of the same maps: their numbers lie in memory in another order where an image is alone."""
    together = evidence(member, IMAGES)
    row_of = lambda part, row: Evidence(*(plane[row : row + 1].contiguous() for plane in part))
    alone = [Sum([row_of(part, row) for part in together.parts], together.constant) for row in range(len(IMAGES))]
    np.testing.assert_array_equal(margins(together), np.concatenate([margins(each) for each in alone]))
    constants_of = lambda answer: [each.constant for each in room.pixel_evidence([member.network], [answer], FRII[: len(margins(answer))])]
    assert constants_of(together) == [constants_of(each)[0] for each in alone]


def test_evidence_of_a_source_does_not_depend_on_its_company(untrained):
    law_alone_as_in_company(one(untrained("c4-attention", kernel_size=3)))


def test_the_law_of_company_catches_sums_in_the_order_of_memory(untrained, monkeypatch):
    monkeypatch.setattr(room, "_sums", lambda part: (part.attention.double() * part.reading.double()).sum((2, 3)).numpy())
    with pytest.raises(AssertionError):
        test_evidence_of_a_source_does_not_depend_on_its_company(untrained)


@pytest.mark.parametrize("aggregation", ["fine-tuned", "mean", "concat"])
def test_so_they_do_for_four_classes(untrained, aggregation):
    member = one(untrained("c4-attention", kernel_size=3, aggregation=aggregation))
    torch.manual_seed(1)
    network = build(member.settings.model, classes=4)
    member.card = member.card.with_changes(classes=list("ABCD"))
    four = member.with_network(network)
    assert four.labels == Labels(tuple("ABCD"))
    np.testing.assert_allclose(margins(evidence(four, IMAGES)), log_odds(four), rtol=2e-4, atol=2e-5)


def test_maps_of_ones_are_a_network_whose_gates_are_open(untrained):
    member = one(untrained("attention", kernel_size=3))
    found = evidence(member, IMAGES)
    opened = margins(Sum([Evidence(torch.ones_like(part.attention), part.reading) for part in found.parts], found.constant))
    for gate in member.network.gates:
        gate.to_score.weight.data.zero_()  # a flat score is attention 1 everywhere
    np.testing.assert_allclose(opened, log_odds(member), rtol=2e-4, atol=2e-5)


def test_the_law_catches_a_reading_of_the_wrong_size(untrained, monkeypatch):
    right = room.against_the_others
    monkeypatch.setattr(room, "against_the_others", lambda values: 2 * right(values) if values.dim() == 2 else right(values))
    with pytest.raises(AssertionError):
        test_the_pixels_add_up_to_the_margin(untrained, "fine-tuned", 3, "mean")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gates": 0}, "model.gates: 0; expected 1 to 3 gates. Take a model with attention, or train with --set gates=3."),
        ({"head_relu": True}, "model.head_relu: true; expected linear heads, as in preset fast. Train with --set head_relu=false."),
    ],
)
def test_networks_that_cannot_be_taken_apart_are_refused(changes, message):
    network = build("attention", **changes)
    with pytest.raises(SettingRefusal) as refusal:
        network.readings()
    assert str(refusal.value) == message
    assert not room.sums_over_pixels(network)


@pytest.mark.parametrize("name", ["attention", "c4-attention"])
def test_on_the_whole_sky_the_pixels_still_add_up(untrained, name):
    found = evidence(one(untrained(name, kernel_size=3)), IMAGES)
    sums = on_sky([part.toward(FRII) for part in found.parts], sky=152, side=152).double().sum((1, 2))
    np.testing.assert_allclose(sums + found.constant[1], margins(found)[:, 1], rtol=1e-4, atol=1e-6)


def test_a_gate_s_pixel_lies_on_the_pixels_that_it_covers():
    """With the edge of one pixel cut off, pixel (row, column) of a gate at half scale covers 2 row - 1 and 2 row, and so on."""
    for scale, side in ((1, 152), (2, 76), (4, 38)):
        reading = torch.zeros(1, 1, side, side)
        reading[0, 0, 11, 21] = 16.0
        (plane,) = on_sky([Evidence(torch.full_like(reading, 0.5), reading)], 152)
        rows, columns = (slice(scale * place - 1, scale * (place + 1) - 1) for place in (11, 21))
        assert plane[rows, columns].unique().tolist() == [8 / scale**2]
        assert plane.sum() == 8


def test_batches_are_joined_in_order(untrained):
    member = one(untrained("attention", kernel_size=3))
    whole = evidence(member, IMAGES)
    parts = joined([taken_apart(member.network, member.look(IMAGES[:1])), taken_apart(member.network, member.look(IMAGES[1:]))])
    for part, right in zip(parts.parts, whole.parts, strict=True):
        torch.testing.assert_close(part.reading, right.reading)
        torch.testing.assert_close(part.attention, right.attention)


def test_a_team_gives_the_evidence_of_images_and_nan_for_what_it_cannot_use(untrained):
    """Of more images than are answered at once."""
    team = load(untrained("attention", kernel_size=3))
    sources = [*IMAGES] * 6
    sources[2] = np.zeros((150, 150), np.uint8)
    found = team.evidence(sources)
    parts = evidence(team.members[0], IMAGES).parts
    right = on_sky([part.toward(FRII) for part in parts], 152).numpy()
    assert found.shape == (18, 150, 150)
    assert np.isnan(found[2]).all()
    for number in (0, 1, 5, 16, 17):
        np.testing.assert_allclose(found[number], right[number % 3], rtol=1e-3, atol=1e-3 * abs(right).max())
    assert team.evidence([]).shape == (0, 150, 150)
    assert np.isnan(team.evidence([sources[2]])).all()


def test_a_team_s_evidence_is_the_mean_over_its_members(untrained):
    teams = [load(untrained("attention", seed, kernel_size=3)) for seed in (0, 1)]
    both = Team([*teams[0].members, *teams[1].members], teams[0].calibration, teams[0].card)
    means = np.mean([team.evidence(IMAGES) for team in teams], axis=0)
    np.testing.assert_allclose(both.evidence(IMAGES), means, rtol=1e-3, atol=1e-3 * abs(means).max())
    (found, *_) = both.answer(IMAGES, why=True).evidence
    assert found.plane.sum(dtype=float) + found.constant == pytest.approx(found.margin, rel=1e-6)


def test_a_team_without_gates_has_no_evidence_and_says_so(untrained):
    team = load(untrained("lenet"))
    with pytest.raises(SettingRefusal, match="expected 1 to 3 gates"):
        team.evidence([*IMAGES])
    assert team.answer(IMAGES, why=True).evidence == [None] * 3
