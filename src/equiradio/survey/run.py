"""A survey from end to end on one machine, or one part of it: plan, then shard after shard, resumable after any interruption."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from equiradio.artefacts.claim import Claim, claimed, is_claimed
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.inference.reading import Classifier, provenance
from equiradio.survey.folder import Plan, SurveyFolder
from equiradio.survey.plan import Asked, make_plan
from equiradio.survey.worker import ReplacedImage, worker_of

Progress = Callable[[str, int, int], object]
PATIENCE = 3600.0  # seconds that a part waits for another one that is making the plan
NOTHING: Progress = lambda what, done, total: None


@dataclass(frozen=True)
class Part:
    """One of several processes that share a survey: ``number`` from 1 of ``count``."""

    number: int
    count: int

    @classmethod
    def of(cls, text: str) -> "Part":
        """Of "K/N". Raises SettingRefusal where that is none."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise SettingRefusal("--part", f"'{text}'", "K/N with K from 1 to N", "For example --part 3/8.")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """Of its claim in the survey's folder."""
        return f"part-{self.number}-of-{self.count}"

    def has(self, shard: int) -> bool:
        """Is a shard one of this part's? Shards are dealt in turn."""
        return shard % self.count == self.number - 1


@dataclass(frozen=True)
class Run:
    """What a run did: its plan, which shards were done now and which are still not; and how many sources of the finished have an answer."""

    plan: Plan
    done: list[int]
    unfinished: list[int]
    answered: int


@dataclass(frozen=True)
class Task:
    """The shards ``to_do`` of a plan, and what is needed for them: the team, the folder, reading processes for each who answers."""

    team: Classifier
    folder: SurveyFolder
    plan: Plan
    to_do: list[int]
    readers: int
    command: str

    def size(self, shard: int) -> int:
        """Sources of a shard."""
        return min(self.plan.shard_size, self.plan.sources - shard * self.plan.shard_size)


Step = Callable[[int], None]  # called with the number of sources that are done more
Engine = Callable[[Task, Step], dict[int, ReplacedImage]]


def survey(
    team: Classifier,
    asked: Asked,
    out: Path,
    *,
    part: Part | None = None,
    resume: bool = False,
    readers: int = 1,
    command: str = "",
    engine: Engine | None = None,
    progress: Progress = NOTHING,
) -> Run:
    """Plan a survey, unless that is done, and answer its shards, or those of one part.

    Parameters
    ----------
    resume : go on with what an interrupted run has finished; a part always does.
    readers : processes that read images; 0 for a thread.
    engine : who does the shards; this process where None.

    Raises
    ------
    DataRefusal, SettingRefusal, ImageRefusal : a catalogue or images that cannot be used; nothing is written then.
    RunRefusal : results without ``resume``, another plan, another process in the folder, or images that were replaced: then all other
        shards are done first.
    """
    folder = SurveyFolder(out)
    with _held(out, part) as claim:
        plan = planned(team, asked, folder, progress, PATIENCE if part else 0.0)
        if folder.any_result() and not resume and part is None:
            raise RunRefusal(out, "results of an earlier run", "none", "Add --resume to go on, or delete the folder.")
        mine = [shard for shard in range(plan.shards) if part is None or part.has(shard)]
        to_do = [shard for shard in mine if not folder.finished(shard, plan)]
        task = Task(team, folder, plan, to_do, readers, command)
        refused = (engine or local)(task, _counting(task, claim, progress))
        _refuse(refused, plan)
        return _summed(folder, plan, to_do)


def _summed(folder: SurveyFolder, plan: Plan, done: list[int]) -> Run:
    """What the notes beside all results add up to."""
    finished = [folder.noted(shard, plan) for shard in range(plan.shards)]
    unfinished = [shard for shard, there in enumerate(finished) if not there]
    notes = [folder.note(shard) or {} for shard, there in enumerate(finished) if there]
    return Run(plan, done, unfinished, sum(int(note.get("answered", 0)) for note in notes))


def _refuse(refused: dict[int, ReplacedImage], plan: Plan) -> None:
    """The first refusal, with how many there are."""
    for first in refused.values():
        what = f"{first.found} ({len(refused):,} of {plan.shards:,} shards are not done)"
        raise ReplacedImage(first.where, what, first.expected, first.do)


def planned(team: Classifier, asked: Asked, folder: SurveyFolder, progress: Progress = NOTHING, patience: float = 0.0) -> Plan:
    """The plan, made while no other process makes it; ``patience`` is how many seconds such a one is waited for."""
    with claimed(folder.folder / "plan", patience):
        return make_plan(team, asked, folder, progress)


def local(task: Task, step: Step) -> dict[int, ReplacedImage]:
    """Do shards in this process; those that were refused, with the reason."""
    refused: dict[int, ReplacedImage] = {}
    worker = worker_of(task.team, task.folder, task.plan, task.readers, provenance(task.team, task.command))
    try:
        for shard in task.to_do:
            left = task.size(shard)

            def some(more: int) -> None:
                nonlocal left
                left -= more
                step(more)

            try:
                worker.do(shard, some)
            except ReplacedImage as refusal:
                refused[shard] = refusal
            step(left)
    finally:
        worker.readers.close()
    return refused


def _counting(task: Task, claim: Claim, progress: Progress) -> Step:
    """What an engine calls as it goes: the claim is checked, and progress shown."""
    total, done = sum(task.size(shard) for shard in task.to_do), 0

    def step(more: int) -> None:
        nonlocal done
        done += more
        claim.check()
        progress("sources", done, total)

    return step


@contextmanager
def _held(out: Path, part: Part | None) -> Iterator[Claim]:
    """The claim of one process on the folder, or of one part; both kinds at a time, or parts of another number, are refused.

    Each claims first and looks for the others then, so that of two that come at once at least one sees the other.
    """
    with claimed(out if part is None else out / part.name) as claim:
        if part is not None and is_claimed(out):
            raise RunRefusal(out, "a run without --part works in it", "parts alone", "Wait for it, or stop it.")
        for lock in out.glob("part-*-of-*.lock"):
            other = lock.name.removesuffix(".lock")
            alike = part is not None and other.endswith(f"-of-{part.count}")
            if not alike and is_claimed(out / other):
                found = f"{other.replace('-', ' ')} works in it"
                raise RunRefusal(out, found, "no other run" if part is None else f"parts of {part.count}", "Wait for it, or stop it.")
        yield claim
