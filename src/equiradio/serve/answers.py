"""The class of a source, as ``equiradio classify`` gives it, and what it means in words."""

import time
from collections.abc import Container, Iterator
from functools import partial
from typing import Any

from equiradio.artefacts.flags import FLAGS
from equiradio.inference.answers import answer_in_pieces, no_answer
from equiradio.inference.rows import answered_rows
from equiradio.serve.held import Held
from equiradio.serve.networks import Network, Networks


def classify(networks: Networks, network: Network, source: Held) -> Iterator[dict[str, Any] | None]:
    """The row that ``equiradio classify`` writes of the source, and in words what it means.

    Yields nothing after each piece of the work, so that whoever asked may leave, and at last the answer: the row's
    class, its columns of probabilities, and the same for every class by name.
    """
    started = time.perf_counter()
    team = networks.turn.ask(network.open)
    calibration, labels = team.calibration, team.labels
    asking = answer_in_pieces(team.members, calibration, source.pixels[None])
    while (answers := networks.turn.ask(partial(next, asking))) is None:
        yield None
    if not answers.answered[0]:
        raise no_answer(source.name)
    cutout = source.cutout()
    row = answered_rows([cutout], answers, team.name, labels, calibration)[0]
    spread = zip(labels, answers.p[0], answers.low[0], answers.high[0], strict=True)
    chances = {name: {"p": float(p), "low": float(low), "high": float(high)} for name, p, low, high in spread}
    flags = {flag.name: flag.meaning for flag in FLAGS if row["flags"] & flag.bit}
    yield {
        "source": source.key,
        "model": network.name,
        "label": row["label"],
        "probabilities": chances,
        **{column: value for column, value in row.items() if column.startswith("p_")},
        "uncertain": row["uncertain"],
        "set": row["set"],
        "expected_accuracy": row["expected_accuracy"],
        "calibrated": calibration.calibrated,
        "answers": len(team.members) * calibration.poses,
        "members": len(team.members),
        "map_agreement": row["map_agreement"],
        "in_words": in_words(row["label"], chances[row["label"]], row["uncertain"], calibration.threshold_of(cutout.beam), flags),
        "flags": flags,
        "seconds": time.perf_counter() - started,
    }


def in_words(label: str, chance: dict[str, float], uncertain: bool, threshold: float | None, flags: Container[str]) -> str:
    """The answer as one would say it.

    Parameters
    ----------
    chance : probability ``p`` of the class answered, ``low`` and ``high`` ends of its spread.
    threshold : the probability below which the team abstains; None where it is not calibrated.
    flags : names of the answer's quality flags.
    """
    sure = f"{100 * chance['p']:.0f} %"
    spread = f"nine in ten answers lie between {100 * chance['low']:.0f} % and {100 * chance['high']:.0f} %"
    if "unresolved" in flags:
        return f"Abstains: the source has too few beams across for its class to show. It would say {label} with {sure}."
    if "beam_untested" in flags:
        why = (
            "the file's pixels are too coarse for any beam through which it was" if "no_beam" in flags else "through this beam it was never"
        )
        return f"Abstains: {why} found to tell classes apart. It would say {label} with {sure}."
    if "unusual" in flags:
        return f"Abstains: the image is unlike the sources that the network was checked on. It would say {label} with {sure}."
    if threshold is None:
        return f"{'Abstains: ' if uncertain else 'Says '}{label} with {sure}, not calibrated; {spread}."
    if uncertain:
        return f"Abstains: {label} with {sure}, less than the {100 * threshold:.1f} % it needs; {spread}."
    return f"Says {label} with {sure}; {spread}."
