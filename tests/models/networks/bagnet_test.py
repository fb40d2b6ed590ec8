"""BagNets: their patches, the mean over them, images without one."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import variable_shapes
from tests.models.networks.imagenet_networks import (
    SMALL,
    assert_close,
    images_of,
    random_model,
    spec_of,
)


class BagNetTest(parameterized.TestCase):
    @parameterized.parameters(("bagnet9", 9), ("bagnet17", 17), ("bagnet33", 33))
    def test_a_place_of_the_last_map_of_a_bagnet_sees_one_patch(self, name, patch):
        model, _ = random_model(name, size=(64, 64), width=2, blocks=[1, 1, 1, 1])
        module = models.build_module(model.spec)

        def corner(image):
            span = (None, "stage3_block0")
            places = module.apply(model.variables, image, span=span)
            return places[1, 1].sum()

        images = jnp.asarray(images_of(8, (64, 64)))
        gradient = jax.jit(jax.vmap(jax.grad(corner)))(images)
        rows, columns = np.nonzero(np.abs(gradient).sum((0, 3)))
        for seen in (rows, columns):
            assert (seen.min(), seen.max()) == (8, 8 + patch - 1)

    def test_logits_of_a_bagnet_are_the_mean_over_its_patches(self):
        name, options = "bagnet9", SMALL["bagnet9"]
        model, images = random_model(name, **options)
        predict = jax.jit(models.predictor(model))
        whole = predict(images[0])
        patches = [
            predict(images[0, row : row + 9, column : column + 9])
            for row in range(0, 40, 8)
            for column in range(0, 40, 8)
        ]
        assert_close(whole, np.mean(patches, axis=0))

    @parameterized.parameters(("bagnet33", 32), ("bagnet17", 16), ("bagnet9", 8))
    def test_images_without_a_patch_are_refused(self, name, size):
        module = models.build_module(spec_of(name, width=2))
        with self.assertRaisesRegex(InputError, f"too small for a {name}"):
            variable_shapes(module, (size, 64, 3))
        variable_shapes(module, (size + 1, 64, 3))
