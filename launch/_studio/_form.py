"""What the page asks of people, made from the fields of the job."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mspd_jax import jobs
from mspd_jax.errors import InputError

# Where pictures lie, and what the server decides: never asked. A limit says nothing of
# pictures each of which is a job of its own.
_OWN = ("source", "verify", "limit")
_ADVANCED = ("surrogate", "labeler", "seed")
_FEW = 5  # choices that are shown at once
_LABELS = {"eps": "Largest change"}
_SURVIVE = {
    "jpeg:75-95": "JPEG of quality 75 to 95",
    "resize:0.5-1": "being made smaller, to half",
    "crop:0.9-1": "a crop to 90 %",
    "screenshot": "a screenshot in a chat",
}


class Field(NamedTuple):
    """A question of the form.

    widget: radio, dropdown, checks, switch, number or text. choices: pairs of words
    and value. rare: most people leave it as it is.
    """

    name: str
    label: str
    help: str
    widget: str
    default: Any
    choices: tuple[tuple[str, str], ...] = ()
    lower: float | None = None
    upper: float | None = None
    whole: bool = False
    rare: bool = False


def form_of(
    job: type, *, offered: Mapping[str, tuple[str, ...]] | None = None
) -> list[Field]:
    """The questions on the plain fields of a job, in order.

    offered: the models that may be chosen, by field, the usual one first: a name could
    be any path, or code that runs. Without it only what people know is asked.

    Example:
      form_of(jobs.ProtectPictures)
    """
    hidden = (*_OWN, *_ADVANCED) if offered is None else _OWN
    chosen = [one for one in jobs.options_of(job) if one.name not in hidden]
    return [_field(_offering(one, (offered or {}).get(one.name))) for one in chosen]


def job_of_answers(
    job: Any, fields: Sequence[Field], answers: Sequence[Any], **fixed: Any
) -> Any:
    """The job that the answers describe; InputError for one that is refused.

    Those that are left empty take the defaults of the job.
    """
    pairs = [
        (field, value)
        for field, value in zip(fields, answers, strict=True)
        if not _empty(value)
    ]
    for field, value in pairs:
        known = [choice for _, choice in field.choices]
        if field.widget in ("radio", "dropdown") and value not in known:
            wanted = f"one of {', '.join(known)}"
            raise InputError(f"`{field.name}`={value}: expected {wanted}")
    given = {field.name: value for field, value in pairs}
    return jobs.job_of(job, given | fixed)[0]


def _offering(option: jobs.Option, names: tuple[str, ...] | None) -> jobs.Option:
    if names is None:
        return option
    unique = tuple(dict.fromkeys(names))
    help = option.help.partition(":")[0]  # of what else could be named
    return option._replace(default=unique[0], choices=unique, help=help)


def _field(option: jobs.Option) -> Field:
    return Field(
        option.name,
        _LABELS.get(option.name, option.name.replace("_", " ").capitalize()),
        _help(option),
        _widget(option),
        option.default,
        _choices(option),
        option.lower,
        option.upper,
        whole=option.kind is int,
        rare=option.name in ("eps", "samples", *_ADVANCED),
    )


def _help(option: jobs.Option) -> str:
    said = option.help.partition(", any of")[0]  # choices have words of their own
    return said[0].upper() + said[1:]


def _widget(option: jobs.Option) -> str:
    if option.choices:
        return "radio" if len(option.choices) <= _FEW else "dropdown"
    if option.kind is bool:
        return "switch"
    if option.kind is tuple:
        return "checks" if option.name == "survive" else "text"
    # A number that may stay empty is a text: an empty field of numbers becomes 0.
    if option.kind in (int, float) and option.default is not None:
        return "number"
    return "text"


def _choices(option: jobs.Option) -> tuple[tuple[str, str], ...]:
    if option.name == "survive":
        return tuple((_SURVIVE.get(f, f), f) for f in jobs.SURVIVE_FORMS)
    return tuple((choice, choice) for choice in option.choices or ())


def _empty(value: Any) -> bool:
    missing = isinstance(value, float) and math.isnan(value)
    return missing or value is None or value == "" or value == []
