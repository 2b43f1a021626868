"""Names that the shell offers behind an option: models, teams, data sets, settings. Quick: nothing here imports torch."""

from collections.abc import Callable, Iterable


def models() -> list[str]:
    """Names of networks that can be trained."""
    from equiradio.models.names import MODELS

    return list(MODELS)


def teams() -> list[str]:
    """Names of trained teams."""
    from equiradio.artefacts.shelf import team_names

    return team_names()


def data_sets() -> list[str]:
    """Names of data sets."""
    from equiradio.datasets.registry import data_sets

    return list(data_sets())


def settings() -> list[str]:
    """Settings as ``--set`` takes them, up to their value."""
    from equiradio.settings import keys

    return [f"{key}=" for key in keys()]


def habits() -> list[str]:
    """Habits of the published code."""
    from equiradio.settings import HABITS

    return list(HABITS)


def variants() -> list[str]:
    """What `equiradio bench` compares."""
    from equiradio.bench.run import VARIANTS

    return list(VARIANTS)


def listed(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Names for an option that takes several, comma-separated: those that may follow the last comma."""

    def following(incomplete: str) -> list[str]:
        before, comma, _ = incomplete.rpartition(",")
        return [before + comma + name for name in names() if name not in before.split(",")]

    return following
