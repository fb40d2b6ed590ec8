"""No certified image is evaded, on random networks; and evasions are what they say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax import lax
from jax.tree_util import Partial

from mspd_jax import models, patch
from tests.patch.evade_test import EVERY, KEY, SHAPE, WINDOWS


def mlp(weights, image):
    return weights[1] @ jnp.tanh(weights[0] @ image.reshape(-1))


def random_minority(seed):
    keys = jax.random.split(jax.random.key(seed), 2)
    weights = (
        jax.random.normal(keys[0], (8, 36)) / 6,
        jax.random.normal(keys[1], (3, 8)),
    )
    return patch.minority_reports(Partial(mlp, weights), WINDOWS)


def shallow(kernel, image):
    places = lax.conv_general_dilated(
        image[None], kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jax.nn.relu(places[0])


def rest(weights, places):
    return weights @ places.reshape(-1)


def random_scalecert(seed):
    keys = jax.random.split(jax.random.key(seed), 2)
    part = Partial(shallow, jax.random.normal(keys[0], (2, 2, 1, 3)))
    # The class is what a channel has most of: no window changes it in many images.
    weights = jax.random.normal(keys[1], (3, 75)) / 3
    weights = weights + jnp.tile(jnp.eye(3), (1, 25))
    reaches = models.reach_of(part, SHAPE)
    parts = models.Split(part, Partial(rest, weights), reaches, (5, 5, 3), SHAPE[:2])
    return patch.scalecert(parts, WINDOWS, keep=0.2)


COUNT = 40


@functools.partial(jax.jit, static_argnames="sample")
def evade_all(detector, images, confidence, *, sample):
    """Attacks each image at its own label."""

    def one(index, image):
        said = patch.detect(detector, image, budget=9, confidence=confidence)
        key = jax.random.fold_in(KEY, index)
        options = {"steps": 20, "step_size": 0.1, "sample": sample}
        options |= {"patch": 2, "positions": EVERY, "confidence": confidence}
        return said, patch.evade(key, detector, image, said.label, **options)

    return jax.vmap(one)(jnp.arange(images.shape[0]), images)


def pictures(seed):
    shape = (COUNT, *SHAPE)
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


@pytest.mark.slow
class SandwichTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("minority", random_minority, None, 0.0),
        ("minority_confident", random_minority, None, 0.6),
        ("scalecert_sampled", random_scalecert, 2, 0.0),
    )
    def test_no_certified_image_is_evaded(self, make, sample, confidence):
        certified = evaded = 0
        for seed in range(6):
            images, confidence = pictures(seed), np.float32(confidence)
            found = evade_all(make(seed), images, confidence, sample=sample)
            said, got = jax.tree.map(np.asarray, found)
            self.assertFalse(np.any(said.certified & got.evades))
            certified += np.sum(said.certified)
            evaded += np.sum(got.evades)
            self.check_squares(images, got)
        # Of 240 images: neither side is empty, or this would show nothing.
        self.assertGreater(certified, 20)
        self.assertGreater(evaded, 20)

    def check_squares(self, images, got):
        self.assertTrue(0 <= got.image.min() <= got.image.max() <= 1)
        for image, one, (row, col) in zip(images, got.image, got.position, strict=True):
            outside = np.ones(SHAPE, bool)
            if row >= 0:
                outside[row : row + 2, col : col + 2] = False
            np.testing.assert_array_equal(one[outside], image[outside])

    def test_an_evasion_is_one_by_hand(self):
        detector, images = random_minority(1), pictures(1)
        weights = [np.asarray(w, np.float64) for w in detector.args[0].args[0]]
        said, got = evade_all(detector, images, np.float32(0), sample=None)

        def label(image):
            return int(np.argmax(weights[1] @ np.tanh(weights[0] @ image.ravel())))

        def labels(image):
            yield label(image)
            for row in WINDOWS.rows:
                for col in WINDOWS.cols:
                    gray = image.copy()
                    gray[row : row + WINDOWS.height, col : col + WINDOWS.width] = 0.5
                    yield label(gray)

        outcome = [set(labels(image)) for image in np.asarray(got.image, np.float64)]
        before = np.asarray(said.label).tolist()
        silent = [len(found) == 1 for found in outcome]
        wrong = [y not in found for y, found in zip(before, outcome, strict=True)]
        np.testing.assert_array_equal(got.evades, np.array(silent) & np.array(wrong))
