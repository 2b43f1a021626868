"""What a bench asks a worker for, what it measures, and what follows from that, as its JSON file holds it: see docs/reference/files.md."""

from typing import Literal, NotRequired, TypedDict

Task = Literal["training", "inference"]
ByTask = dict[Task, int]


class Variant(TypedDict):
    """How a network computes: ``form`` None for the forms that `train` and `classify` choose; ``keep_blocks`` of memory between calls.

    ``images`` : ``sources``, with as much empty sky as those of MiraBest, or ``noise`` over all pixels.
    """

    precision: str
    form: str | None
    keep_blocks: bool
    images: str


class Counted(TypedDict):
    """Least calls and seconds of a measurement."""

    steps: int
    seconds: float


class Job(Variant, Counted):
    """What a worker is asked to do; ``forms`` by name of layer, where the task is training or inference."""

    task: str
    model: str
    batch: int
    forms: NotRequired[dict[str, str]]
    device: NotRequired[str]


class Times(TypedDict):
    """Of one call over several steps."""

    milliseconds_per_image: float
    processor_milliseconds_per_image: float
    first_seconds: float
    steps: int
    threads: int


class Measurement(Times):
    """One round of training or inference; ``peak_mib`` None where the system does not say.

    ``leaves_out`` : are pixels of empty sky not computed?
    """

    build_seconds: float
    precision: str
    peak_mib: float | None
    leaves_out: bool
    weights: int
    torch: str


class ChosenForms(TypedDict):
    """Task -> layer -> form, and the seconds it took to choose: for training by measurement, for inference by the rule of `classify`."""

    forms: dict[str, dict[str, str]]
    precision: str
    seconds: float


class Peaks(TypedDict):
    """What the machine can do at most: 10^9 multiply-adds a second, GB/s copied; None for bf16 without hardware for it."""

    threads: int
    torch: str
    float32_gmacs: float
    bf16_gmacs: float | None
    copy_gb_per_second: float


class Spread(TypedDict):
    """Median, least and most of the rounds, and every one."""

    median: float
    low: float
    high: float
    rounds: list[float]


class Summarised(TypedDict):
    """One measurement over its rounds."""

    milliseconds_per_image: Spread
    processor_milliseconds_per_image: Spread
    peak_mib: float | None
    build_seconds: float
    first_seconds: float
    steps: list[int]
    precision: str
    weights: int
    torch: str


class SummarisedTask(Summarised):
    """With the share (0 to 1) of the machine's peak; None where empty sky is left out, since what is computed is not counted there."""

    share_of_peak: float | None


class ModelSummary(TypedDict):
    """Of one model; multiply-adds by precision and task."""

    batch: int
    multiply_adds_per_image: dict[str, ByTask]
    variants: dict[str, dict[Task, SummarisedTask]]
    times_faster: dict[str, dict[Task, Spread]]


class Options(TypedDict):
    """Of a bench."""

    models: list[str]
    variants: list[str]
    rounds: int
    steps: int
    threads: int


class BenchResult(TypedDict):
    """Everything that a bench's file holds in the end; ``once`` has ``peaks``, and the forms of ``MODEL/VARIANT/forms``."""

    options: Options
    machine: dict[str, str]
    once: dict[str, Peaks | ChosenForms]
    measurements: dict[str, list[Measurement]]
    summary: dict[str, ModelSummary]
