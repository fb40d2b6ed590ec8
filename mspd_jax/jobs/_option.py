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
    number. example: a value, for messages. repeated: a flag for each of its texts.
    later: see `option`.
    """

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] | None
    lower: float | None
    upper: float | None
    example: str | None = None
    repeated: bool = False
    later: bool = False


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    choices: tuple[str, ...] | None = None,
    lower: float | None = None,
    upper: float | None = None,
    example: str | None = None,
    repeated: bool = False,
    later: bool = False,
) -> Any:
    """A field of a job; without a default it must be set.

    Of a field that holds one of several dataclasses, `example` names the one that a
    command takes where it names none. A list of texts that may hold commas is
    `repeated`: a command gives each in a flag of its own. later: it came when there
    were runs without it, which its default describes: at that it is no part of a run's
    identity.
    """
    metadata = {"help": help, "choices": choices, "lower": lower, "upper": upper}
    metadata |= {"example": example, "repeated": repeated, "later": later}
    return dataclasses.field(default=default, metadata=metadata)


def options_of(job: type) -> list[Option]:
    """The plain fields of a job's class, in order; those of nested choices left out.

    What was not made by `option` is no field that a flag could set.
    """
    hints = typing.get_type_hints(job)
    return [
        Option(field.name, _kind(hints[field.name]), field.default, **field.metadata)
        for field in dataclasses.fields(job)
        if "help" in field.metadata and not alternatives(hints[field.name])
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


def all_options(job: type) -> dict[str, Option]:
    """The plain fields of a dataclass, and those of all that it may hold, by name."""
    fields = {option.name: option for option in options_of(job)}
    for kinds in choices_of(job).values():
        for kind in kinds:
            inner = all_options(kind)
            for option_name, option in inner.items():
                if option.default is dataclasses.MISSING:  # needed with `kind` alone
                    inner[option_name] = option._replace(default=None)
            fields = inner | fields
    return fields


def single_choices_of(job: type) -> dict[str, tuple[type, ...]]:
    """The fields that hold one of several dataclasses, which a text names."""
    groups = groups_of(job)
    return {n: kinds for n, kinds in choices_of(job).items() if n not in groups}


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
