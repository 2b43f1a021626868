"""Every refusal: one line that says what was found, what was expected and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from textwrap import shorten

from equiradio.printable import in_one_line, printable

__all__ = ["DataRefusal", "DiskRefusal", "ImageRefusal", "ModelRefusal", "Refusal", "RunRefusal", "SettingRefusal", "TrainingRefusal"]


class Refusal(Exception):
    """Input that cannot be used, explained in one line: ``where: found; expected. do``.

    Parameters
    ----------
    where : the user's own name for the thing refused (a file, a setting, an option). What cannot be printed becomes question marks.
    found : what was there, with numbers.
    expected : what would have been accepted.
    do : what the user can do now.
    """

    kind = "refused"

    def __init__(self, where: object, found: str, expected: str, do: str) -> None:
        self.where = printable(str(where))
        self.found, self.expected, self.do = map(in_one_line, (found, expected, do))
        end = "" if self.expected.endswith("...") else "."
        super().__init__(f"{self.where}: {self.found}; expected {self.expected}{end} {self.do}")

    def __reduce__(self) -> tuple[type["Refusal"], tuple[str, ...]]:
        return type(self), (self.where, self.found, self.expected, self.do)


class DataRefusal(Refusal):
    """A data set that is missing, damaged, unsafe to read or of the wrong shape."""

    kind = "data"


class SettingRefusal(Refusal):
    """A setting that does not exist or a value it cannot take."""

    kind = "setting"


class ModelRefusal(Refusal):
    """A model or group that is not built here."""

    kind = "model"


class RunRefusal(Refusal):
    """A run folder that is missing, half-written or made with other settings."""

    kind = "run"


class TrainingRefusal(Refusal):
    """A training that went wrong: a loss that is not finite, a head that died."""

    kind = "training"


class DiskRefusal(Refusal):
    """A file that could not be written because the disk, or the user's share of it, is full."""

    kind = "disk"


class ImageRefusal(DataRefusal):
    """An image that cannot be classified; ``flag`` is its name among the quality flags of the table."""

    kind = "image"

    def __init__(self, flag: str, where: object, found: str, expected: str, do: str) -> None:
        self.flag = flag
        super().__init__(where, found, expected, do)

    def __reduce__(self) -> tuple[type["Refusal"], tuple[str, ...]]:
        return type(self), (self.flag, self.where, self.found, self.expected, self.do)


ANYTHING: tuple[type[Exception], ...] = (Exception,)  # that libraries raise over damaged files


@contextmanager
def refused_as(kind: type[Refusal], where: object, expected: str, do: str) -> Iterator[None]:
    """Read a file of ours: whatever is raised meanwhile is a refusal of that file, but for a missing package (`not_imported`).

    Libraries meet damage in dozens of ways, and one bad file must not end what is done with others.
    """
    try:
        yield
    except Refusal:
        raise
    except ImportError as error:
        raise not_imported(where, error) from None
    except ANYTHING as error:
        raise kind(where, f"cannot be read ({reason(error)})", expected, do) from None


def reason(error: Exception) -> str:
    """What an exception says, in a few words."""
    text = getattr(error, "strerror", None) or in_one_line(str(error))
    name = type(error).__name__
    return shorten(name if not text else text if isinstance(error, OSError) else f"{name}: {text}", 160, placeholder=" ...")


def not_imported(where: object, error: ImportError) -> Refusal:
    """A package that reading a file needs cannot be imported, which is no fault of the file and ends what is done with others too."""
    package = (error.name or "").partition(".")[0]
    words = f"{package or 'a package'} cannot be imported to read it ({reason(error)})"
    return Refusal(where, words, "a whole installation", f"Install it again: pip install {package or 'equiradio'}.")


def nearest(word: str, words: list[str]) -> str:
    """'Did you mean ...?' for the closest of these words, letters' case aside; else to choose one of those that the refusal expects."""
    small = {each.lower(): each for each in reversed(words)}
    close = get_close_matches(word.lower(), small, n=1, cutoff=0.6)
    return f"Did you mean {small[close[0]]}?" if close else "Choose one of these."
