"""Completion as a shell asks for it: names of verbs, options, models, teams, data sets and choices; quick, without torch."""

import os
import subprocess
import sys
from typing import get_args

import pytest

from equiradio.artefacts.shelf import team_names
from equiradio.bench.run import VARIANTS
from equiradio.cli import evaluate, export, options
from equiradio.datasets.registry import data_sets
from equiradio.datasets.sources import SPLITS
from equiradio.export.write import SUFFIXES
from equiradio.models.names import MODELS
from equiradio.settings import HABITS, PRESETS
from equiradio.verbs.evaluate_asked import ORDERS, PRECISIONS

WITHOUT_TORCH = "import sys; sys.modules.update(torch=None, scipy=None); from equiradio.cli.main import main; sys.exit(main())"


def completed(*words):
    """What bash offers for the last word; neither torch nor scipy can be imported."""
    line = " ".join(["equiradio", *words])
    asked = {"_EQUIRADIO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], env=os.environ | asked, capture_output=True, text=True, timeout=60, check=False
    )
    assert not answer.stderr
    return answer.stdout.split()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("cla",), ["classify"]),
        (("classify", "--exa"), ["--example"]),
        (("train", "--model", ""), list(MODELS)),
        (("train", "--model", "c4"), [name for name in MODELS if name.startswith("c4")]),
        (("train", "--preset", ""), list(PRESETS)),
        (("train", "--set", "training.ep"), ["training.epochs="]),
        (("train", "--compat", "floor-150,ba"), ["floor-150,batch-range"]),
        (("evaluate", "RUN", "--data", ""), list(data_sets())),
        (("evaluate", "RUN", "--split", "t"), ["train", "test"]),
        (("data", "fetch", "mirabest-h"), ["mirabest-hybrid"]),
        (("classify", "a.fits", "--model", ""), team_names()),
        (("explain", "c8"), ["c8-attention"]),
        (("serve", "--model", ""), team_names()),
        (("serve", "--data", "simu"), ["simulated"]),
        (("bench", "--models", "lenet,c16"), [f"lenet,{name}" for name in MODELS if name.startswith("c16")]),
        (("bench", "--variants", "default,"), [f"default,{name}" for name in VARIANTS if name != "default"]),
        (("classify", "a.fits", "--device", "c"), ["cpu", "cuda"]),
    ],
)
def test_names_are_offered(words, names):
    assert completed(*words) == names


def test_the_script_for_bash_is_printed():
    asked = {"_EQUIRADIO_COMPLETE": "source_bash"}
    script = subprocess.run([sys.executable, "-m", "equiradio"], env=os.environ | asked, capture_output=True, text=True, check=True)
    assert "complete -o default -F" in script.stdout


def test_choices_are_those_of_the_verbs():
    assert get_args(options.Preset) == tuple(PRESETS)
    assert get_args(options.Split) == SPLITS
    assert get_args(options.Precision) == PRECISIONS
    assert get_args(evaluate.Order) == ORDERS
    assert get_args(export.Kind) == tuple(SUFFIXES)
    assert completed("train", "--compat", "") == list(HABITS)
