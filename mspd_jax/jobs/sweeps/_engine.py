"""What runs cells: an engine starts some, says which have ended, and how."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from mspd_jax.jobs.sweeps._cell import title
from mspd_jax.jobs.sweeps._work import Task, run_job


class Engine(NamedTuple):
    """How tasks are run; the engine decides where, and how many at a time.

    Attributes:
      start: begins tasks that need nothing any more; gives a handle for each.
      ended: waits until some of these handles have ended; gives those.
      error: why the task of a handle failed, in one line, or None.
    """

    start: Callable[[Sequence[Task]], Sequence[Hashable]]
    ended: Callable[[Sequence[Hashable]], Sequence[Hashable]]
    error: Callable[[Hashable], str | None]


def run_tasks(
    engine: Engine, tasks: Sequence[Task]
) -> Iterator[tuple[int, str | None]]:
    """Runs each task when those that it needs are done: (number, error), as they end.

    One that needs a task which failed is not started, and fails.
    """
    waiting = {task.number: task for task in tasks}
    titles = {task.number: title(task.cell) for task in tasks}
    errors: dict[int, str | None] = {}
    running: dict[Hashable, int] = {}
    while waiting or running:
        ready = [t for t in waiting.values() if errors.keys() >= set(t.needs)]
        started = []
        for task in ready:
            del waiting[task.number]
            lost = [titles[need] for need in task.needs if errors[need]]
            if lost:
                errors[task.number] = f"not begun: it needs {lost[0]}, which failed"
                yield task.number, errors[task.number]
            else:
                started.append(task)
        if started:
            handles = engine.start(started)
            running |= zip(handles, (task.number for task in started), strict=True)
        if running:
            for handle in engine.ended(list(running)):
                number = running.pop(handle)
                errors[number] = engine.error(handle)
                yield number, errors[number]


def here_engine() -> Engine:
    """Runs tasks in this process, one after the other."""
    errors: dict[Hashable, str | None] = {}
    tasks: dict[Hashable, Task] = {}

    def start(new: Sequence[Task]) -> list[Hashable]:
        tasks.update((task.number, task) for task in new)
        return [task.number for task in new]

    def ended(handles: Sequence[Hashable]) -> list[Hashable]:
        task = tasks[handles[0]]
        job, machine = task.cell.job, task.cell.machine
        errors[handles[0]] = run_job(job, machine, task.folder, task.parts)
        return [handles[0]]

    return Engine(start, ended, errors.__getitem__)
