"""Certificates under an adversary who rounds: every value is off by a millionth.

What a network computes is off by another share of itself for every image, as if each
had been computed by another program. No certificate may rest on bits. The networks have
twins among their channels, equal but for rounding: which of them is selected is chance,
and what reads them tells them apart.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import models, patch
from tests.patch import soundness_test as small
from tests.rounding import off

SEEDS = 4


@functools.cache
def _parts(seed):
    model = small.network(seed)
    params = dict(model.variables["params"])
    first, second = (dict(params[layer]["conv"]) for layer in ("layer0", "layer1"))
    for name, leaf in first.items():  # channel 1 is the twin of channel 0
        first[name] = leaf.at[..., 1].set(leaf[..., 0])
    kernel = second["kernel"]  # and means the opposite
    second["kernel"] = kernel.at[:, :, 1].set(-kernel[:, :, 0])
    params |= {"layer0": {"conv": first}, "layer1": {"conv": second}}
    model = model._replace(variables=model.variables | {"params": params})
    parts = models.split(model, "layer0")
    return parts._replace(shallow=off(parts.shallow, 0), rest=off(parts.rest, 1))


def _detector(seed, *, keep, followed):
    detector = patch.scalecert(_parts(seed), small.WINDOWS, keep=keep)
    return detector if followed else Partial(_unfollowed, detector)


def _unfollowed(detector, image):
    return detector(image)._replace(others=None, doubted=None, lost=False)


@jax.jit
def _detected(detector, images):
    return jax.vmap(lambda image: patch.detect(detector, image, budget=9))(images)


def _hiding(corners, side=2):
    """Which windows hide a patch at each of the corners wholly, bool [n, W]."""
    rows, cols = (np.asarray(axis)[None] for axis in small.WINDOWS[:2])
    size = small.WINDOWS.height
    inside = [
        (first <= at[:, None]) & (at[:, None] + side <= first + size)
        for first, at in zip((rows, cols), corners.T, strict=True)
    ]
    return (inside[0][:, :, None] & inside[1][:, None, :]).reshape(len(corners), -1)


class Tally(NamedTuple):
    """certified: images. tried: patches on them. moved: patches that a window wholly
    hides and that yet changed its answer. broken: another label without an alert."""

    certified: int
    tried: int
    moved: int
    broken: int


def _tally(keep, followed):
    total = np.zeros(4, int)
    for seed in range(SEEDS):
        detector = _detector(seed, keep=keep, followed=followed)
        images = np.random.default_rng(seed).random((8, *small.SHAPE), np.float32)
        clean = _detected(detector, images)
        for image, label in zip(
            images[clean.certified], clean.label[clean.certified], strict=True
        ):
            others, corners = small.patched(image, side=2, levels=(0.0, 1.0))
            found = jax.device_get(_detected(detector, others))
            moved = (_hiding(corners) & (found.windows != label)).any(axis=1)
            total += (
                1,
                len(others),
                moved.sum(),
                ((found.label != label) & ~found.alert).sum(),
            )
    return Tally(*total)


@pytest.mark.parametrize(
    "keep",
    [0.05, *(pytest.param(keep, marks=pytest.mark.slow) for keep in (0.1, 0.3))],
)
def test_rounding_moves_no_answer_that_a_certificate_rests_on(keep):
    tally = _tally(keep, True)
    assert tally.certified > 2 and tally.tried > 500
    assert (tally.moved, tally.broken) == (0, 0)


def test_without_the_other_selections_it_does():
    tally = _tally(0.05, False)
    assert tally.moved > 0
