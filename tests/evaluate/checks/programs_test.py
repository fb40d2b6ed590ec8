"""What the checks compute, on functions of which the result is known."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax.evaluate.checks import _programs as programs
from mspd_jax.evaluate.checks._programs import subject
from mspd_jax.models import as_pytree
from tests.evaluate import digit_models
from tests.evaluate.checks import faulty_models

NAN = float("nan")
LOGITS = np.array([[1.0, 3.0, 2.0], [5.0, 0.0, 4.0], [NAN, 1.0, 0.0]])
LABELS = np.array([1, 2, 1])


class ProgramsTest(parameterized.TestCase):
    def test_a_subject_knows_its_logits_and_their_spread(self):
        images = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1) / 8
        about = subject(lambda x: x.reshape(-1)[:3], images, [0, 1])
        np.testing.assert_array_equal(about.logits, images.reshape(2, 4)[:, :3])
        self.assertEqual((about.spread, about.repeats), (0.25, True))
        self.assertEqual(about.labels.dtype, np.int32)

    def test_a_model_that_draws_on_the_host_does_not_repeat_itself(self):
        images, labels = digit_models.digits()
        predict = faulty_models.planted("crop_by_host", digit_models.honest("mlp"))
        self.assertFalse(subject(predict, images, labels).repeats)

    def test_gradients_of_a_combination_of_logits(self):
        images = np.full((2, 1, 2, 1), 0.5, np.float32)
        found = programs.gradients_at(
            as_pytree(lambda x: jnp.square(x.reshape(-1))), images, [[1, 0], [0, 3]]
        )
        np.testing.assert_allclose(found.reshape(2, 2), [[1, 0], [0, 3]])

    def test_the_margin_is_that_of_the_best_wrong_class(self):
        found = programs.margin_cotangents(LOGITS[:2], LABELS[:2])
        np.testing.assert_array_equal(found, [[0, -1, 1], [1, 0, -1]])

    def test_cross_entropy_in_closed_form(self):
        found = programs.cross_entropy_cotangents(LOGITS[:2], LABELS[:2])
        odds = np.exp(LOGITS[:2])
        expected = odds / odds.sum(1, keepdims=True) - np.eye(3)[LABELS[:2]]
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_a_nan_is_never_right(self):
        np.testing.assert_array_equal(
            programs.right(LOGITS, LABELS), [True, False, False]
        )

    def test_the_largest_change_of_what_is_not_finite_is_infinite(self):
        found = programs.largest_change(LOGITS, LOGITS + [[0.5, -1.0, 0.0]])
        np.testing.assert_array_equal(found, [1.0, 1.0, np.inf])

    def test_noise_stays_within_its_size(self):
        found = programs.noise(jax.random.key(0), (1000,), size=0.1)
        self.assertBetween(np.max(np.abs(found)), 0.09, 0.1 + 1e-7)
