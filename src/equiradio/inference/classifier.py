"""A trained network, opened from its run folder and asked about images."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from equiradio.artefacts.card import Card, card_of
from equiradio.artefacts.files import numbers_hash
from equiradio.artefacts.packaged import PACKAGED, packaged_card, packaged_names
from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import load_into, read_weights
from equiradio.data.augment import Poses, show
from equiradio.data.cutout import RECIPE
from equiradio.data.preprocess import Preprocessing
from equiradio.errors import RunRefusal
from equiradio.inference.device import full_float32
from equiradio.inference.forms import take_likely_forms
from equiradio.layers.memory import keep_large_blocks
from equiradio.models.gated import Output
from equiradio.models.registry import build, group_of
from equiradio.settings import Settings, change, preset
from equiradio.symmetry.groups import Group

if TYPE_CHECKING:
    import pyarrow as pa


class Classifier:
    """A trained network with the preprocessing it was trained with.

    Attributes
    ----------
    network : the torch module, in evaluation.
    card : what it is and where it comes from.
    preprocess : from raw pixels to what the network sees.
    members : the ensemble, this network first; a run has one member.
    packaged : the card of packaged weights (temperature, threshold, ...); empty for a run.
    """

    def __init__(self, network: nn.Module, card: Card, preprocess: Preprocessing, device: str = "cpu", precision: str = "float32") -> None:
        keep_large_blocks()
        self.precision = precision
        self.members: list[Classifier] = [self]
        self.packaged: dict[str, Any] = {}
        self.network, self.card, self.preprocess = network.to(device).eval(), card, preprocess
        self.device = torch.device(device)

    @property
    def group(self) -> Group | None:
        """The network's symmetry, None for free filters."""
        return group_of(self.card.model)

    @torch.inference_mode()
    def look(self, images: np.ndarray, poses: Poses | None = None, *, raw: bool = False) -> Output:
        """Logits and attention for raw images uint8 (count, 150, 150), each in its pose where poses are given.

        ``raw`` feeds pixels 0..255 without normalising, the published script's habit where it draws maps.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
        shown = pixels[:, None] if poses is None else show(pixels, poses.matrices().to(self.device))
        with full_float32(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.network(shown.float() if raw else self.preprocess(shown))

    @cached_property
    def name(self) -> str:
        """Model and the beginning of the hash of its weights, as catalogues and maps name it."""
        return f"{self.card.model} {weights_hash(self.members)[:12]}"

    def classify(self, sources: Iterable[str | Path | np.ndarray], **options: Any) -> "pa.Table":
        """The catalogue of image files or raw images uint8 (150, 150): one row each, columns as ``equiradio classify`` writes them.

        ``options`` go to `equiradio.data.fits.read_cutout` (hdu, plane, ra_deg, dec_deg, max_nonfinite). An image that cannot be used
        has a row with a flag.
        """
        from equiradio.inference.catalogue import catalogue

        return catalogue(self, sources, **options)

    def attention(self, sources: Iterable[str | Path | np.ndarray], **options: Any) -> np.ndarray:
        """Attention maps float32 (count, 150, 150), mean over gates and members, on the pixels of each cutout; as `classify` takes them."""
        from equiradio.inference.catalogue import attention

        return attention(self, sources, **options)

    def evidence(self, sources: Iterable[str | Path | np.ndarray], **options: Any) -> np.ndarray:
        """What each pixel adds to the log-odds of FRII, float32 (count, 150, 150), mean over members, on the pixels of each cutout.

        Above 0 speaks for FRII, below 0 for FRI. Raises `equiradio.errors.SettingRefusal` for networks whose answer is no sum over pixels:
        without gates, or with a ReLU behind the heads.
        """
        from equiradio.inference.catalogue import evidence

        return evidence(self, sources, **options)

    def _repr_html_(self) -> str:
        from html import escape

        from equiradio.inference.summary import summary

        cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in summary(self).items())
        return f"<table><caption>equiradio classifier</caption>{cells}</table>"


def weights_hash(members: "list[Classifier]") -> str:
    """SHA-256 of all weights in use, member by member, in the order of their names."""
    return numbers_hash({name: value.cpu().numpy() for name, value in member.network.state_dict().items()} for member in members)


class Chunk(NamedTuple):
    """Rows start:stop of a longer list."""

    start: int
    stop: int


def chunks(count: int, size: int) -> Iterator[Chunk]:
    """Cut ``count`` rows into pieces of at most ``size``."""
    for start in range(0, count, size):
        yield Chunk(start, min(start + size, count))


def load(name_or_run: str | Path, device: str = "cpu", precision: str = "float32") -> Classifier:
    """Open a trained network: a run folder, or weights that come with the package.

    Parameters
    ----------
    name_or_run : the folder that ``equiradio train`` wrote, or the name of packaged weights (``equiradio models`` lists them).
    device : cpu or cuda.
    precision : float32, or bf16 for speed at some cost in digits.

    Raises
    ------
    RunRefusal : no run there, or one without whole weights.
    """
    if str(name_or_run) in packaged_names() and not Path(name_or_run).is_dir():
        return _load_packaged(str(name_or_run), device, precision)
    run = Run(Path(name_or_run))
    if not run.folder.is_dir():
        found = "a file" if run.folder.exists() else "no such folder"
        raise RunRefusal(run.folder, found, "the folder of a training", "Train first, or correct the path.")
    settings = run.settings()
    return _open(settings, run.card(), run.weights_file, run.card_file, device, precision)


def _load_packaged(name: str, device: str, precision: str) -> Classifier:
    """The ensemble of that name."""
    packaged, file = packaged_card(name), PACKAGED / name / "card.json"
    other = sorted(key for key, value in packaged.get("recipe", RECIPE).items() if RECIPE.get(key) != value)
    if other:
        made = ", ".join(f"{key} {packaged['recipe'][key]}" for key in other)
        here = ", ".join(f"{key} {RECIPE.get(key, 'unknown')}" for key in other)
        raise RunRefusal(
            file, f"calibrated on images made with {made}", here, "Install the package again, or calibrate these weights anew."
        )
    members = []
    for part in packaged["members"]:
        card = card_of(part, file)
        settings = change(preset(card.preset), {"model.name": card.model, **packaged.get("settings", {})}, where=str(file))
        members.append(_open(settings, card, PACKAGED / name / f"seed{card.seed}.safetensors", file, device, precision))
    first = members[0]
    first.members, first.packaged = members, packaged
    return first


def _open(settings: Settings, card: Card, weights: Path, card_file: Path, device: str, precision: str) -> Classifier:
    """The network that settings, card and weights describe."""
    group = group_of(settings.model.name)
    state = read_weights(weights, model=settings.model.name, group=group.name if group else "none")
    if card.model != settings.model.name:
        raise RunRefusal(card_file, f"a card of {card.model}", f"one of {settings.model.name}, as settings.toml says", "Train anew.")
    try:
        preprocess = Preprocessing(**card.preprocessing)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise RunRefusal(
            card_file, f"preprocessing cannot be read ({error})", "pixel_mean, pixel_std, mask_radius", "Train anew."
        ) from None
    network = build(settings.model, blank=preprocess.blank)
    load_into(network, {name: _restored(value) for name, value in state.items()}, weights)
    take_likely_forms(network, settings.training.layer_form, precision, device)
    return Classifier(network, card, preprocess, device, precision)


def _restored(value: Tensor) -> Tensor:
    return value.float() if value.dtype == torch.float16 else value  # float16 on disk, float32 in use
