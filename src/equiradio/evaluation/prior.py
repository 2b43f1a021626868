"""Another mix of classes than a network learned from: probabilities re-weighed from the one to the other."""

import math
from collections.abc import Mapping
from numbers import Real
from textwrap import shorten

import numpy as np

from equiradio.errors import SettingRefusal
from equiradio.labels import Labels

OPTION = "--prior"
EXAMPLE = "For example --prior {}=0.7,{}=0.3."
SAME = 1e-9  # a ratio of two mixes that is so near to 1 is one of rounding
WHOLE = 1e-6  # by which shares may miss 1


def parse_prior(text: str, labels: Labels) -> dict[str, float]:
    """Shares by class of a text such as ``FRI=0.7,FRII=0.3``.

    Raises
    ------
    SettingRefusal : another form, or a class named twice.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not equals or math.isnan(share):
            raise _refusal(f"'{part.strip()}'", "CLASS=SHARE, with commas between", labels)
        if name.strip() in shares:
            raise _refusal(f"{name.strip()} twice", "each class once", labels)
        shares[name.strip()] = share
    return shares


def whole_prior(prior: Mapping[str, float] | str, labels: Labels) -> tuple[float, ...]:
    """The share of every class in their order; one that is left out has the rest. Text as `parse_prior` takes it.

    Raises
    ------
    SettingRefusal : a class that is none of these, more than one left out, a share that is none, or shares that do not make 1.
    """
    prior = parse_prior(prior, labels) if isinstance(prior, str) else prior
    if not isinstance(prior, Mapping):
        raise _refusal(shorten(repr(prior), 60, placeholder=" ..."), "a share of each class", labels)
    for name, share in prior.items():
        if name not in labels.names:
            raise _refusal(f"'{name}'", f"one of {labels}", labels)
        if isinstance(share, bool) or not isinstance(share, Real):
            raise _refusal(f"{name}={share!r}", "a share above 0 and below 1", labels)
        if not 0 < share < 1:
            raise _refusal(f"{name}={share:g}", "a share above 0 and below 1", labels)
    absent = [name for name in labels if name not in prior]
    if len(absent) > 1:
        raise _refusal(f"nothing of {', '.join(absent)}", "a share of every class but one", labels)
    rest = 1 - math.fsum(prior.values())
    if absent and rest <= 0:
        raise _refusal(f"shares of {1 - rest:g} together, and nothing left for {absent[0]}", "less than 1", labels)
    if not absent and abs(rest) > WHOLE:
        raise _refusal(f"shares of {1 - rest:g} together", "1", labels)
    whole = dict(prior) | dict.fromkeys(absent, rest)
    return tuple(float(whole[name]) for name in labels)


def prior_weights(prior: tuple[float, ...], learned: Mapping[str, float], labels: Labels) -> tuple[float, ...] | None:
    """By what the probability of each class is multiplied for a mix, where a network learned from ``learned`` sources of each class.

    None where the two are the same mix.
    """
    total = math.fsum(learned[name] for name in labels)
    ratios = [share * total / learned[name] for name, share in zip(labels, prior, strict=True)]
    return None if all(abs(ratio - 1) <= SAME for ratio in ratios) else tuple(ratios)


def reweighed(p: np.ndarray, weights: tuple[float, ...] | None) -> np.ndarray:
    """Probabilities (..., classes) for another mix: p times weight, made to sum to 1; as they are without weights.

    Source: Saerens, Latinne & Decaestecker 2002, eq. 2.4: what a class looks like stays, how common it is changes.
    """
    if weights is None:
        return p
    each = p * np.array(weights)
    return np.asarray(each / each.sum(-1, keepdims=True))


def prior_in_words(prior: tuple[float, ...], labels: Labels) -> str:
    """Such as ``FRI=0.7,FRII=0.3``, as products name it."""
    return ",".join(f"{name}={share:g}" for name, share in zip(labels, prior, strict=True))


def _refusal(found: str, expected: str, labels: Labels) -> SettingRefusal:
    return SettingRefusal(OPTION, found, expected, EXAMPLE.format(*labels.names[:2]))
