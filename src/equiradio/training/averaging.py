"""Weights averaged over the steps of a training."""

import lightning
from lightning.pytorch.callbacks import WeightAveraging

from equiradio.models.network import Network
from equiradio.training.task import ClassificationTask


class Averaging(WeightAveraging):
    """Exponential moving average of weights and of batch norm's statistics: what is validated, and what a run's weights are.

    After each step average = decay x average + (1 - decay) x weights; it begins with the weights after the first one. What stays as it
    is, a frozen body, stays so bit for bit in the average. Source: Polyak & Juditsky 1992; Tarvainen & Valpola 2017.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=lambda average, now, count: average.lerp(now, 1 - decay) if average.is_floating_point() else now)

    @property
    def network(self) -> Network:
        """The averaged network, in a training that has begun."""
        assert self._average_model is not None
        task = self._average_model.module
        assert isinstance(task, ClassificationTask)
        return task.network


def learned(trainer: lightning.Trainer, task: ClassificationTask) -> Network:
    """The averaged network where a training averages, else the task's."""
    averaging = [callback for callback in trainer.callbacks if isinstance(callback, Averaging)]
    return averaging[0].network if averaging else task.network
