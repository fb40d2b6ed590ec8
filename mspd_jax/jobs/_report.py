"""Reporting on the folders of runs."""

import dataclasses
import os
import pathlib
from typing import ClassVar

from mspd_jax import drive, report
from mspd_jax.jobs._machine import FilesMachine
from mspd_jax.jobs._option import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """Tables, plots and a picture of what runs have found.

    Example:
      print(jobs.Report(runs=("OUT/protect", "OUT/after")).run("REPORT").table)
    """

    MACHINE: ClassVar[FilesMachine] = FilesMachine()

    runs: tuple[str | os.PathLike, ...] = option(
        help="folders to report on, separated by commas: what other jobs wrote to "
        "`out`, or a folder that holds several of them"
    )
    images: int = option(8, help="rows of the picture, 0 for none", lower=0)
    html: bool = option(
        False, help="also write report.html, one file that holds all of it"
    )

    def run(
        self, out: str | pathlib.PurePath, machine: FilesMachine | None = None
    ) -> report.Page:
        """Writes report.md, report.csv and pictures; replaces an older report.

        Of several processes the first one writes. The others wait, lest whoever comes
        next on their hosts finds half a report, and return an empty page.
        """
        del machine
        page = report.Page("", ())
        alone = not drive.in_cluster()  # then no device need be started
        if alone or drive.here().process == 0:
            page = report.write_report(
                self.runs, out, images=self.images, html=self.html
            )
        if not alone:
            drive.barrier()
        return page
