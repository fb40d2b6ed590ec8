"""A network as a list of steps, whatever library it was written in, and its run."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mspd_jax.errors import InputError

# What an operation is called -> what computes it.
Operations = Mapping[str, Callable]


class Value(NamedTuple):
    """A place in the arguments of a step where the value of that name belongs."""

    name: str


class Step(NamedTuple):
    """`results = operation(*args, **kwargs)`.

    args, kwargs: plain values, and `Value`s, also inside tuples. results: names of what
    comes out; one name for all of it, or one for each part.
    """

    operation: str
    args: tuple
    kwargs: dict[str, Any]
    results: tuple[str, ...]


class Program(NamedTuple):
    """What a network computes of one input.

    constants: arrays by name that are no weights. steps: in the order of their run.
    source, output: names of the input and of the result.
    """

    source: str
    constants: dict[str, np.ndarray]
    steps: tuple[Step, ...]
    output: str


def run(
    program: Program, operations: Operations, weights: Mapping[str, Any], x: jax.Array
) -> jax.Array:
    """The output of a program for an input and weights, by the names that it uses."""
    values: dict[str, Any] = {**program.constants, **weights, program.source: x}
    # Other libraries broadcast and promote without being asked.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        for step in program.steps:
            args, kwargs = _filled(step.args, values), _filled(step.kwargs, values)
            found = operations[step.operation](*args, **kwargs)
            if len(step.results) == 1:
                values[step.results[0]] = found
            else:
                values.update(zip(step.results, found, strict=False))
        return jnp.asarray(values[program.output])


def check_operations(program: Program, operations: Operations, what: str) -> None:
    """InputError that names all operations of a program that are not in the table."""
    missing = sorted({step.operation for step in program.steps} - set(operations))
    if missing:
        raise InputError(
            f"{what} uses operations that have no counterpart here: "
            f"{', '.join(missing)}"
        )


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    """An argument with the values in their places."""
    if isinstance(part, Value):
        return values[part.name]
    if isinstance(part, tuple):
        return tuple(_filled(item, values) for item in part)
    if isinstance(part, dict):
        return {name: _filled(item, values) for name, item in part.items()}
    return part
