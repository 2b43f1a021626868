"""One map from several gates: the sign of a gate does not count, every gate must agree, and shares follow what is added to the answer."""

import numpy as np
import pytest
import torch

from equiradio.explain.combining import COMBINATIONS, answer_shares, combined, mean, product
from equiradio.inference.evidence import Evidence

SIDE = 150


@pytest.fixture
def gates():
    """Two gates that mark the lit square, the first by attending to it, the second by attending to all else; and the lit pixels."""
    lit = np.zeros((1, SIDE, SIDE), bool)
    lit[0, 60:70, 60:70] = True
    rng = np.random.default_rng(0)
    one = 0.1 + 0.7 * lit + 0.01 * rng.random(lit.shape)
    other = 0.9 - 0.7 * lit + 0.01 * rng.random(lit.shape)
    return np.stack([one, other], 1).astype(np.float32), lit


def check_sign_is_free(gates, lit, combine):
    marked = combine(gates, lit)[0]
    assert marked[lit[0]].min() > 10 * marked[~lit[0]].max()


def test_gates_of_either_sign_mark_together(gates):
    check_sign_is_free(*gates, combined)


def test_the_law_of_signs_catches_the_plain_mean(gates):
    with pytest.raises(AssertionError):
        check_sign_is_free(*gates, lambda planes, lit: mean(planes, np.ones((1, 2))))


def test_a_product_is_nothing_where_one_gate_sees_nothing(gates):
    planes = gates[0].copy()
    planes[0, 0, :75] = 0
    joint = product(planes)
    assert not joint[0, :75].any()
    np.testing.assert_allclose(joint[0, 75:] ** 2, planes[0, 0, 75:] * planes[0, 1, 75:], rtol=1e-5)


def test_shares_are_of_what_differs_from_empty_sky(gates):
    """The first gate adds ten times as much everywhere, and the same everywhere; the second adds something where the source is."""
    lit = torch.from_numpy(gates[1][0])
    much = Evidence(torch.ones(1, 1, SIDE + 2, SIDE + 2), torch.full((1, 1, SIDE + 2, SIDE + 2), 10.0))
    some = Evidence(torch.ones(1, 1, SIDE + 2, SIDE + 2), torch.nn.functional.pad(lit.float(), (1, 1, 1, 1))[None, None])
    shares = answer_shares([much, some], gates[1])
    np.testing.assert_allclose(shares, [[0, 1]], atol=1e-6)
    np.testing.assert_allclose(COMBINATIONS["weighted by the answer"](gates[0], shares), gates[0][:, 1])
    np.testing.assert_allclose(answer_shares([much, much], gates[1]), [[0.5, 0.5]])
