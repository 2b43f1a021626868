"""Shapes of the REST interface's answers, as its OpenAPI page shows them."""

import base64

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


def as_base64(plane: np.ndarray) -> str:
    """Pixels of a plane, row by row, as the answers carry them."""
    return base64.b64encode(plane.tobytes()).decode()


class ErrorParts(BaseModel):
    """What was refused and why."""

    kind: str
    where: str
    found: str
    expected: str
    do: str


class Error(BaseModel):
    """The one shape of errors."""

    error: ErrorParts


class Health(BaseModel):
    """Whether the viewer answers."""

    state: str = Field(description="ready")
    version: str
    models: int
    sets: list[str]
    runs: int
    tables: int
    labelling: bool = Field(description="images can be labelled here")
    megabytes: float | None = Field(description="peak resident memory of the process; null where the system does not say it")


class Model(BaseModel):
    """A model offered, from its card."""

    name: str
    model: str
    group: str
    order: int
    weights: int = Field(description="trainable weights")
    seeds: list[int] = Field(description="one per member of the team")
    packaged: bool
    side: int = Field(description="of the images that it answers about, pixels")
    data: str
    classes: list[str] = Field(description="in the order of the logits")
    best_validation_loss: float | None
    licence: str
    citation: str


class Chance(BaseModel):
    """Probability of a class, with its model spread."""

    p: float
    low: float = Field(description="5 % of the model spread over members and poses")
    high: float = Field(description="95 %")


class Answer(BaseModel):
    """A class with its uncertainty.

    Beside the fields below, the columns of probabilities that the catalogue of ``equiradio classify`` has for these
    classes: p_<class> of each, and p_<class>_low and p_<class>_high, of two classes those of the second.
    """

    model_config = ConfigDict(extra="allow")

    source: str
    model: str
    label: str
    probabilities: dict[str, Chance] = Field(description="of every class, by name")
    uncertain: bool = Field(
        description="the model abstains: below its threshold, unusual, unresolved, a beam that was not tested, or, where not calibrated, "
        "spread so far that another class may win"
    )
    set: str | None = Field(description="as in the catalogue: classes that cannot be ruled out, with | between; null where none was chosen")
    expected_accuracy: float | None = Field(description="as in the catalogue; null where such answers were not measured")
    calibrated: bool = Field(description="temperature, threshold and distance were chosen on validation")
    answers: int = Field(description="members times poses")
    members: int
    map_agreement: float | None = Field(description="as in the catalogue: mean correlation of all pairs of members' maps; null for one")
    in_words: str
    flags: dict[str, str] = Field(description="quality flags of the source and of the answer, with their meaning")
    seconds: float


class Evidence(BaseModel):
    """What each pixel adds to the log-odds of a class, before calibration.

    Maps are base64 of side x side little-endian float32, rows from row 0.
    """

    map: str = Field(description="in the frame of the turned source; its sum and the constant make the margin")
    map_turned_back: str
    full: float = Field(description="99.5 % of the pixels of the source as it is say no more than this either way: the colours end there")
    constant: float = Field(description="what is said without any of these pixels")
    margin: float = Field(
        description="logit of the class less the mean of the others' (of two classes: less the other's), of the turned source"
    )
    sum_below: float = Field(description="sum of the pixels below 0; with the sum above and the constant it makes the margin")
    sum_above: float
    member_agreement: float | None = Field(
        description="mean Pearson correlation of all pairs of members' evidence at this angle, inside the inscribed circle; null for one"
    )
    below: str = Field(description="what pixels below 0 speak for, in words")
    above: str


class Explanation(BaseModel):
    """Attention of one model.

    Maps are base64 of side x side uint8, rows from row 0; the map of all gates first, then shallow to deep.
    Beside the fields below, ``p`` and ``p_unturned`` under the class's own name: p_<class>, p_<class>_unturned.
    """

    model_config = ConfigDict(extra="allow")

    model: str
    member: int | None = Field(description="seed of the member that is shown; null for the mean over all")
    toward: str = Field(description="the class spoken of: of two the second, else the most probable of the source as it is")
    p: float = Field(description="probability of that class for the turned source")
    p_unturned: float
    gates: int
    maps: list[str] = Field(description="in the frame of the turned source")
    maps_turned_back: list[str]
    peaks: list[tuple[int, int]] = Field(description="row and column of the largest value of each map")
    peaks_turned_back: list[tuple[int, int]]
    member_agreement: float | None = Field(
        description="mean Pearson correlation of all pairs of members' mean maps at this angle, inside the inscribed circle; null for one"
    )
    evidence: Evidence | None = Field(description="null where the answer is no sum over pixels: no gates, or a ReLU behind the heads")
    drift: float | None = Field(
        description="root of summed squares of (map turned back - map of the source as it is) over that of the latter"
    )
    drift_of_resampling: float | None = Field(description="the same for a map merely turned there and back")
    exact_quarter_turns: bool
    milliseconds: float


class Explained(BaseModel):
    """A source turned by ``rotation_deg`` in the sense of torch.rot90, and what each model attends to."""

    source: str
    rotation_deg: float
    pixels: str = Field(description="base64 of side x side uint8, as the networks see it")
    answers: list[Explanation]


class Source(BaseModel):
    """A source. ``pixels`` base64 of uint8, ``values`` base64 of little-endian float32 in ``unit``, both side x side from row 0."""

    key: str
    name: str
    side: int = Field(description="pixels of the image's side")
    pixels: str
    values: str | None
    unit: str
    sky: list[list[list[float]]] | None = Field(description="unit vectors at evenly spaced rows and columns")
    arcsec_per_pixel: float | None
    beam_arcsec: tuple[float, float | None] | None = Field(description="major and minor axis; null for what the file does not state")
    beam_pa_deg: float | None = Field(description="position angle of the major axis; null where it is unknown")
    label: str | None
    confidence: str
    flags: dict[str, str]


class Listed(BaseModel):
    """A source of a set."""

    key: str
    name: str
    label: str | None = Field(description="name of its class in the catalogue")
    split: str
    confidence: str


class Listing(BaseModel):
    """Part of a set."""

    set: str
    total: int
    sources: list[Listed]
