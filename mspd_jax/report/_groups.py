"""Runs of one kind, which make a line of a plot, and what distinguishes the kinds."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Kind = tuple[str | None, ...]
_Item = TypeVar("_Item")


def grouped(
    items: Iterable[_Item], kind: Callable[[_Item], Kind]
) -> dict[Kind, list[_Item]]:
    """The items by their kind; those of which there is one only are left out."""
    groups: dict[Kind, list[_Item]] = {}
    for item in items:
        groups.setdefault(kind(item), []).append(item)
    return {kind: found for kind, found in groups.items() if len(found) > 1}


def distinguishing_parts(kinds: Sequence[Kind]) -> list[list[str]]:
    """For each kind the parts in which the kinds differ.

    None, for what a kind does not have, makes no difference.
    """
    differ = [len({*parts} - {None}) > 1 for parts in zip(*kinds, strict=True)]
    return [
        [part for part, apart in zip(kind, differ, strict=True) if apart and part]
        for kind in kinds
    ]
