"""The flags of a main, derived from the fields of its job."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from absl import flags

from mspd_jax.errors import InputError
from mspd_jax.jobs import (
    Option,
    choice_name,
    choices_of,
    groups_of,
    number_of,
    options_of,
)

FLAGS = flags.FLAGS
_OUT = (
    "folder for the results, also gs:// or s3://; the same command resumes an "
    "unfinished run"
)
_MISSING = dataclasses.MISSING


def define(
    job: Any,
    *,
    out: str = _OUT,
    default_out: str | None = None,
    switches: Mapping[str, str] = {},  # noqa: B006
) -> None:
    """Defines the flags of a job, of its nested choices, of its machine, and --out.

    switches: help of flags that are on or off, by which the main chose the job.
    """
    for name, help in switches.items():
        flags.DEFINE_bool(name, False, help)
    fields = _all_options(job)
    fields_of_job = {field.name: field for field in dataclasses.fields(job)}
    for name, kinds in _choices(job).items():
        field, names = fields_of_job[name], [choice_name(kind) for kind in kinds]
        default = field.metadata["example"]
        if field.default is not _MISSING:
            default = choice_name(type(field.default))
        flags.DEFINE_enum(name, default, names, field.metadata["help"])
    for option in fields.values():
        _define(option)
    for option in options_of(type(job.MACHINE)):
        if option.name not in fields:
            default = getattr(job.MACHINE, option.name)
            _define(option._replace(default=default))
    required = " (required)" * (default_out is None)
    flags.DEFINE_string("out", default_out, out + required)
    flags.DEFINE_string(
        "coordinator", None, "address:port of process 0, for runs over several hosts"
    )
    flags.DEFINE_integer("num_processes", None, "number of processes of the run")
    flags.DEFINE_integer("process_id", None, "which of the processes this one is")
    flags.DEFINE_bool(
        "cluster", False, "join the cluster that JAX finds by itself (TPU pod, SLURM)"
    )
    for flag in FLAGS.flags_by_module_dict()[__name__]:
        FLAGS.register_key_flag_for_module(sys.argv[0], flag)  # for --help


def parsed(job: Any) -> tuple[Any, Any]:
    """The job that the flags describe, and its machine."""
    values = {option.name: _value(option) for option in options_of(job)}
    needed = [o.name for o in options_of(job) if o.default is _MISSING]
    for name in (*needed, "out"):
        if FLAGS[name].value is None:
            raise InputError(f"`{name}` is required: see --help")
    for name, kinds in _choices(job).items():
        values[name] = _chosen(name, kinds, set(values))
    values |= _grouped(job)
    machine = job.MACHINE
    own = {o.name: o for o in options_of(type(machine)) if o.name not in values}
    return job(**values), type(machine)(**{n: _value(o) for n, o in own.items()})


class _NumberParser(flags.FloatParser):
    """Parser of floats that also takes fractions, as pixels are counted: 6/255."""

    def convert(self, argument: Any) -> float:
        return number_of(argument)


def _chosen(name: str, kinds: tuple[Any, ...], taken: set[str]) -> Any:
    """The dataclass that the flag of a choice names, made of the flags that go with it.

    A flag that another choice has, and this one has not, is refused.
    """
    chosen = next(kind for kind in kinds if choice_name(kind) == FLAGS[name].value)
    own = {option.name: option for option in options_of(chosen)}
    others = {option for kind in kinds for option in _all_options(kind)}
    for other in sorted(others - _all_options(chosen).keys() - taken):
        if FLAGS[other].present:
            raise InputError(f"`{other}` does not go with `{name}`={FLAGS[name].value}")
    present = {n: _value(o) for n, o in own.items() if FLAGS[n].present}
    for option in own.values():
        if option.default is _MISSING and option.name not in present:
            line = f"`{name}`={FLAGS[name].value} needs `{option.name}`"
            if option.example:
                line += f", as in `{option.name}`={option.example}"
            raise InputError(line)
    return chosen(**present, **_grouped(chosen))


def _grouped(job: type) -> dict[str, Any]:
    """The groups of a dataclass: made where their first flag is set, else None.

    The other flags of a group that is not there are refused.
    """
    found: dict[str, Any] = {}
    for name, kind in groups_of(job).items():
        first, *rest = options_of(kind)
        if _value(first):
            found[name] = kind(**{o.name: _value(o) for o in (first, *rest)})
            continue
        for option in rest:
            if FLAGS[option.name].present:
                raise InputError(f"`{option.name}` goes with `{first.name}` alone")
        found[name] = None
    return found


def _choices(job: type) -> dict[str, tuple[type, ...]]:
    """The fields that hold one of several dataclasses, which a flag names."""
    groups = groups_of(job)
    return {n: kinds for n, kinds in choices_of(job).items() if n not in groups}


def _all_options(job: type) -> dict[str, Option]:
    """The plain fields of a dataclass, and those of all that it may hold, by name."""
    fields = {option.name: option for option in options_of(job)}
    for kinds in choices_of(job).values():
        for kind in kinds:
            inner = _all_options(kind)
            for option_name, option in inner.items():
                if option.default is _MISSING:  # whether it is needed depends on `kind`
                    inner[option_name] = option._replace(default=None)
            fields = inner | fields
    return fields


def _define(option: Option) -> None:
    required = option.default is _MISSING
    default = None if required else option.default
    name, help = option.name, option.help + " (required)" * required
    define: Any
    if option.choices:
        flags.DEFINE_enum(name, default, list(option.choices), help)
    elif option.kind is int:
        define = flags.DEFINE_integer
        define(name, default, help, lower_bound=option.lower, upper_bound=option.upper)
    elif option.kind is float:
        parser = _NumberParser(option.lower, option.upper)
        flags.DEFINE(parser, name, default, help, serializer=flags.ArgumentSerializer())
    elif option.kind is tuple:
        flags.DEFINE_list(name, None if default is None else list(default), help)
    else:
        define = flags.DEFINE_bool if option.kind is bool else flags.DEFINE_string
        define(name, default, help)


def _value(option: Option) -> Any:
    value = FLAGS[option.name].value
    return tuple(value) if option.kind is tuple and value is not None else value
