"""Heads under dropout: without dropout nothing is drawn, with it the spread is what it should be."""

import numpy as np
import pytest
import torch
from torch import nn

from equiradio.explain.dropout import sampled_heads


class Heads(nn.Module):
    """One linear layer behind dropout, as the networks have."""

    def __init__(self, share):
        super().__init__()
        self.dropout, self.top = nn.Dropout(share), nn.Linear(4, 2)

    def decide(self, vectors):
        return self.top(self.dropout(vectors[0])), []


def check_draws(share, spread):
    torch.manual_seed(0)
    heads = Heads(share).eval()
    draws = sampled_heads(heads, [torch.ones(3, 4)], 200, seed=1)
    assert draws.shape == (200, 3, 2)
    np.testing.assert_allclose(draws.sum(-1), 1)
    assert (draws[..., 1].std() > 1e-3) == spread
    assert not heads.training


def test_draws_differ_with_dropout_alone():
    check_draws(0.5, True)
    check_draws(0.0, False)


def test_the_law_catches_heads_left_in_evaluation(monkeypatch):
    monkeypatch.setattr(nn.Dropout, "train", lambda self, mode=True: nn.Module.train(self, False))
    with pytest.raises(AssertionError):
        check_draws(0.5, True)


def test_the_random_state_is_left_alone():
    heads, state = Heads(0.5), torch.random.get_rng_state()
    one = sampled_heads(heads, [torch.ones(2, 4)], 5, seed=1)
    assert torch.equal(state, torch.random.get_rng_state())
    assert one.dtype == np.float64
