"""The programs of a job, apart from the images that they run on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.export
import numpy as np

from mspd_jax.convolution import is_compiled_anew
from mspd_jax.drive._devices import examples_program, on_all_devices, serving
from mspd_jax.drive._replicate import Replicated, local_devices
from mspd_jax.errors import InputError
from mspd_jax.models import as_pytree


class Program(NamedTuple):
    """A function that a job has compiled, and what it is called with.

    Attributes:
      name: what it is for.
      function: the jitted function.
      held: arguments that lie on the devices, models above all.
      rows: those that come with each batch, as arrays of its shape.
      devices: that the held arguments are put on, one after the other; empty where the
        program is one for all devices, which holds them itself.
    """

    name: str
    function: jax.stages.Wrapped
    held: tuple
    rows: tuple
    devices: tuple[jax.Device, ...] = ()

    def exported(self, *platforms: str) -> jax.export.Exported:
        """The program lowered for platforms (cuda, tpu) that need not be here.

        InputError where it asks the host in its midst, which only the devices
        themselves tell how; NotImplementedError where a platform lacks an operation.
        """
        export = jax.export.export(self.function, platforms=platforms)
        arguments = *self.held, *self.rows
        try:
            return export(*arguments)
        except ValueError as error:
            if "pure_callback" not in str(self.function.trace(*arguments).jaxpr):
                raise
            raise InputError(
                f"{self.name}: a function of the host in its midst, such as a real "
                f"codec, cannot be lowered for {', '.join(platforms)} without a device"
            ) from error

    def compile(self) -> bool:
        """Compiles it as a run does; whether the compilation cache can hold it."""
        kept = True
        for device in self.devices or (None,):
            held = self.held if device is None else jax.device_put(self.held, device)
            lowered = self.function.lower(*held, *self.rows)
            kept = kept and not is_compiled_anew(lowered.as_text())
            lowered.compile()
        return kept


def image_program(
    key: jax.Array,
    predict: Callable,
    method: Callable,
    *,
    name: str,
    image_shape: Sequence[int],
    block: int,
    axis_name: str | None = None,
    devices: list[jax.Device] | None = None,
) -> Program:
    """The program by which `drive` applies a method to images.

    Args:
      key, predict, method, block, axis_name, devices: as `drive` takes them.
      name: what it is for.
      image_shape: of an image.

    Returns:
      A Program.
    """
    devices = local_devices() if devices is None else devices
    held = (key, as_pytree(predict), as_pytree(method))
    rows: tuple[Any, ...] = (
        np.zeros(block, np.uint32),
        np.zeros((block, *image_shape), np.float32),
        np.zeros(block, np.int32),
    )
    if axis_name is not None:
        shared = on_all_devices(tuple(devices), axis_name)
        numbers = np.arange(len(devices))
        return called_program(name, shared, (numbers, *held, *rows))
    return Program(name, examples_program, held, rows, tuple(serving(devices)))


def called_program(
    name: str, function: jax.stages.Wrapped | Replicated, arguments: tuple
) -> Program:
    """The program of a jitted or replicated function that is called with these."""
    if isinstance(function, Replicated):
        return Program(name, function.program, function.placed(*arguments), ())
    return Program(name, function, arguments, ())


def distinct(programs: Iterable[Program]) -> list[Program]:
    """The programs without those that another one, by structure and shapes, serves."""
    found: dict[Any, Program] = {}
    for program in programs:
        leaves, tree = jax.tree.flatten((program.held, program.rows))
        shapes = tuple(map(jax.typeof, leaves))  # and whether a type is weak
        found.setdefault((program.function, tree, shapes), program)
    return list(found.values())
