"""Fields of jobs: a type, a default and one line of help each."""

import dataclasses
import types
import typing
from typing import Any, NamedTuple


class Option(NamedTuple):
    """A field of a job, as flags, forms and identities need it.

    kind: int, float, bool, tuple for a list of texts, or str for all that is named by a
    text, whatever else research code may give. default: `dataclasses.MISSING` where
    there is none. choices: the texts that are accepted. lower, upper: bounds of a
    number. example: a value, for messages.
    """

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] | None
    lower: float | None
    upper: float | None
    example: str | None = None


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    choices: tuple[str, ...] | None = None,
    lower: float | None = None,
    upper: float | None = None,
    example: str | None = None,
) -> Any:
    """A field of a job; without a default it must be set.

    Of a field that holds one of several dataclasses, `example` names the one that a
    command takes where it names none.
    """
    metadata = {"help": help, "choices": choices, "lower": lower, "upper": upper}
    return dataclasses.field(default=default, metadata=metadata | {"example": example})


def options_of(job: type) -> list[Option]:
    """The plain fields of a job's class, in order; those of nested choices left out."""
    hints = typing.get_type_hints(job)
    return [
        Option(field.name, _kind(hints[field.name]), field.default, **field.metadata)
        for field in dataclasses.fields(job)
        if not alternatives(hints[field.name])
    ]


def choices_of(job: type) -> dict[str, tuple[type, ...]]:
    """The fields that hold one of several dataclasses, with those."""
    hints = typing.get_type_hints(job)
    found = {f.name: alternatives(hints[f.name]) for f in dataclasses.fields(job)}
    return {name: kinds for name, kinds in found.items() if kinds}


def groups_of(job: type) -> dict[str, type]:
    """The fields that hold one dataclass or, by default, None: what goes together.

    A command names such a group by its first field.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(job)}
    return {
        name: kinds[0]
        for name, kinds in choices_of(job).items()
        if len(kinds) == 1 and defaults[name] is None
    }


def alternatives(annotation: Any) -> tuple[type, ...]:
    """The dataclasses among the members of a union, or the one that it is."""
    return tuple(
        m
        for m in _members(annotation)
        if isinstance(m, type) and dataclasses.is_dataclass(m)
    )


def _members(annotation: Any) -> tuple:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _kind(annotation: Any) -> type:
    """The type that a text is turned into."""
    members = _members(annotation)
    for kind in (str, bool, int, float):
        if kind in members:
            return kind
    if any(typing.get_origin(member) is tuple for member in members):
        return tuple
    raise TypeError(f"a field of a job cannot be {annotation}")
