"""What table1.json, findings.json and audit.json hold: see docs/reference/files.md."""

from typing import Any, NotRequired, TypedDict

from equiradio.evaluation.asymmetry import Asymmetry
from equiradio.evaluation.baseline import SizeOnly
from equiradio.evaluation.compare import McNemar, PairedBootstrap, SmallestDifference
from equiradio.evaluation.overlap import MeanOverlap
from equiradio.evaluation.random_effects import RandomEffects


class Printed(TypedDict):
    """The scores that the paper's table has, 0..1."""

    accuracy: float
    auc: float
    f1: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]


class Block(Printed):
    """Ours, means over seeds; ``sd`` over seeds and ``interval95`` over sources have the scores' shape, None where not defined."""

    sd: dict[str, Any]
    interval95: dict[str, Any]
    sources: NotRequired[int]
    passes: NotRequired[int]


class Blocks(TypedDict):
    """The scores by protocol, None where there are no runs or no such sources."""

    pooled: Block | None
    per_source: Block | None
    plain: Block | None
    confident: Block | None
    uncertain: Block | None


class Answers(TypedDict):
    """Scores per source of single networks or of an ensemble; ``calibration_error`` the root of `calibration.debiased_square`."""

    accuracy: float
    confident: float | None
    auc: float
    nll: float
    ece: float
    calibration_error: float


class Row(Blocks):
    """One model: the paper's numbers and ours."""

    model: str
    seeds: int
    seed_numbers: list[int]
    epochs: int | list[int] | None
    hours: dict[str, float] | None
    hours_paper: int | None
    device: str | None
    undertrained: str
    paper: Printed | None
    single_networks: Answers | None
    ensemble: Answers | None
    runs: list[str]


class Comparison(TypedDict):
    """Two models on the same sources, as many seeds of each.

    ``ensemble_accuracy``, ``discordant`` and ``mcnemar`` are of the ensembles of these seeds, ``bootstrap`` and ``mixed`` of single
    networks. ``mixed`` is None with one seed, and where nothing scatters the difference.
    """

    first: str
    second: str
    seeds: int
    ensemble_accuracy: list[float]
    discordant: float
    mcnemar: McNemar
    bootstrap: PairedBootstrap
    mixed: RandomEffects | None


class Smallest(TypedDict):
    """The least difference of two accuracies that so many sources could show, paired and on separate sets.

    ``corrected`` as ``paired``, at the level divided by the number of comparisons.
    """

    paired: SmallestDifference | None
    corrected: SmallestDifference | None
    unpaired: float


class DisputedSource(TypedDict):
    """A source; ``against`` : share of networks that say otherwise; ``p_frii`` : their mean."""

    source_id: str
    label: str
    confidence: str
    against: float
    p_frii: float


class Without(TypedDict):
    """Mean accuracy of a model's networks on all test sources, and on those whose label is not in question."""

    model: str
    accuracy: float
    undisputed: float | None


class Disputed(TypedDict):
    """What table1.json holds of them, the most disputed first."""

    least: float
    networks: int
    sources: list[DisputedSource]
    accuracy: list[Without]


class Bootstrap(TypedDict):
    """How the intervals were drawn."""

    resamples: int
    seed: int


class Table1(TypedDict):
    """What table1.json holds."""

    data: str
    split: str
    preset: str
    sources: int
    rows: list[Row]
    comparisons: list[Comparison]
    smallest_difference: Smallest
    size_only: SizeOnly | None
    disputed: Disputed | None
    bootstrap: Bootstrap


class AsymmetryRow(Asymmetry):
    """Of the maps of one network; ``seed`` None where it was never trained."""

    file: str
    model: str
    seed: int | None


class OverlapRow(MeanOverlap):
    """Of one kind of map; ``kind`` trained, untrained or control."""

    map: str
    kind: str
    files: list[str]


class ConvergenceRow(TypedDict):
    """Of one run at a constant learning rate: see `map_findings.images_to_converge`."""

    model: str
    seed: int
    learning_rate: float
    epochs: int
    lowest: float
    lowest_epoch: int
    epochs_to: int | None
    images: int
    horizon: int
    file: str
    to_match: float | None
    images_to_match: int | None


Pick = TypedDict(
    "Pick", {"rule": str, "class": str, "fitting": int, "source_id": str | None, "right": dict[str, bool]}
)  # a source of Figure 2, and whether each model is right about it


class Findings(TypedDict):
    """What findings.json holds; ``lacking`` says what is left out and why."""

    asymmetry: list[AsymmetryRow]
    overlap: list[OverlapRow]
    images_to_converge: list[ConvergenceRow]
    lacking: str
    figure2: NotRequired[list[Pick]]


class Effects(TypedDict):
    """What a habit of the published code changes; None where it has no effect of that kind."""

    accuracy: float | None
    accuracy_change: float | None
    auc: float | None
    auc_change: float | None
    answers_changed: float | None
    logit_change: float | None
    map_correlation: float | None
    map_change: float | None


class AuditRow(Effects):
    """Of one run and habit."""

    run: str
    habit: str


class Audit(TypedDict):
    """What audit.json holds."""

    what: str
    passes: int
    rows: list[AuditRow]
