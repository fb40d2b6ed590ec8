"""PyTorch modules as `predict` functions: their own program, run by JAX."""

import copy
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.tree_util import Partial

from mspd_jax.errors import InputError, first_line
from mspd_jax.models.foreign._aten import ATEN
from mspd_jax.models.foreign._export import array_of, exported
from mspd_jax.models.foreign._function import Shape, image_function
from mspd_jax.models.foreign._program import Program, run

# How far logits and gradients may differ from PyTorch's, relative to their size.
_LOGITS_MARGIN, _GRADIENT_MARGIN = 1e-3, 1e-2


def from_torch(
    module: Any,
    *,
    image_shape: Shape | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    check: bool = True,
) -> Partial:
    """A PyTorch classifier as `predict`: image [H, W, C] in [0, 1] -> logits [K].

        predict(image) = module(((image - mean) / std) as [1, C, H, W])[0]

    The module is traced by `torch.export`, once for each shape of image, and its
    operations are computed by JAX; so `jit`, `vmap` and derivatives of any order work,
    and PyTorch is not called. Guarantee: on two random images the logits and their
    gradient in the image are those of PyTorch, the two images do not influence each
    other, or InputError. The module itself is left as it is; later changes of it have
    no effect.

    Parameters and buffers are leaves of the result. Refused in one line: modules in
    training mode (call `module.eval()` first), control flow that depends on the image,
    random draws, state kept between calls, results that are not [B, K], operations
    without a counterpart (all are named).

    Args:
      module: a `torch.nn.Module` that maps [B, C, H, W] to [B, K].
      image_shape: (H, W, C) of its images: it is traced at once then. Without, it is
        traced when it first meets an image, and errors come up there.
      mean, std: what images are normalized with, by channel, for pixels in [0, 1];
        None where the module does it.
      check: whether to compare with PyTorch, which compiles the network once more.

    Returns:
      image -> logits, a callable pytree.

    Example:
      net = timm.create_model("resnet18", pretrained=True).eval()
      predict = models.from_torch(net, image_shape=(224, 224, 3), mean=MEAN, std=STD)
    """
    what = f"the PyTorch module {type(module).__name__}"
    _check_module(module, what)
    own = copy.deepcopy(module).requires_grad_(False).cpu()
    weights = _weights_of(own)

    @functools.cache
    def program_of(shape: Shape) -> Program:
        program = exported(own, shape, what)
        with jax.ensure_compile_time_eval():
            if check:
                _compare(own, program, weights(), shape, what)
        return program

    def network(values, x):
        _, channels, height, width = x.shape
        return run(program_of((height, width, channels)), ATEN, values, x)

    if image_shape is not None:
        program_of(image_shape)
    return image_function(
        network,
        weights(),
        what,
        fingerprint=_fingerprint(own),
        shape=image_shape,
        mean=mean,
        std=std,
    )


def _fingerprint(module: Any) -> str:
    """The parts of a module with their options, and the code of their kinds."""
    kinds = {type(part) for part in module.modules()}
    codes = {getattr(kind.forward, "__code__", None) for kind in kinds}
    return repr(module) + "".join(sorted(c.co_code.hex() for c in codes if c))


def _check_module(module: Any, what: str) -> None:
    """InputError for what is no module in evaluation mode, of float32."""
    try:
        import torch
    except ImportError as error:
        raise InputError(
            "from_torch needs PyTorch: pip install 'mspd_jax[bridge]'"
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"from_torch takes a torch.nn.Module, not a {type(module).__name__}"
        )
    training = [name or "itself" for name, m in module.named_modules() if m.training]
    if training:
        raise InputError(
            f"{what} is in training mode ({training[0]}, {len(training)} in all): "
            "call its eval() first"
        )
    norms = torch.nn.modules.batchnorm._BatchNorm
    for name, part in module.named_modules():
        if isinstance(part, norms) and part.running_mean is None:
            raise InputError(
                f"{what} normalizes by the statistics of the batch ({name}), so that "
                "its images influence each other: keep running statistics"
            )
    for name, parameter in module.named_parameters():
        if parameter.dtype != torch.float32:
            raise InputError(
                f"{what} has weights of {parameter.dtype} ({name}): call its float() "
                "first"
            )


def _weights_of(module: Any) -> Any:
    """A function that gives parameters and buffers by name, as arrays."""

    def weights() -> dict[str, np.ndarray]:
        named = [
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        ]
        return {
            name: array_of(tensor)
            for name, tensor in named
            if not name.endswith("num_batches_tracked")
        }

    return weights


def _compare(
    module: Any, program: Program, weights: dict, shape: Shape, what: str
) -> None:
    """InputError unless PyTorch gives the same logits and gradients for two images."""
    import torch

    height, width, channels = shape
    draw = np.random.default_rng(0)
    images = draw.random((2, channels, height, width), np.float32)
    x = torch.from_numpy(images).requires_grad_()
    try:
        logits = module(x)
    except Exception as error:
        raise InputError(f"{what} fails on two images: {first_line(error)}") from error
    directions = draw.standard_normal(tuple(logits.shape)).astype(np.float32)
    pulled: Any = None
    if logits.requires_grad:
        (logits * torch.from_numpy(directions)).sum().backward()
        pulled = x.grad
    pulled = np.zeros_like(images) if pulled is None else pulled.numpy()

    def one(weights, image, direction):
        found, pull = jax.vjp(lambda x: run(program, ATEN, weights, x), image[None])
        return found[0], pull(direction[None])[0][0]

    with jax.default_matmul_precision("highest"):
        try:
            found, gradients = jax.jit(jax.vmap(one, in_axes=(None, 0, 0)))(
                weights, images, directions
            )
        except Exception as error:
            raise InputError(f"{what} cannot be run: {first_line(error)}") from error
    off = _distance(np.asarray(found), logits.detach().numpy())
    if not off <= _LOGITS_MARGIN:
        raise InputError(_mismatch(module, images, logits, off, what))
    off = _distance(np.asarray(gradients), pulled)
    if not off <= _GRADIENT_MARGIN:
        raise InputError(
            f"{what} has gradients in PyTorch that are not the derivative of what it "
            f"computes (relative difference {off:.1g}), as of a detach or a custom "
            "backward pass: wrap it in JAX with attacks.bpda, or give check=False for "
            "the true derivative"
        )


def _mismatch(module: Any, images: np.ndarray, logits: Any, off: float, what) -> str:
    """Why the logits are not PyTorch's: the images mix, it draws, or a fault here."""
    import torch

    with torch.no_grad():
        again = module(torch.from_numpy(images)).numpy()
        alone = np.concatenate([module(torch.from_numpy(i[None])) for i in images])
    both = logits.detach().numpy()
    if _distance(again, both) > _LOGITS_MARGIN:
        return f"{what} answers otherwise when asked again: it draws or keeps something"
    if _distance(alone, both) > _LOGITS_MARGIN:
        return f"{what} lets the images of a batch influence each other"
    return (
        f"{what} gives other logits here than in PyTorch (relative difference "
        f"{off:.1g}): an operation is not what it is there"
    )


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    """|found - wanted| / |wanted|, in float64."""
    scale = np.linalg.norm(wanted.astype(np.float64))
    off = np.linalg.norm(found.astype(np.float64) - wanted)
    return float(off / scale) if scale else float(off)
