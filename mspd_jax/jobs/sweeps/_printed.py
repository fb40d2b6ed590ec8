"""Files that run a sweep elsewhere: each worker runs one cell of the same command."""

import shlex
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mspd_jax.jobs._option import options_of
from mspd_jax.jobs.sweeps._cell import SweepCell
from mspd_jax.jobs.sweeps._jobset import jobset
from mspd_jax.jobs.sweeps._machine import SweepMachine, amounts
from mspd_jax.jobs.sweeps._scripts import slurm_script, xpk_script


class Batch(NamedTuple):
    """Cells that can run at the same time: numbers from `first` to `last`."""

    first: int
    last: int


def printed(
    sweep: Any, out: str, machine: SweepMachine, cells: Sequence[SweepCell]
) -> str:
    """The text of the file that `machine.print` names.

    A worker plans the sweep anew, so that the file holds nothing but the command and
    the numbers of cells; a cell that has finished ends at once. When all are done, the
    command without `cell` makes the report.
    """
    command = command_of(sweep, out)
    writers: dict[str, Callable[..., str]] = {
        "jobset": jobset,
        "slurm": slurm_script,
        "xpk": xpk_script,
    }
    resources = amounts("cell_resources", machine.cell_resources)
    return writers[str(machine.print)](command, _batches(cells), machine, resources)


def command_of(sweep: Any, out: str) -> str:
    """The command of a sweep, for a shell, without what says where it runs."""
    flags: dict[str, Any] = {
        o.name: getattr(sweep, o.name) for o in options_of(type(sweep))
    }
    words = ["mspd", "sweep"]
    for name, value in [*flags.items(), *sweep.fixed.items(), ("out", out)]:
        repeated = name == "grid"
        words += [
            f"--{name}={_text(v)}"
            for v in (value if repeated else [value])
            if v is not None
        ]
    return shlex.join(words)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value)


def _batches(cells: Sequence[SweepCell]) -> list[Batch]:
    """The levels of the plan, whose cells follow one another."""
    found: dict[int, Batch] = {}
    for number, cell in enumerate(cells):
        before = found.get(cell.level, Batch(number, number))
        found[cell.level] = before._replace(last=number)
    return list(found.values())
