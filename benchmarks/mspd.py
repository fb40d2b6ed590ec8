"""MSPD against the reference algorithm in PyTorch at its best: time, ratio, memory.

    python -m benchmarks.mspd

prints Markdown tables: seconds per image of both on the same random weights, images
and labels (PreAct ResNet-18 with SiLU, 32x32x3, N = 20), timed warm and in turns in one
run, PyTorch in the fastest of several ways; time to compile, apart; peak memory of our
process at N = 20 and N = 200. On a GPU also images per second in float32 and bfloat16
and the share of the measured peak of matrix products. A ratio above 1 means that ours
is faster. Ten minutes on two CPU cores, half of which PyTorch compiles.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import functools  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import models, preempt  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_list("batches", ["1", "8", "32"], "batch sizes, separated by commas")
flags.DEFINE_integer("samples", 20, "noise draws per epoch (N)", lower_bound=1)
flags.DEFINE_integer(
    "pass_images", 40, "noisy images worked on at once by ours (its chunk of N)"
)
flags.DEFINE_float("seconds", 20.0, "time to spend on each comparison")
flags.DEFINE_integer("seed", 0, "seed of weights, images and noise")
flags.DEFINE_bool("torch", True, "compare with PyTorch (the extra `torch`)")
flags.DEFINE_list("memory", ["20", "200"], "values of N to show the peak memory for")
flags.DEFINE_integer("memory_of", 0, "internal: run batch 1 at this N, print the peak")

_EPS = 8 / 255
_PEAK_SIZE = 8192  # side of the square matrices that show the peak of a GPU


def main(_):
    logging.set_verbosity(logging.WARNING)
    if FLAGS.memory_of:
        _run_once(FLAGS.memory_of)
        return
    print(_measure.surroundings("jax", "jaxlib", "flax", "torch") + "\n")
    _print_times()
    if jax.default_backend() != "cpu":
        _print_throughput()
    if FLAGS.memory:
        _print_memory()


def _model():
    mean, std = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)
    spec = models.ModelSpec(
        "preact_resnet18", {"activation": "silu"}, mean, std, 10, (32, 32, 3), {}
    )
    return models.create_model(jax.random.key(FLAGS.seed), spec)


def _batch(size):
    rng = np.random.default_rng(FLAGS.seed)
    images = rng.uniform(size=(size, 32, 32, 3)).astype(np.float32)
    return images, np.arange(size, dtype=np.int32) % 10


def _ours(predict, size, num_samples):
    """Our compiled program for a batch, its arguments, and the time to compile it."""
    protect = functools.partial(
        preempt.protect,
        labeler="truth",
        num_samples=num_samples,
        chunk=max(1, min(num_samples, FLAGS.pass_images // size)),
    )

    @jax.jit
    def run(key, predict, index, images, labels):  # as the driver does
        keys = jax.vmap(functools.partial(jax.random.fold_in, key))(index)
        call = functools.partial(protect, eps=_EPS)
        return jax.vmap(call, in_axes=(0, None, 0, 0))(keys, predict, images, labels)

    images, labels = map(jnp.asarray, _batch(size))
    arguments = jax.random.key(FLAGS.seed), predict, jnp.arange(size), images, labels
    compiled, seconds = _measure.compile_seconds(run, *arguments)
    return functools.partial(_wait, compiled, *arguments), seconds


def _wait(function, *arguments):
    return jax.block_until_ready(function(*arguments))


def _print_times():
    model = _model()
    predict = models.predictor(model)
    if FLAGS.torch:
        _compare_gradients(model, predict)
    rows = []
    for size in map(int, FLAGS.batches):
        run, compile_time = _ours(predict, size, FLAGS.samples)
        run()
        if not FLAGS.torch:
            ours = _measure.time_alone(run, seconds=FLAGS.seconds)
            row = f"{_per_image(ours, size)} | | | | "
        else:
            way, reference = _theirs(model, size)
            pairs = _measure.time_pairs(run, reference, seconds=FLAGS.seconds)
            row = (
                f"{_per_image(pairs.first, size)} | {_per_image(pairs.second, size)} | "
                f"{way} | {pairs.ratio:.2f} | {pairs.count}"
            )
        rows.append(f"| {size} | {row} | {compile_time:.1f} |")
    print("\nSeconds per image: median (shortest). Ratio: median over the pairs.\n")
    print("| batch | ours | PyTorch | its best | ratio | pairs | compile, s |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows) + "\n")


def _per_image(alone, size):
    return f"{alone.median / size:.3f} ({alone.shortest / size:.3f})"


def _theirs(model, size):
    """The reference for a batch, in the fastest way that PyTorch offers here."""
    from benchmarks import _pytorch

    program = functools.partial(_reference_program, model=model, size=size)
    every = size * FLAGS.samples
    sizes = sorted({min(FLAGS.pass_images, every), every})
    return _pytorch.fastest(program, sizes=sizes)


def _reference_program(way, *, model, size):
    from benchmarks import _reference

    twin = _reference.TorchPreactResNet(model).eval().requires_grad_(False)
    network = way.network(twin)
    ((images, labels),) = way._replace(images=size).batches(*_batch(size))
    labels = labels.long()
    options = {"eps": _EPS, "num_samples": FLAGS.samples, "at_once": way.images}
    return lambda: _reference.protect(network, images, labels, **options).cpu()


def _compare_gradients(model, predict):
    import torch

    from benchmarks import _reference

    images, labels = _batch(4)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    network = _reference.TorchPreactResNet(model).eval()
    theirs = _reference.input_gradient(network, x, torch.from_numpy(labels).long())
    theirs = theirs.permute(0, 2, 3, 1).numpy()
    same = np.mean(np.sign(theirs) == np.sign(_input_gradient(predict, images, labels)))
    print(f"Same weights, same gradient signs: {same:.2%} of the pixels.\n")


@jax.jit
def _input_gradient(predict, images, labels):
    def loss(image, label):
        return -jax.nn.log_softmax(predict(image))[label]

    return jax.vmap(jax.grad(loss))(images, labels)


def _print_throughput():
    """Images per second of the largest batch, and the share of the measured peak."""
    model, size = _model(), max(map(int, FLAGS.batches))
    predict, image = models.predictor(model), _batch(1)[0][0]
    forward = jax.jit(predict).lower(image).cost_analysis()["flops"]
    # Two epochs of N gradients; an input gradient costs as much as its forward pass.
    per_image = 2 * FLAGS.samples * 2 * forward
    print("| type | images/s | TFLOP/s | peak, TFLOP/s | share |")
    print("|---|---|---|---|---|")
    for dtype in (jnp.float32, jnp.bfloat16):
        run, _ = _ours(models.predictor(model, dtype=dtype), size, FLAGS.samples)
        run()
        rate = size / _measure.time_alone(run, seconds=FLAGS.seconds / 4).median
        peak = _matrix_peak(dtype)
        share = rate * per_image / peak
        print(
            f"| {dtype.__name__} | {rate:.1f} | {rate * per_image / 1e12:.1f} | "
            f"{peak / 1e12:.1f} | {share:.1%} |"
        )
    print()


def _matrix_peak(dtype):
    matrix = jnp.ones((_PEAK_SIZE, _PEAK_SIZE), dtype)
    multiply, _ = _measure.compile_seconds(jax.jit(jnp.matmul), matrix, matrix)
    program = functools.partial(_wait, multiply, matrix, matrix)
    program()
    return 2 * _PEAK_SIZE**3 / _measure.time_alone(program, seconds=2).median


def _print_memory():
    print("| N | peak memory of a fresh process, batch 1, MiB |\n|---|---|")
    for samples in FLAGS.memory:
        # The JAX part alone: PyTorch and earlier batches would count otherwise.
        command = [sys.executable, "-m", "benchmarks.mspd", f"--memory_of={samples}"]
        settings = [f"--pass_images={FLAGS.pass_images}", f"--seed={FLAGS.seed}"]
        done = subprocess.run(
            [*command, *settings], check=True, capture_output=True, text=True
        )
        print(f"| {samples} | {done.stdout.strip()} |", flush=True)


def _run_once(num_samples):
    run, _ = _ours(models.predictor(_model()), 1, num_samples)
    run()
    stats = jax.devices()[0].memory_stats()
    # Accelerators count for themselves. Elsewhere, the peak of this very process:
    # `resource.getrusage` would start from that of the parent.
    peak = stats["peak_bytes_in_use"] if stats else _measure.peak_bytes()
    print(round(peak / 2**20))


if __name__ == "__main__":
    app.run(main)
