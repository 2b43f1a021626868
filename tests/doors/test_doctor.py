"""`equiradio doctor`: what it says of a whole installation and of broken ones."""

import json
import shutil
import subprocess
import sys

import pytest

from equiradio.artefacts import shelf
from equiradio.cli.main import main
from equiradio.compute.machine import facts
from equiradio.layers.forms.native import library
from equiradio.sky import compiled
from equiradio.verbs import doctor


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIRADIO_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def fresh_kernels():
    """The best kernels are looked for once a process."""
    library.best.cache_clear(), library.opened.cache_clear()
    yield
    library.best.cache_clear(), library.opened.cache_clear()


def test_a_whole_installation_is_well(no_data, capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "well: what is needed to classify works"
    assert f"data: {no_data} (not there)" in lines
    assert any(line.startswith("teams: ") and "c8-attention (default)" in line for line in lines)
    assert "hint: To train on mirabest or to evaluate on it: equiradio data fetch mirabest." in lines


def test_the_facts_are_those_of_a_bench_and_unknown_ones_are_null(no_data, capsys):
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    bench = facts()
    assert answer["equiradio"]["version"] == bench["equiradio"]
    assert answer["torch"]["version"] == bench["torch"]
    assert bench["processor"].startswith(answer["torch"]["processor"])
    assert (answer["kernels"]["used"] or "none") == bench["kernels"]
    sets = {each["name"]: each for each in answer["data"]["sets"]}
    assert sets["mirabest"]["whole"] is sets["simulated"]["whole"] is None
    assert answer["well"] is True
    assert answer["faults"] == []
    assert set(answer["extras"]) >= {"serve", "onnx", "explain", "pandas"}


def test_without_pytorch_it_is_not_well(no_data, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["doctor", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["torch"] is answer["device"] is answer["kernels"] is answer["bf16"] is None
    assert "PyTorch cannot be imported" in answer["faults"][0]
    assert main(["doctor"]) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "not well: see above"


@pytest.mark.parametrize(
    ("variable", "files", "why", "hint"),
    [
        (None, {}, "none were compiled when equiradio was installed", "equiradio again: compiled kernels make layers quicker."),
        ("off", {}, "EQUIRADIO_KERNELS is off", "nset EQUIRADIO_KERNELS and install equiradio again"),
        (None, {"plain": "no library"}, "plain cannot be opened here", "equiradio again"),
    ],
)
def test_it_says_why_there_are_no_kernels(variable, files, why, hint, no_data, tmp_path, monkeypatch, capsys, fresh_kernels):
    for name, content in files.items():
        (tmp_path / f"{name}.so").write_text(content)
    monkeypatch.setattr(library, "file_of", lambda variant: tmp_path / f"{variant}.so")
    monkeypatch.setenv("EQUIRADIO_KERNELS", variable or "")
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["kernels"]["used"] is None
    assert answer["kernels"]["why"] == why
    assert any(hint in line for line in answer["hints"]) or answer["device"]["name"] == "cuda"


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")
def test_it_says_which_libraries_are_not_of_the_sources_beside_them_and_what_to_do(no_data, tmp_path, monkeypatch, capsys, fresh_kernels):
    (tmp_path / "some.c").write_text("int three(void) { return 3; }")
    for name in ("plain", "resampling"):
        subprocess.run(["cc", "-shared", "-fPIC", str(tmp_path / "some.c"), "-o", str(tmp_path / f"{name}.so")], check=True)
    monkeypatch.setattr(library, "file_of", lambda variant: tmp_path / f"{variant}.so")
    monkeypatch.setattr(compiled, "FILE", tmp_path / "resampling.so")
    compiled.library.cache_clear()
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    compiled.library.cache_clear()
    assert "kernels: none, plain not compiled from these sources; resampling of images: not compiled\n" in out
    (hint,) = (line for line in out.splitlines() if "C sources" in line)
    assert hint.startswith("hint: plain.so, resampling.so: not compiled from the C sources beside it; left out, which is slower.")
    assert hint.endswith("Install equiradio again (in a checkout: pip install -e .).")
    assert doctor.COMPILED not in out


@pytest.mark.parametrize("there", [True, False])
def test_it_says_whether_images_are_resampled_by_compiled_code(there, no_data, monkeypatch, capsys):
    monkeypatch.setattr("equiradio.sky.compiled.library", lambda: object() if there else None)
    monkeypatch.setattr(library, "best", lambda: "plain")
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["kernels"]["resampling"] is there
    assert any("other pixels than FIRST's" in line for line in answer["hints"]) is not there
    assert main(["doctor"]) == 0
    ending = "resampling of images: " + ("compiled" if there else "not compiled")
    assert f"kernels: plain; {ending}\n" in capsys.readouterr().out


def test_a_damaged_team_is_named_and_no_other_is_lost(no_data, tmp_path, monkeypatch, capsys):
    real = shelf.find_team

    def damaged(name):
        if name == "c4-attention":
            raise shelf.ModelRefusal("seed0.safetensors", "sha256 0", "sha256 1", "Put the published file in its place.")
        return real(name)

    monkeypatch.setattr(shelf, "find_team", damaged)
    assert main(["doctor"]) == 2
    out = capsys.readouterr().out
    assert "damaged: c4-attention" in out
    assert "wrong: seed0.safetensors: sha256 0; expected sha256 1." in out
    assert "c8-attention (default)" in out


def test_damaged_data_are_a_hint_alone(no_data, capsys):
    (no_data / "mirabest").mkdir(parents=True)
    (no_data / "mirabest" / "MiraBest_full_batches.tar.gz").write_bytes(b"no archive")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "checksums differ" in out
    assert "hint: mirabest: MiraBest_full_batches.tar.gz" in out
    assert "not as published. Fetch it again: equiradio data fetch mirabest." in out


def test_an_extra_is_there_only_with_all_of_its_packages(monkeypatch):
    lines = ["numpy>=2", "one>=1; extra == 'serve'", "two>=1; extra == 'serve'", 'three; extra == "hub"', "four; extra == 'dev'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(doctor, "_installed", lambda package: package != "two")
    assert doctor.extras() == {"hub": True, "serve": False}


def test_help_needs_neither_pytorch_nor_pyarrow():
    block = "import sys; sys.modules.update(torch=None, pyarrow=None); from equiradio.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", block, "doctor", "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
