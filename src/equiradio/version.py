"""Which equiradio this is: its version, the commit it was built from, and the checkout it runs from, if it does."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

UNKNOWN = "0+unknown"  # of a source tree that was never installed
PATIENCE = 5.0  # seconds that git may take


@cache
def version() -> str:
    """The version that was installed; made from git when the package was built."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("equiradio")
    except PackageNotFoundError:
        return UNKNOWN


@cache
def checkout() -> Path | None:
    """The repository's root where the package runs from ``src/equiradio`` beside equiradio's own pyproject.toml, else None."""
    package = Path(__file__).parent
    root = package.parents[1]
    try:
        named = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return root if package.parent.name == "src" and named == "equiradio" else None


@cache
def commit() -> str:
    """The commit that is running: of the checkout, with ``-dirty`` where files were changed, else that in the installed version; else "".

    Git is asked once a process. A copy of the sources, which were not installed, has none. Never fails.
    """
    root = checkout()
    if root is not None and (root / ".git").exists():
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return commit_of(version()) if _is_installed() else ""


def _is_installed() -> bool:
    """Whether this is the package whose version was installed, and no other folder of sources before it on the path."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return Path(str(distribution("equiradio").locate_file("equiradio"))).resolve() == Path(__file__).resolve().parent
    except PackageNotFoundError:
        return False


def commit_of(text: str) -> str:
    """The commit that a version names, as hatch-vcs writes it (``0.2.0.dev3+g94a0914b0``); "" where it names none."""
    commit = re.search(r"\+g([0-9a-f]{7,40})\b", text)
    return commit[1] if commit else ""
