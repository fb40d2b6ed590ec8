"""Passes through networks: ours as the driver runs them, beside those of PyTorch."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import lax
from torch import nn

from benchmarks import _measure, _pytorch
from mspd_jax import data, drive

KINDS = ("forward", "gradient")


class Compared(NamedTuple):
    """ours, theirs: milliseconds of a pass of an image, medians. ratio: above 1, ours
    is faster. way: the fastest of PyTorch. gap: between the logits, where they are
    computed."""

    ours: float
    theirs: float
    ratio: float
    way: _pytorch.Way
    gap: float


def compare(
    predict: Callable,
    network: Callable[[], nn.Module],
    images: np.ndarray,
    kind: str,
    *,
    repeats: int,
    seconds: float,
    compiled: bool = True,
) -> Compared:
    """Times passes of both on the same images [B, H, W, C], warm and in turns.

    network: makes the same network in PyTorch, of NCHW images in [0, 1]. kind: one of
    KINDS. repeats: passes in a program, as attacks have them. compiled: PyTorch is
    tried compiled as well.
    """
    theirs = functools.partial(
        _of_pytorch, network=network, images=images, kind=kind, repeats=repeats
    )
    sizes = sorted({len(images), min(16, len(images))})
    way, reference = _pytorch.fastest(theirs, sizes=sizes, compiled=compiled)
    ours = _driven(predict, images, kind, repeats)
    gap = 0.0
    if kind == "forward":
        gap = float(np.abs(ours() - reference()).max()) / repeats
    ours()
    pairs = _measure.time_pairs(ours, reference, seconds=seconds)
    each = 1e3 / (repeats * len(images))
    return Compared(
        each * pairs.first.median, each * pairs.second.median, pairs.ratio, way, gap
    )


def milliseconds(
    predict: Callable, images: np.ndarray, kind: str, *, repeats: int, seconds: float
) -> float:
    """Of a pass of an image of ours alone: the median."""
    program = _driven(predict, images, kind, repeats)
    program()
    each = 1e3 / (repeats * len(images))
    return each * _measure.time_alone(program, seconds=seconds).median


def _driven(predict, images, kind, repeats):
    """A program of passes of all images as the driver runs them -> results."""
    weights = sum(leaf.size for leaf in jax.tree.leaves(predict))
    options = {"block": drive.images_per_block(images.shape[1:], weights=weights)}
    source = data.from_arrays(images, np.zeros(len(images), np.int32))
    options["batch_size"] = len(images)
    method = functools.partial(
        {"forward": _forward, "gradient": _gradient}[kind], repeats
    )
    key = jax.random.key(0)

    def program():
        batches = drive.drive(key, predict, method, source, **options)
        return np.stack([outcome.result for batch in batches for outcome in batch])

    return program


def _forward(repeats, key, predict, image, label):
    """The logits of as many passes, each after the other, added."""
    del key, label
    logits = jax.eval_shape(predict, image)

    def step(_, state):
        x, total = state
        logits = predict(x)
        return x + 0.0 * logits[0], total + logits

    return lax.fori_loop(0, repeats, step, (image, jnp.zeros_like(logits)))[1]


def _gradient(repeats, key, predict, image, label):
    """The image after as many steps along the sign of a gradient."""
    del key, label

    def step(_, x):
        gradient = jax.grad(lambda x: jnp.sum(predict(x) ** 2))(x)
        return x + 1e-3 * jnp.sign(gradient)

    return lax.fori_loop(0, repeats, step, image)


def _of_pytorch(way, *, network, images, kind, repeats):
    called = way.network(network().eval().requires_grad_(False))
    batches = [x for (x,) in way.batches(images)]

    def forward():
        with torch.no_grad():
            done = [sum(called(x) for _ in range(repeats)) for x in batches]
        return torch.cat(done).cpu().numpy()

    def gradient():
        for x in batches:
            for _ in range(repeats):
                x = x.detach().requires_grad_(True)
                (slope,) = torch.autograd.grad((called(x) ** 2).sum(), x)
                x = x + 1e-3 * slope.sign()

    return forward if kind == "forward" else gradient
