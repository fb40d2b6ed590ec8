"""The order in which an engine gets its tasks, and what failures do to others."""

from mspd_jax.jobs.sweeps._cell import SweepCell
from mspd_jax.jobs.sweeps._engine import Engine, run_tasks
from mspd_jax.jobs.sweeps._work import Task


def tasks_with(needs):
    return [
        Task(n, SweepCell(None, None, f"folder-{n}"), f"/OUT/{n}", tuple(own), ())
        for n, own in needs.items()
    ]


def fake(failing=(), at_once=1):
    """An engine that ends the tasks that were begun first, and notes what began."""
    begun = []

    def start(tasks):
        begun.append([task.number for task in tasks])
        return [f"handle {task.number}" for task in tasks]

    def error(handle):
        number = int(handle.split()[1])
        return "bad" if number in failing else None

    return Engine(start, lambda handles: handles[:at_once], error), begun


def test_a_task_begins_when_those_that_it_needs_have_ended():
    engine, begun = fake()
    needs = {0: (), 1: (), 2: (0,), 3: (1, 2)}
    ended = list(run_tasks(engine, tasks_with(needs)))
    assert begun == [[0, 1], [2], [3]]
    assert ended == [(n, None) for n in (0, 1, 2, 3)]


def test_what_needs_a_failed_task_is_not_begun_and_the_others_are():
    engine, begun = fake(failing=[0], at_once=2)
    needs = {0: (), 1: (), 2: (0,), 3: (2,), 4: (1,)}
    ended = dict(run_tasks(engine, tasks_with(needs)))
    assert begun == [[0, 1], [4]]
    assert ended[0] == "bad" and ended[1] is ended[4] is None
    assert ended[2] == "not begun: it needs folder-0, which failed"
    assert ended[3] == "not begun: it needs folder-2, which failed"


def test_nothing_to_do_is_done():
    engine, begun = fake()
    assert list(run_tasks(engine, [])) == [] and begun == []
