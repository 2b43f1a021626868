"""At the doors: one line, no traceback, exit code 2; and what a verb prints can be read by a program."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import typer

from equiradio.cli.main import app, main
from equiradio.cli.train import default_folder, gather
from equiradio.settings import PRESETS, change


def said(capsys, *arguments):
    """Exit code, stdout and the lines on stderr."""
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err.splitlines()


def refused(capsys, *arguments):
    code, out, lines = said(capsys, *arguments)
    assert code == 2, (out, lines)
    assert not out
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data, no network, an empty working folder."""

    def offline(*arguments, **named):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("pooch.retrieve", offline)
    monkeypatch.setenv("EQUIRADIO_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


TRAIN = ("train", "--model", "lenet", "--data", "simulated")
REFUSED = {
    "unknown model": (
        ("train", "--model", "c4-atention"),
        "model: 'c4-atention' is not a model; expected lenet, ",
        "Did you mean c4-attention?",
    ),
    "unknown group": (("train", "--model", "d6-attention"), "group: D6 is not built here; ", "Nearest are D4 and D8."),
    "unknown setting": (
        (*TRAIN, "--set", "training.learning_rte=1"),
        "--set: training.learning_rte is not a setting; ",
        "Did you mean learning_rate?",
    ),
    "preset by --set": (
        (*TRAIN, "--set", "preset=paper"),
        "--set: preset names other settings and would change none of them; ",
        "--preset",
    ),
    "half a setting": ((*TRAIN, "--set", "epochs"), "--set: 'epochs' has no '='; ", "key=value"),
    "unknown preset": ((*TRAIN, "--preset", "fats"), "--preset: 'fats'; expected paper, fast or quick.", "Did you mean fast?"),
    "unknown data set": (("train", "--data", "mirabset"), "data: 'mirabset' is not a data set nor a folder; ", "Did you mean mirabest?"),
    "no epochs": ((*TRAIN, "--epochs", "0"), "command line: training.epochs is 0; expected 1 to 1000000.", ""),
    "negative seed": ((*TRAIN, "--seed", "-1"), "command line: training.seed is -1; expected 0 to 4294967295.", ""),
    "unknown precision": (
        (*TRAIN, "--precision", "fp8"),
        "--precision: 'fp8'; expected auto, float32 or bf16.",
        "",
    ),
    "unknown device": ((*TRAIN, "--device", "tpu"), "--device: 'tpu'; expected auto, cpu or cuda.", ""),
    "unknown habit": ((*TRAIN, "--compat", "floor150"), '--compat: training.compat is "floor150"; ', "Did you mean floor-150?"),
    "absent file": ((*TRAIN, "--config", "none.toml"), "none.toml: no such file; expected a TOML file.", ""),
    "no data": (("train", "--data", "mirabest"), "", "--data-dir"),
    "no run": (("evaluate", "none"), "none: no such folder; expected the folder of a training.", ""),
    "negative passes": (("evaluate", "none", "--passes", "-1"), "--passes: -1; expected 0 or more.", ""),
    "unknown batches": (("evaluate", "none", "--batches", "random"), "--batches: 'random'; expected sorted, shuffled or single.", ""),
    "unknown evaluation precision": (("evaluate", "none", "--precision", "fp8"), "--precision: 'fp8'; expected float32 or bf16.", ""),
    "unknown evaluation device": (("evaluate", "none", "--device", "tpu"), "--device: 'tpu'; expected auto, cpu or cuda.", ""),
    "explain nothing": (("explain", "none", "--out", "here"), "", "expected"),
    "explain some and all": (
        ("explain", "none", "--out", "here", "--all", "--quick"),
        "--quick: given with --all; expected one of them. Drop one.",
        "",
    ),
    "fetch what is nothing": (("data", "fetch", "mirabset"), "data: 'mirabset' is not a data set nor a folder; ", "Did you mean mirabest?"),
    "fetch what is not published": (
        ("data", "fetch", "simulated"),
        "data: 'simulated' is not published; expected a published data set (first, mirabest).",
        "See equiradio data list.",
    ),
    "verify what has no checksums": (
        ("data", "verify", "simulated"),
        "data: 'simulated' has no published checksums to compare with; expected a published data set (first, mirabest).",
        "",
    ),
    "unknown split": (
        ("evaluate", "none", "--split", "tets"),
        "--split: 'tets'; expected train, validation, test or all.",
        "Did you mean test?",
    ),
    "unknown export": (("export", "none", "--to", "onx"), "--to: 'onx'; expected onnx or torch.", "Did you mean onnx?"),
    "unknown preset of a report": (("report", "none", "--preset", "slow"), "--preset: 'slow'; expected paper, fast or quick.", ""),
    "nothing to classify": (
        ("classify",),
        "FILE: nothing to classify; expected images, folders of them, or --example alone.",
        "--example.",
    ),
    "images beside the examples": (("classify", "a.fits", "--example"), "FILE: given beside --example; ", "Drop one of them."),
    "fetch offline": (("data", "fetch", "mirabest"), "", "EQUIRADIO_DATA"),
    "verify what is not there": (("data", "verify", "mirabest"), "", "no MiraBest there"),
    "no sources": (("data", "simulate", "--count", "0", "--out", "sky"), "count: is 0; expected at least 1.", ""),
    "unknown verb": (("trian",), "command line: No such command 'trian'", "See --help."),
    "unknown option": (("train", "--modle", "lenet"), "command line: No such option: --modle", "See --help."),
    "no whole number": (("train", "--epochs", "ten"), "command line: Invalid value for '--epochs'", "See --help."),
    "no run named": (("evaluate",), "command line: Missing argument 'RUN|TEAM...'", "See --help."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_one_line(case, capsys, nowhere):
    arguments, start, words = REFUSED[case]
    line = refused(capsys, *arguments)
    assert line.startswith(start)
    assert words in line
    assert not list(nowhere.glob("runs")), "nothing is written"


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("weights.safetensors", None, "expected trained weights"),
        ("weights.safetensors", 100, "that are no safetensors"),
        ("card.json", 100, "expected a model card in JSON"),
        ("settings.toml", None, "expected the folder of a training"),
    ],
)
def test_a_half_written_run_is_not_evaluated(copy_of, capsys, name, damage, words):
    file = copy_of("lenet") / name
    content = file.read_bytes()
    file.unlink()
    if damage:
        file.write_bytes(content[:damage])
    assert words in refused(capsys, "evaluate", file.parent)


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("last.ckpt", 100, "cannot be read as a checkpoint"),
        ("weights.safetensors", None, "expected the best weights so far"),
        ("weights.safetensors", 100, "that are no safetensors"),
        ("settings.toml", None, "no settings.toml"),
    ],
)
def test_a_half_written_run_is_not_gone_on_with(copy_of, capsys, sky, name, damage, words):
    file = copy_of("lenet") / name
    content = file.read_bytes()
    file.unlink()
    if damage:
        file.write_bytes(content[:damage])
    small = ("--preset", "quick", "--epochs", "2", "--precision", "float32", "--set", "batch_size=8")
    assert words in refused(capsys, "train", "--model", "lenet", "--data", sky, *small, "--out", file.parent, "--resume")


def test_resuming_with_other_settings_is_refused(trained, capsys, sky):
    line = refused(capsys, "train", "--model", "lenet", "--data", sky, "--preset", "quick", "--out", trained("lenet"), "--resume")
    assert "holds a training with other settings (training.epochs 2 there, 6 asked, " in line


@pytest.mark.parametrize(
    ("preset", "text", "stands_on"),
    [
        (None, "seed = 4", "fast"),
        (None, 'preset = "paper"\nseed = 4', "paper"),
        ("quick", "seed = 4", "quick"),
        ("quick", 'preset = "paper"\nseed = 4', "quick"),
    ],
)
def test_the_preset_is_the_option_s_else_the_file_s_else_fast(tmp_path, preset, text, stands_on):
    (tmp_path / "my.toml").write_text(f"[training]\n{text}\n")
    gathered = gather(None, None, preset, tmp_path / "my.toml", [], None, None, None, "")
    assert gathered == change(PRESETS[stands_on], {"seed": 4})


def test_later_sources_of_settings_win(tmp_path):
    (tmp_path / "my.toml").write_text('[model]\nname = "attention"\n[training]\nseed = 1\nepochs = 3\n')
    gathered = gather("lenet", "sky", "quick", tmp_path / "my.toml", ["epochs=5", "side=152"], None, 4, "bf16", "floor-150, sixteen-passes")
    assert (gathered.model.name, gathered.data.name, gathered.training.seed, gathered.training.precision) == ("lenet", "sky", 1, "bf16")
    assert (gathered.training.epochs, gathered.model.side, gathered.training.passes) == (5, 150, 16)
    assert gathered.training.compat == ("floor-150", "sixteen-passes")
    assert default_folder(gathered).as_posix() == "runs/lenet-sky-quick-seed1"


def test_train_resume_and_evaluate_by_hand(capsys, sky, tmp_path):
    out = tmp_path / "run"
    command = ("train", "--model", "lenet", "--data", sky, "--preset", "quick", "--epochs", "2", "--device", "cpu", "--out", out)
    code, answer, lines = said(capsys, *command, "--max-minutes", "0")
    assert (code, answer.strip()) == (0, str(out))
    assert [line.startswith("epoch   1 of 2   training loss ") for line in lines] == [True]
    code, answer, lines = said(capsys, *command, "--resume")
    assert [line[:12] for line in lines] == ["epoch   2 of"]
    code, answer, lines = said(capsys, "evaluate", out, "--passes", "1", "--device", "cpu")
    assert code == 0
    assert "per source" in answer
    assert f"written to {out}" in answer
    code, answer, lines = said(capsys, "evaluate", out, "--passes", "1", "--device", "cpu", "--json")
    assert json.loads(answer)[str(out)] == json.loads((out / "metrics" / "simulated-test.json").read_text())


def test_data_by_hand(capsys, tmp_path, nowhere):
    assert said(capsys, "data", "simulate", "--count", "2", "--seed", "1", "--out", "sky") == (0, "sky\n", [])
    assert said(capsys, "data", "verify", "sky")[:2] == (0, "sky: 2 sources, checksums agree\n")
    assert "sky: exists and is not empty" in refused(capsys, "data", "simulate", "--count", "2", "--out", "sky")
    (nowhere / "sky" / "images.npy").write_bytes(b"\x93NUMPY")
    assert "images.npy: cannot be read as an array" in refused(capsys, "data", "verify", "sky")
    code, answer, _ = said(capsys, "data", "list", "--json")
    assert code == 0
    assert {row["name"] for row in json.loads(answer)} == {
        "first", "first-fr", "mirabest", "mirabest-confident", "mirabest-uncertain", "mirabest-hybrid", "simulated"
    }  # fmt: skip
    assert "made on the spot" in said(capsys, "data", "list")[1]


def test_a_damaged_mirabest_is_refused(capsys, nowhere):
    batches = nowhere / "data" / "mirabest" / "batches"
    batches.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 8)), "test_batch", "batches.meta"):
        (batches / name).write_bytes(b"cos\nsystem\n(Vtouch ran\ntR.")
    line = refused(capsys, "train", "--data", "mirabest")
    assert "md5 is " in line
    assert "expected b15ae155301f316fc0b51af16b3c540d as published" in line
    code, _, lines = said(capsys, "data", "verify", "mirabest")
    assert code == 2
    assert lines[0].startswith("mirabest: 9 of 9 files differ (")
    code, answer, _ = said(capsys, "data", "verify", "mirabest", "--json")
    assert code == 2
    assert len(json.loads(answer)) == 9
    assert not list(nowhere.rglob("ran"))


def commands(group=None, names=()):
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*names, name))
        else:
            yield " ".join((*names, name)), command


@pytest.mark.parametrize("verb", dict(commands()))
def test_the_help_of_every_verb_has_an_example_that_can_be_typed(verb, capsys):
    code, answer, _ = said(capsys, *verb.split(), "--help")
    assert code == 0
    example = dict(commands())[verb].help.partition("Example: ")[2]
    assert example.startswith(f"equiradio {verb.removesuffix(' run')}")  # what a verb does where none of its own is named
    options = {option for parameter in dict(commands())[verb].params for option in parameter.opts}
    assert {word for word in example.split() if word.startswith("--")} <= options
    assert "Example: equiradio" in answer


def test_the_bare_command_shows_its_verbs(capsys):
    code, answer, lines = said(capsys)
    assert code == 2
    for verb in ("demo", "data", "train", "evaluate"):
        assert verb in answer + "".join(lines)
    assert main(["--version"]) == 0


def python(*arguments):
    """Run in an interpreter of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=120)


def test_the_package_runs_as_a_module():
    answer = python("-m", "equiradio", "data", "verify", "nothing-of-this-name")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "nothing-of-this-name" in answer.stderr


def test_help_imports_nothing_heavy():
    answer = python(
        "-c",
        "import sys; from equiradio.cli.main import main; code = main(['--help']);"
        "heavy = ('torch', 'lightning', 'astropy', 'sklearn', 'matplotlib', 'scipy', 'pooch')\n"
        "print([m for m in heavy if m in sys.modules]); sys.exit(code)",
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "[]"


def test_training_needs_the_pytorch_stack_alone(sky, tmp_path):
    answer = python(
        "-c",
        f"""
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{"astropy", "pooch", "platformdirs", "pydantic", "ray", "fastapi"}}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Wall())
from pathlib import Path
from equiradio.settings import change, preset
from equiradio.training.fit import train
small = {{"model.name": "lenet", "data.name": {str(sky)!r}, "epochs": 1}}
train(change(preset("quick"), small), Path({str(tmp_path / "run")!r}), device="cpu")
""",
    )
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.parametrize(
    ("path", "content"),
    [("history.csv", "epoch,train_loss\n0,abc\n"), ("card.json/x", ""), ("predictions", "a file")],
    ids=["history of words", "a folder for a card", "a file for a folder"],
)
def test_odd_files_inside_a_run_are_refused_in_one_line(copy_of, capsys, path, content):
    run = copy_of("lenet")
    odd = run / path
    if odd.parent != run:
        odd.parent.unlink()
        odd.parent.mkdir()
    shutil.rmtree(run / "predictions", ignore_errors=True)
    odd.write_text(content)
    assert main(["evaluate", str(run), "--passes", "0"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_habit_in_a_file_has_its_effect(tmp_path):
    file = tmp_path / "habit.toml"
    file.write_text("[training]\ncompat = ['floor-150', 'floor-150']\n")
    settings = gather(None, None, None, file, [], None, None, None, "")
    assert (settings.model.side, settings.training.compat) == (150, ("floor-150",))
