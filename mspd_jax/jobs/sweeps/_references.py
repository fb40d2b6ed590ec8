"""Chains of cells: `@train` in a field is the folder of the cell of that name."""

import dataclasses
import difflib
import graphlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mspd_jax.errors import InputError

# At the head of a text, or of a part of it: folder:@protect, trn:@trn, @a,@b.
_NAME = r"[A-Za-z0-9_.-]*[A-Za-z0-9_]"
_REFERENCE = re.compile(rf"(?<![^:,])@({_NAME})")


def check_name(name: str) -> str:
    """The name, where cells can name it."""
    if not isinstance(name, str) or not re.fullmatch(_NAME, name):
        raise InputError(
            f"`name`={name}: a cell is named by letters, digits, _, - and ."
        )
    return name


def replaced(value: Any, place: Callable[[str], str]) -> Any:
    """A job, or a value in it, with `place(name)` where a text names a cell."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: place(found[1]), value)
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(replaced(part, place) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        values = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        changed = {name: replaced(part, place) for name, part in values.items()}
        return dataclasses.replace(value, **changed)
    return value


def needs_of(jobs: Sequence[Any], names: Mapping[str, int]) -> list[tuple[int, ...]]:
    """For each job the places of the cells that its fields name."""
    found = []
    for job in jobs:
        own: dict[int, None] = {}

        def place(name: str, own: dict = own) -> str:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
                hint = f"did you mean @{close[0]}?" if close else "none has that name"
                raise InputError(f"@{name} names no cell: {hint}")
            own[names[name]] = None
            return name

        replaced(job, place)
        found.append(tuple(own))
    return found


def levels_of(needs: Sequence[Sequence[int]], labels: Sequence[str]) -> list[int]:
    """For each cell how many stand one behind the other before it."""
    levels: dict[int, int] = {}
    try:
        order = graphlib.TopologicalSorter(dict(enumerate(needs))).static_order()
        for number in order:
            levels[number] = max((levels[n] + 1 for n in needs[number]), default=0)
    except graphlib.CycleError as error:
        circle = " -> ".join(labels[number] for number in reversed(error.args[1]))
        raise InputError(f"cells wait for each other: {circle}") from None
    return [levels[number] for number in range(len(needs))]
