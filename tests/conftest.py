"""What tests in several rooms share."""

from pathlib import Path

import pytest

from equiradio.data.location import data_folder
from equiradio.data.mirabest import find_mirabest


@pytest.fixture(scope="session")
def mirabest_folder() -> Path:
    """The data folder that holds the published MiraBest; tests of real images skip where there is none."""
    folder = data_folder()
    if find_mirabest(folder) is None:
        pytest.skip(f"no MiraBest in {folder / 'mirabest'}: set EQUIRADIO_DATA, or run 'equiradio data fetch mirabest'")
    return folder
