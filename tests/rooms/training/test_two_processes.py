"""Several processes validate on every view once, whatever fills their last batches."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from equiradio.artefacts.run import Run
from equiradio.compute.poses import VALIDATION, draw_poses
from equiradio.datasets.registry import open_data
from equiradio.datasets.simulated import write_simulated
from equiradio.inference.team import load

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.mark.parametrize("passes", [1, 3])
def test_two_processes_count_every_validation_view_once(tmp_path, passes):
    """The losses in the history are those of the weights on disk, computed by hand; the views are odd in number."""
    data = write_simulated(30, 0, tmp_path / "sky")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(data), str(tmp_path / "run"), str(passes)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    part, (row,) = open_data(str(data)).of_split("validation"), Run(tmp_path / "run").history()
    shown = np.arange(len(part) * passes)
    assert len(shown) % 2 == 1
    (member,) = load(tmp_path / "run").members
    logits = member.look(part.images[shown % len(part)], draw_poses(0, VALIDATION, shown % len(part), shown // len(part))).logits
    labels = torch.from_numpy(part.labels[shown % len(part)])
    assert row["validation_loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert row["validation_accuracy"] == pytest.approx((logits.argmax(1) == labels).float().mean().item())
