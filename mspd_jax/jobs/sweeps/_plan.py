"""The plan of a sweep: cells, their folders, their order; pure, nothing is written."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from mspd_jax.errors import InputError
from mspd_jax.jobs._identity import job_name
from mspd_jax.jobs._option import all_options
from mspd_jax.jobs._values import radius_of
from mspd_jax.jobs.sweeps._cell import (
    SweepCell,
    axes_of,
    existing_folders,
    folder_name,
    hash_of,
)
from mspd_jax.jobs.sweeps._references import levels_of, needs_of, replaced
from mspd_jax.runs import SHARDS


class Asked(NamedTuple):
    """A cell as it was asked for: its job, machine, and name, if it has one."""

    job: Any
    machine: Any
    name: str | None = None


def planned(
    asked: Sequence[Asked],
    out: str,
    *,
    shards: int | None = None,
    existing: Collection[str] = (),
) -> list[SweepCell]:
    """The cells of a sweep in an order in which they can be run.

    Args:
      asked: what is to be run.
      out: the folder of the sweep, as the fields of cells shall name it.
      shards: parts that each source is split into, where a job can be; the cell itself
        then comes after its parts, and puts them together.
      existing: names of the folders in it: a cell is found again by its hash, also
        where other fields vary now.
    """
    if not asked:
        raise InputError("a sweep needs at least one cell")
    jobs = [cell.job for cell in asked]
    names = _names(asked)
    needs = needs_of(jobs, names)
    axes = axes_of(jobs)
    labels = [_label(number, cell) for number, cell in enumerate(asked)]
    levels = levels_of(needs, labels)
    for label, job in zip(labels, jobs, strict=True):
        _check(label, job)
    folders: dict[int, str] = {}
    hashes: dict[int, str] = {}
    taken: dict[str, int] = {}
    known = existing_folders(existing)
    order = sorted(range(len(asked)), key=lambda number: levels[number])
    for number in order:
        job = replaced(jobs[number], lambda name: f"@{hashes[names[name]]}")
        digest = hash_of(job)
        if digest in taken:
            raise InputError(
                f"{labels[taken[digest]]} and {labels[number]} are the same, and would "
                "share a folder: give each value once"
            )
        hashes[number], taken[digest] = digest, number
        name = folder_name(job, asked[number].name, axes[number], digest)
        folders[number] = known.get(digest, name)
    place = {number: new for new, number in enumerate(order)}
    cells = [
        SweepCell(
            job=replaced(jobs[n], lambda name: f"{out}/{folders[names[name]]}"),
            machine=asked[n].machine,
            folder=folders[n],
            name=asked[n].name,
            axes=axes[n],
            needs=tuple(place[need] for need in needs[n]),
            level=levels[n],
        )
        for n in order
    ]
    return cells if shards in (None, 1) else _split(cells, shards)


def _split(cells: Sequence[SweepCell], shards: int) -> list[SweepCell]:
    """The cells with the parts of those that can be split before them.

    Parts and what they make stand on levels of their own, lest a part of one cell wait
    for another cell.
    """
    if not any(_can_be_split(cell.job) for cell in cells):
        job = job_name(type(cells[0].job))
        raise InputError(
            f"`shards`={shards}: {job} is no job that goes image by image, so its "
            "source cannot be split"
        )
    found: list[SweepCell] = []
    place: dict[int, int] = {}  # of a cell among those that are found
    for number, cell in enumerate(cells):
        needs = tuple(place[need] for need in cell.needs)
        level = max((found[need].level + 1 for need in needs), default=0)
        parts: tuple[int, ...] = ()
        if _can_be_split(cell.job):
            parts = tuple(range(len(found), len(found) + shards))
            for part in range(1, shards + 1):
                job = dataclasses.replace(cell.job, shard=f"{part}/{shards}")
                folder = f"{cell.folder}{SHARDS}/{part:05d}_of_{shards:05d}"
                axes = {**cell.axes, "shard": job.shard}
                found.append(SweepCell(job, cell.machine, folder, None, axes, needs))
                found[-1] = found[-1]._replace(level=level)
            needs, level = (*needs, *parts), level + 1
        place[number] = len(found)
        found.append(cell._replace(needs=needs, level=level, parts=parts))
    return _by_level(found)


def _by_level(cells: Sequence[SweepCell]) -> list[SweepCell]:
    """The cells of each level together, so that engines take ranges of them."""
    order = sorted(range(len(cells)), key=lambda number: cells[number].level)
    place = {number: new for new, number in enumerate(order)}
    return [
        cells[number]._replace(
            needs=tuple(place[n] for n in cells[number].needs),
            parts=tuple(place[n] for n in cells[number].parts),
        )
        for number in order
    ]


def _can_be_split(job: Any) -> bool:
    return hasattr(job, "shard") and job.shard is None


def _names(asked: Sequence[Asked]) -> dict[str, int]:
    names: dict[str, int] = {}
    for number, cell in enumerate(asked):
        if cell.name in names:
            raise InputError(f"two cells have the name {cell.name!r}")
        if cell.name is not None:
            names[cell.name] = number
    return names


def _label(number: int, cell: Asked) -> str:
    return cell.name or f"cell {number + 1}"


def _check(label: str, job: Any) -> None:
    """Refuses a radius that no image needs before anything runs."""
    fields: Mapping[str, Any] = vars(job)
    if "eps" not in all_options(type(job)) or fields.get("eps") is None:
        return
    if "norm" in fields:
        try:
            radius_of(fields["eps"], fields["norm"])
        except InputError as error:
            raise InputError(f"{label}: {error}") from None
