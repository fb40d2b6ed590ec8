"""Certificates against every patch there is, on images so small that all can be tried.

Images are 6x6 with few gray levels, so that all contents of a patch at all places are
some hundred images. A certificate that one of them contradicts is wrong; that none does
is a proof for these images. The same enumeration must find faults that are planted.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models, patch

SHAPE = (6, 6, 1)
CLASSES = 3


@functools.cache
def network(seed, activation="relu"):
    """A random small_cnn whose labels vary, and that is sure of some of them."""
    spec = models.ModelSpec(
        architecture="small_cnn",
        options={"widths": [3, 4], "norm": False, "activation": activation},
        mean=(0.0,),
        std=(1.0,),
        num_classes=CLASSES,
        image_shape=SHAPE,
        origin={},
    )
    model = models.create_model(jax.random.key(seed), spec)
    head = model.variables["params"]["head"]
    head["kernel"] = 4.0 * head["kernel"]
    logits = jax.vmap(models.predictor(model))(jnp.asarray(pictures(seed, count=32)))
    head["bias"] = -logits.mean(axis=0)
    return model


def pictures(seed, count=6, levels=(0.0, 1.0)):
    """Random images of these levels [count, 6, 6, 1], bright and dark ones."""
    rng = np.random.default_rng(seed)
    bright = rng.random((count, 1, 1, 1))
    shape = (count, *SHAPE)
    drawn = np.where(rng.random(shape) < bright, rng.choice(levels, shape), levels[0])
    return drawn.astype(np.float32)


def patched(image, *, side, levels):
    """The image with every content of a patch at every place, and the places.

    Returns images [places * contents, 6, 6, 1] and corners [places * contents, 2].
    """
    places = list(itertools.product(range(7 - side), repeat=2))
    contents = list(itertools.product(levels, repeat=side * side))
    images = np.tile(image, (len(places), len(contents), 1, 1, 1))
    squares = np.asarray(contents, np.float32).reshape(-1, side, side, 1)
    for changed, (row, col) in zip(images, places, strict=True):
        changed[:, row : row + side, col : col + side] = squares
    corners = np.repeat(places, len(contents), axis=0)
    return images.reshape(-1, *SHAPE), corners


WINDOWS = patch.cover(SHAPE, patch=2, per_axis=3)


@jax.jit
def detected(detector, images, confidence):
    """Label, alert and certificate of each image by a detector."""
    detect = functools.partial(patch.detect, budget=9, confidence=confidence)
    found = jax.vmap(lambda image: detect(detector, image))(images)
    return found.label, found.alert, found.certified


@jax.jit
def recovered(pairs, images):
    """The same of `recover`, which never raises an alert, and whether windows agree."""
    recover = functools.partial(patch.recover, budget=len(pairs.windows) ** 2)
    found = jax.vmap(lambda image: recover(pairs, image))(images)
    agree = jnp.all(found.windows == found.label[:, None], axis=1)
    return found.label, jnp.zeros_like(found.certified), found.certified, agree


class Tally:
    """Certified images, what contradicts them, and what evades the other ones."""

    def __init__(self):
        self.certified = self.uncertified = self.contradictions = self.evaded = 0

    def add(self, label, alert, certified):
        """Of an image, and then of all that patches make of it."""
        bad = int(np.sum((label != label[0]) & ~np.asarray(alert)))
        sure = bool(certified[0])
        self.certified += sure
        self.uncertified += not sure
        self.contradictions += bad * sure
        self.evaded += bad * (not sure)

    def is_sound(self):
        """No contradiction, though there were certificates and patches that evade."""
        some = min(self.certified, self.uncertified, self.evaded) > 0
        return some and self.contradictions == 0


def tried(ask, seeds, *, side=2, levels=(0.0, 1.0), count=6):
    """What all patches do to random images: ask(seed, images) as `detected`."""
    tally = Tally()
    for seed in seeds:
        for image in pictures(seed, count, levels):
            images, _ = patched(image, side=side, levels=levels)
            tally.add(*ask(seed, np.concatenate([image[None], images]))[:3])
    return tally


def parts_of(seed, cut="layer0", **options):
    return models.split(network(seed, **options), cut)


def scalecert(
    seed, cut="layer0", *, keep, windows=WINDOWS, select="neurons", **options
):
    parts = parts_of(seed, cut, **options)
    return patch.scalecert(parts, windows, keep=keep, select=select)


def minority(seed, windows=WINDOWS):
    return patch.minority_reports(models.predictor(network(seed)), windows)


def by(make, confidence=0.0, **options):
    return lambda seed, images: detected(make(seed, **options), images, confidence)


# Shares of 108 neurons behind layer0 and of 36 behind layer1.
@pytest.mark.parametrize(
    "cut, keep",
    [
        ("layer0", 0.05),
        ("layer1", 0.25),
        pytest.param("layer0", 0.3, marks=pytest.mark.slow),
        pytest.param("layer1", 1.0, marks=pytest.mark.slow),
    ],
)
def test_no_patch_contradicts_scalecert(cut, keep):
    tally = tried(by(scalecert, cut=cut, keep=keep), range(6))
    assert tally.is_sound(), vars(tally)


def test_no_patch_contradicts_scalecert_of_places():
    tally = tried(by(scalecert, keep=0.2, select="places"), range(6))
    assert tally.is_sound(), vars(tally)


@pytest.mark.slow
def test_no_patch_contradicts_scalecert_where_values_are_negative():
    tally = tried(by(scalecert, keep=0.5, activation="silu"), range(6))
    assert tally.is_sound(), vars(tally)


def test_no_patch_contradicts_minority_reports():
    tally = tried(by(minority), range(6))
    assert tally.is_sound(), vars(tally)


@pytest.mark.parametrize("confidence", [0.4, 0.6])
def test_no_patch_contradicts_a_certificate_with_confidence(confidence):
    tally = tried(by(scalecert, confidence, keep=0.05), range(6))
    assert tally.is_sound(), vars(tally)


@pytest.mark.slow
@pytest.mark.parametrize(
    "side, levels, seeds", [(2, (0.0, 0.5, 1.0), 40), (3, (0.0, 1.0), 10)]
)
def test_no_patch_of_other_sizes_and_levels_contradicts(side, levels, seeds):
    windows = patch.cover(SHAPE, patch=side, per_axis=3)
    for make in (minority, functools.partial(scalecert, keep=0.1)):
        ask = by(make, windows=windows)
        tally = tried(ask, range(seeds), side=side, levels=levels)
        assert tally.is_sound(), vars(tally)


@pytest.mark.parametrize(
    "per_axis, count", [(2, 4), pytest.param(3, 9, marks=pytest.mark.slow)]
)
def test_no_patch_contradicts_a_recovery(per_axis, count):
    windows = patch.cover(SHAPE, patch=1, per_axis=per_axis)
    assert windows.count == count
    tally = tried(cleansed(windows), range(8), side=1, levels=(0.0, 0.5, 1.0))
    assert tally.is_sound(), vars(tally)


def cleansed(windows):
    def ask(seed, images):
        predict = models.predictor(network(seed))
        pairs = patch.patch_cleanser(predict, windows)
        return recovered(pairs, images)

    return ask


@pytest.mark.parametrize(
    "make",
    [
        minority,
        functools.partial(scalecert, keep=0.05),
        functools.partial(scalecert, keep=0.2, select="places"),
    ],
)
def test_a_window_over_the_patch_answers_the_same_whatever_is_in_it(make):
    """To the last bit; and windows that share an answer have it."""
    rows, cols = np.divmod(np.arange(9), 3)
    top, left = np.asarray(WINDOWS.rows)[rows], np.asarray(WINDOWS.cols)[cols]
    shared = moved = 0
    for seed in range(3):
        for image in pictures(seed, 3):
            images, corners = patched(image, side=2, levels=(0.0, 1.0))
            found = answers(make(seed), np.concatenate([image[None], images]))
            whole, windows, same = map(np.asarray, found)
            row, col = corners.T[:, :, None]
            covers = (top <= row) & (row + 2 <= top + 3)
            covers &= (left <= col) & (col + 2 <= left + 3)
            assert covers.any(axis=1).all()
            changed = (windows[1:] != windows[0]).any(axis=-1)
            assert not changed[covers].any()
            moved += changed[~covers].sum()
            everything = np.concatenate([windows, whole[:, None]], axis=1)
            of = np.take_along_axis(everything, same[..., None], axis=1)  # -1: whole
            np.testing.assert_allclose(windows, of, rtol=1e-5, atol=1e-5)
            shared += (same != np.arange(9)).sum()
    assert moved > 0 and (shared > 0 or make is minority)


@jax.jit
def answers(detector, images):
    """Logits of all windows, asked or not, and which are said to share theirs."""

    def one(image):
        masked = detector(image)
        return masked.whole, masked.hide(jnp.arange(9)), masked.same

    return jax.vmap(one)(images)
