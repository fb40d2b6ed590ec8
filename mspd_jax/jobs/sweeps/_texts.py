"""Cells out of texts: `--grid=eps=4/255,8/255`, and a file of JSON lines."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mspd_jax import runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._from_fields import job_of
from mspd_jax.jobs.sweeps._known import kind_of
from mspd_jax.jobs.sweeps._plan import Asked
from mspd_jax.jobs.sweeps._references import check_name

# What a model or a classifier of these names would run.
_CODE = ("python:", "command:")


def asked_by_texts(
    job: str | None,
    *,
    grid: Sequence[str],
    cells: str | None,
    fixed: Mapping[str, Any],
) -> list[Asked]:
    """Each combination of the grid's values for each line of a file of cells.

    Args:
      job: what cells are that do not say it themselves; `fixed` and `grid` are of its
        fields.
      grid: texts like `eps=4/255,8/255`; the last one varies fastest.
      cells: a file with one JSON object of fields a line, besides `name`, by which
        others name the cell, and `job`.
      fixed: fields that all cells of `job` share.
    """
    axes = _axes(grid)
    if job is None and (fixed or axes or cells is None):
        raise InputError("`job` is required: see --help")
    lines = [{}] if cells is None else _read(cells)
    return [
        _asked(job, {**fixed, **dict(point)}, line)
        for line in lines
        for point in _points(axes, job, line)
    ]


def _asked(
    job: str | None, shared: Mapping[str, Any], line: Mapping[str, Any]
) -> Asked:
    own = {name: value for name, value in line.items() if name not in ("job", "name")}
    kind = _kind(job, line)
    fields = {**shared, **own} if _is_of(job, line) else own
    name = line.get("name")
    try:
        made, machine = job_of(kind, fields)
    except InputError as error:
        where = f"cell {name}: " if name else ""
        raise InputError(f"{where}{error}") from None
    return Asked(made, machine, check_name(name) if name is not None else None)


def _kind(job: str | None, line: Mapping[str, Any]) -> Any:
    name = line.get("job", job)
    if name is None:
        raise InputError("a cell names no `job`, and no --job stands for all")
    return kind_of(name)


def _is_of(job: str | None, line: Mapping[str, Any]) -> bool:
    return line.get("job", job) == job


def _points(
    axes: Sequence[tuple[str, Sequence[str]]], job: str | None, line: Mapping[str, Any]
) -> Iterable[tuple[tuple[str, str], ...]]:
    """The combinations that a line is part of: those of the grid, or one of none."""
    if not axes or not _is_of(job, line):
        return [()]
    for field, _ in axes:
        if field in line:
            raise InputError(f"`grid` and a line of `cells` both give `{field}`")
    pairs = [[(field, value) for value in values] for field, values in axes]
    return itertools.product(*pairs)


def _axes(grid: Sequence[str]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for text in grid:
        field, equals, values = text.partition("=")
        parts = [part.strip() for part in values.split(",")]
        if not equals or not field.strip() or not all(parts):
            raise InputError(
                f"`grid`={text}: expected a field and its values, as in eps=4/255,8/255"
            )
        if field.strip() in found:
            raise InputError(f"`grid` names the field `{field.strip()}` twice")
        found[field.strip()] = parts
    return list(found.items())


def _read(path: str) -> list[dict[str, Any]]:
    """The objects in a file of JSON lines, which hold data and nothing else."""
    found = []
    for number, text in enumerate(runs.read_lines(path), start=1):
        if text.strip():
            found.append(_parsed(f"line {number} of `cells`={path}", text))
    if not found:
        raise InputError(f"`cells`={path} holds no cell: one JSON object a line")
    return found


def _parsed(where: str, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{where} is no JSON object of fields ({error}); a cell is data alone, as "
            'in {"eps": "8/255", "samples": 4}'
        ) from None
    if not isinstance(line, dict):
        raise InputError(f"{where} is no JSON object of fields")
    for name, value in line.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, str) and part.startswith(_CODE):
                raise InputError(
                    f"{where}: `{name}`={part} is code to run, and a file of cells "
                    "holds data alone; give it as a flag"
                )
    return line


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is given twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")
