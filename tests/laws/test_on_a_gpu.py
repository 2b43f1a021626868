"""A GPU computes what a CPU does, turns with the sky as exactly, and trains to the same numbers again."""

import shutil

import numpy as np
import pytest
import torch
from test_invariance import check_invariance
from torch import nn
from torch.testing import assert_close
from whole_networks import SMALL, check_same, in_form, narrow, some_images

from equiradio.artefacts.weights import read_weights
from equiradio.compute.poses import draw_poses
from equiradio.compute.wide_sky import WideSky, draw_views
from equiradio.datasets.simulated import simulate
from equiradio.inference.team import load
from equiradio.models.names import group_of
from equiradio.symmetry import parse_group
from equiradio.training.fit import train
from equiradio.verbs.evaluate import evaluate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

NETWORKS = [(None, "dense"), *[(name, form) for name in ("C4", "C16", "D4", "D8") for form in ("dense", "fourier")]]
by_network = pytest.mark.parametrize(("name", "form"), NETWORKS)


def a_network(name: str | None, form: str) -> nn.Module:
    return in_form(narrow(parse_group(name) if name else None, **SMALL), form)


@by_network
@torch.no_grad()
def test_networks_answer_as_on_a_cpu(name, form):
    network, images = a_network(name, form), some_images(38, count=2)
    here = network(images)
    there = network.cuda()(images.cuda())
    check_same(there._replace(logits=there.logits.cpu(), attention=[alpha.cpu() for alpha in there.attention]), here, 1e-9, 1e-9)


@pytest.mark.parametrize(("name", "form"), NETWORKS[1:])
@torch.no_grad()
def test_a_network_on_a_gpu_is_as_exact(name, form):
    check_invariance(a_network(name, form).cuda(), parse_group(name), some_images(38).cuda(), logits=1e-9, maps=1e-9)


@pytest.mark.parametrize("model", ["lenet", "c4-attention"])
def test_float32_answers_are_those_of_a_cpu(model, untrained):
    folder, images = untrained(model), np.random.default_rng(0).integers(0, 256, (2, 150, 150), dtype=np.uint8)
    here, there = (load(folder, device).look(images).logits.cpu() for device in ("cpu", "cuda"))
    assert_close(there, here, rtol=1e-4, atol=1e-5)


def test_wide_views_are_those_of_a_cpu():
    """But for rounding, which decides of a few pixels on which side of a level or of the threshold they lie."""
    images, rows = simulate(8, 1).images, np.arange(8)
    sky, drawn = WideSky(images, 0), (0, 0, rows, rows)
    numbers, pixels = sky.numbers(draw_poses(*drawn), draw_views(*drawn), rows), torch.from_numpy(images)
    here, there = sky.show(pixels, numbers), sky.show(pixels.cuda(), numbers.cuda()).cpu()
    assert ((here - there).abs() <= 1).float().mean() > 0.999


def test_an_image_is_answered_alike_in_any_company(untrained):
    images = np.random.default_rng(0).integers(0, 256, (7, 150, 150), dtype=np.uint8)
    classifier = load(untrained("c4-attention"), "cuda")
    alone = torch.cat([classifier.look(images[[row]]).logits for row in range(len(images))])
    assert_close(classifier.look(images).logits, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("model", "precision"), [("lenet", "float32"), ("c4-attention", "bf16"), ("c8-attention", "bf16")])
def test_a_stopped_training_goes_on_to_the_same_numbers_and_is_evaluated(model, precision, tiny, tmp_path):
    settings = tiny(model, precision=precision)
    straight = train(settings, tmp_path / "straight", device="cuda")
    group = group_of(model)
    stopped = train(settings, tmp_path / "stopped", device="cuda", max_minutes=0)
    assert stopped.card().epochs == 1
    if straight.forms_file.is_file():  # forms that were timed again may be others, with other rounding
        shutil.copy(straight.forms_file, stopped.forms_file)
    train(settings, stopped.folder, device="cuda", resume=True)
    ours, theirs = (read_weights(run.weights_file, model=model, group=group.name if group else "none") for run in (stopped, straight))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert straight.card().device == torch.cuda.get_device_name()
    scored = evaluate(straight.folder, passes=2, device="cuda", precision="bf16")
    assert 0 <= scored["per_source"]["accuracy"] <= 1
