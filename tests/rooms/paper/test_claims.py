"""What is said of the paper's claims, for evidence that is known in advance."""

from types import SimpleNamespace

import pytest

from equiradio.paper.claims import claims
from equiradio.paper.comparison_text import comparison_rows
from equiradio.paper.table1 import _corrected

NOTHING = {"images_to_converge": [], "overlap": [], "lacking": "No images.", "asymmetry": []}
PAPER = {"accuracy": 0.83}
RUNS = SimpleNamespace(equivariant=lambda: {"c4-attention", "d4-attention"})  # as their cards say


def table(comparisons=()):
    rows = [{"model": name, "paper": PAPER, "undertrained": False} for name in ("lenet", "attention", "c4-attention")]
    return {"rows": rows, "comparisons": list(comparisons)}


def verdicts(found=(), comparisons=()) -> list[str]:
    return [claim.verdict for claim in claims(RUNS, table(comparisons), NOTHING | dict(found))]


def converged(model, images, last=False, matched=None):
    row = {
        "model": model,
        "seed": 0,
        "images": images,
        "lowest_epoch": 9 if last else 5,
        "epochs": 9,
        "horizon": 900,
        "file": "history.csv",
    }
    return row | {"to_match": 0.4, "images_to_match": matched}


def pair(bootstrap, mcnemar, first="c4-attention", sign=1, mixed=None):
    return {
        "first": first,
        "second": "attention",
        "bootstrap": {"difference": sign * 0.03, "interval95": sorted([sign * 0.01, sign * 0.05]), "p_holm": bootstrap},
        "mcnemar": {"p_holm": mcnemar},
        "mixed": None if mixed is None else {"p_holm": mixed},
    }


def overlap(name, kind, mean):
    return {"map": name, "kind": kind, "mean": mean, "interval95": [mean - 0.01, mean + 0.01], "files": []}


def odd(seed, p_odd_power):
    return {"model": "attention", "seed": seed, "index": 0.1, "p": 0.5, "p_odd_power": p_odd_power, "file": "maps.npz"}


def test_without_evidence_nothing_is_claimed():
    assert verdicts() == ["not tested"] * 4


def test_epochs_are_compared_with_the_plain_attention_network_only():
    assert verdicts({"images_to_converge": [converged("lenet", 10), converged("c4-attention", 5)]})[0] == "not tested"
    assert verdicts({"images_to_converge": [converged("attention-wide", 10), converged("c4-attention", 5)]})[0] == "not tested"
    plain = converged("attention", 100, matched=90)
    early, late, never = (converged("c4-attention", images, matched=matched) for images, matched in ((50, 30), (150, 91), (150, None)))
    assert verdicts({"images_to_converge": [plain, early]})[0] == (
        "1 of 1 came to the loss that every run of attention reached after fewer images than it (median run); "
        "1 of 1 equivariant models saw fewer images than attention until their own lowest loss (by one run of some: an indication)"
    )
    for other in (late, never):
        verdict = verdicts({"images_to_converge": [plain, other]})[0]
        assert verdict.startswith("0 of 1 came to the loss")
        assert "; 0 of 1 equivariant" in verdict
    assert "indication" not in verdicts({"images_to_converge": [plain, early] * 3})[0]


def test_a_seed_that_never_came_as_low_counts_as_later_than_any_other_and_no_more():
    """Of unequal numbers of seeds the medians are compared; a model of which half never came there has none."""
    plain = [converged("attention", 100, matched=matched) for matched in (70, 80, 90)]
    one, two = ([converged("c4-attention", 50, matched=matched) for matched in (30, 40, None, None)[:count]] for count in (3, 4))
    evidence, verdict = claims(RUNS, table(), NOTHING | {"images_to_converge": plain + one})[0][1:3]
    assert "Until it was as low as every run of attention came (0.400): attention: 70, 80, 90; c4-attention: 30, 40, never." in evidence
    assert verdict.startswith("1 of 1 came to the loss")
    assert verdicts({"images_to_converge": plain + two})[0].startswith("0 of 1 came to the loss")


def test_a_loss_that_still_fell_at_the_end_is_said_to_bound_the_count():
    rows = [converged("lenet", 10, last=True), converged("lenet", 20)]
    evidence = claims(RUNS, table(), NOTHING | {"images_to_converge": rows})[0].evidence
    assert "In 1 of 2 runs the lowest loss came in the last epoch" in evidence


@pytest.mark.parametrize(
    ("bootstrap", "mcnemar", "mixed", "verdict"),
    [
        (0.01, 0.04, None, "supported by 2 of 3 tests, no other could be made: c4-attention against attention"),
        (None, 0.04, None, "supported by 1 of 3 tests, no other could be made: c4-attention against attention"),
        (0.01, 0.04, 0.03, "supported by every test: c4-attention against attention"),
        (0.01, 0.04, 0.06, "the tests disagree: suggested, not shown"),
        (0.01, 0.06, 0.01, "the tests disagree: suggested, not shown"),
        (0.06, 0.01, 0.06, "the tests disagree: suggested, not shown"),
        (0.06, 0.06, 0.01, "the tests disagree: suggested, not shown"),
        (0.06, 0.06, 0.06, "not shown"),
        (0.06, 0.06, None, "not shown; c4-attention against attention: 2 of 3 tests could be made"),
        (0.01, 0.06, None, "the tests disagree: suggested, not shown; c4-attention against attention: 2 of 3 tests could be made"),
    ],
)
def test_a_difference_is_supported_where_every_corrected_test_finds_it(bootstrap, mcnemar, mixed, verdict):
    assert verdicts(comparisons=[pair(bootstrap, mcnemar, mixed=mixed)])[1] == verdict


def test_a_model_that_is_worse_speaks_against_the_claim_and_a_wide_one_not_at_all():
    worse = pair(0.01, 0.04, sign=-1, mixed=0.03)
    against = "contradicted by every test, worse: c4-attention against attention"
    assert verdicts(comparisons=[worse])[1] == against
    better = "supported by every test: d4-attention against attention"
    assert verdicts(comparisons=[worse, pair(0.01, 0.04, "d4-attention", mixed=0.03)])[1] == f"{better}; {against}"
    assert verdicts(comparisons=[pair(0.01, 0.06, sign=-1, mixed=0.03)])[1] == "not shown"
    assert verdicts(comparisons=[pair(0.01, 0.04, "attention-wide")])[1] == "not tested"


def test_a_test_that_could_not_be_made_is_named_and_never_counted_as_one_of_every():
    """Of two pairs one was tested by all three tests; of the other the bootstrap has no p and the mixed model is not there."""
    partly = pair(None, 0.04, "d4-attention")
    evidence, verdict = claims(RUNS, table([pair(0.01, 0.04, mixed=0.03), partly]), NOTHING)[1][1:3]
    assert verdict == (
        "supported by every test: c4-attention against attention; "
        "supported by 1 of 3 tests, no other could be made: d4-attention against attention"
    )
    assert "after Holm p = - (single networks, bootstrap over sources), - (the same, over seeds and sources) and 0.040" in evidence
    worse = pair(None, 0.04, sign=-1, mixed=0.03)
    assert verdicts(comparisons=[worse])[1] == (
        "contradicted by 2 of 3 tests, no other could be made, worse: c4-attention against attention"
    )


def test_maps_must_beat_the_best_control_that_learned_nothing():
    rows = [overlap("attention", "trained", 0.3), overlap("c4-attention", "trained", 0.5), overlap("the image itself", "control", 1.0)]
    gaussian, fresh = overlap("centred Gaussian", "control", 0.4), overlap("attention", "untrained", 0.2)
    assert verdicts({"overlap": [*rows, gaussian, fresh]})[2].endswith("(centred Gaussian): c4-attention")
    assert verdicts({"overlap": [*rows, gaussian, overlap("attention", "untrained", 0.49)]})[2].endswith("(attention untrained): none")


def test_an_asymmetry_that_untrained_networks_have_too_need_not_be_learnt():
    plain = [odd(0, 0.01), odd(1, 0.2)]
    found = "odd part differs between classes at 5 % in 1 of 2 plain networks"
    assert verdicts({"asymmetry": [*plain, odd(None, 0.2)]})[3] == found
    assert verdicts({"asymmetry": [*plain, odd(None, 0.01)]})[3] == f"{found}, and in 1 of 1 untrained ones: it need not be learnt"


def test_a_difference_that_nothing_scatters_is_shown_without_interval_and_p():
    """As of a model that is right about every source, beside one that is wrong about every one."""
    alike = {"difference": 1.0, "interval95": None, "p": None}
    scattered = {"difference": 0.5, "interval95": [0.25, 0.75], "p": 0.01}
    _corrected([alike, scattered])
    assert (alike["p_holm"], scattered["p_holm"]) == (None, 0.01)
    shown = pair(0.01, 0.04) | {"seeds": 2, "ensemble_accuracy": [1.0, 0.0], "bootstrap": alike}
    shown["mcnemar"] |= {"first_only": 40, "second_only": 0, "p": 0.01}
    assert comparison_rows(table(comparisons=[shown]))[0][-6:] == ["+100.0", "-", "-", "-", "-", "-"]
    claim = claims(RUNS, table(comparisons=[shown]), NOTHING)[1]
    assert "+100.0 points, after Holm p = - (single networks" in claim.evidence
