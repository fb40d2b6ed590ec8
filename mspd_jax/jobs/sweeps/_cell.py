"""A cell of a sweep: a job, its folder, what it waits for."""

import collections
import dataclasses
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from mspd_jax import data, models
from mspd_jax.jobs._identity import fields_of, job_name
from mspd_jax.jobs._values import loaded

_LONGEST = 100  # characters of a folder's name, but for its hash


class SweepCell(NamedTuple):
    """One run of a sweep.

    Attributes:
      job: a job value, with the folders of other cells in the place of their names.
      machine: what it is worked off with.
      folder: of its run, below that of the sweep.
      name: by which other cells name it, or None.
      axes: its fields that other cells of its kind have otherwise.
      needs: numbers of the cells whose output it takes.
      level: 0 where it needs none, else one more than the highest of those.
      parts: numbers of the cells whose records together are its own; none for a cell
        that computes.
    """

    job: Any
    machine: Any
    folder: str
    name: str | None = None
    axes: Mapping[str, Any] = {}
    needs: tuple[int, ...] = ()
    level: int = 0
    parts: tuple[int, ...] = ()


def hash_of(job: Any) -> str:
    """8 hexadecimal digits of a job's class and of all its fields."""
    content = [job_name(type(job)), fields_of(job), _contents(job)]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def axes_of(jobs: Sequence[Any]) -> list[dict[str, Any]]:
    """For each job its fields that not all jobs of its class have alike."""
    fields = [fields_of(job) for job in jobs]
    values: dict[type, dict[str, set[str]]] = {}
    counts = collections.Counter(type(job) for job in jobs)
    present: collections.Counter = collections.Counter()
    for job, own in zip(jobs, fields, strict=True):
        for name, value in own.items():
            kept = values.setdefault(type(job), {}).setdefault(name, set())
            kept.add(_text(value))
            present[type(job), name] += 1
    apart = {
        kind: [n for n in sorted(v) if len(v[n]) > 1 or present[kind, n] < counts[kind]]
        for kind, v in values.items()
    }
    return [
        {name: own[name] for name in apart[type(job)] if name in own}
        for job, own in zip(jobs, fields, strict=True)
    ]


def folder_name(
    job: Any, name: str | None, axes: Mapping[str, Any], digest: str
) -> str:
    """What a cell's folder is called: its fields that vary, and the hash of all."""
    parts = [f"{field}_{_short(value)}" for field, value in axes.items()]
    parts = ([name] if name else []) + parts or [job_name(type(job))]
    return f"{'-'.join(parts)[:_LONGEST]}-{digest}"


def title(cell: SweepCell) -> str:
    """A cell in words, for a reader."""
    return ", ".join(f"{name}={value}" for name, value in cell.axes.items()) or (
        cell.name or cell.folder
    )


def existing_folders(names: Collection[str]) -> dict[str, str]:
    """Names of folders by the hash at their end."""
    found = (re.fullmatch(r".*-([0-9a-f]{8})", name) for name in names)
    return {match[1]: match[0] for match in found if match}


def plain_fields(job: Any) -> dict[str, Any] | None:
    """The fields of a job that texts and numbers can say; None if they cannot."""
    fields = fields_of(job)
    try:
        json.dumps(fields)
    except TypeError:
        return None
    return None if _contents(job) else fields


def _contents(value: Any) -> list[str]:
    """Digests of the models, functions and sources in a job: names say too little."""
    if isinstance(value, data.Source):
        return [value.fingerprint]
    if isinstance(value, models.Model) or callable(value):
        return [loaded(value).digest]
    if dataclasses.is_dataclass(value):
        parts = (getattr(value, f.name) for f in dataclasses.fields(value))
        return [digest for part in parts for digest in _contents(part)]
    return []


def _short(value: Any) -> str:
    """A value as a part of a file's name: of a path the end, x/model being x."""
    text = _text(value).strip("/").removesuffix("/model")
    if not re.fullmatch(r"[\d.]+/[\d.]+", text):  # 8/255 is no path
        text = text.rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9.]+", "_", text)[:24].strip("_") or "none"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
