"""An ONNX file as a `Program`: its graph, its weights, the images it reads."""

import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mspd_jax import paths
from mspd_jax.errors import InputError, StoreError, first_line
from mspd_jax.models.foreign._onnx_layers import LAYERS
from mspd_jax.models.foreign._onnx_values import VALUES
from mspd_jax.models.foreign._program import Program, Step, Value, check_operations

ONNX: dict[str, Callable] = {**VALUES, **LAYERS}
_OLDEST = 7  # version of the operations that broadcast as they do now
_FLAT_SOFTMAX = 13  # from which on it is along one axis
_CHANNELS = (1, 3, 4)
_CONSTANT = "Constant"


class Graph(NamedTuple):
    """What a file holds.

    weights: floating point arrays by name. sizes: of the input [N, ., ., .], None where
    the file leaves it open. last: whether the channels of its images come last.
    """

    program: Program
    weights: dict[str, np.ndarray]
    sizes: tuple[int | None, ...]
    last: bool


def read_graph(path: str | os.PathLike) -> Graph:
    """Reads an .onnx file; nothing in it is executed and no other file is opened.

    Raises InputError for what is no such file, for weights in other files, for inputs
    that are not one batch of images, and with all operations that have no counterpart.
    """
    path = paths.as_path(path)
    try:
        import onnx
    except ImportError as error:
        raise InputError(
            f"{path} needs the package onnx: pip install 'mspd_jax[bridge]'"
        ) from error
    if not paths.is_file(path):
        raise InputError(f"no file {path}: give an .onnx file")
    try:
        with paths.local_file(path) as file:
            model = onnx.load(file, load_external_data=False)
        graph = model.graph
        _refuse_external(graph, path)
        _check_version(model, path)
        onnx.checker.check_model(model)
    except (InputError, StoreError):
        raise
    except Exception as error:
        raise InputError(f"{path} is no ONNX model: {first_line(error)}") from error
    version = _version(model)
    weights, constants = _arrays(graph)
    source, sizes, last = _input(graph, path, {**weights, **constants})
    if len(graph.output) != 1:
        names = ", ".join(o.name for o in graph.output)
        raise InputError(f"{path} has several outputs ({names}): keep the logits alone")
    nodes = (node for node in graph.node if node.op_type != _CONSTANT)
    steps = tuple(_step(node, version) for node in nodes)
    program = Program(source, constants, steps, graph.output[0].name)
    check_operations(program, ONNX, str(path))
    _check_names(program, weights, path)
    return Graph(program, weights, sizes, last)


def _version(model: Any) -> int:
    """The version of ONNX's own operations."""
    return max(
        (o.version for o in model.opset_import if o.domain in ("", "ai.onnx")),
        default=0,
    )


def _check_version(model: Any, path: pathlib.PurePath) -> None:
    if _version(model) < _OLDEST:
        raise InputError(
            f"{path} has operations of version {_version(model)}: convert it to "
            f"{_OLDEST} or later (onnx.version_converter)"
        )


def _refuse_external(graph: Any, path: pathlib.PurePath) -> None:
    import onnx

    attributes = [a for node in graph.node for a in node.attribute]
    tensors = [*graph.initializer, *(a.t for a in attributes if a.HasField("t"))]
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in tensors):
        raise InputError(
            f"{path} keeps its weights in other files: save it as one file "
            "(onnx.save(..., save_as_external_data=False))"
        )
    if graph.sparse_initializer:
        raise InputError(f"{path} has sparse weights: make them dense")


def _arrays(graph: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The weights, and what is fixed: integers and single numbers, such as sizes."""
    from onnx import numpy_helper

    found = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == _CONSTANT and len(node.attribute) == 1:
            found[node.output[0]] = _attribute(node.attribute[0])
    weights: dict[str, np.ndarray] = {}
    constants: dict[str, np.ndarray] = {}
    for name, array in found.items():
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        is_weight = array.dtype.kind == "f" and array.size > 1
        (weights if is_weight else constants)[name] = array
    return weights, constants


def _input(
    graph: Any, path: pathlib.PurePath, known: dict
) -> tuple[str, tuple[int | None, ...], bool]:
    """The name of the images, their sizes, whether channels come last."""
    import onnx

    inputs = [i for i in graph.input if i.name not in known]
    if len(inputs) != 1:
        names = ", ".join(i.name for i in inputs) or "none"
        raise InputError(f"{path} has other inputs than one batch of images: {names}")
    kind = inputs[0].type.tensor_type
    sizes = tuple(
        d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim
    )
    if len(sizes) != 4 or kind.elem_type != onnx.TensorProto.FLOAT:
        raise InputError(
            f"{path} reads {inputs[0].name}{list(sizes)}, not a batch of float32 images"
        )
    if sizes[0] not in (None, 0, 1):
        raise InputError(
            f"{path} is made for batches of {sizes[0]}: export it for one image, or "
            "for any number"
        )
    last = sizes[3] in _CHANNELS and sizes[1] not in _CHANNELS
    return inputs[0].name, sizes, last


def _step(node: Any, version: int) -> Step:
    args = tuple(Value(name) if name else None for name in node.input)
    kwargs = {a.name: _attribute(a) for a in node.attribute}
    name, results = node.op_type, tuple(node.output)
    if node.domain not in ("", "ai.onnx"):
        name = f"{node.domain}.{name}"
    if name == "Split":
        kwargs["num_outputs"] = len(results)
        return Step(name, args, kwargs, results if len(results) > 1 else (*results, ""))
    elif name == "Cast":
        kwargs = {"to": _dtype(kwargs["to"])}
    elif name in ("Softmax", "LogSoftmax") and version < _FLAT_SOFTMAX:
        kwargs["flat"] = True
    elif name == "BatchNormalization" and kwargs.pop("training_mode", 0):
        name = "BatchNormalization in training mode"
    # What else comes out (masks, places of maxima) is not computed.
    return Step(name, args, kwargs, results[:1])


def _attribute(attribute: Any) -> Any:
    """An attribute as a plain value."""
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        array = onnx.numpy_helper.to_array(value)
        return array.astype(np.float32) if array.dtype == np.float64 else array
    if isinstance(value, bytes):
        return value.decode()
    if attribute.name.startswith("value_"):
        kind = np.float32 if "float" in attribute.name else np.int64
        return np.array(value, kind)
    return tuple(value) if isinstance(value, list) else value


def _dtype(number: int) -> str:
    import onnx

    name = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)).name
    return {"float64": "float32"}.get(name, name)


def _check_names(program: Program, weights: dict, path: pathlib.PurePath) -> None:
    known = {program.source, *program.constants, *weights}
    for step in program.steps:
        missing = [v.name for v in _values(step) if v.name not in known]
        if missing:
            raise InputError(
                f"{path}: a {step.operation} needs {missing[0]!r}, a second result "
                "that is not computed here"
            )
        known |= set(step.results)
    if program.output not in known:
        raise InputError(f"{path}: its output {program.output!r} is not computed")


def _values(step: Step) -> Iterator[Value]:
    return (value for value in step.args if isinstance(value, Value))
