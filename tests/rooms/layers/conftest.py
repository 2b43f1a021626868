"""What tests of layers and of their forms share; lying here, it lets those of forms import what stands beside it."""

import pytest

from equiradio.layers.forms.native import library


@pytest.fixture(params=list(library.VARIANTS))
def variant(request, monkeypatch) -> str:
    """Every kind of processor in turn, as far as this one can play it."""
    if request.param not in library.variants_here():
        pytest.skip(f"this processor, or this build, has no kernels for {request.param}")
    monkeypatch.setattr(library, "best", lambda: request.param)
    return request.param
