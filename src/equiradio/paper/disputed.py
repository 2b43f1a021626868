"""Labels in question: test sources about which nearly all networks of several models say otherwise."""

import numpy as np

from equiradio.evaluation.compare import right
from equiradio.labels import FANAROFF_RILEY
from equiradio.paper.contents import Disputed
from equiradio.paper.results import Results

LEAST = 0.9  # share of networks, every model weighing the same
DISPUTED = ("source", "label", "the catalogue is", "networks that say otherwise, %", "mean probability of FRII")
WITHOUT = ("model", "accuracy of single networks, %", "without these sources, %")
NOTE = (
    "Every model weighs the same, whatever the number of its seeds. The networks have learned from the same training labels, so that what "
    "they have in common is no proof against a label; it says where to look. Accuracy without these sources is higher by construction, "
    "since the networks chose them: no other number here leaves them out."
)


def disputed(results: Results) -> Disputed | None:
    """None where there are not two models, which could agree."""
    names = list(dict.fromkeys(result.model for result in results.runs))
    if len(names) < 2:
        return None
    answers = results.runs[0].predictions
    p_frii = {name: np.stack([result.per_source for result in results.of(name)]) for name in names}
    correct = {name: right(answers.labels, p) for name, p in p_frii.items()}
    against = 1 - np.mean([each.mean(axis=0) for each in correct.values()], axis=0)
    mean, there = np.mean([p.mean(axis=0) for p in p_frii.values()], axis=0), against >= LEAST
    rows = sorted(np.flatnonzero(there).tolist(), key=lambda row: -against[row])
    return {
        "least": LEAST,
        "networks": sum(map(len, p_frii.values())),
        "sources": [
            {
                "source_id": str(answers.source_ids[row]),
                "label": FANAROFF_RILEY.names[answers.labels[row]],
                "confidence": str(answers.confidence[row]),
                "against": float(against[row]),
                "p_frii": float(mean[row]),
            }
            for row in rows
        ],
        "accuracy": [
            {
                "model": name,
                "accuracy": float(each.mean()),
                "undisputed": None if there.all() else float(each[:, ~there].mean()),
            }
            for name, each in correct.items()
        ],
    }


def disputed_rows(disputed: Disputed) -> list[list[str]]:
    """`DISPUTED`."""
    return [
        [each["source_id"], each["label"], each["confidence"], f"{100 * each['against']:.0f}", f"{each['p_frii']:.2f}"]
        for each in disputed["sources"]
    ]


def accuracy_rows(disputed: Disputed) -> list[list[str]]:
    """`WITHOUT`."""
    return [
        [each["model"], f"{100 * each['accuracy']:.1f}", "-" if each["undisputed"] is None else f"{100 * each['undisputed']:.1f}"]
        for each in disputed["accuracy"]
    ]


def disputed_text(disputed: Disputed, sources: int) -> str:
    """How many there are."""
    count = len(disputed["sources"])
    return (
        f"{count} of {sources} test sources are answered otherwise than they are labelled by {100 * disputed['least']:.0f} % or more of "
        f"{disputed['networks']} networks of {len(disputed['accuracy'])} models. {NOTE}"
    )
