"""Which equiradio is running: never a guess, never an error."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import equiradio
from equiradio import version as module
from equiradio.version import checkout, commit, commit_of, version

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def asked_anew():
    """Answers are kept for the process; tests ask anew."""
    for question in (version, checkout, commit):
        question.cache_clear()
    yield
    for question in (version, checkout, commit):
        question.cache_clear()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.2.0.dev3+g94a0914b0", "94a0914b0"),
        ("0.2.0.dev3+g94a0914b0.d20261128", "94a0914b0"),
        ("0.1.0", ""),
        ("0+unknown", ""),
        ("0.2.0.dev3+gallery", ""),
    ],
)
def test_the_commit_in_a_version(text, found):
    assert commit_of(text) == found


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version as installed

    assert equiradio.__version__ == version() == installed("equiradio")


def test_a_tree_that_was_never_installed_says_so(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def none(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", none)
    assert version() == "0+unknown"


def repository(folder, name="equiradio"):
    """A checkout of one commit with a package in it; its hash."""
    (folder / "src" / "equiradio").mkdir(parents=True)
    (folder / "src" / "equiradio" / "version.py").touch()
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_names_its_commit_and_says_where_files_were_changed(tmp_path, monkeypatch):
    made = repository(tmp_path)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "src" / "equiradio" / "version.py"))
    assert (checkout(), commit()) == (tmp_path, made)
    (tmp_path / "src" / "equiradio" / "version.py").write_text("changed")
    commit.cache_clear()
    assert commit() == f"{made}-dirty"


@pytest.mark.parametrize("place", ["lib/python3.11/site-packages", "src"])
def test_a_package_inside_another_project_is_no_checkout(tmp_path, monkeypatch, place):
    repository(tmp_path, name="another")
    package = tmp_path / place / "equiradio"
    package.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(module, "__file__", str(package / "version.py"))
    monkeypatch.setattr(module, "version", lambda: "0.2.0.dev3+g94a0914b0")
    install_at(monkeypatch, package)
    assert (checkout(), commit()) == (None, "94a0914b0")


def install_at(monkeypatch, package):
    """Whatever finds distributions: a backport of importlib.metadata may have put its own finder first."""
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: SimpleNamespace(locate_file=lambda file: package.parent / file))


def test_a_copy_of_the_sources_is_not_the_commit_that_was_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "copy" / "equiradio" / "version.py"))
    monkeypatch.setattr(module, "version", lambda: "0.2.0.dev3+g94a0914b0")
    install_at(monkeypatch, tmp_path / "site-packages" / "equiradio")
    assert (checkout(), commit()) == (None, "")


def test_without_git_the_version_is_asked(tmp_path, monkeypatch):
    repository(tmp_path)
    install_at(monkeypatch, tmp_path / "src" / "equiradio")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "src" / "equiradio" / "version.py"))
    monkeypatch.setattr(module, "version", lambda: "0.2.0.dev3+g94a0914b0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == "94a0914b0"
