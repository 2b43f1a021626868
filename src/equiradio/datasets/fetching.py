"""Download a published file by its checksum."""

from pathlib import Path
from textwrap import shorten


class NotFetched(Exception):
    """A file that could not be downloaded; says in words which and why."""


def retrieve(url: str, md5: str, file: Path, progress: bool = True) -> Path:
    """The file, downloaded unless it is there with that MD5; it takes its name only after its MD5 was right.

    Raises
    ------
    NotFetched : no network, no room, another MD5, or no pooch.
    """
    try:
        import pooch

        pooch.get_logger().setLevel("WARNING")
        return Path(pooch.retrieve(url, f"md5:{md5}", fname=file.name, path=file.parent, progressbar=progress))
    except (ImportError, OSError, ValueError) as error:
        reason = shorten(f"{type(error).__name__}: {error}", 120, placeholder=" ...")
        raise NotFetched(f"fetching {url} failed ({reason})") from None  # three libraries' traces say no more
