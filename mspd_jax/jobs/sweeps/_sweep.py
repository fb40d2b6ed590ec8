"""Sweeps: many cells of any job, from values in Python or from texts."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mspd_jax import drive, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._identity import job_name
from mspd_jax.jobs._option import option
from mspd_jax.jobs.sweeps._engine import Engine
from mspd_jax.jobs.sweeps._known import SWEEPABLE, kind_of
from mspd_jax.jobs.sweeps._machine import SweepMachine
from mspd_jax.jobs.sweeps._plan import Asked, planned
from mspd_jax.jobs.sweeps._printed import printed
from mspd_jax.jobs.sweeps._references import check_name
from mspd_jax.jobs.sweeps._run import Swept, check_folder, run_cell, run_cells
from mspd_jax.jobs.sweeps._texts import asked_by_texts


def sweep(
    cells: Sequence[Any] | Mapping[str, Any],
    out: str | os.PathLike,
    *,
    shards: int | None = None,
    cell_machine: Any = None,
    engine: Engine | None = None,
    **how: Any,
) -> Swept:
    """Runs jobs, each in a folder of its own below `out`; finished ones never again.

    A cell's folder is named by the fields in which the cells differ and a hash of all
    its fields. Cells that fail do not stop the others.

    Example:
      job = jobs.Protect(source="digits:test", surrogate="CKPT", eps=0.1)
      found = jobs.sweep(jobs.grid(job, eps=[0.05, 0.1], samples=[4, 20]), "OUT")
      for cell in found.cells:
          print(cell.axes, cell.summary["l2_mean"], cell.error)

      jobs.sweep(  # a chain: @train is the folder of the cell of that name
          {
              "train": jobs.TrainClassifier(source="digits:train", arch="small_cnn"),
              "test": jobs.Evaluate(source="digits:test", target="@train", eps=0.1),
          },
          "OUT",
      )

    Args:
      cells: job values, or job values by name.
      out: folder of the sweep; more cells may be asked for later.
      shards: split the source of each job that goes image by image into so many cells
        of consecutive images, and put these together.
      cell_machine: what each cell is worked off with, by default its job's MACHINE.
      engine: what runs the cells, in the place of one that `how` names.
      how: fields of `SweepMachine`, as in executor="ray".

    Returns:
      A `Swept`: each cell with its totals, or why it failed.
    """
    named = dict(cells if isinstance(cells, Mapping) else enumerate(cells))
    for job in named.values():
        kind_of(job_name(type(job)))  # refuses others
    asked = [
        Asked(
            job,
            cell_machine or job.MACHINE,
            check_name(str(name)) if isinstance(cells, Mapping) else None,
        )
        for name, job in named.items()
    ]
    machine, folder = SweepMachine(**how), runs.absolute(out)
    plan = planned(asked, folder, shards=shards, existing=check_folder(folder))
    return run_cells(plan, folder, machine, engine=engine)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep as a command says it: texts in the place of values.

    Example:
      jobs.Sweep(
          job="protect", grid=("eps=4/255,8/255", "samples=4,20"),
          fixed={"source": "digits:test", "surrogate": "CKPT"},
      ).run("OUT")
    """

    MACHINE: ClassVar[SweepMachine] = SweepMachine()

    job: str | None = option(
        None,
        help=f"what each cell is: {', '.join(SWEEPABLE)}; --help with it shows its "
        "flags, which all cells share",
    )
    grid: tuple[str, ...] = option(
        (),
        help="a field and its values, as in eps=4/255,8/255; given several times, a "
        "cell for each combination",
        repeated=True,
    )
    cells: str | None = option(
        None,
        help="file with a JSON object of fields in each line, a cell each; besides "
        "`job` it may have a `name`, and @NAME in a field of another is its folder",
    )
    shards: int | None = option(
        None,
        help="split the source into so many cells of consecutive images, and put these "
        "together: the same records and files as one run's",
        lower=1,
    )
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def run(self, out: str | os.PathLike, machine: SweepMachine | None = None) -> Any:
        """Runs the cells that have not finished, or one of them, or prints a file.

        Returns:
          A `Swept`, or the text of the file.
        """
        machine, folder = machine or self.MACHINE, runs.absolute(out)
        asked = asked_by_texts(
            self.job, grid=self.grid, cells=self.cells, fixed=self.fixed
        )
        plan = planned(asked, folder, shards=self.shards, existing=check_folder(folder))
        if machine.print is not None:
            return printed(self, os.fspath(out), machine, plan)
        if machine.cell is not None:
            return run_cell(plan, machine.cell, folder, machine)
        if drive.in_cluster():
            raise InputError(
                "processes that have joined each other run one `cell`; a sweep of many "
                "is begun by one process"
            )
        return run_cells(plan, folder, machine)
