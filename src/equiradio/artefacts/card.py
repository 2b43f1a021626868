"""Model card: what a run is, where it comes from and how far it got."""

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.json_files import check, read_json
from equiradio.errors import Refusal, RunRefusal, refused_as
from equiradio.labels import Labels, labels_of
from equiradio.sky.recipe import Recipe, recipe_of

EXPECTED, DAMAGED = "a model card in JSON", "The run is damaged; train anew into another folder."
STATES = ("training", "interrupted", "failed", "finished")
IMAGES_LICENCE = "; training images: MiraBest, CC BY 4.0, where data is mirabest"
FIRST_LICENCE = "; training images: FIRST radio galaxy data set (Griese et al. 2023), scholarly, educational and private non-commercial use"


class Stage(TypedDict):
    """So many epochs one after the other in one place."""

    epochs: int
    device: str
    precision: str


@dataclass(frozen=True)
class Card:
    """Model card of a run.

    Attributes
    ----------
    model, group, order : name, group ("C4", or "none" for free filters) and |G|.
    weights : number of trainable weights.
    classes, unknown : names of the logits, in order, and the word for sources that are none of them (`equiradio.labels.Labels`).
    preprocessing : pixel_mean, pixel_std, mask_radius (pixels or null).
    data, data_md5, sources : the data set, its checksum, and how many sources of it were trained on and validated with.
    data_named : the same name with "./" before each part that is a folder of the user's own, not the data set of that name; "" in older
        cards, which do not say.
    training_hash : of names and labels of the sources trained on, which ``data_md5`` does not cover; "" in older cards.
    validation_hash : the same of the sources by which the best epoch was chosen.
    of_class : by class, how many of those trained on, each as often as it was shown; empty in older cards.
    seed, preset, precision, device : of the training; the last two of its last epoch.
    stages : epochs, device and precision of each stage, in order; more than one where it went on elsewhere. Empty in older cards.
    state : training, interrupted, failed or finished; ``reason`` says why where it failed.
    epochs, best_epoch, best_validation_loss : done so far; the weights are those of the best epoch (counted from 0).
    images_seen, seconds : augmented training images, wall-clock seconds of training and validation.
    versions, licence, citation : of software, weights and paper.
    commit : of equiradio, with "-dirty" where its files were changed; "" where it was not known.
    recipe : by which the images were made, see `equiradio.sky.recipe.Recipe`; empty in older cards, whose images are MiraBest's.
    left_out : in a line each, sources of the data that were left out, how many and why; and what an import noted.
    started_from : network whose weights it began with, and the beginning of their hash; "" where they were drawn.
    start_data : data sets that it learned from before this one, through its start, what that began with, and its teacher: name -> checksum.
    notes : in a line each, what of the start does not quite go with the data, and what is doubtful of the teacher.
    sky : how it was shown in training, "first" as it is or "wide" (setting ``training.sky``).
    teacher : team that it learned from, and the beginning of the hash of its weights; "" where there was none.
    weights_hash : SHA-256 of all weights in the order of their names, in the digits that they are used in (float32); of a team's member
        those of the team's own file. "" in cards of older versions.
    """

    model: str
    group: str
    order: int
    weights: int
    preprocessing: dict[str, float | None]
    data: str
    data_md5: str
    sources: dict[str, int]
    seed: int
    preset: str
    precision: str
    device: str
    versions: dict[str, str]
    state: str = "training"
    reason: str = ""
    epochs: int = 0
    best_epoch: int = -1
    best_validation_loss: float | None = None
    images_seen: int = 0
    seconds: float = 0.0
    classes: list[str] = field(default_factory=lambda: ["FRI", "FRII"])
    unknown: str = ""
    commit: str = ""
    started_from: str = ""
    start_data: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sky: str = "first"
    teacher: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    of_class: dict[str, float] = field(default_factory=dict)
    weights_hash: str = ""
    data_named: str = ""
    training_hash: str = ""
    validation_hash: str = ""
    stages: list[Stage] = field(default_factory=list)
    licence: str = f"BSD-3-Clause (weights){IMAGES_LICENCE}"
    citation: str = "Bowles et al. 2021, E(2) Equivariant Self-Attention for Radio Astronomy"

    def __post_init__(self) -> None:
        parts = self.opened_as.split("+")
        licence = self.licence if "mirabest" in parts else self.licence.replace(IMAGES_LICENCE, "")  # also in cards of earlier versions
        if {"first", "first-fr"} & set(parts) and FIRST_LICENCE not in licence:
            licence += FIRST_LICENCE
        object.__setattr__(self, "licence", licence)

    @property
    def opened_as(self) -> str:
        """The name by which its data are looked for; that of a folder of one's own is never taken for a data set's."""
        return self.data_named or self.data

    @property
    def labels(self) -> Labels:
        """The classes that the network distinguishes."""
        return labels_of(self.classes, self.unknown)

    @property
    def images(self) -> Recipe:
        """By which the images were made."""
        return recipe_of(self.recipe)

    @property
    def trained_on(self) -> str:
        """Devices and precisions in words, in order."""
        places = [(stage["device"], stage["precision"]) for stage in self.stages] or [(self.device, self.precision)]
        return ", then ".join(f"{device}, {precision}" for device, precision in places)

    def write(self, path: Path) -> None:
        write_json(path, asdict(self))

    def unfinished(self, epochs: int) -> str:
        """Of how many ``epochs`` its training has done how many, in words; nothing where it is finished."""
        return "" if self.state == "finished" else f"{self.state} after {self.epochs} of {epochs} epochs"

    def with_changes(self, **changes: Any) -> "Card":
        return replace(self, **changes)


def read_card(path: Path) -> Card:
    """The card in a JSON file.

    Raises
    ------
    RunRefusal : missing, not JSON, fields missing or of another type.
    """
    if not path.exists():
        raise RunRefusal(path, "no such file", "a model card", "Give the folder of a training, such as runs/NAME.")
    return card_of(read_json(path, Any, RunRefusal, EXPECTED, DAMAGED), path)


def card_of(content: Any, path: Path) -> Card:
    """The card that parsed JSON holds; ``path`` names it in a refusal."""
    with refused_as(RunRefusal, path, EXPECTED, DAMAGED):
        check(content, Card, "the card")
        names = {spec.name for spec in fields(Card)}
        card = Card(**{key: value for key, value in content.items() if key in names})
        try:
            labels_of(card.classes, card.unknown)  # refused here, and not where a table is written
        except Refusal as refusal:
            raise ValueError(refusal) from None
        recipe_of(card.recipe)
        if card.of_class and (set(card.of_class) != set(card.classes) or not all(0 < count < 1e12 for count in card.of_class.values())):
            raise ValueError(f"of_class is {card.of_class}, not a number above 0 of {', '.join(card.classes)}")
        return card
