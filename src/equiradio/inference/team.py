"""A team of trained networks that is asked as one: members, their calibration, and the doors that Python users call."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.catalogue import Row
from equiradio.artefacts.provenance import Provenance
from equiradio.artefacts.run import Run
from equiradio.artefacts.shelf import trained_at
from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.compute.device import check_precision, choose_device
from equiradio.compute.machine import computer
from equiradio.errors import ImageRefusal, RunRefusal, SettingRefusal
from equiradio.evaluation.prior import prior_in_words, whole_prior
from equiradio.inference import reading
from equiradio.inference.answers import Answers, answer
from equiradio.inference.calibration import Calibration, read_calibration
from equiradio.inference.catalogue import Catalogue
from equiradio.inference.member import Member, open_member, weights_hash
from equiradio.inference.reading import Sources
from equiradio.inference.rows import answered_rows
from equiradio.labels import Labels
from equiradio.models.network import Output
from equiradio.printable import count_of
from equiradio.sky.cutout import Cutout
from equiradio.sky.pictures import refuse_masked
from equiradio.sky.recipe import Recipe, other_than


class Team:
    """Trained networks and what was chosen for them together. A run is a team of one, not calibrated.

    Attributes
    ----------
    members : the networks, in the order of their seeds.
    calibration : poses, temperature, threshold, reach, and how many beams across a source must be.
    card : what the team is and its measured scores; see `equiradio.artefacts.team.TeamCard`.
    """

    def __init__(self, members: Sequence[Member], calibration: Calibration, card: TeamCard) -> None:
        self.members, self.calibration, self.card = tuple(members), calibration, card

    @property
    def model(self) -> str:
        """The architecture's name."""
        return self.card.model

    @property
    def labels(self) -> Labels:
        """The classes that it distinguishes."""
        return self.card.labels

    @property
    def recipe(self) -> Recipe:
        """By which the images were made that it learned from, and by which files become images for it."""
        return self.members[0].card.images

    @cached_property
    def name(self) -> str:
        """Model and the beginning of the hash of all its weights, as catalogues and maps name it."""
        return f"{self.model} {weights_hash(self.members)[:12]}"

    def __repr__(self) -> str:
        seeds = ", ".join(f"seed {seed}" for seed in self.card.seeds)
        if self.calibration.calibrated:
            chosen = f"temperature {self.calibration.temperature:.3f}, abstains below {self.calibration.threshold:.3f}"
        else:
            chosen = "not calibrated"
        members, poses = count_of(len(self.members), "member"), count_of(self.calibration.poses, "pose")
        return f"Team({self.name}: {members} ({seeds}), classes {self.labels}, {poses}, {chosen})"

    def _repr_html_(self) -> str:
        from html import escape

        from equiradio.inference.summary import summary

        cells = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in summary(self.name, self.card).items()
        )
        return f"<table><caption>equiradio team</caption>{cells}</table>"

    def in_poses(self, poses: int) -> "Team":
        """The same team, asked in another number of poses; see `Calibration.in_poses`."""
        return Team(self.members, self.calibration.in_poses(poses, self.card), self.card)

    def for_prior(self, prior: Mapping[str, float] | str) -> "Team":
        """The same team for sources of another mix of classes: the share of each, of which one may be left out.

        Shares by class, or text as on the command line (``FRI=0.7,FRII=0.3``).

        Probabilities are re-weighed from the mix of its training split, and the threshold stays. Raises
        `equiradio.errors.SettingRefusal` for shares that are none, and for a team whose card does not say what it learned from.
        """
        return Team(self.members, self.calibration.for_prior(whole_prior(prior, self.labels), self.card), self.card)

    def look(self, images: np.ndarray) -> tuple[Output, ...]:
        """What each member answers about raw images uint8 (count, 150, 150), in the order of `members`."""
        return tuple(member.look(_stack(images)) for member in self.members)

    def answer(self, images: np.ndarray, *, why: bool = False) -> Answers:
        """The calibrated answers about raw images uint8 (count, 150, 150), as arrays; ``why`` adds evidence."""
        return answer(self.members, self.calibration, _stack(images), why=why)

    def ask(self, cutouts: Sequence[Cutout], *, why: bool = True) -> tuple[list[Row], Answers]:
        """A row of the catalogue for each cutout, and the answers, with evidence unless ``why`` is false."""
        answers = self.answer(reading.images_of(cutouts), why=why)
        return answered_rows(cutouts, answers, self.name, self.labels, self.calibration), answers

    @property
    def identity(self) -> list[Any]:
        """All that its answers depend on beside its name, version and precision."""
        return [*vars(self.calibration).values(), [member.card.preprocessing for member in self.members]]

    @property
    def precision(self) -> str:
        """In which its members compute."""
        return self.members[0].precision

    @property
    def about(self) -> Provenance:
        """What products say of it."""
        chosen = self.calibration
        about: dict[str, str | int | float] = {
            "model": self.name,
            "members": len(self.members),
            "poses": chosen.poses,
            "temperature": chosen.temperature,
            "computed_by": computer(self.members[0].device.type),
        }
        about |= {} if chosen.prior is None else {"prior": prior_in_words(chosen.prior, self.labels)}
        return about | ({} if chosen.threshold is None else {"threshold": chosen.threshold})

    def about_of(self, model: str) -> Provenance:
        """What products of one source say, whose row names this model: its own."""
        return self.about

    def classify(self, sources: Sources, *, prior: Mapping[str, float] | str | None = None, **options: Any) -> Catalogue:
        """The catalogue of one image or many: files, or raw images uint8 (150, 150). One row each, as ``equiradio classify`` writes them.

        ``prior`` : the mix of classes among the sources, such as ``{"FRI": 0.7, "FRII": 0.3}``, where it is not that of the training split;
        see `for_prior`.
        ``options`` go to `equiradio.sky.fits.read_cutout` (hdu, plane, ra_deg, dec_deg, max_nonfinite, beam). Of many, an image that
        cannot be used has a row with a flag, and `Catalogue.refusals` says why; given alone it raises `equiradio.errors.ImageRefusal`.
        """
        return reading.catalogue(self if prior is None else self.for_prior(prior), sources, **options)

    def attention(self, sources: Sources, **options: Any) -> np.ndarray:
        """Attention maps float32 (count, 150, 150) of all gates, mean over members, on the pixels of each cutout; as `classify` takes them.

        Of gates that are anchored at the empty sky their geometric mean, of others their mean.

        Of many, a source that cannot be used has a map of nan; given alone it raises `equiradio.errors.ImageRefusal`, which says why.
        """
        return reading.attention(self, sources, **options)

    def evidence(self, sources: Sources, **options: Any) -> np.ndarray:
        """What each pixel adds to the log-odds of FRII, float32 (count, 150, 150), mean over members, on the pixels of each cutout.

        Above 0 speaks for FRII, below 0 for FRI (for other classes: for and against the one answered). Sources that cannot be used are as
        with `attention`. Raises `equiradio.errors.SettingRefusal` for networks whose answer is no sum over pixels: without gates, or with
        a ReLU behind the heads.
        """
        return reading.evidence(self, sources, **options)

    def features(self, sources: Sources, **options: Any) -> np.ndarray:
        """What the heads decide from, float64 (count, features), the members' vectors side by side; nan for a source that cannot be used.

        They do not change when the sky turns by an angle that is exact for the network.
        """
        return reading.features(self, sources, **options)


def _stack(images: np.ndarray) -> np.ndarray:
    refuse_masked("images", images)
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (2, 3):
        found = f"{images.dtype} ({', '.join(map(str, images.shape))})"
        raise ImageRefusal(
            "wrong_shape", "images", found, "uint8 (count, height, width), raw pixels", "Give images in MiraBest form, or classify files."
        )
    return images[None] if images.ndim == 2 else images


def load(what: str | Path, device: str = "auto", precision: str = "float32") -> Team:
    """Open trained networks: a run folder, a team's folder, or a team by name.

    Parameters
    ----------
    what : the folder that ``equiradio train`` or ``equiradio calibrate`` wrote, or a name that ``equiradio models`` lists.
    device : auto, cpu or cuda.
    precision : float32, or bf16 for speed at some cost in digits.

    Raises
    ------
    RunRefusal : no run or team there, or one without whole weights. ModelRefusal : no such name.
    """
    check_precision(precision)
    device, place = choose_device(device), trained_at(what)
    return _open_run(place, device, precision) if isinstance(place, Run) else _open_team(place, device, precision)


def _open_run(run: Run, device: str, precision: str) -> Team:
    settings, card = run.settings(), run.card()
    member = open_member(settings, card, run.weights_file, run.card_file, device, precision)
    return Team([member], Calibration(), TeamCard(card.model, [card]))


def _open_team(folder: TeamFolder, device: str, precision: str) -> Team:
    card = folder.card()
    return Team(open_members(folder, card, device, precision), read_calibration(folder, card), card)


def open_members(folder: TeamFolder, card: TeamCard, device: str, precision: str = "float32") -> tuple[Member, ...]:
    """The networks of a team's folder, whether anything was chosen for them yet or not.

    Raises
    ------
    RunRefusal : weights that are missing or damaged, or made for images of another recipe.
    """
    odd = other_than(card.members[0].images, card.recipe)
    if odd:
        made, here = (", ".join(f"{key} {value}" for key, value in pairs) for pairs in _sides(odd))
        do = "Fetch the team anew, or calibrate its runs again."
        raise RunRefusal(folder.card_file, f"calibrated on images made with {made}", here, do)
    return tuple(
        open_member(
            card.settings_of(member, folder.card_file), member, folder.weights_file(member.seed), folder.card_file, device, precision
        )
        for member in card.members
    )


def _sides(odd: dict[str, tuple[Any, Any]]) -> list[list[tuple[str, Any]]]:
    return [[(key, pair[side]) for key, pair in odd.items()] for side in (0, 1)]


def member_of(team: Team, seed: int) -> Member:
    """The member of a seed.

    Raises
    ------
    SettingRefusal : the team has none of that seed.
    """
    for member in team.members:
        if member.card.seed == seed:
            return member
    raise SettingRefusal("--seed", f"{seed}", f"one of {', '.join(map(str, team.card.seeds))}", "Choose a member of this team.")


def team_of(member: Member) -> Team:
    """One member as a team, not calibrated."""
    return Team([member], Calibration(), TeamCard(member.card.model, [member.card]))
