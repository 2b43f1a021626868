"""Shards answered by actors of a Ray cluster: as many as it has cores or GPUs, and a shard whose actor died goes to another."""

import os
import re
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

from equiradio.errors import Refusal, RunRefusal, SettingRefusal
from equiradio.inference.reading import Classifier, provenance
from equiradio.survey.folder import SurveyFolder
from equiradio.survey.run import Task
from equiradio.survey.worker import ReplacedImage, worker_of

OPTION = "--engine"
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # at 0 a cluster of one's own listens to this machine alone, on Linux as elsewhere
MEMORY = 100 * 1024**2  # bytes of a local cluster's object store: shards lie on the disk, and nothing large goes through it
DEATHS = 3  # of actors over one shard, after which it is not tried again
OPENING = -1  # in the place of a shard: while a team is opened
PATIENCE = 600.0  # seconds without any actor
TICK = 5.0


class Answerer:
    """An actor: opens the team once, and does one shard after the other."""

    def open(self, opener: Callable[[], Classifier], out: str, readers: int, command: str, place: str) -> None:
        """Get ready. No part of making the actor: ray tells of what goes wrong in there in words alone.

        ``place`` is the folder that names of images and of the team begin at, where they are not whole paths.
        """
        with suppress(OSError):  # a machine without it still finds whole paths
            os.chdir(place)
        folder, team = SurveyFolder(Path(out)), opener()
        self.worker = worker_of(team, folder, folder.plan(), readers, provenance(team, command))

    def do(self, shard: int) -> ReplacedImage | None:
        """Do a shard, or say why it was refused; raises every other refusal."""
        try:
            self.worker.do(shard)
        except ReplacedImage as refusal:
            return refusal
        return None


@dataclass
class Cluster:
    """An engine of `equiradio.survey.run.survey`.

    Parameters
    ----------
    opener : opens the team, on whatever machine; must be picklable.
    address : of a running cluster, as ray has it; None for one of this process's own on this machine.
    workers : actors; None for one a core, or one a GPU where ``gpus``.
    """

    opener: Callable[[], Classifier]
    address: str | None = None
    workers: int | None = None
    gpus: bool = False
    _deaths: Counter[int] = field(default_factory=Counter)

    def __call__(self, task: Task, step: Callable[[int], None]) -> dict[int, ReplacedImage]:
        """Do all shards of a task; those that were refused, with the reason."""
        refused: dict[int, ReplacedImage] = {}
        if task.to_do:
            with connected(self.address, self.workers) as ray:
                for shard, refusal in self._shards(ray, task, step):
                    if refusal is not None:
                        refused[shard] = refusal
        return refused

    def _shards(self, ray: Any, task: Task, step: Callable[[int], None]) -> Iterator[tuple[int, ReplacedImage | None]]:
        """Each shard when it is done. ``step`` is called with 0 every few seconds too, so that a lost claim is noticed."""
        to_do = deque(task.to_do)
        begun: dict[Any, tuple[Any, int | None]] = {}  # what runs: its actor, and the shard; None: it opens the team
        begun |= self._new_actors(ray, task, min(len(to_do), self.workers or self._capacity(ray)))
        heard = time.monotonic()
        while to_do or any(shard is not None for _, shard in begun.values()):
            ready, _ = ray.wait(list(begun), num_returns=1, timeout=TICK)
            step(0)
            if not ready and all(shard is None for _, shard in begun.values()) and time.monotonic() - heard > PATIENCE:
                found = f"no actor could be started in {PATIENCE:.0f} s"
                raise RunRefusal(OPTION, found, "a cluster with a free core or GPU", "See 'ray status', and go on with --resume.")
            for reference in ready:
                heard = time.monotonic()
                actor, shard = begun.pop(reference)
                try:
                    refusal = ray.get(reference)
                except ray.exceptions.RayActorError as error:
                    self._died(shard, error, to_do, len(begun) + 1)
                    begun |= self._new_actors(ray, task, 1)
                    continue
                except ray.exceptions.RayTaskError as error:
                    raise (error.cause if isinstance(error.cause, Refusal) else error) from None
                if shard is None:
                    self._deaths[OPENING] = 0
                else:
                    step(task.size(shard))
                    yield shard, refusal
                if to_do:
                    shard = to_do.popleft()
                    begun[actor.do.remote(shard)] = actor, shard

    def _new_actors(self, ray: Any, task: Task, count: int) -> dict[Any, tuple[Any, None]]:
        """Actors that open the team, by what is ready when they have."""
        needs = {"num_gpus": 1} if self.gpus else {"num_cpus": 1}
        kind = ray.remote(max_restarts=0, max_task_retries=0, **needs)(Answerer)
        given = self.opener, str(task.folder.folder.resolve()), task.readers, task.command, os.getcwd()
        return {actor.open.remote(*given): (actor, None) for actor in [kind.remote() for _ in range(count)]}

    def _died(self, shard: int | None, error: Exception, to_do: deque[int], actors: int) -> None:
        """Put a shard back whose actor died, or whose machine did; not for ever. A machine takes all its ``actors`` along as they open."""
        over, limit = (OPENING, DEATHS * actors) if shard is None else (shard, DEATHS)
        self._deaths[over] += 1
        if self._deaths[over] >= limit:
            what = "while they opened the team, and none between them opened it" if shard is None else f"over shard {shard}"
            words = f"{limit} actors died {what} ({_short(error)})"
            raise RunRefusal(OPTION, words, "actors that live", "See ray's log, and go on with --resume.") from None
        if shard is not None:
            to_do.appendleft(shard)

    def _capacity(self, ray: Any) -> int:
        """How many actors the cluster can hold now."""
        return max(1, int(ray.cluster_resources().get("GPU" if self.gpus else "CPU", 1)))


def _short(error: Exception) -> str:
    """The beginning of what ray says, without the colours of a terminal."""
    return shorten(re.sub(r"\x1b\[[0-9;]*m", "", str(error)), 200, placeholder=" ...")


@contextmanager
def connected(address: str | None, cores: int | None) -> Iterator[Any]:
    """Ray, connected to a cluster, or to one that is begun for this process and ends with it.

    Raises
    ------
    SettingRefusal : ray is not installed, or no cluster answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    if address is None:
        os.environ.setdefault(LOOPBACK, "0")
    try:
        import ray
    except ImportError:
        do = "Install it: pip install 'equiradio[survey]', or use --engine local."
        raise SettingRefusal(OPTION, "ray without the package ray", "it installed", do) from None
    own: dict[str, Any] = {"num_cpus": cores or os.cpu_count() or 1, "object_store_memory": MEMORY, "include_dashboard": False}
    where = {"address": address} if address else {"address": "local", **own}
    try:
        if address and (port := re.fullmatch(r"(.+):(\d{1,5})", address)):  # ray itself would try for five minutes
            socket.create_connection((port[1], int(port[2])), TICK).close()
        ray.init(**where, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        words = f"no cluster answers at {address}" if address else "no cluster could be begun here"
        found = f"{words} ({_short(error)})"
        raise SettingRefusal("--address" if address else OPTION, found, "a cluster that runs", "See 'ray status'.") from None
    try:
        yield ray
    finally:
        ray.shutdown()
