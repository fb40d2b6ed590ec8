"""ONNX files as `predict`, against the evaluator of onnx itself."""

import jax
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError

try:
    import onnx
    from onnx import helper

    from tests.models.foreign import onnx_files
except ImportError:
    onnx = helper = onnx_files = None

pytestmark = [
    pytest.mark.compiling,
    pytest.mark.skipif(onnx is None, reason="needs the extra mspd_jax[bridge]"),
]

DRAW = np.random.default_rng(0)
# Some zeros and ties.
IMAGE = np.round(DRAW.standard_normal((8, 6, 3)).astype(np.float32), 1)
W = DRAW.standard_normal((4, 3, 3, 2)).astype(np.float32)
V = np.abs(DRAW.standard_normal(3)).astype(np.float32) + 0.5
ints = np.array


def node(kind, inputs=(), **attributes):
    return helper.make_node(kind, ["x", *inputs], ["z"], **attributes)


def _cases():
    for kind in (
        "Abs Ceil Cos Dropout Elu Erf Exp Flatten Floor GlobalAveragePool Mish Neg "
        "GlobalMaxPool HardSigmoid HardSwish Identity LeakyRelu LogSoftmax MaxPool "
        "Relu Selu Sigmoid Sin Softmax Softplus Softsign Squeeze Tanh Transpose"
    ).split():
        more = {"kernel_shape": [2, 3]} if kind == "MaxPool" else {}
        yield kind, {}, more, 18
    for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "PRelu"):
        yield kind, {"v": V.reshape(3, 1, 1)}, {}, 17
    yield "Pow", {"p": np.float32(2)}, {}, 17
    yield "Gelu", {}, {"approximate": "tanh"}, 20
    yield "Clip", {"a": np.float32(-0.5), "b": np.float32(1)}, {}, 17
    yield "Conv", {"w": W, "b": W[:, 0, 0, 0]}, {"pads": [1, 0, 2, 1]}, 17
    yield "Conv", {"w": W}, {"auto_pad": "SAME_UPPER", "strides": [2, 1]}, 17
    yield "Conv", {"w": W}, {"auto_pad": "SAME_LOWER", "dilations": [1, 2]}, 17
    yield "Conv", {"w": W[:3, :1]}, {"group": 3, "auto_pad": "VALID"}, 17
    yield "ConvTranspose", {"w": W[:3]}, {"strides": [2, 1], "pads": [1, 0, 0, 1]}, 17
    for ceil in (0, 1):
        more = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": ceil}
        yield "MaxPool", {}, {**more, "pads": [1, 1, 0, 1]}, 17
        yield "AveragePool", {}, {**more, "pads": [1, 1, 1, 1]}, 19
        yield "AveragePool", {}, {**more, "count_include_pad": 1}, 19
    yield "AveragePool", {}, {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER"}, 19
    yield "BatchNormalization", {n: V + i for i, n in enumerate("abcd")}, {}, 17
    yield "InstanceNormalization", {"a": V, "b": -V}, {"epsilon": 0.1}, 17
    yield "LayerNormalization", {"a": W[:1, 0, 0, :1]}, {"axis": 2}, 17
    yield "MatMul", {"w": DRAW.random((6, 5)).astype(np.float32)}, {}, 17
    yield "Pad", {"p": ints([0, 0, 1, 2, 0, 0, 2, 0]), "v": np.float32(3)}, {}, 17
    yield "Pad", {"p": ints([0, 0, 1, 2, 0, 0, 2, 0])}, {"mode": "reflect"}, 17
    yield "Pad", {}, {"pads": [0, 0, 1, 2, 0, 0, 0, 0], "mode": "edge"}, 7
    yield "Reshape", {"s": ints([0, -1, 4])}, {}, 17
    yield "Transpose", {}, {"perm": [0, 2, 3, 1]}, 17
    yield "Unsqueeze", {"a": ints([0, 3])}, {}, 17
    yield "Unsqueeze", {}, {"axes": [1, 2]}, 11
    yield "Gather", {"i": ints([2, 0, 0])}, {"axis": 3}, 17
    yield "Expand", {"s": ints([2, 1, 1, 1, 1])}, {}, 17
    yield "Concat", {"v": IMAGE.transpose(2, 0, 1)[None]}, {"axis": 2}, 17
    bounds = {"a": ints([6, 1]), "b": ints([-99, 5]), "c": ints([2, 3])}
    yield "Slice", {**bounds, "d": ints([-2, 2])}, {}, 17
    yield "Slice", {}, {"starts": [1, -4], "ends": [3, 99], "axes": [1, 2]}, 9
    for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd"):
        yield kind, {}, {"axes": [2, 3], "keepdims": 0}, 13
    yield "ReduceSum", {"a": ints([1])}, {}, 17
    yield "ReduceMean", {"a": ints([-1])}, {"keepdims": 0}, 18
    yield "Softmax", {}, {"axis": 1}, 13


CASES = list(_cases())


@pytest.mark.parametrize("place", range(len(CASES)))
def test_an_operation_is_that_of_onnx(tmp_path, place):
    kind, arrays, attributes, version = CASES[place]
    operation = node(kind, arrays, **attributes)
    found = onnx_files.alone(operation, arrays, version=version)
    predict = models.from_onnx(onnx_files.save(found, tmp_path / "net.onnx"))
    want = onnx_files.reference(found, IMAGE)
    np.testing.assert_allclose(predict(IMAGE), want, rtol=1e-5, atol=1e-5)


def test_softmax_before_version_13_is_over_all_axes_from_one_on(tmp_path):
    found = onnx_files.alone(node("Softmax", axis=2), version=11)
    predict = models.from_onnx(onnx_files.save(found, tmp_path / "net.onnx"))
    rows = np.exp(IMAGE.transpose(2, 0, 1).reshape(3, -1))
    want = (rows / rows.sum(1, keepdims=True)).ravel()
    np.testing.assert_allclose(predict(IMAGE), want, rtol=1e-5)


def classifier(**options):
    """A convolution, its sizes computed in the graph, as exporters write them."""
    make = helper.make_node
    nodes = [
        make("Constant", [], ["w"], value=onnx.numpy_helper.from_array(W)),
        make("Conv", ["x", "w"], ["c"]),
        make("Relu", ["c"], ["r"]),
        make("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Shape", ["m"], ["shape"]),
        make("Constant", [], ["first"], value_ints=[0]),
        make("Gather", ["shape", "first"], ["n"], axis=0),
        make("Constant", [], ["rest"], value_ints=[-1]),
        make("Concat", ["n", "rest"], ["sizes"], axis=0),
        make("Reshape", ["m", "sizes"], ["row"]),
        make("Split", ["row"], ["a", "b"], axis=1),
        make("Sub", ["a", "b"], ["d"]),
        make("Cast", ["d"], ["e"], to=1),
        make("Gemm", ["e", "head", "bias"], ["y"], transB=1, alpha=0.5),
    ]
    arrays = {
        "head": DRAW.standard_normal((5, 12)).astype(np.float32),
        "bias": DRAW.standard_normal(5).astype(np.float32),
    }
    return onnx_files.model(nodes, arrays, **options)


def test_a_classifier_under_jit_vmap_and_grad(tmp_path):
    found = classifier(reads=("N", 3, 8, 6), version=13)
    path = onnx_files.save(found, tmp_path / "net.onnx")
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.5)
    predict = models.from_onnx(path, mean=mean, std=std)
    assert len(jax.tree.leaves(predict)) == 5
    images = DRAW.random((3, 8, 6, 3), np.float32)

    def logits(image):
        return onnx_files.reference(found, (image - np.float32(mean)) / np.float32(std))

    run = jax.jit(lambda predict, images: jax.vmap(predict)(images))
    want = np.stack([logits(i) for i in images])
    np.testing.assert_allclose(run(predict, images), want, rtol=1e-4, atol=1e-5)
    gradient = jax.grad(lambda x: predict(x)[2])(images[0])
    direction = DRAW.standard_normal(images[0].shape).astype(np.float32)
    ahead, behind = (logits(images[0] + s * 1e-3 * direction)[2] for s in (1, -1))
    slope = (float(ahead) - float(behind)) / 2e-3
    assert abs(slope - float((gradient * direction).sum())) < 0.02 * abs(slope)
    with pytest.raises(InputError, match=r"\(6, 8, 3\) .* reads 8x6x3"):
        predict(images[0].swapaxes(0, 1))


def test_channels_may_come_last(tmp_path):
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0),
    ]
    found = onnx_files.model(nodes, {"axes": ints([1, 2])}, reads=(1, 8, 6, 3))
    predict = models.from_onnx(onnx_files.save(found, tmp_path / "net.onnx"))
    np.testing.assert_allclose(predict(IMAGE), IMAGE.sum((0, 1)), rtol=1e-4, atol=1e-5)


def external(found):
    tensor = found.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "../../secret")
    tensor.ClearField("raw_data")
    return found


def two_outputs(found):
    found.graph.output.add().CopyFrom(
        helper.make_tensor_value_info("row", onnx.TensorProto.FLOAT, ["n", "k"])
    )
    return found


def made(kind, output="z", outputs=("z",), **attributes):
    operation = helper.make_node(kind, ["x"], list(outputs), **attributes)
    return onnx_files.model([operation], output=output)


REFUSED = [
    (lambda: external(classifier()), "keeps its weights in other files"),
    (lambda: two_outputs(classifier()), r"several outputs \(y, row\)"),
    (lambda: classifier(reads=(8, 3, 8, 6)), "batches of 8"),
    (lambda: classifier(reads=(1, 3, 8)), "not a batch of float32 images"),
    (lambda: classifier(reads=(1, 3, 9, 9)), "cannot be run on images"),
    (lambda: classifier(version=6), "version 6: convert it"),
    (lambda: made("NonZero"), "no counterpart here: NonZero"),
    (lambda: made("Sign"), "no counterpart here: Sign"),
    (lambda: made("Relu"), r"returns float32\[1, 3, 8, 6\] for one image"),
    (
        lambda: made("MaxPool", "i", ("z", "i"), kernel_shape=[2, 2]),
        "'i' is not computed",
    ),
]


@pytest.mark.parametrize("place", range(len(REFUSED)))
def test_refused(tmp_path, place):
    make, said = REFUSED[place]
    path = tmp_path / "net.onnx"
    path.write_bytes(make().SerializeToString())
    with pytest.raises(InputError, match=said) as caught:
        models.from_onnx(path)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_model(tmp_path):
    with pytest.raises(InputError, match="no file"):
        models.from_onnx(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("a letter")
    with pytest.raises(InputError, match="is no ONNX model"):
        models.from_onnx(tmp_path / "text.onnx")
