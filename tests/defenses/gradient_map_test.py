"""Gradient maps: closed forms, finite differences, K separate gradients."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import special

from mspd_jax import models
from mspd_jax.defenses import gradient_map, map_count

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0.2, 0.8, (4, 3, 2)).astype(np.float32)
WEIGHTS = RNG.standard_normal((24, 5)).astype(np.float32)
SPEC = models.ModelSpec(
    architecture="small_cnn",
    options={"widths": [6, 6], "activation": "silu"},  # smooth: no kinks to step over
    mean=(0.5, 0.5),
    std=(0.3, 0.3),
    num_classes=5,
    image_shape=(4, 3, 2),
    origin={},
)
NETWORK = models.predictor(models.create_model(jax.random.key(0), SPEC))
RULES = ("predicted", "uniform", "softmax", "all")


def linear(weights, image):
    return image.reshape(-1) @ weights


LINEAR = Partial(linear, jnp.asarray(WEIGHTS))


def losses(logits, rule):
    """The loss whose gradient the rule asks for, a list of one or K, in float64."""
    log_p = special.log_softmax(logits)
    p = np.exp(log_p)
    if rule == "all":
        return list(-log_p)
    held = {
        "predicted": np.eye(len(p))[np.argmax(logits)],
        "uniform": np.full(len(p), 1 / len(p)),
        "softmax": p,  # moves with the image: the entropy
    }
    return [-np.sum(held[rule] * log_p)]


def scaled(gradient):
    return gradient / np.abs(gradient).max()


class GradientMapTest(parameterized.TestCase):
    @parameterized.parameters(*RULES)
    def test_linear_model_in_closed_form(self, rule):
        p = special.softmax(IMAGE.reshape(-1).astype(np.float64) @ WEIGHTS)
        log_p, eye = np.log(p), np.eye(5)
        wanted = {
            "predicted": [p - eye[np.argmax(p)]],
            "uniform": [p - 0.2],
            "softmax": [-p * (log_p - np.sum(p * log_p))],
            "all": [p - eye[k] for k in range(5)],
        }[rule]
        want = [scaled((WEIGHTS @ q).reshape(IMAGE.shape)) for q in wanted]
        got = jax.jit(gradient_map, static_argnames="rule")(LINEAR, IMAGE, rule=rule)
        np.testing.assert_allclose(got, np.concatenate(want, -1), atol=2e-5)

    @parameterized.parameters(*RULES)
    def test_network_against_finite_differences(self, rule):
        ask = jax.jit(jax.vmap(NETWORK))
        pixels, h = IMAGE.size, 2e-3
        steps = h * np.eye(pixels, dtype=np.float32).reshape(pixels, *IMAGE.shape)
        up, down = (np.float64(ask(IMAGE + s * steps)) for s in (1, -1))
        ends = zip(up, down, strict=True)
        slopes = np.asarray(
            [np.subtract(losses(a, rule), losses(b, rule)) for a, b in ends]
        )
        want = [scaled(column.reshape(IMAGE.shape)) for column in slopes.T]
        got = gradient_map(NETWORK, IMAGE, rule=rule)
        np.testing.assert_allclose(got, np.concatenate(want, -1), atol=5e-3)

    def test_all_classes_are_k_separate_gradients(self):
        def loss(image, k):
            return -jax.nn.log_softmax(NETWORK(image))[k]

        separate = [scaled(np.asarray(jax.grad(loss)(IMAGE, k))) for k in range(5)]
        got = gradient_map(NETWORK, IMAGE, rule="all")
        self.assertEqual(got.shape, (4, 3, 10))
        np.testing.assert_allclose(got, np.concatenate(separate, -1), atol=1e-6)
        # The map of the predicted class is among them.
        label = int(jnp.argmax(NETWORK(IMAGE)))
        one = gradient_map(NETWORK, IMAGE, rule="predicted")
        np.testing.assert_allclose(one, got[..., 2 * label : 2 * label + 2], atol=1e-6)

    def test_softmax_held_still_would_be_zero(self):
        held = jax.lax.stop_gradient(jax.nn.softmax(NETWORK(IMAGE)))
        slope = jax.grad(lambda x: -held @ jax.nn.log_softmax(NETWORK(x)))(IMAGE)
        self.assertLess(float(jnp.max(jnp.abs(slope))), 1e-6)
        self.assertEqual(
            float(jnp.max(gradient_map(NETWORK, IMAGE, rule="softmax")).round(6))
            in (1.0, -1.0),
            True,
        )

    def test_scale_of_the_gradient_does_not_matter(self):
        # A sure model: its gradients are tiny, its map is not.
        sure = Partial(linear, jnp.asarray(20 * WEIGHTS))
        logits = np.sort(sure(IMAGE))
        self.assertGreater(logits[-1] - logits[-2], 10)
        got = gradient_map(sure, IMAGE, rule="predicted")
        self.assertAlmostEqual(float(jnp.max(jnp.abs(got))), 1.0, places=6)

    @parameterized.parameters(*RULES)
    def test_no_gradient_no_map(self, rule):
        flat = jax.grad(
            lambda x: jnp.sum(
                gradient_map(lambda x: jnp.zeros(5) * jnp.sum(x), x, rule=rule)
            )
        )
        got = gradient_map(lambda x: jnp.zeros(5), IMAGE, rule=rule)
        np.testing.assert_array_equal(got, np.zeros_like(got))
        self.assertTrue(np.isfinite(flat(IMAGE)).all())

    def test_infinite_logits_give_finite_maps(self):
        hard = Partial(linear, jnp.asarray(1e30 * WEIGHTS))
        for rule in RULES:
            self.assertTrue(np.isfinite(gradient_map(hard, IMAGE, rule=rule)).all())

    def test_second_derivatives_flow(self):
        # Along one pixel, against a difference of maps.
        direction = np.zeros_like(IMAGE)
        direction[1, 1, 0] = 1.0
        of = jax.jit(lambda x: gradient_map(NETWORK, x, rule="uniform"))
        _, derivative = jax.jvp(of, (IMAGE,), (direction,))
        h = np.float32(1e-2)
        found = (of(IMAGE + h * direction) - of(IMAGE - h * direction)) / (2 * h)
        self.assertGreater(float(jnp.max(jnp.abs(derivative))), 1e-2)
        np.testing.assert_allclose(derivative, found, atol=2e-2)

    def test_rules(self):
        self.assertEqual(RULES, models.LABEL_RULES)
        self.assertEqual([map_count(rule, 7) for rule in RULES], [1, 1, 1, 7])
        for call in (
            lambda: gradient_map(NETWORK, IMAGE, rule="true"),
            lambda: map_count("true", 5),
        ):
            with self.assertRaisesRegex(ValueError, "rule must be one of .* 'true'"):
                call()
