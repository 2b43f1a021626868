"""Work on several threads: results come in the order of the tasks, not much ahead of who takes them, and failures are raised."""

from threading import Event

import pytest
import torch

from equiradio.layers.forms.native.kernels import added_up
from equiradio.layers.forms.native.threads import each, in_turn

PATIENCE = 30  # seconds, of a test that would fail


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_tasks_though_the_second_is_done_first(threads):
    second_done = Event()

    def work(task):
        if task == 0 and threads > 1:
            assert second_done.wait(PATIENCE)
        if task == 1:
            second_done.set()
        return task * task

    assert list(in_turn(work, range(7))) == [0, 1, 4, 9, 16, 25, 36]


def test_no_more_is_begun_than_a_task_more_than_there_are_threads(threads):
    begun = []
    results = in_turn(lambda task: begun.append(task) or task, range(50))
    for taken in range(10):
        assert next(results) == taken
        assert len(begun) <= taken + 1 + threads + 1


def test_a_sum_is_made_image_by_image_whatever_is_ready_first(threads):
    """float32: a small number is lost where a large one is added to it, and left over where it is added last."""
    others_done = Event()
    values = [1.0, 1e8, -1e8]

    def work(image, part):
        if image == 0 and threads > 1:
            assert others_done.wait(PATIENCE)
        if image == 2:
            others_done.set()
        part += values[image]

    assert added_up(work, len(values), torch.ones(3)).tolist() == [0, 0, 0]


def test_work_without_memory_is_refused(threads):
    with pytest.raises(MemoryError, match="no room"):
        each(lambda task: task == 2, range(5))
    with pytest.raises(MemoryError, match="no room"):
        added_up(lambda image, part: int(image == 2), 5, torch.ones(2))


def test_what_work_raises_is_raised(threads):
    def work(task):
        raise ValueError(f"task {task}")

    with pytest.raises(ValueError, match="task 0"):
        list(in_turn(work, range(5)))
