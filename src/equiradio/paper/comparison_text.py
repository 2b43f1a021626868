"""Comparisons of models as cells of a table, and what so many sources could show at all, in words."""

from equiradio.evaluation.compare import PairedBootstrap
from equiradio.evaluation.random_effects import RandomEffects
from equiradio.paper.contents import Table1
from equiradio.printable import in_brackets

COMPARED = (
    "models",
    "seeds of each",
    "ensembles: right only by the first",
    "only by the second",
    "ensembles: difference, points",
    "McNemar p",
    "McNemar after Holm",
    "single networks: difference, points [95 %]",
    "bootstrap p",
    "bootstrap after Holm",
    "over seeds and sources: points [95 %]",
    "mixed model p",
    "mixed model after Holm",
)
COMPARED_NOTE = (
    "McNemar's test is of the ensembles (probabilities averaged over seeds), exact; the bootstrap and the mixed model are of the mean "
    "accuracy of single networks. So their differences are not the same. The bootstrap asks what other sources would say of these very "
    "networks, the mixed model what other sources and other seeds would say of these models; few seeds say little of others, so that its "
    "intervals are wide. All take the lowest seeds, as many of each model as the one with fewer has. Holm corrects each test for the pairs "
    "shown."
)


def comparison_rows(table: Table1) -> list[list[str]]:
    """Paired comparisons: `COMPARED`."""
    rows = []
    for pair in table["comparisons"]:
        exact, boot = pair["mcnemar"], pair["bootstrap"]
        mixed = pair["mixed"]
        rows.append(
            [
                f"{pair['first']} - {pair['second']}",
                f"{pair['seeds']}",
                f"{exact['first_only']}",
                f"{exact['second_only']}",
                f"{100 * (pair['ensemble_accuracy'][0] - pair['ensemble_accuracy'][1]):+.1f}",
                f"{exact['p']:.3f}",
                f"{exact['p_holm']:.3f}",
                *_of_test(boot),
                *(_of_test(mixed) if mixed is not None else ["-"] * 3),
            ]
        )
    return rows


def _of_test(test: PairedBootstrap | RandomEffects) -> list[str]:
    return [points_text(test), p_text(test["p"]), p_text(test["p_holm"])]


def points_text(test: PairedBootstrap | RandomEffects, unit: str = "") -> str:
    """A difference in points, with its 95 % interval where it has one."""
    return f"{100 * test['difference']:+.1f}{unit}{in_brackets(test['interval95'], 1, 100.0, '+')}"


def p_text(p: float | None) -> str:
    """A p-value; a dash where there can be none."""
    return "-" if p is None else f"{p:.3f}"


def smallest_text(table: Table1) -> str:
    """What so many sources could show at all."""
    least, sources = table["smallest_difference"], table["sources"]
    paired, corrected, count = least["paired"], least["corrected"], len(table["comparisons"])
    unpaired = (
        f"Two single accuracies near 85 % from two separate sets of {sources} would have to differ by {100 * least['unpaired']:.1f} points."
    )
    if paired is None or corrected is None or paired["difference"] is None:
        return unpaired
    at_once = "no difference" if corrected["difference"] is None else f"one of {100 * corrected['difference']:.1f} points or more"
    return (
        f"With {sources} sources the exact paired test finds a true difference of {100 * paired['difference']:.1f} points or more "
        f"with {100 * paired['power']:.0f} % power "
        f"at the {100 * paired['alpha']:.0f} % level, uncorrected, if one model alone is right on "
        f"{100 * paired['discordant']:.0f} % of sources (the median of the pairs above); "
        f"corrected for {count} comparisons (level {100 * corrected['alpha']:.2g} %) {at_once}. {unpaired}"
    )
