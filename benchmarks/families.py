"""Every family of classifiers at its published size, against PyTorch, in one run.

    python -m benchmarks.families

makes the network as its publishers define it (RobustBench, timm, torchvision) with
random weights, converts it, and prints parameters, floating-point operations, how far
logits are from PyTorch's, and milliseconds of a forward pass and of an input gradient
of an image, ours as the driver runs it, beside PyTorch's: eager in the faster of both
layouts, and for `--compiled` compiled as well; ratio: above 1, ours is faster. `bridge`
is the same network by `models.from_torch`. An hour on two cores, most of it compiling.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import copy  # noqa: E402
import pathlib  # noqa: E402
import tempfile  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from benchmarks import _definitions, _measure, _passes  # noqa: E402
from mspd_jax import models  # noqa: E402
from tests.models.conversion.torch_twins import randomize  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_list("networks", list(_definitions.DEFINITIONS), "architectures")
flags.DEFINE_list(
    "compiled",
    [
        "preact_resnet18",
        "wide_resnet28_10",
        "plain_wide_resnet28_10",
        "resnext29_4x32d",
    ],
    "architectures for which PyTorch is compiled, too (minutes each)",
)
flags.DEFINE_float("seconds", 5.0, "time to spend on each comparison")
flags.DEFINE_integer("seed", 0, "seed of weights and images")

# Operations of a pass of all images, and of a program, for which passes are repeated.
_BATCH, _WORK = 1e11, 1e11


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(
        _measure.surroundings("jax", "jaxlib", "flax", "torch", "torchvision", "timm")
    )
    columns = ["network", "side", "parameters, M", "GFLOP", "gap"]
    for kind in _passes.KINDS:
        columns += [f"{kind}, ms", "PyTorch, ms", "ratio", "bridge, ms"]
    columns += ["fastest of PyTorch"]
    print(f"\n| {' | '.join(columns)} |\n|:--{'|--:' * (len(columns) - 2)}|:--|")
    for name in FLAGS.networks:
        print(_row(name), flush=True)
        jax.clear_caches()


def _row(name: str) -> str:
    make, side = _definitions.DEFINITIONS[name]
    torch.manual_seed(FLAGS.seed)
    network = randomize(make(), seed=FLAGS.seed)
    predict, spec = _converted(network, name, side)
    if not (hasattr(network, "mean") or hasattr(network, "normalize")):
        network = _definitions.Normalized(network, spec.mean, spec.std).eval()
    flops = _flops(network, side)
    least = 8 if flops < 2.5e10 else 4 if flops < 5e10 else 2
    count = 2 ** int(np.log2(np.clip(_BATCH / flops, least, 16)))
    rng = np.random.default_rng(FLAGS.seed)
    images = rng.uniform(size=(count, side, side, 3)).astype(np.float32)
    # Several gradients: the loop of an attack turns the kernels once for all of them.
    repeats = [
        int(np.clip(_WORK / (count * n * flops), least, 20))
        for n, least in ((1, 1), (2, 4))
    ]
    parameters = sum(p.numel() for p in network.parameters()) / 1e6
    cells = [name, side, f"{parameters:.1f}", f"{flops / 1e9:.2f}"]
    ways = []
    for kind, times in zip(_passes.KINDS, repeats, strict=True):
        options = {"repeats": times, "seconds": FLAGS.seconds}
        found = _passes.compare(
            *(predict, lambda: copy.deepcopy(network), images, kind),
            compiled=name in FLAGS.compiled,
            **options,
        )
        cells += [f"{found.gap:.0e}"] if kind == "forward" else []
        cells += [f"{found.ours:.2f}", f"{found.theirs:.2f}", f"{found.ratio:.2f}"]
        other = _bridge(network, side)
        cells += [f"{_passes.milliseconds(other, images, kind, **options):.2f}"]
        ways.append(str(found.way))
    return f"| {' | '.join(map(str, [*cells, '; '.join(ways)]))} |"


def _bridge(network, side):
    return models.from_torch(network, image_shape=(side, side, 3), check=False)


def _converted(network, name, side):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "network.pt")
        torch.save(network.state_dict(), path)
        shape = (side, side, 3)
        model = models.convert_torch(path, architecture=name, image_shape=shape)
    return models.predictor(model), model.spec


def _flops(network, side) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    return counter.get_total_flops()


if __name__ == "__main__":
    app.run(main)
