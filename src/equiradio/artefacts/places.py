"""Places that products are to be written to, looked at before any work."""

from collections.abc import Mapping
from pathlib import Path

from equiradio.errors import SettingRefusal


def check_picture(option: str, path: Path | None) -> None:
    """Refuse a picture that is no PNG by its name; none where it is left out."""
    if path is not None and path.suffix.lower() != ".png":
        raise SettingRefusal(option, f"'{path.name}'", "a name that ends in .png", "Change the suffix.")


def check_places(files: Mapping[str, Path | None], folders: Mapping[str, Path | None]) -> None:
    """Refuse files that are folders, folders that are files, places below a file, and one place named twice.

    Parameters
    ----------
    files, folders : what is to be written, by the option that names it; None where it is left out.
    """
    taken: dict[Path, str] = {}
    for option, path in (*files.items(), *folders.items()):
        if path is None:
            continue
        if option in files and path.is_dir():
            raise SettingRefusal(option, f"{path} is a folder", "a file", "Name a file.")
        if option in folders and path.exists() and not path.is_dir():
            raise SettingRefusal(option, f"{path} is a file", "a folder", "Name a folder.")
        if above := next((each for each in path.parents if each.exists() and not each.is_dir()), None):
            raise SettingRefusal(option, f"{above} is a file, and {path} lies below it", "a place in a folder", "Correct the path.")
        if other := taken.get(path.resolve()):
            raise SettingRefusal(option, f"{path}, as {other}", "a place of its own", "Name another.")
        taken[path.resolve()] = option
