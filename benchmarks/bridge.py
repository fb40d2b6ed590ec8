"""PyTorch networks run by JAX, one by one: equal results, and the time they take.

    python -m benchmarks.bridge [--networks=timm:vit_tiny_patch16_224,torchvision:vgg11]

prints a Markdown table: for each architecture of timm and torchvision, with random
weights, how far logits and input gradients are from PyTorch's in float64, relative to
their norm (the largest over the images), with PyTorch's own distance in float32 in
brackets, which is that of rounding: it moves pixels over the corner of a ReLU.
`equal` says whether ours are below 1e-4, or not above twice PyTorch's own; where not,
whether the gradient is when JAX computes in float64 as well, and how far off. Then
milliseconds per image of a forward and of a gradient pass beside PyTorch's eager ones,
the time of the conversion, and why what fails does.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import copy  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import types  # noqa: E402
import warnings  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import models  # noqa: E402
from mspd_jax.errors import InputError, first_line  # noqa: E402
from mspd_jax.models.foreign._aten import ATEN  # noqa: E402
from mspd_jax.models.foreign._export import array_of, exported  # noqa: E402
from mspd_jax.models.foreign._program import run  # noqa: E402

# Registers operations, for boxes, that a torchvision built for another PyTorch does not
# have; classifiers do without them.
_OPERATIONS = "torchvision._meta_registrations"
sys.modules.setdefault(_OPERATIONS, types.ModuleType(_OPERATIONS))

FLAGS = flags.FLAGS
_TORCHVISION = (
    "alexnet vgg11 resnet18 resnext50_32x4d wide_resnet50_2 densenet121 googlenet "
    "squeezenet1_1 shufflenet_v2_x0_5 mobilenet_v2 mobilenet_v3_small mnasnet0_5 "
    "efficientnet_b0 regnet_x_400mf convnext_tiny vit_b_32 swin_t"
)
_TIMM = (
    "vit_tiny_patch16_224 deit_tiny_patch16_224 mixer_s32_224 convnext_atto "
    "convnextv2_atto poolformer_s12 xcit_nano_12_p16_224 levit_128s mobilevit_xxs "
    "edgenext_xx_small resnetv2_50 nf_resnet26 ghostnet_050 efficientvit_b0 pit_ti_224 "
    "hrnet_w18_small dla34 skresnet18 halonet26t davit_tiny volo_d1_224 "
    "eva02_tiny_patch14_224 repvgg_a0 inception_next_atto"
)
flags.DEFINE_list(
    "networks",
    [f"torchvision:{name}" for name in _TORCHVISION.split()]
    + [f"timm:{name}" for name in _TIMM.split()],
    "library:architecture, separated by commas",
)
# Not 1: PyTorch 2.13 on CPUs has a wrong gradient of batch normalization then, where
# what follows is a mean over transposed places.
flags.DEFINE_integer("batch", 2, "images per call", lower_bound=2)
flags.DEFINE_float("seconds", 1.0, "time to spend on each measurement")
_MARGIN = 1e-4


def main(_):
    logging.set_verbosity(logging.WARNING)
    warnings.simplefilter("ignore")
    print(_measure.surroundings("jax", "jaxlib", "torch") + "\n")
    print(
        "| network | equal | logits | gradient | forward | PyTorch | gradient pass | "
        "PyTorch | conversion, s |"
    )
    print("|:--|:--|--:|--:|--:|--:|--:|--:|--:|")
    for name in FLAGS.networks:
        try:
            print(f"| {name} | {_row(name)} |", flush=True)
        except InputError as error:
            print(f"| {name} | refused: {error} |" + " |" * 7, flush=True)
        except Exception as error:  # of the library that makes it
            line = f"{type(error).__name__}: {first_line(error)}"
            print(f"| {name} | failed: {line} |" + " |" * 7, flush=True)
        jax.clear_caches()


def _row(name: str) -> str:
    network, size = _made(*name.split(":"))
    start = time.perf_counter()
    predict = models.from_torch(network, image_shape=(*size, 3), check=False)
    seconds = time.perf_counter() - start
    draw = np.random.default_rng(0)
    images = draw.random((FLAGS.batch, *size, 3), np.float32)
    x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    logits = network(x)
    direction = draw.standard_normal(tuple(logits.shape)).astype(np.float32)

    def reference(network):
        z = network(y := x.clone().to(_type_of(network)).requires_grad_())
        (z * torch.from_numpy(direction)).sum().backward()
        return y.grad

    @jax.jit
    def forward(predict, images):
        return jax.vmap(predict)(images)

    @jax.jit
    def gradient(predict, images, direction):
        def one(image, direction):
            return jax.grad(lambda z: predict(z) @ direction)(image)

        return jax.vmap(one)(images, direction)

    mine = np.asarray(gradient(predict, images, direction)).transpose(0, 3, 1, 2)
    exact = copy.deepcopy(network).double()
    exact_logits = exact(x.double()).detach().numpy()
    exact_gradient = reference(exact).numpy()
    off = [
        _difference(np.asarray(forward(predict, images)), exact_logits),
        _difference(mine, exact_gradient),
    ]
    own = [
        _difference(logits.detach().numpy(), exact_logits),
        _difference(reference(network).numpy(), exact_gradient),
    ]
    with torch.no_grad():
        theirs = _milliseconds(lambda: network(x))
    times = (
        _milliseconds(lambda: forward(predict, images).block_until_ready()),
        theirs,
        _milliseconds(lambda: gradient(predict, images, direction).block_until_ready()),
        _milliseconds(lambda: reference(network)),
    )
    equal = all(a <= max(_MARGIN, 2 * b) for a, b in zip(off, own, strict=True))
    both = (f"{a:.0e} ({b:.0e})" for a, b in zip(off, own, strict=True))
    verdict = "yes"
    if not equal:
        try:
            found = _gradient_in_float64(network, size, x, direction)
            twice = _difference(found, exact_gradient)
        except TypeError:  # of a network that makes float32 arrays of its own
            twice = np.inf
        verdict = f"in float64 ({twice:.0e})" if twice <= _MARGIN else "no"
    cells = [verdict, *both]
    return " | ".join([*cells, *(f"{t:.0f}" for t in times), f"{seconds:.0f}"])


def _made(library: str, name: str):
    """A network with random weights, and the size of its images."""
    torch.manual_seed(0)
    if library == "timm":
        import timm

        network = timm.create_model(name)
        size = network.default_cfg["input_size"][1:]
    else:
        import torchvision

        extra = {"init_weights": False} if name == "googlenet" else {}
        network = torchvision.models.get_model(name, weights=None, **extra)
        size = (224, 224)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():  # as the heads that are to be trained first
                parameter.normal_(0, 0.02)
    return network.requires_grad_(False).eval(), tuple(size)


def _gradient_in_float64(network, size, x, direction) -> np.ndarray:
    """Ours, where no rounding moves anything over a corner."""
    program = exported(network, (*size, 3), "it")
    with jax.enable_x64(True):
        weights = {
            name: t.double().numpy() if t.is_floating_point() else array_of(t)
            for name, t in [*network.named_parameters(), *network.named_buffers()]
        }

        def loss(x, weights):
            return (run(program, ATEN, weights, x) * direction).sum()

        return np.asarray(jax.jit(jax.grad(loss))(x.double().numpy(), weights))


def _type_of(network):
    return next(p.dtype for p in network.parameters())


def _difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest |found - wanted| / |wanted| of an image."""
    rows = [a.reshape(len(a), -1).astype(np.float64) for a in (found, wanted)]
    norms = np.linalg.norm(rows[1], axis=1)
    return float((np.linalg.norm(rows[0] - rows[1], axis=1) / norms).max())


def _milliseconds(call) -> float:
    """Per image, the fastest of as many calls as there is time for."""
    call()
    best, end = np.inf, time.perf_counter() + FLAGS.seconds
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return 1e3 * best / FLAGS.batch


if __name__ == "__main__":
    app.run(main)
