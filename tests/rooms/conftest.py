"""What the tests of several rooms share."""

import pytest

from equiradio.artefacts.form_choices import Choice
from equiradio.compute.form_timing import Case
from equiradio.layers.forms.native import library


@pytest.fixture
def no_kernels(monkeypatch) -> None:
    """As on a machine without a compiler, so that a test says which forms there are to choose from."""
    monkeypatch.setattr(library, "best", lambda: None)


@pytest.fixture
def timed(monkeypatch) -> list[Case]:
    """Cases in the order they are measured; the Fourier form is said to win where the image is small."""
    cases: list[Case] = []

    def measure(case: Case) -> Choice:
        cases.append(case)
        small = case.height < 20
        spent = {"dense": 2.0, "fourier": 1.0 if small else 3.0, "winograd": 4.0}
        return Choice(str(case), "fourier" if small else "dense", spent)

    monkeypatch.setattr(Case, "measure", measure)
    return cases
