"""Preprocessing: the published constants, the published masks, and empty sky that is the same everywhere."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from equiradio.compute.preprocess import Preprocessing, circle, preprocessing
from equiradio.models.names import TABLE1, architecture
from equiradio.settings import DataSettings
from equiradio.sky.recipe import MIRABEST

SIDE = MIRABEST.side


def of_model(mask, model):
    return preprocessing(DataSettings(mask=mask), architecture(model).published_mask)


def radius(mask, model):
    return of_model(mask, model).mask_radius


@pytest.mark.parametrize("model", [*TABLE1, "attention-wide", "c4-lenet", "d16-lenet"])
def test_the_published_mask_is_that_of_the_audit(model):
    margins = {"attention": None, "attention-wide": None, "lenet": 1}
    margin = margins.get(model, 0)
    assert radius("published", model) == (None if margin is None else 75 - margin)
    assert radius("none", model) is None
    assert radius("circle", model) == 75


@pytest.mark.parametrize("pixel", [0, 1, 128, 255])
def test_a_pixel_is_normalised_as_published(pixel):
    seen = of_model("none", "attention")(torch.full((1, 1, 4, 4), pixel, dtype=torch.uint8))
    assert seen.dtype == torch.float32
    assert_close(seen, torch.full((1, 1, 4, 4), (pixel / 255 - 0.0031) / 0.0350), rtol=1e-6, atol=1e-6)


def test_the_masked_sky_is_blank_and_the_rest_untouched():
    sky = torch.full((1, 1, SIDE, SIDE), 255, dtype=torch.uint8)
    masked, bare = (of_model(mask, "lenet") for mask in ("published", "none"))
    rows, columns = np.ogrid[:SIDE, :SIDE]
    inside = torch.from_numpy((rows - 74.5) ** 2 + (columns - 74.5) ** 2 <= 74**2)
    assert_close(masked(sky)[0, 0][inside], bare(sky)[0, 0][inside], rtol=0, atol=0)
    assert_close(masked(sky)[0, 0][~inside], torch.full((int((~inside).sum()),), masked.blank), rtol=1e-6, atol=0)


def test_blank_is_what_an_empty_pixel_becomes():
    preprocess = Preprocessing(0.2, 0.5, None)
    assert preprocess.blank == -0.4
    assert preprocess(torch.zeros(1, 1, 2, 2, dtype=torch.uint8)).unique().item() == pytest.approx(preprocess.blank)


def test_the_circle_turns_and_mirrors_into_itself():
    disc = circle(SIDE, 75)
    for same in (torch.rot90(disc), disc.flip(-1), disc.flip(-2)):
        assert torch.equal(disc, same)
    assert disc[75, 0]
    assert not disc[0, 0]


def test_double_precision_stays_double():
    assert Preprocessing(0.0, 1.0, 3.0)(torch.zeros(1, 1, 8, 8, dtype=torch.float64)).dtype == torch.float64
