"""The job that flat fields describe: the inverse of `fields_of`."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from mspd_jax.errors import InputError
from mspd_jax.jobs._identity import choice_name, job_name
from mspd_jax.jobs._option import (
    Option,
    all_options,
    choices_of,
    groups_of,
    options_of,
    single_choices_of,
)
from mspd_jax.jobs._values import number_of

_MISSING = dataclasses.MISSING


def job_of(kind: Any, fields: Mapping[str, Any]) -> tuple[Any, Any]:
    """The job of a class that the fields describe, and its machine.

    Fields of a nested choice and of the machine stand beside the others, as flags do.
    Values are those of the fields, or texts as flags give them. Fields that are left
    out take their defaults; a group is known by its own fields. Raises InputError for a
    field that the job has not, or that does not go with the others, and for a value
    that a field refuses.

    Example:
      job, machine = job_of(jobs.Protect, {"source": "digits:test", "surrogate": "CKPT",
                                           "eps": "8/255", "batch_size": "64"})
    """
    known, groups = _known(kind), _group_names(kind)
    fields = {name: value for name, value in fields.items() if name not in groups}
    for name in fields:
        if name not in known:
            raise InputError(unknown_field(name, kind))
    given = {name: _converted(known[name], value) for name, value in fields.items()}
    for option in options_of(kind):
        if option.default is _MISSING and given.get(option.name) is None:
            raise InputError(f"`{option.name}` is required: see --help")
    own = {option.name for option in options_of(kind)}
    values = {name: given[name] for name in own & given.keys()}
    for name, kinds in single_choices_of(kind).items():
        field = next(f for f in dataclasses.fields(kind) if f.name == name)
        values[name] = _chosen(name, kinds, given, taken=own, default=_default(field))
    values |= _grouped(kind, given)
    machine = kind.MACHINE
    names = {o.name for o in options_of(type(machine))} - own
    changes = {name: given[name] for name in names & given.keys()}
    return kind(**values), dataclasses.replace(machine, **changes)


def unknown_field(name: str, kind: Any) -> str:
    """That a job has no field of this name, and which one may have been meant."""
    known = _known(kind)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{close[0]}`?" if close else f"it has {', '.join(known)}"
    return f"{job_name(kind)} has no field `{name}`: {hint}"


def _known(kind: Any) -> dict[str, Option]:
    """All that may be given: fields, those of choices, choices, the machine's."""
    known = {option.name: option for option in options_of(type(kind.MACHINE))}
    known |= all_options(kind) | _choice_options(kind)
    return known


def _choice_options(kind: Any) -> dict[str, Option]:
    """The choices themselves, as fields of their names."""
    found = {}
    for name, kinds in single_choices_of(kind).items():
        names = tuple(choice_name(k) for k in kinds)
        found[name] = Option(name, str, None, "", names, None, None)
    return found


def _group_names(kind: Any) -> set[str]:
    """The fields that hold a group, at any depth."""
    inner = (k for kinds in choices_of(kind).values() for k in kinds)
    return set(groups_of(kind)).union(*map(_group_names, inner))


def _default(field: dataclasses.Field) -> str | None:
    """The choice that is taken where none is named."""
    if field.default is _MISSING:
        return field.metadata["example"]
    return choice_name(type(field.default))


def _chosen(
    name: str,
    kinds: Iterable[Any],
    given: Mapping[str, Any],
    *,
    taken: set[str],
    default: str | None,
) -> Any:
    """The dataclass that a choice names, made of the fields that go with it.

    A field that another choice has, and this one has not, is refused.
    """
    named = given.get(name) or default
    chosen = next(kind for kind in kinds if choice_name(kind) == named)
    others = {option for kind in kinds for option in all_options(kind)}
    for other in sorted(others - all_options(chosen).keys() - taken):
        if other in given:
            raise InputError(f"`{other}` does not go with `{name}`={named}")
    own = options_of(chosen)
    for option in own:
        if option.default is _MISSING and given.get(option.name) is None:
            line = f"`{name}`={named} needs `{option.name}`"
            if option.example:
                line += f", as in `{option.name}`={option.example}"
            raise InputError(line)
    present = {o.name: given[o.name] for o in own if o.name in given}
    return chosen(**present, **_grouped(chosen, given))


def _grouped(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The groups of a dataclass: made where their first field is set, else None.

    The other fields of a group that is not there are refused.
    """
    found: dict[str, Any] = {}
    for name, group in groups_of(kind).items():
        first, *rest = (option.name for option in options_of(group))
        if given.get(first):
            here = (n for n in (first, *rest) if n in given)
            found[name] = group(**{n: given[n] for n in here})
            continue
        for other in rest:
            if other in given:
                raise InputError(f"`{other}` goes with `{first}` alone")
        found[name] = None
    return found


def _converted(option: Option, value: Any) -> Any:
    """The value as the field holds it; InputError where the field refuses it."""
    if value is None:
        if option.default is not None:
            raise _refused(option, value, "a value")
        return None
    if option.kind is tuple:
        return _texts(option, value)
    if option.kind is bool:
        return _truth(option, value)
    if option.kind in (int, float):
        return _number(option, value)
    if option.choices and value not in option.choices:
        raise _refused(option, value, f"one of {', '.join(option.choices)}")
    return value


def _texts(option: Option, value: Any) -> tuple:
    parts = tuple(value.split(",")) if isinstance(value, str) else value
    if not isinstance(parts, tuple | list):
        raise _refused(option, value, "a list of texts")
    return tuple(parts)


def _truth(option: Option, value: Any) -> bool:
    truths = {"true": True, "false": False, "1": True, "0": False}
    found = truths.get(str(value).lower())
    if found is None:
        raise _refused(option, value, "true or false")
    return found


def _number(option: Option, value: Any) -> float:
    what = "a whole number" if option.kind is int else "a number"
    try:
        if isinstance(value, bool):
            raise ValueError
        number = number_of(value)
        if option.kind is int:
            if number != int(number):
                raise ValueError
            number = int(value) if isinstance(value, str) else int(number)
    except (TypeError, ValueError, OverflowError):
        raise _refused(option, value, what) from None
    if option.lower is not None and not number >= option.lower:
        raise _refused(option, value, f"{what} of at least {option.lower:g}")
    if option.upper is not None and not number <= option.upper:
        raise _refused(option, value, f"{what} of at most {option.upper:g}")
    return number


def _refused(option: Option, value: Any, wanted: str) -> InputError:
    return InputError(f"`{option.name}`={value}: expected {wanted}")
