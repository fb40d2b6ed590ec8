"""Certificates and predictions in one call."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import stats

from mspd_jax.smoothing import (
    ABSTAIN,
    certify,
    certify_votes,
    predict_smoothed,
    predict_votes,
)
from mspd_jax.smoothing._noise import ESTIMATION, SELECTION
from mspd_jax.smoothing._votes import count_votes

KEY = jax.random.key(3)
IMAGES = np.random.default_rng(1).uniform(0, 1, (4, 2, 2, 1)).astype(np.float32)
WEIGHTS = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]], np.float32)
OPTIONS = {"sigma": 0.25, "alpha": 0.001}


def linear(weights, image):
    return weights @ image.reshape(-1)


PREDICT = Partial(linear, jnp.asarray(WEIGHTS))


class CertifyTest(parameterized.TestCase):
    def test_is_votes_and_their_bound(self):
        got = certify(
            KEY, PREDICT, IMAGES[0], **OPTIONS, selection=50, estimation=400, chunk=32
        )
        votes = [
            np.asarray(
                count_votes(
                    jax.random.fold_in(KEY, stage),
                    PREDICT,
                    IMAGES[0],
                    sigma=0.25,
                    start=0,
                    stop=stop,
                    chunk=50,
                )
            )
            for stage, stop in ((SELECTION, 50), (ESTIMATION, 400))
        ]
        want = certify_votes(*votes, num_samples=400, **OPTIONS)
        self.assertEqual(tuple(got), tuple(want))
        self.assertNotEqual(got.label, ABSTAIN)

    def test_radius_is_near_the_true_one(self):
        # One logit difference w.x + b has the exact radius |w.x + b| / |w|.
        weights = np.array([[1, -2, 3, 0.5], [0, 0, 0, 0]], np.float32)
        image = np.full((2, 2, 1), 0.2, np.float32)
        true = weights[0] @ image.ravel() / np.linalg.norm(weights[0])
        got = certify(KEY, Partial(linear, weights), image, **OPTIONS)
        # 10,000 samples: the bound is 4 to 7 standard errors of the share below it
        # but for chance of 1e-3 above and 1e-4 below; the key is fixed.
        p = stats.norm.cdf(true / 0.25)
        error = 7 * np.sqrt(p * (1 - p) / 10_000)
        self.assertEqual(got.label, 0)
        self.assertLess(got.radius, true)
        self.assertGreater(got.radius, 0.25 * stats.norm.ppf(p - error))

    @parameterized.parameters(1, 33)
    def test_rows_do_not_depend_on_the_batch_or_the_chunk(self, chunk):
        options = OPTIONS | {"selection": 20, "estimation": 100, "chunk": chunk}
        all_of_them = certify(KEY, PREDICT, IMAGES, **options)
        self.assertEqual(all_of_them.label.shape, (4,))
        two = certify(KEY, PREDICT, IMAGES[:2], **options)
        for i, image in enumerate(IMAGES):
            alone = certify(jax.random.fold_in(KEY, i), PREDICT, image, **options)
            for name in ("label", "radius", "lower"):
                value = getattr(alone, name)
                self.assertEqual(value, getattr(all_of_them, name)[i])
                if i < 2:
                    self.assertEqual(value, getattr(two, name)[i])

    @parameterized.parameters(certify, predict_smoothed)
    def test_compiles_once(self, function):
        traces = []

        def traced(weights, image):
            traces.append(1)
            return linear(weights, image)

        counts = [100, 50]
        seen = []
        for scale, count in zip((1.0, 2.0), counts, strict=True):
            samples = {"estimation": count, "selection": count // 2}
            if function is predict_smoothed:
                samples = {"num_samples": count}
            predict = Partial(traced, scale * WEIGHTS)
            for images in (IMAGES, IMAGES[0]):
                function(
                    jax.random.key(count),
                    predict,
                    images,
                    sigma=0.1 * scale,
                    alpha=0.01 * scale,
                    chunk=9,
                    **samples,
                )
            seen.append(len(traces))
        self.assertGreater(seen[0], 0)
        self.assertEqual(seen[1], seen[0])

    def test_plain_functions_and_double_images(self):
        def predict(image):
            return linear(WEIGHTS, image)

        options = OPTIONS | {"selection": 20, "estimation": 100}
        got = certify(KEY, predict, IMAGES.astype(np.float64), **options)
        want = certify(KEY, PREDICT, jnp.asarray(IMAGES), **options)
        np.testing.assert_array_equal(got.radius, want.radius)

    @parameterized.parameters(
        ({"image": IMAGES[0, 0]}, "image must be float .*; got float32"),
        ({"image": np.zeros((2, 2, 1), np.uint8)}, "image must be float"),
        ({"chunk": 0}, "chunk must be an integer"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"alpha": 2.0}, "alpha must be between"),
    )
    def test_bad_arguments(self, options, message):
        options = {"image": IMAGES[0], **OPTIONS} | options
        image = options.pop("image")
        for function in (certify, predict_smoothed):
            with self.assertRaisesRegex(ValueError, message):
                function(KEY, PREDICT, image, **options)


class PredictTest(parameterized.TestCase):
    def test_is_votes_and_their_test(self):
        got = predict_smoothed(
            KEY, PREDICT, IMAGES, **OPTIONS, num_samples=200, chunk=32
        )
        for i, image in enumerate(IMAGES):
            key = jax.random.fold_in(jax.random.fold_in(KEY, i), ESTIMATION)
            votes = count_votes(
                key, PREDICT, image, sigma=0.25, start=0, stop=200, chunk=200
            )
            want = predict_votes(np.asarray(votes), num_samples=200, alpha=0.001)
            self.assertEqual(got.label[i], want.label)
            self.assertEqual(got.p_value[i], want.p_value)
        self.assertGreater(np.sum(got.label != ABSTAIN), 0)
