"""The page of a team: how right it is about validation and test, class by class, whether its probabilities hold, and whom it mistook."""

from pathlib import Path

import numpy as np

from equiradio.artefacts.atomic import write_text
from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.datasets.sources import Sources
from equiradio.evaluation import bootstrap
from equiradio.evaluation.calibration import ece, nll
from equiradio.evaluation.choosing import feature_reach, mean_probabilities
from equiradio.evaluation.scores import scores
from equiradio.inference.asking import Asking
from equiradio.labels import Labels
from equiradio.printable import count_of, with_interval
from equiradio.report.figures import save
from equiradio.report.page import Page
from equiradio.report.team_figures import Judged, confusion_figure, coverage_figure, examples_figure, reliability_figure
from equiradio.verbs.team_choices import usual_to

RESAMPLES = 2000
SHOWN = 12  # sources that are wrong, and as many that are right
SCORES = (
    "sources",
    "accuracy",
    "balanced accuracy",
    "macro F1",
    "AUC",
    "negative log-likelihood, nats",
    "expected calibration error",
    "share answered",
    "right of these",
)
FLATTERS = "Everything was chosen on validation, and the weights are those of its lowest loss: its scores flatter. Those of test do not."
NO_TEST = "There is no labelled test split, so that nothing here says how right the team is about sources that it was not chosen by."


def judged(folder: TeamFolder, card: TeamCard, asking: Asking, sources: Sources, split: str) -> Judged | None:
    """What a team answers about the labelled sources of a split; None where there are none. Answers that are there are not asked again."""
    sources = sources.of_split(split)
    sources = sources.choose(sources.labels >= 0)
    if not len(sources):
        return None
    assert card.poses is not None
    assert card.temperature is not None
    logits, features = asking.ask(sources.images, split, card.poses)
    p = mean_probabilities(logits, card.temperature)
    fitted = split == "validation"  # by whose features is known what is usual: as in the card, each source is judged by the others'
    usual = feature_reach(features).usual if fitted else usual_to(folder, card, features)
    answered = (p.max(1) >= card.threshold) & usual
    return Judged(split, sources.labels, p, answered, sources.images, sources.source_ids)


def write_page(folder: TeamFolder, card: TeamCard, asking: Asking, sources: Sources) -> Path:
    """Write ``TEAM/index.html``, with everything in it."""
    splits = [each for split in ("validation", "test") if (each := judged(folder, card, asking, sources, split))]
    page, classes = Page(f"{folder.path.resolve().name}: {card.model} of {card.labels}"), card.labels
    _about(page, card, sources, splits)
    page.heading("How right it is")
    page.text((FLATTERS if len(splits) > 1 else NO_TEST) + " In brackets 95 % intervals over sources.")
    page.table(("", *(each.split for each in splits)), score_rows(splits, classes))
    page.table(("class", "split", "labelled", "answered", "F1", "precision", "recall"), class_rows(splits, classes))
    draw = lambda figure, name, caption: page.picture(save(figure, asking.folder / f"{name}.png", 110), caption)
    draw(confusion_figure(splits, classes), "confusion", "Sources of each class by the class answered, abstentions counted by their class.")
    page.heading("What its probabilities are worth")
    caption = "Dots on the line: probabilities hold. Numbers are sources, bars one standard error of a team whose probabilities hold."
    draw(reliability_figure(splits), "reliability", caption)
    caption = "What abstention is worth. The threshold is the lowest on validation above which 95 % are right, if there is one."
    draw(coverage_figure(splits, card.threshold or 0.0), "coverage", caption)
    _examples(page, splits[-1], classes, draw)
    path = folder.page_file
    write_text(path, page.render())
    return path


def _about(page: Page, card: TeamCard, sources: Sources, splits: list[Judged]) -> None:
    counts = ", ".join(f"{len(sources.of_split(each)):,} {each}" for each in ("train", "validation", "test"))
    recipe = card.members[0].images
    scale = "of unknown scale" if not recipe.scale_arcsec else f"of {recipe.scale_arcsec:g} arcsec"
    page.text(
        f"{count_of(len(card.members), 'network')} {card.model} ({', '.join(f'seed {seed}' for seed in card.seeds)}), asked in "
        f"{count_of(card.poses or 0, 'pose')} each; logits are divided by {card.temperature:.3f}. It abstains where the class answered has "
        f"less than {card.threshold:.3f}, and where an image is unlike those of validation. {sources.where}: {counts} sources, images of "
        f"{recipe.side} x {recipe.side} pixels {scale}, stretch {recipe.stretch}."
    )
    small = [each for each in splits if len(each.labels) < 100]
    if small:
        numbers = " and ".join(f"{len(each.labels)} {each.split}" for each in small)
        page.text(f"Few sources ({numbers}): temperature, threshold and all scores are rough. Some hundreds make them firm.")


def score_rows(splits: list[Judged], classes: Labels) -> list[list[str]]:
    """A row for each score, a column for each split."""
    columns = []
    for each in splits:
        point, edges = scores(each.labels, each.p, classes=classes), _edges(each.labels, each.p, classes)
        right = (each.answers == each.labels)[each.answered]
        columns.append(
            [
                f"{len(each.labels):,}",
                *(with_interval(point[key], edges[key]) for key in ("accuracy", "balanced_accuracy", "macro_f1", "auc")),
                f"{nll(each.labels, each.p):.3f}",
                f"{ece(each.labels, each.p):.3f}",
                f"{each.answered.mean():.3f}",
                f"{right.mean():.3f} ({int(right.sum())} of {len(right)})" if len(right) else "-",
            ]
        )
    return [[name, *values] for name, *values in zip(SCORES, *columns, strict=True)]


def class_rows(splits: list[Judged], classes: Labels) -> list[list[str]]:
    """A row for each class and split: how many are labelled and answered so, and the scores with their intervals."""
    rows = []
    points = [scores(each.labels, each.p, classes=classes) for each in splits]
    every = [_edges(each.labels, each.p, classes) for each in splits]
    for place, name in enumerate(classes):
        for each, point, edges in zip(splits, points, every, strict=True):
            counts = [f"{int((column == place).sum()):,}" for column in (each.labels, each.answers)]
            of_class = (with_interval(point[key][name], edges[key][name]) for key in ("f1", "precision", "recall"))
            rows.append([name, each.split, *counts, *of_class])
    return rows


def _edges(labels: np.ndarray, p: np.ndarray, classes: Labels) -> dict:
    return bootstrap.intervals(labels, p[:, None], bootstrap.draw(len(labels), RESAMPLES, 0), classes)


def _examples(page: Page, last: Judged, classes: Labels, draw) -> None:
    """Pictures of the surest mistakes, and of sources that were right, evenly spaced from sure to unsure."""
    wrong = np.flatnonzero(last.answers != last.labels)
    right = np.flatnonzero(last.answers == last.labels)
    page.heading(f"Whom it mistook, {last.split}")
    if len(wrong):
        page.text(f"{len(wrong):,} of {len(last.labels):,} are wrong; the surest first. A label may be the one that is wrong: look.")
        draw(examples_figure(last, wrong[np.argsort(-last.top[wrong], kind="stable")][:SHOWN], classes), "wrong", "Wrong, surest first.")
    else:
        page.text(f"None of {len(last.labels):,}.")
    if len(right):
        ordered = right[np.argsort(-last.top[right], kind="stable")]
        ordered = ordered[np.linspace(0, len(ordered) - 1, min(SHOWN, len(ordered))).round().astype(int)]
        draw(examples_figure(last, ordered, classes), "right", "Right, from the surest to the least sure, evenly spaced.")
