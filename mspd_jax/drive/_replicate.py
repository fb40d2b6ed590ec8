"""One function on several devices at once, in step, and what it takes and gives.

The only file that names `shard_map`, under `jit`: what recent versions of JAX make
`pmap` of, in a form that can also be lowered for devices that are not here. A function
that is replicated may use the collectives of `jax.lax` over `axis_name`; its arguments
are copies (the same on every device) or shares (an equal part for each).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.sharding import NamedSharding

Tree = TypeVar("Tree")


class Replicated(NamedTuple):
    """A function for all devices, called with what this process has for its own.

    program: the jitted function of arrays over all devices. places: where the devices
    hold each of its arguments.
    """

    program: jax.stages.Wrapped
    places: tuple[NamedSharding, ...]

    def __call__(self, *arguments: Any) -> Any:
        """Runs it; results are arrays over all devices."""
        return self.program(*self.placed(*arguments))

    def placed(self, *arguments: Any, first: int = 0) -> tuple:
        """Arguments, from number `first` on, as arrays over all devices."""
        return tuple(map(_placed, arguments, self.places[first:]))


def replicate(
    function: Callable,
    *,
    devices: Sequence[jax.Device],
    axis_name: str,
    in_axes: tuple[int | None, ...],
    out_axes: int | None = 0,
    donate: tuple[int, ...] = (),
) -> Replicated:
    """`function`, compiled for all devices, each of which runs it on its own part.

    Args:
      function: of arrays and pytrees; it knows its device by `jax.lax.axis_index`.
      devices: of all processes; each process calls with the parts of its own devices.
      axis_name: of the devices, for `jax.lax.psum` and its kin.
      in_axes: 0 for an argument with a part for each local device along its first axis,
        None for one that every device gets whole.
      out_axes: 0 to return the devices' results along a first axis, None for a result
        that is the same on each.
      donate: numbers of the arguments whose memory the results may take.
    """
    mesh = jax.sharding.Mesh(np.asarray(devices), (axis_name,))

    def spec(axis):
        names = () if axis is None else (axis_name,)
        return jax.sharding.PartitionSpec(*names)

    def on_each(*arguments):
        parts = [
            argument if axis is None else jax.tree.map(lambda x: x[0], argument)
            for argument, axis in zip(arguments, in_axes, strict=True)
        ]
        out = function(*parts)
        return out if out_axes is None else jax.tree.map(lambda x: x[None], out)

    specs = tuple(map(spec, in_axes))
    places = tuple(NamedSharding(mesh, part) for part in specs)
    mapped = jax.shard_map(
        on_each, mesh=mesh, in_specs=specs, out_specs=spec(out_axes), check_vma=False
    )
    program = jax.jit(
        mapped,
        in_shardings=places,
        out_shardings=NamedSharding(mesh, spec(out_axes)),
        donate_argnums=donate,
    )
    return Replicated(program, places)


def _placed(tree, place: NamedSharding):
    """A pytree of what this process has, as arrays over the devices of all."""

    def put(x):
        if isinstance(x, jax.Array):
            if x.sharding.is_equivalent_to(place, x.ndim):
                return x
            if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
                data = put(jax.random.key_data(x))
                return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
        if place.is_fully_addressable:
            return jax.device_put(x, place)
        return jax.make_array_from_process_local_data(place, np.asarray(x))

    return jax.tree.map(put, tree)


def chosen_devices(devices: Sequence[jax.Device] | None = None) -> list[jax.Device]:
    """These devices, by default all of all processes."""
    return jax.devices() if devices is None else list(devices)


def local_devices(devices: Sequence[jax.Device] | None = None) -> list[jax.Device]:
    """Those of the devices, by default of all, that this process feeds."""
    if devices is None:
        return jax.local_devices()
    return [d for d in devices if d.process_index == jax.process_index()]


def process_share(devices: Sequence[jax.Device]) -> tuple[int, int]:
    """(which, of how many) share of a batch over the devices is this process's."""
    shares = len(devices) // len(local_devices(devices))
    return (jax.process_index() if shares > 1 else 0), shares


def place_copies(tree: Tree, devices: Sequence[jax.Device]) -> Tree:
    """Arrays of which every device holds a copy, as a replicated function takes them.

    For a single device there is no first axis: plain `jit` serves it.
    """
    if len(devices) == 1:
        return jax.device_put(tree, devices[0])
    count = len(local_devices(devices))
    return jax.tree.map(lambda x: np.broadcast_to(x, (count, *np.shape(x))), tree)


def place_shares(tree: Tree, devices: Sequence[jax.Device]) -> Tree:
    """Host arrays [B, ...] of this process, an equal share for each of its devices."""
    if len(devices) == 1:
        return jax.device_put(tree, devices[0])
    count = len(local_devices(devices))
    return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), tree)


def host_copy(tree: Tree, devices: Sequence[jax.Device]) -> Tree:
    """One of the copies as NumPy arrays of their own, safe from donation."""
    if len(devices) > 1:
        tree = jax.tree.map(lambda x: x.addressable_data(0)[0], tree)
    return jax.tree.map(lambda x: np.array(x, copy=True), tree)


def any_scalar(tree: Any) -> Any:
    """Scalars that are the same on every device, as one of them holds them."""
    return jax.tree.map(lambda x: x.addressable_data(0).reshape(()), tree)
