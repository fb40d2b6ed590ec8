"""Passes through networks and kernel gradients, against PyTorch at its best in one run.

    python -m benchmarks.passes

prints, for forward passes and input gradients of three networks, milliseconds per image
of ours as the driver runs it (blocks of its own choice, all cores) and of PyTorch:
eager and compiled, in both layouts of memory, the best of them named. Same weights,
logits compared first, warm, in turns; ratio: above 1, ours is faster. Beside it the
floating-point operations and bytes per image, counted from the convolutions, and the
share of the measured peak (a large matrix product) that ours reaches. Then the kernel
gradients of training, with oneDNN and without. A quarter of an hour on two cores, most
of which PyTorch compiles.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import functools  # noqa: E402
import math  # noqa: E402

import jax  # noqa: E402
import jax.extend  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from jax import lax  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import models  # noqa: E402
from mspd_jax.convolution import convolution, library_convolutions  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_list(
    "networks",
    ["resnet20:64", "preact_resnet18:16", "wide_resnet28_10:4"],
    "networks with random weights, and how many images",
)
flags.DEFINE_bool("kernels", True, "time kernel gradients, too")
flags.DEFINE_float("seconds", 10.0, "time to spend on each comparison")
flags.DEFINE_integer("seed", 0, "seed of weights and images")

_REPEATS = 20  # passes in one program, as attacks have them
_PEAK_SIZE = 2048  # side of the square matrices that show the peak
# (images, size, channels in, channels out): where training of a ResNet-20 spends it.
_KERNELS = ((64, 32, 3, 16), (64, 32, 16, 16), (64, 16, 32, 32), (64, 8, 64, 64))


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib", "flax", "torch") + "\n")
    peak = _peak()
    print(f"Peak, a product of matrices of {_PEAK_SIZE}: {peak / 1e9:.0f} GFLOP/s.\n")
    rows = [row for network in FLAGS.networks for row in _network_rows(network, peak)]
    print(
        "\n| network | pass | GFLOP | MB | ours, ms | PyTorch, ms | its best | ratio | "
        "share of the peak |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows) + "\n")
    if FLAGS.kernels:
        rows = [_kernel_row(*shape) for shape in _KERNELS]
        print("\n| kernel gradient | ours, ms | XLA, ms | PyTorch, ms | ratio |")
        print("|---|---|---|---|---|")
        print("\n".join(rows))


def _network_rows(network, peak):
    """The forward pass and the input gradient of a network, as rows of the table."""
    from benchmarks import _passes, _reference, _reference_attacks

    architecture, count = network.split(":")
    mean, std = models.default_normalization(architecture, 3)
    spec = models.ModelSpec(architecture, {}, mean, std, 10, (32, 32, 3), {})
    model = models.create_model(jax.random.key(FLAGS.seed), spec)
    predict = models.predictor(model)
    rng = np.random.default_rng(FLAGS.seed)
    images = rng.uniform(size=(int(count), 32, 32, 3)).astype(np.float32)
    plain = architecture.startswith("resnet")
    twin = _reference_attacks.TorchResNet if plain else _reference.TorchPreactResNet
    flops, numbers = _convolution_work(predict, images[0])
    for times, kind in enumerate(_passes.KINDS, start=1):
        found = _passes.compare(
            *(predict, functools.partial(twin, model), images, kind),
            repeats=_REPEATS,
            seconds=FLAGS.seconds,
        )
        assert found.gap < 1e-3, f"{architecture}: results differ by {found.gap}"
        share = times * flops / (found.ours / 1e3) / peak
        yield (
            f"| {architecture} | {kind} | {times * flops / 1e9:.3f} | "
            f"{4 * times * numbers / 1e6:.1f} | {found.ours:.3f} | {found.theirs:.3f} "
            f"| {found.way} | {found.ratio:.2f} | {share:.0%} |"
        )


def _convolution_work(predict, image):
    """Operations of the convolutions of a pass; numbers that they read and write."""
    flops = numbers = 0
    todo = [jax.make_jaxpr(predict)(image).jaxpr]
    while todo:
        for equation in todo.pop().eqns:
            todo += jax.extend.core.jaxprs_in_params(equation.params)
            if equation.primitive.name == "dense_convolution":
                sizes = [v.aval.shape for v in (*equation.invars, *equation.outvars)]
                flops += 2 * math.prod(sizes[2]) * math.prod(sizes[1][:3])
                numbers += sum(map(math.prod, sizes))
    return flops, numbers


def _kernel_row(count, size, inputs, outputs):
    """The kernel gradient of a 3x3 convolution: ours, XLA's and PyTorch's."""
    from benchmarks import _pytorch

    keys = jax.random.split(jax.random.key(FLAGS.seed))
    x = jax.random.normal(keys[0], (count, size, size, inputs))
    cotangent = jax.random.normal(keys[1], (count, size, size, outputs))
    kernel = jnp.zeros((3, 3, inputs, outputs))

    def gradient(conv, x, cotangent):
        settings = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
        call = functools.partial(conv, x, window_strides=(1, 1), **settings)
        pull = jax.vjp(lambda kernel: call(kernel, padding=((1, 1), (1, 1))), kernel)[1]
        return pull(cotangent)[0]

    def program(conv):  # of arguments: constants would be folded
        run = jax.jit(functools.partial(gradient, conv)).lower(x, cotangent).compile()
        return lambda: jax.block_until_ready(run(x, cotangent))

    with library_convolutions():
        ours = program(convolution)
    plain = program(lax.conv_general_dilated)
    np.testing.assert_allclose(ours(), plain(), rtol=1e-3, atol=1e-2)
    theirs = functools.partial(
        _pytorch_kernel, x=np.asarray(x), cotangent=np.asarray(cotangent)
    )
    way, reference = _pytorch.fastest(theirs, sizes=(count,), seconds=0.5)
    pairs = _measure.time_pairs(ours, reference, seconds=FLAGS.seconds / 4)
    xla = _measure.time_alone(plain, seconds=FLAGS.seconds / 4).median
    first, second = (1e3 * alone.median for alone in pairs[:2])
    return (
        f"| {count} x {size}x{size}, {inputs} to {outputs} | {first:.1f} | "
        f"{1e3 * xla:.1f} | {second:.1f} ({way}) | {pairs.ratio:.2f} |"
    )


def _pytorch_kernel(way, *, x, cotangent):
    import torch

    (parts,) = way.batches(x, np.transpose(cotangent, (0, 3, 1, 2)))
    images, changes = parts
    if way.channels_last:
        changes = changes.contiguous(memory_format=torch.channels_last)
    shape = (changes.shape[1], images.shape[1], 3, 3)

    def gradient(images, changes):
        return torch.nn.grad.conv2d_weight(images, shape, changes, padding=1)

    run = torch.compile(gradient, dynamic=False) if way.compiled else gradient
    return functools.partial(run, images, changes)


def _peak():
    matrix = jnp.ones((_PEAK_SIZE, _PEAK_SIZE))
    multiply, _ = _measure.compile_seconds(jax.jit(jnp.matmul), matrix, matrix)

    def program():
        return jax.block_until_ready(multiply(matrix, matrix))

    program()
    return 2 * _PEAK_SIZE**3 / _measure.time_alone(program, seconds=3).shortest


if __name__ == "__main__":
    app.run(main)
