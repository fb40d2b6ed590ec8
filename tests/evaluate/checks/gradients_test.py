"""Checks of the gradient: what they count, and on exact functions."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from mspd_jax.evaluate import check_model
from mspd_jax.evaluate.checks._gradients import check_gradients
from mspd_jax.evaluate.checks._programs import subject
from tests.evaluate import digit_models
from tests.evaluate.checks import faulty_models

DERIVATIVE = "gradient is the derivative"


def checked(predict, **options):
    images, labels = digit_models.digits()
    return check_model(jax.random.key(0), predict, images, labels, **options)


def measured(checks, name):
    return next(check for check in checks if check.name == name).measured


class GradientsTest(absltest.TestCase):
    def test_a_linear_function_is_steady_and_its_own_derivative(self):
        weights = jax.random.normal(jax.random.key(0), (16, 3))
        images = np.asarray(jax.random.uniform(jax.random.key(1), (8, 4, 4, 1)))
        about = subject(lambda x: x.reshape(-1) @ weights, images, np.zeros(8))
        present, steady, derivative = check_gradients(jax.random.key(2), about)
        self.assertTrue(present.passed and steady.passed and derivative.passed)
        self.assertStartsWith(steady.measured, "1.000 of the gradient's signs equal")
        shown = "finite difference / autodiff 1 along the gradient, correlation 1.000"
        self.assertStartsWith(derivative.measured, shown)

    def test_twice_the_derivative_is_at_the_border(self):
        weights = jax.random.normal(jax.random.key(0), (16, 3))
        images = np.asarray(jax.random.uniform(jax.random.key(1), (8, 4, 4, 1)))

        def scaled(factor, x):
            fixed = jax.lax.stop_gradient(x)
            return (fixed + factor * (x - fixed)).reshape(-1) @ weights

        for factor, passed in ((1.9, True), (2.1, False)):
            about = subject(lambda x, f=factor: scaled(f, x), images, np.zeros(8))
            check = check_gradients(jax.random.key(2), about)[2]
            self.assertEqual(check.passed, passed, check.measured)

    def test_ratio_alone_would_not_see_a_gradient_of_half_the_image(self):
        predict = faulty_models.planted("detached_below", digit_models.honest("plain"))
        text = measured(checked(predict), DERIVATIVE)
        self.assertStartsWith(text, "finite difference / autodiff 1 along")

    def test_counts_are_right(self):
        # Logits that do not move on 3 of 32 images and are infinite on one of them.
        predict, (images, _) = digit_models.honest("mlp"), digit_models.digits()
        fixed = jnp.asarray(images[:3])

        def broken(image):
            same = jnp.all(jnp.abs(fixed - image[None]) < 0.01, axis=(1, 2, 3))
            logits = jnp.where(jnp.any(same), jnp.arange(10.0), predict(image))
            return jnp.where(same[0], jnp.inf, 1.0) * logits

        text = measured(checked(broken), "gradients")
        self.assertStartsWith(
            text, "gradient of the cross-entropy exactly zero on 3 of 32 images"
        )
        self.assertEndsWith(text, "not finite on 1")


if __name__ == "__main__":
    absltest.main()
