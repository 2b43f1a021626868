"""What scripts about packaged teams share: teams named on the command line, and what they are asked, put aside."""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from equiradio.inference.asking import Asking
from equiradio.inference.member import Member


def parser(about: str | None) -> argparse.ArgumentParser:
    """Of names of teams, and of a folder for answers; ``about`` is a script's own text."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("names", nargs="+", metavar="NAME")
    made.add_argument("--answers", type=Path, help="a folder for answers; by default one that is deleted")
    return made


@contextmanager
def folder_for(answers: Path | None) -> Iterator[Path]:
    """The folder that was given, or one that is deleted at the end."""
    with tempfile.TemporaryDirectory() as spare:
        yield answers or Path(spare)


def asking_of(name: str, members: Sequence[Member], answers: Path) -> Asking:
    """The members of a team, to ask; their answers lie in ``answers/name``."""
    (answers / name).mkdir(parents=True, exist_ok=True)
    return Asking(members, answers / name, lambda *_: None)
