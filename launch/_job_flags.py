"""The flags of a main, derived from the fields of its job."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from absl import flags

from mspd_jax.errors import InputError
from mspd_jax.jobs import (
    Option,
    all_options,
    choice_name,
    job_of,
    number_of,
    options_of,
    single_choices_of,
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
    fields = all_options(job)
    fields_of_job = {field.name: field for field in dataclasses.fields(job)}
    for name, kinds in single_choices_of(job).items():
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


def define_inner(job: Any) -> None:
    """Defines the flags of a job that another one, whose flags stand, runs many of."""
    options = {o.name: o for o in options_of(type(job.MACHINE))} | all_options(job)
    for name, option in options.items():
        if name not in FLAGS:
            _define(option._replace(default=None))
    for name, kinds in single_choices_of(job).items():
        help = next(
            f.metadata["help"] for f in dataclasses.fields(job) if f.name == name
        )
        flags.DEFINE_enum(name, None, [choice_name(kind) for kind in kinds], help)
    for flag in FLAGS.flags_by_module_dict()[__name__]:
        FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def given(job: Any) -> dict[str, Any]:
    """The fields of a job that flags set."""
    own = _names(job)
    return {name: _value(name) for name in sorted(own) if FLAGS[name].present}


def parsed(job: Any) -> tuple[Any, Any]:
    """The job that the flags describe, and its machine."""
    made = job_of(job, given(job))
    if FLAGS["out"].value is None:
        raise InputError("`out` is required: see --help")
    return made


class _NumberParser(flags.FloatParser):
    """Parser of floats that also takes fractions, as pixels are counted: 6/255."""

    def convert(self, argument: Any) -> float:
        return number_of(argument)


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
    elif option.repeated:
        flags.DEFINE_multi_string(name, default and list(default), help)
    elif option.kind is tuple:
        flags.DEFINE_list(name, None if default is None else list(default), help)
    else:
        define = flags.DEFINE_bool if option.kind is bool else flags.DEFINE_string
        define(name, default, help)


def _names(job: Any) -> set[str]:
    """The flags of a job, of its nested choices, of its machine."""
    machine = {option.name for option in options_of(type(job.MACHINE))}
    return machine | all_options(job).keys() | single_choices_of(job).keys()


def _value(name: str) -> Any:
    value = FLAGS[name].value
    return tuple(value) if isinstance(value, list) else value
