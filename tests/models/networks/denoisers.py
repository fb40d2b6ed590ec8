"""Denoisers: specifications, random ones, and what holds of each kind."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import variable_shapes

SMALL = {
    "dncnn": {"depth": 4, "width": 6},
    "memnet": {"blocks": 2, "recursions": 2, "width": 4},
}


def spec(name, channels=3, num_classes=0, mean=0.0, std=1.0, **options):
    return models.ModelSpec(
        architecture=name,
        options=options,
        mean=(mean,) * channels,
        std=(std,) * channels,
        num_classes=num_classes,
        image_shape=(8, 8, channels),
        origin={},
    )


def random_model(name, **more):
    """Weights and statistics that are far from neutral."""
    model = models.create_model(jax.random.key(1), spec(name, **SMALL[name], **more))
    leaves, structure = jax.tree.flatten(model.variables)
    noise = np.random.default_rng(0)
    leaves = [x + jnp.float32(0.3) * noise.random(x.shape, np.float32) for x in leaves]
    return model._replace(variables=jax.tree.unflatten(structure, leaves))


class Contract(parameterized.TestCase):
    """Of a denoiser `name`; has to be inherited from."""

    name = ""

    @parameterized.parameters(1, 3, 4)
    def test_any_size_and_channel_count(self, channels):
        restore = models.restorer(random_model(self.name, channels=channels))
        for height, width in ((8, 8), (11, 5)):
            image = np.random.default_rng(2).random((height, width, channels))
            out = jax.eval_shape(restore, image.astype(np.float32))
            self.assertEqual(out.shape, image.shape)

    @parameterized.parameters(0.0, 0.4)
    def test_folded_form_is_the_training_form_in_evaluation(self, mean):
        model = random_model(self.name, mean=mean, std=0.5 if mean else 1.0)
        image = np.random.default_rng(3).random((8, 8, 3), np.float32)
        module = models.build_module(model.spec)
        std = 0.5 if mean else 1.0
        expected = module.apply(model.variables, (image - mean) / std) * std + mean
        restored = models.restorer(model)(image)
        np.testing.assert_allclose(restored, expected, rtol=1e-4, atol=1e-5)
        self.assertGreater(np.abs(restored - image).max(), 1e-2)

    def test_no_logits_from_a_denoiser(self):
        message = f"a {self.name} is a denoiser, not a class"
        with self.assertRaisesRegex(InputError, message):
            models.predictor(random_model(self.name))


def size(name):
    """The number of parameters of a network of the usual size."""
    module = models.build_module(spec(name))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
