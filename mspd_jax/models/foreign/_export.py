"""A PyTorch module as a `Program`: what it computes of one image, without PyTorch."""

import contextlib
import io
import logging
import operator
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from mspd_jax.errors import InputError, first_line
from mspd_jax.models.foreign._aten import ATEN
from mspd_jax.models.foreign._program import Program, Step, Value, check_operations

# What says where a tensor lies, not what is in it.
_PLACING = ("device", "layout", "memory_format", "pin_memory", "non_blocking")
# Checks of PyTorch's own, which have passed.
_NOTHING = ("_assert_tensor_metadata", "_assert_scalar", "_assert_async")


def exported(module: Any, shape: tuple[int, int, int], what: str) -> Program:
    """The program of a module in evaluation mode for one image of (H, W, C).

    Its weights are named as in the module. Raises InputError, which names `what`, where
    the steps depend on the values in the image, where it draws random numbers or keeps
    something between calls, where its result is not [1, K], and with all operations
    that have no counterpart.
    """
    import torch

    height, width, channels = shape
    image = torch.full((1, channels, height, width), 0.5)
    with _quiet():
        try:
            found = torch.export.export(module, (image,), strict=False)
            found = found.run_decompositions(_table())
        except Exception as error:
            raise InputError(
                f"{what} cannot be traced for an image of {height}x{width}x{channels}: "
                f"{_reason(error)}"
            ) from error
    signature = found.graph_signature
    if signature.buffers_to_mutate:
        changed = sorted(set(signature.buffers_to_mutate.values()))
        raise InputError(f"{what} changes in a call: {', '.join(changed)}")
    nodes = list(found.graph.nodes)
    _check_draws(nodes, what)
    names, constants, source = _inputs(found)
    steps = tuple(_step(n, names) for n in nodes if _computes(n))
    output = _output(nodes[-1], what)
    program = Program(source, constants, steps, names.get(output.name, output.name))
    check_operations(program, ATEN, what)
    return program


def _table() -> Any:
    """PyTorch's table of what it takes apart, without what it would lose by that.

    The derivatives at the corners of these are others than those of their parts.
    """
    import torch

    table = torch.export.default_decompositions()
    for name in ("hardsigmoid", "hardswish"):
        table.pop(getattr(torch.ops.aten, name).default, None)
    return table


def _inputs(found: Any) -> tuple[dict[str, str], dict[str, np.ndarray], str]:
    """Names of weights by node, the constants, the name of the image."""
    from torch.export.graph_signature import InputKind

    names, constants, source = {}, {}, ""
    for spec in found.graph_signature.input_specs:
        if spec.kind is InputKind.USER_INPUT:
            source = spec.arg.name
        elif spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            names[spec.arg.name] = spec.target
        elif spec.kind is InputKind.CONSTANT_TENSOR:
            constants[spec.arg.name] = array_of(found.constants[spec.target])
    return names, constants, source


def array_of(tensor: Any) -> np.ndarray:
    """A tensor as NumPy's; numbers of 64 bits get 32, as JAX has them."""
    array = np.asarray(tensor.detach().cpu().numpy())
    narrow = {"float64": np.float32, "int64": np.int32}.get(array.dtype.name)
    return array.copy() if narrow is None else array.astype(narrow)


def _computes(node: Any) -> bool:
    name = getattr(node.target, "__name__", "").partition(".")[0]
    return node.op == "call_function" and name not in _NOTHING


def _step(node: Any, names: dict[str, str]) -> Step:
    args = tuple(_plain(a, names) for a in node.args)
    kwargs = {
        name: _plain(value, names)
        for name, value in node.kwargs.items()
        if name not in _PLACING
    }
    return Step(_operation(node.target), args, kwargs, (node.name,))


def _operation(target: Any) -> str:
    """The name of an operation in the table, with its overload where that has it."""
    if target is operator.getitem:
        return "getitem"
    full = str(target).removeprefix("aten.")
    name, _, overload = full.partition(".")
    plain = "prim" not in full and name in ATEN and full not in ATEN
    return name if plain else full


def _plain(value: Any, names: dict[str, str]) -> Any:
    """An argument without PyTorch."""
    import torch

    if isinstance(value, torch.fx.Node):
        return Value(names.get(value.name, value.name))
    if isinstance(value, list | tuple):
        return tuple(_plain(item, names) for item in value)
    if isinstance(value, torch.dtype):
        name = str(value).removeprefix("torch.")
        return {"float64": jnp.float32, "int64": jnp.int32}.get(name, name)
    return value


def _output(node: Any, what: str) -> Any:
    """The node of the logits."""
    found = node.args[0]
    if len(found) != 1:
        raise InputError(
            f"{what} returns {len(found)} values where logits [B, K] are expected: "
            "wrap it in a module that returns them alone"
        )
    value: Any = getattr(found[0], "meta", {}).get("val")
    shape = tuple(getattr(value, "shape", ()))
    if len(shape) != 2 or shape[0] != 1 or not value.is_floating_point():
        raise InputError(
            f"{what} returns {shape} for one image where logits [1, K] are expected"
        )
    return found[0]


def _check_draws(nodes: Iterable[Any], what: str) -> None:
    import torch

    drawn = sorted(
        {
            str(node.target)
            for node in nodes
            if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
        }
    )
    if drawn:
        raise InputError(
            f"{what} draws random numbers ({', '.join(drawn)}): every attack needs to "
            "draw them anew, so write it as a JAX function of a PRNG key"
        )


def _reason(error: Exception) -> str:
    """Why PyTorch could not trace a module."""
    text = str(error)
    if "data-dependent" in text or "Data-dependent" in text:
        return (
            "its control flow depends on the values in the image "
            f"({first_line(error)}): write it with torch.where"
        )
    return f"{type(error).__name__}: {first_line(error)}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """While it lasts, PyTorch says nothing: what matters is in the error."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),  # where it prints its graph
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
