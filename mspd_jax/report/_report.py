"""A report on runs: one page, a CSV, and pictures."""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from mspd_jax import paths
from mspd_jax.errors import InputError
from mspd_jax.report._album import album_section
from mspd_jax.report._certificates import certified_section
from mspd_jax.report._checks import checks_section
from mspd_jax.report._page import html_page
from mspd_jax.report._patches import patches_section
from mspd_jax.report._protection import protection_section
from mspd_jax.report._radii import radii_section
from mspd_jax.report._rows import summary_columns, summary_rows
from mspd_jax.report._summary import table_rows
from mspd_jax.report._sweep import sweep_csv, sweeps_section
from mspd_jax.report._tables import csv_table, markdown_table
from mspd_jax.report._transfer import transfer_cells
from mspd_jax.report._transfer_table import transfer_csv, transfer_section
from mspd_jax.runs import is_run_folder, read_runs, sweeps_among, write_file

_PICTURES = ("curve.png", "picture.png", "certified.png", "patches.png")
_NOTES = """
Accuracies are cut to one decimal, never rounded up; in brackets the 95 % interval
(Wilson) over the choice of images. Robust accuracy counts the images that survive every
attack of the run: these attacks and no others. "claimed" counts, for a model behind a
defense, those that survive the attacks of its authors' setting alone: no measure of
robustness. "attack" is an attack alone, "after" is what it and those before it leave
standing. Distances are those of the 8-bit files.
"""


class Page(NamedTuple):
    """What `write_report` made.

    Attributes:
      table: Markdown of the first table, a row per run.
      files: what was written, report.md first.
    """

    table: str
    files: tuple[pathlib.PurePath, ...]


def write_report(
    runs: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    images: int = 8,
    html: bool = False,
) -> Page:
    """Writes report.md, report.csv and pictures on what runs have found.

        print(report.write_report(["OUT/protect", "OUT/after"], "REPORT").table)

    Args:
      runs: run folders, or folders that hold several of them, of any mix of jobs.
      out: folder of the report; an older report in it is replaced.
      images: rows of the picture of protected images, 0 for none.
      html: also write report.html, one file that holds all of it, the pictures too.
    """
    found = read_runs([os.fspath(path) for path in runs])
    folder = paths.as_path(os.path.expanduser(out))
    if paths.exists(folder) and not paths.is_dir(folder):
        raise InputError(f"`out`={folder} is a file; a folder is needed")
    if is_run_folder(folder):
        raise InputError(f"`out`={folder} holds a run; name another one for the report")
    rows = summary_rows(found)
    table = markdown_table(table_rows(rows))
    sweeps = sweeps_among([os.fspath(path) for path in runs], found)
    cells = transfer_cells(found, runs)
    sections = (
        sweeps_section(sweeps),
        radii_section(found),
        transfer_section(cells),
        album_section(found, images=images),
        protection_section(found, images=images),
        certified_section(found),
        patches_section(found),
        checks_section(found),
    )
    text = f"# Report\n\n{table}{_NOTES}" + "".join(part.text for part in sections)
    files = {"report.csv": csv_table(rows, summary_columns(rows)).encode()}
    if sweeps:
        files["sweep.csv"] = sweep_csv(sweeps).encode()
    if gains := transfer_csv(cells):
        files["transfer.csv"] = gains.encode()
    pictures = {n: png for part in sections for n, png in part.pictures.items()}
    files |= pictures
    if html:
        files["report.html"] = html_page(text, pictures, found)
    files["report.md"] = text.encode()
    there = paths.children(folder) if paths.is_dir(folder) else ()
    older = {
        path.name
        for path in there
        if path.match("sweep*.*") or path.match("album*.png")
    }
    names = {*_PICTURES, "report.html", "transfer.csv", *older} - files.keys()
    paths.remove(folder / name for name in sorted(names))
    for name, content in files.items():
        write_file(folder / name, content)
    return Page(table, tuple(folder / name for name in reversed(files)))
