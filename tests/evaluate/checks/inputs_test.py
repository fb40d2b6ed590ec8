"""Checks of what the model is given: the scale of its pixels, its accuracy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.evaluate import check_model
from mspd_jax.evaluate.checks._inputs import check_inputs
from mspd_jax.evaluate.checks._programs import subject
from tests.evaluate import digit_models


def failed(checks):
    return {check.name for check in checks if check.passed is False}


class InputsTest(parameterized.TestCase):
    @parameterized.parameters(
        (255.0, 0.0, "x * 255"),
        (1 / 255, 0.0, "x / 255"),
        (2.0, -1.0, "2 x - 1"),
        (1 / 0.3081, -0.1307 / 0.3081, "normalization by MNIST's mean and std"),
    )
    def test_the_scale_that_the_model_wants_is_named(self, factor, shift, name):
        # Right where the pixels come scaled, and nearly nowhere else.
        images, labels = digit_models.digits()
        wanted = jnp.asarray(images * np.float32(factor) + np.float32(shift))

        def predict(image):
            far = jnp.max(jnp.abs(wanted - image[None]), axis=(1, 2, 3))
            nearest = jnp.argmin(far)
            label = jnp.asarray(labels)[nearest]
            known = far[nearest] < 1e-3
            return jax.nn.one_hot(jnp.where(known, label, 9 - label), 10)

        scale, _ = check_inputs(subject(predict, images, labels), clean_gate=0.0)
        self.assertIs(scale.passed, False, scale.measured)
        self.assertEndsWith(scale.measured, f"after {name}")

    @parameterized.parameters((0.5, False), (0.3, True))
    def test_gate_of_clean_accuracy(self, gate, passes):
        # 10 of 32 right: the 95 % interval is 18.0 to 48.6 % (Wilson).
        predict, (images, labels) = digit_models.honest("mlp"), digit_models.digits()
        right = np.argmax(jax.vmap(predict)(images), axis=1) == labels
        wrong = np.where(np.cumsum(right) <= 10, labels, (labels + 1) % 10)
        wrong = np.where(right, wrong, (labels + 1) % 10).astype(np.int32)
        checks = check_model(jax.random.key(0), predict, images, wrong, clean_gate=gate)
        self.assertEqual("clean accuracy" not in failed(checks), passes)
        self.assertIn("10 of 32 images right, 18.0% to 48.6%", checks[-1].measured)
