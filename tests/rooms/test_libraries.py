"""Compiled libraries: opened where they were made of the sources beside them, and never without a word where they were not."""

import logging
import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from equiradio import libraries
from equiradio.layers.forms import native
from equiradio.layers.forms.native import library
from equiradio.libraries import Stale, digest, opened
from equiradio.sky import compiled

ROOT = Path(__file__).parents[2]
BUILD = runpy.run_path(str(ROOT / "hatch_build.py"), run_name="hatch_build")
SOURCE = "#ifdef MADE_OF\nconst char *made_of(void) { return MADE_OF; }\n#endif\nint three(void) { return 3; }\n"

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")


@pytest.fixture(autouse=True)
def warned_anew():
    """A line is given once a process."""
    libraries.warn.cache_clear()
    yield
    libraries.warn.cache_clear()


def a_library(folder, *flags, name="three"):
    """Compiled from the source in a folder."""
    source, file = folder / "three.c", folder / f"{name}.so"
    if not source.exists():
        source.write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", *flags, str(source), "-o", str(file)], check=True)
    return file


def made_of(text):
    return f'-DMADE_OF="{text}"'


@needs_compiler
def test_a_library_of_the_sources_beside_it_opens(tmp_path, caplog):
    (tmp_path / "three.c").write_text(SOURCE)
    assert opened(a_library(tmp_path, made_of(digest(tmp_path)))).three() == 3
    assert not caplog.records


@needs_compiler
@pytest.mark.parametrize("name", ["three.c", "another.h"])
def test_a_library_of_older_sources_is_refused_with_a_line(name, tmp_path, caplog):
    (tmp_path / "three.c").write_text(SOURCE)
    file = a_library(tmp_path, made_of(digest(tmp_path)))
    (tmp_path / name).write_text("/* changed since */\n" + SOURCE)
    for _ in range(2):
        with pytest.raises(Stale):
            opened(file)
    (line,) = (record.getMessage() for record in caplog.records)  # once
    assert line.startswith(
        f"{file}: compiled from other C sources than those beside it; left out, which is slower. Install equiradio again"
    )


@needs_compiler
@pytest.mark.parametrize("flags", [(), (made_of(""),)])
def test_a_library_that_names_no_sources_counts_as_stale(flags, tmp_path, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(Stale):
        opened(a_library(tmp_path, *flags))
    assert "does not say from which C sources it was compiled" in caplog.text


@needs_compiler
def test_without_sources_beside_it_there_is_nothing_to_compare(tmp_path):
    file = a_library(tmp_path, made_of("0123"))
    (tmp_path / "three.c").unlink()
    assert opened(file).three() == 3


def test_what_is_no_library_is_no_stale_one(tmp_path):
    (tmp_path / "none.so").write_text("no library")
    for name in ("none.so", "missing.so"):
        with pytest.raises(OSError) as caught:
            opened(tmp_path / name)
        assert not isinstance(caught.value, Stale)


@pytest.mark.parametrize("folder", [Path(native.__file__).parent, Path(compiled.__file__).parent])
def test_the_build_names_the_sources_that_the_package_compares_with(folder):
    assert BUILD["made_of"](folder) == f'-DMADE_OF="{digest(folder)}"'


def test_stale_kernels_are_not_computed_with(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "opened", lambda variant: stale())
    monkeypatch.setattr(library, "variants_here", lambda: ["avx2", "plain"])
    assert library.best.__wrapped__() is None


def test_kernels_that_the_system_does_not_allow_are_not_computed_with(monkeypatch):
    """An older Linux, or a sandbox, refuses a process the tiles that its processor has."""
    monkeypatch.setattr(library, "opened", library.opened.__wrapped__)
    monkeypatch.setattr(library, "variants_here", lambda: ["amx", "avx2"])
    monkeypatch.setattr(libraries, "opened", lambda file: SimpleNamespace(allowed=lambda: "amx" not in file.name))
    assert library.best.__wrapped__() == "avx2"
    with pytest.raises(OSError, match="this system does not let the process use what it is compiled for"):
        library.opened("amx")


def test_kernels_are_identified_by_their_kind_and_their_sources(monkeypatch):
    if library.best() is None:
        pytest.skip("the kernels were not compiled here")
    assert library.identity() == f"kernels {library.best()} of {digest(Path(native.__file__).parent)}"
    monkeypatch.setattr(library, "best", lambda: None)
    assert library.identity() == "no kernels"


@needs_compiler
def test_stale_resampling_is_left_to_numpy(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(compiled, "FILE", a_library(tmp_path))
    assert compiled.library.__wrapped__() is None
    assert "left out, which is slower" in caplog.text


def stale():
    raise Stale("kernels.so")
