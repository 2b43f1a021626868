"""Models by name: what each is built of, and what the paper's code did with its images. No torch, so that lists and tables can ask."""

from dataclasses import dataclass

from equiradio.errors import ModelRefusal, nearest
from equiradio.symmetry.groups import BUILT, Group, parse_group

TABLE1 = ("lenet", "attention", "c4-attention", "c8-attention", "c16-attention", "d4-attention", "d8-attention", "d16-attention")
WIDTHS = (6, 16, 32, 64)  # fields of each block of the paper's network
WIDE = tuple(4 * width for width in WIDTHS)  # the channels of c4-attention
NARROW = (4, 8, 16, 32)  # quick to ask


@dataclass(frozen=True)
class Architecture:
    """What a name stands for; what it decides of the settings is in `equiradio.settings.as_named`.

    Attributes
    ----------
    group : the symmetry, None for free filters.
    gated : attention gates; else a LeNet.
    widths : fields of each block of a gated network.
    published_mask : pixels by which the circular mask of the paper's code is smaller than the inscribed circle; None where it had none.
    """

    name: str
    group: Group | None = None
    gated: bool = True
    widths: tuple[int, ...] = WIDTHS
    published_mask: int | None = None

    @property
    def group_name(self) -> str:
        """As cards and weights name it."""
        return self.group.name if self.group else "none"

    @property
    def order(self) -> int:
        """Number of elements of the group, 1 for free filters."""
        return self.group.order if self.group else 1


def _architectures() -> dict[str, Architecture]:
    listed = [Architecture("lenet", gated=False, published_mask=1), Architecture("attention"), Architecture("attention-wide", widths=WIDE)]
    listed.append(Architecture("attention-anchored"))
    for name in BUILT:
        group, short = parse_group(name), name.lower()
        listed.append(Architecture(f"{short}-attention", group, published_mask=0))
        listed.append(Architecture(f"{short}-attention-anchored", group, published_mask=0))
        listed.append(Architecture(f"{short}-attention-clean", group, published_mask=0))
        listed.append(Architecture(f"{short}-attention-narrow", group, widths=NARROW, published_mask=0))
        listed.append(Architecture(f"{short}-lenet", group, gated=False, published_mask=0))
    return {each.name: each for each in listed}


MODELS = _architectures()


def architecture(name: str) -> Architecture:
    """What a model's name stands for.

    Raises
    ------
    ModelRefusal : it is no model's; says which is nearest.
    """
    if name not in MODELS:
        group, _, kind = name.partition("-")
        if (
            kind in ("attention", "attention-anchored", "attention-clean", "attention-narrow", "lenet")
            and group[:1] in "cd"
            and group[1:].isdigit()
        ):
            parse_group(group)  # refuses, naming the nearest groups
        raise ModelRefusal("model", f"'{name}' is not a model", ", ".join((*TABLE1, "attention-wide")), nearest(name, list(MODELS)))
    return MODELS[name]


def group_of(name: str) -> Group | None:
    """The symmetry group of a model, None for the plain ones."""
    return architecture(name).group
