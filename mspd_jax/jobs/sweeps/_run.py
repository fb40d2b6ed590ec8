"""Running a planned sweep: what is left of it, on an engine, with an overview."""

import contextlib
import pathlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from mspd_jax import drive, paths, report, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs.sweeps._cell import SweepCell, title
from mspd_jax.jobs.sweeps._engine import Engine, here_engine, run_tasks
from mspd_jax.jobs.sweeps._local import local_engine
from mspd_jax.jobs.sweeps._machine import SweepMachine, amounts, slurm_parameters
from mspd_jax.jobs.sweeps._ray import ray_engine
from mspd_jax.jobs.sweeps._slurm import slurm_engine
from mspd_jax.jobs.sweeps._work import Task, is_done, run_job, spec_of

_NAME = "sweep"
_PAGE, _LOGS, _SLURM = "report", "logs", "slurm"
_OVERVIEW_EVERY = 60.0  # seconds; and it takes at most a tenth of the time


class SweptCell(NamedTuple):
    """A cell after a sweep. summary: its totals, None where it has not finished. error:
    why it failed, in a line."""

    job: Any
    folder: pathlib.PurePath
    axes: Mapping[str, Any]
    summary: dict[str, Any] | None
    error: str | None


class Swept(NamedTuple):
    """What came of a sweep.

    Attributes:
      folder: with a folder for each cell, summary.json and report/.
      cells: in the order of the plan, but for the parts of others.
      table: Markdown, a row for each cell.
    """

    folder: pathlib.PurePath
    cells: tuple[SweptCell, ...]
    table: str

    @property
    def failed(self) -> tuple[SweptCell, ...]:
        """The cells that have failed."""
        return tuple(cell for cell in self.cells if cell.error)


def check_folder(out: str) -> list[str]:
    """The names in the folder of a sweep; InputError where it is one of anything else.

    It may be new, or begun by workers alone.
    """
    path = paths.as_path(out)
    if paths.exists(path) and not paths.is_dir(path):
        raise InputError(f"`out`={path} is a file; a folder is needed")
    names = runs.names_in(out)
    if runs.is_run_folder(path):
        if runs.read_info(path).get("job") != _NAME:
            raise InputError(f"`out`={path} holds another run; name another folder")
    elif any(not name.startswith(".") for name in names):
        raise InputError(
            f"`out`={path} is not empty and holds no sweep; name another folder"
        )
    return names


def run_cells(
    cells: Sequence[SweepCell],
    out: str,
    machine: SweepMachine,
    *,
    engine: Engine | None = None,
) -> Swept:
    """Runs the cells that have not finished, and looks over all of them."""
    start = time.monotonic()
    tasks = tasks_of(cells, out)
    errors: dict[int, str | None] = {}
    with contextlib.ExitStack() as stack:
        if engine is None:
            engine = stack.enter_context(_engine(machine, tasks, out))
        _mark(out)
        bar = stack.enter_context(
            drive.progress_bar(
                total=len(cells),
                done=len(cells) - len(tasks),
                description=_NAME,
                unit="cell",
            )
        )
        looked, took = time.monotonic(), 0.0
        for number, error in run_tasks(engine, tasks):
            errors[number] = error
            bar.update(1)
            now = time.monotonic()
            if now - looked > max(_OVERVIEW_EVERY, 10 * took):
                overview(cells, out, errors, seconds=now - start)
                looked, took = time.monotonic(), time.monotonic() - now
    return overview(cells, out, errors, seconds=time.monotonic() - start)


def run_cell(
    cells: Sequence[SweepCell], number: int, out: str, machine: SweepMachine
) -> Swept:
    """Runs one cell in this process, which may be one of a cluster."""
    del machine
    if number >= len(cells):
        raise InputError(
            f"`cell`={number}: the sweep has the cells 0 to {len(cells) - 1}"
        )
    cell, folder = cells[number], f"{out}/{cells[number].folder}"
    missing = [
        n for n in cell.needs if not is_done(cells[n].job, f"{out}/{cells[n].folder}")
    ]
    error = None
    if not is_done(cell.job, folder):
        if missing:
            raise InputError(
                f"`cell`={number} needs cell {missing[0]} "
                f"({title(cells[missing[0]])}), which has not finished"
            )
        if drive.here().process == 0:
            _mark(out)
        parts = [f"{out}/{cells[part].folder}" for part in cell.parts]
        error = run_job(cell.job, cell.machine, folder, parts)
    return Swept(paths.as_path(out), (_swept(cell, out, error),), "")


def tasks_of(cells: Sequence[SweepCell], out: str) -> list[Task]:
    """What is left to do; a cell that has finished, and its parts, are not."""
    folders = [f"{out}/{cell.folder}" for cell in cells]
    done = {n for n, c in enumerate(cells) if is_done(c.job, folders[n])}
    done |= {part for n in done for part in cells[n].parts}
    return [
        Task(
            number,
            cell,
            folders[number],
            tuple(need for need in cell.needs if need not in done),
            tuple(folders[part] for part in cell.parts),
        )
        for number, cell in enumerate(cells)
        if number not in done
    ]


def overview(
    cells: Sequence[SweepCell],
    out: str,
    errors: Mapping[int, str | None],
    *,
    seconds: float,
) -> Swept:
    """Writes summary.json and the report of a sweep, as far as it has come."""
    parts = {part for cell in cells for part in cell.parts}
    swept = [
        _swept(cell, out, _why(number, cells, errors))
        for number, cell in enumerate(cells)
        if number not in parts
    ]
    failed = [
        {"cell": _title(cell), "folder": cell.folder.name, "error": cell.error}
        for cell in swept
        if cell.error
    ]
    finished = sum(cell.summary is not None for cell in swept)
    totals = {"cells": len(swept), "finished": finished, "failed": failed}
    totals["seconds"] = round(seconds, 3)
    runs.write_json(paths.as_path(out) / "summary.json", totals)
    table = ""
    if any(runs.is_marked(cell.folder) for cell in swept):
        table = report.write_report([out], paths.as_path(out) / _PAGE).table
    return Swept(paths.as_path(out), tuple(swept), table)


def _why(
    number: int, cells: Sequence[SweepCell], errors: Mapping[int, str | None]
) -> str | None:
    """Why a cell failed: of one that was not begun for a part of it, why that did."""
    own = (errors.get(part) for part in cells[number].parts)
    first = next((error for error in own if error), None)
    return first or errors.get(number)


def _swept(cell: SweepCell, out: str, error: str | None) -> SweptCell:
    folder = paths.as_path(out) / cell.folder
    summary: dict[str, Any] | None = None
    if is_done(cell.job, str(folder)):
        has = runs.is_marked(folder)
        summary = runs.read_json(folder / "summary.json") if has else {}
    return SweptCell(cell.job, folder, cell.axes, summary, error)


def _title(cell: SweptCell) -> str:
    named = ", ".join(f"{name}={value}" for name, value in cell.axes.items())
    return named or cell.folder.name


def _mark(out: str) -> None:
    runs.mark_folder(
        out, {"job": _NAME, "fields": {}, "versions": runs.package_versions()}
    )


@contextlib.contextmanager
def _engine(machine: SweepMachine, tasks: Sequence[Task], out: str) -> Iterator[Engine]:
    """The engine that the fields name; bad ones are refused before anything is
    written."""
    if machine.executor == "here" or not tasks:
        yield here_engine()
        return
    for task in tasks:
        spec_of(task)
    environment = _environment()
    folder = paths.as_path(out)
    context: contextlib.AbstractContextManager[Engine]
    if machine.executor == "local":
        shares = drive.device_shares(machine.workers, most=len(tasks))
        context = local_engine(shares, _logs(folder), environment)
    elif machine.executor == "ray":
        resources = amounts("cell_resources", machine.cell_resources)
        context = ray_engine(machine.ray_address, resources, environment)
    elif machine.executor == "slurm":
        parameters = slurm_parameters(machine)
        if paths.is_store(folder):
            raise InputError(
                f"`out`={folder}: `executor`=slurm keeps its files there; wanted a "
                "folder that all nodes see"
            )
        where = pathlib.Path(folder) / _SLURM
        context = slurm_engine(where, machine.slurm_cluster, parameters, environment)
    else:
        raise InputError(
            f"`executor`={machine.executor}: expected local, ray, slurm or here"
        )
    with context as engine:
        yield engine


def _logs(folder: pathlib.PurePath) -> pathlib.Path:
    """Where workers write what they print: on the disk, also for a sweep in a store."""
    if paths.is_store(folder):
        return pathlib.Path(tempfile.mkdtemp(prefix="mspd_sweep_"))
    return pathlib.Path(folder) / _LOGS


def _environment() -> dict[str, str]:
    """The variables by which workers keep compiled programs where this process does."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    values = {name.upper(): getattr(jax.config, name) for name in names}
    if not values["JAX_COMPILATION_CACHE_DIR"]:
        return {}
    return {name: str(value) for name, value in values.items()}
