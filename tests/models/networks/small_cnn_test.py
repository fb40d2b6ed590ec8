"""A small_cnn against NumPy and SciPy, with and without normalization."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax import models
from tests.models.small_models import IMAGES, reference, small_model, spec


class SmallCNNTest(parameterized.TestCase):
    def test_one_image_equals_numpy(self):
        predict = models.predictor(small_model())
        logits = predict(jnp.asarray(IMAGES[0]))
        self.assertEqual(logits.shape, (5,))
        np.testing.assert_allclose(logits, reference(IMAGES[:1])[0], rtol=1e-4)

    def test_network_without_statistics_returns_none(self):
        made = models.create_model(jax.random.key(3), spec(norm=False, widths=[3]))
        self.assertNotIn("batch_stats", made.variables)
        logits, stats = models.train_outputs(
            made.spec, made.variables, jnp.asarray(IMAGES)
        )
        self.assertEqual((logits.shape, stats), ((7, 5), {}))
        predicted = jax.vmap(models.predictor(made))(jnp.asarray(IMAGES))
        np.testing.assert_allclose(predicted, logits, rtol=1e-5, atol=1e-6)
