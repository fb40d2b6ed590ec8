"""ONNX models of a few nodes, and what onnx's own evaluator says of them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def model(nodes, arrays=None, *, reads=(1, 3, 8, 6), output="y", version=17):
    """A model from image "x" to `output`."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(reads))]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "k"])]
    held = [numpy_helper.from_array(a, n) for n, a in (arrays or {}).items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, held)
    opset = [helper.make_opsetid("", version)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def alone(node, arrays=None, *, version=17):
    """A model of one operation on the image (output "z"), as a row of logits."""
    nodes = [node, helper.make_node("Reshape", ["z", "row"], ["y"])]
    return model(nodes, {**(arrays or {}), "row": np.array([1, -1])}, version=version)


def reference(found, image):
    """The logits [K] of an image [H, W, C], by onnx."""
    x = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    return ReferenceEvaluator(found).run(None, {"x": x})[0][0]


def save(found, path):
    onnx.save(found, path)
    return path
