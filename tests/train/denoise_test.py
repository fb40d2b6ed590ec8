"""What training of denoisers lowers: formulas in float64, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.test_util import check_grads
from jax.tree_util import Partial
from scipy import special, stats

from mspd_jax import data, models, train

RNG = np.random.default_rng(0)
IMAGES = RNG.random((5, 2, 2, 3), np.float32)
NOISY = IMAGES + 0.3 * RNG.standard_normal(IMAGES.shape).astype(np.float32)
LABELS = np.asarray([0, 3, 1, 1, 2], np.int32)
HEADS = [RNG.standard_normal((12, 4)).astype(np.float32) for _ in range(2)]
SCALE = np.float32(0.8)


def linear(head, image):
    return image.reshape(-1) @ head


CLASSIFIERS = [Partial(linear, jnp.asarray(head)) for head in HEADS]


def forward(scale):
    return lambda stats, x: (scale * x, {"seen": stats["seen"] + 1})


def loss(name, classifiers, scale=SCALE):
    chosen = train.denoiser_objective(name, sigma=0.3, classifiers=classifiers)
    return chosen.loss(
        forward(scale), {"seen": 0}, jnp.asarray(IMAGES), jnp.asarray(NOISY), LABELS
    )


def logits(images, heads):
    """Row r of head r mod len(heads), float64."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    return np.stack([x @ heads[r % len(heads)] for r, x in enumerate(flat)])


class ObjectiveTest(parameterized.TestCase):
    def test_mse_is_the_mean_over_all_values(self):
        value, signals = loss("mse", [])
        expected = ((SCALE * NOISY.astype(np.float64) - IMAGES) ** 2).mean()
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        self.assertEqual((signals.clean, signals.robust), (None, None))

    @parameterized.product(name=["stab", "clf"], count=[1, 2])
    def test_cross_entropy_of_each_rows_own_classifier(self, name, count):
        value, signals = loss(name, CLASSIFIERS[:count])
        restored = logits(SCALE * NOISY, HEADS[:count])
        targets = LABELS
        if name == "stab":
            targets = logits(IMAGES, HEADS[:count]).argmax(1)
            self.assertTrue((targets != LABELS).any())  # or the test shows nothing
        chosen = special.log_softmax(restored, axis=1)[np.arange(5), targets]
        np.testing.assert_allclose(value, -chosen.mean(), rtol=1e-5)
        np.testing.assert_allclose(signals.robust, restored, rtol=1e-5)
        self.assertEqual(signals.batch_stats["seen"], 1)

    @parameterized.parameters(("mse", 0), ("stab", 2), ("clf", 1))
    def test_gradient_is_that_of_finite_differences(self, name, count):
        check_grads(
            lambda scale: loss(name, CLASSIFIERS[:count], scale)[0],
            (jnp.asarray(SCALE),),
            order=1,
            modes=["rev"],
            atol=2e-2,
            rtol=2e-2,
        )

    def test_noise_is_normal_with_the_deviation_asked_for(self):
        corrupt = train.denoiser_objective("mse", sigma=0.3).adversary
        image = jnp.full((50, 60, 3), 0.5)
        noise = (corrupt(jax.random.key(7), None, image, 0) - image) / 0.3
        # 9,000 values of one fixed key; a sound generator passes for 99.9 % of keys.
        self.assertGreater(stats.kstest(np.ravel(noise), "norm").pvalue, 1e-3)

    @parameterized.parameters(
        ("blur", 0.1, 0, "'blur'"),
        ("mse", 0.0, 0, "`sigma`: expected a positive number, got 0.0"),
        ("mse", None, 0, "sigma"),
        ("mse", 0.1, 1, "takes no classifier, got 1"),
        ("stab", 0.1, 0, "takes at least one classifier, got 0"),
        ("clf", float("nan"), 1, "sigma"),
    )
    def test_bad_arguments_are_named(self, name, sigma, count, words):
        with self.assertRaisesRegex(ValueError, words):
            train.denoiser_objective(name, sigma=sigma, classifiers=CLASSIFIERS[:count])


class LearningTest(parameterized.TestCase):
    def test_a_denoiser_of_digits_removes_half_of_the_noise(self):
        images, _ = data.load_arrays(data.open_source("digits:train", limit=512))
        spec = models.ModelSpec(
            "dncnn", {"depth": 4, "width": 16}, (0.0,), (1.0,), 0, (8, 8, 1), {}
        )
        model = train.fit(
            jax.random.key(0),
            spec,
            images,
            np.full(512, -1),
            objective=train.denoiser_objective("mse", sigma=0.25),
            optimizer=train.optimizer("adamw", learning_rate=5e-3),
            epochs=12,
            batch_size=64,
        )
        held_out, _ = data.load_arrays(data.open_source("digits:test", limit=64))
        clean = np.float32(held_out) / 255
        noisy = clean + 0.25 * RNG.standard_normal(clean.shape).astype(np.float32)
        restored = jax.vmap(models.restorer(model))(noisy)
        error = np.mean((np.asarray(restored) - clean) ** 2)
        # The noise has 0.0625; no denoiser comes near on unseen digits without
        # learning what they look like.
        self.assertLess(error, 0.5 * np.mean((noisy - clean) ** 2))
