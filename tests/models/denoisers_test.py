"""Denoisers: shapes, how they begin, their two forms, and what they are not."""

import math
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
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


class DenoiserTest(parameterized.TestCase):
    @parameterized.product(name=list(SMALL), channels=[1, 3, 4])
    def test_any_size_and_channel_count(self, name, channels):
        restore = models.restorer(random_model(name, channels=channels))
        for height, width in ((8, 8), (11, 5)):
            image = np.random.default_rng(2).random((height, width, channels))
            out = jax.eval_shape(restore, image.astype(np.float32))
            self.assertEqual(out.shape, image.shape)

    @parameterized.product(name=list(SMALL), mean=[0.0, 0.4])
    def test_folded_form_is_the_training_form_in_evaluation(self, name, mean):
        model = random_model(name, mean=mean, std=0.5 if mean else 1.0)
        image = np.random.default_rng(3).random((8, 8, 3), np.float32)
        module = models.build_module(model.spec)
        std = 0.5 if mean else 1.0
        expected = module.apply(model.variables, (image - mean) / std) * std + mean
        restored = models.restorer(model)(image)
        np.testing.assert_allclose(restored, expected, rtol=1e-4, atol=1e-5)
        self.assertGreater(np.abs(restored - image).max(), 1e-2)

    def test_dncnn_begins_as_the_identity_with_orthogonal_kernels(self):
        model = models.create_model(jax.random.key(0), spec("dncnn", depth=3, width=6))
        params = model.variables["params"]
        self.assertFalse(params["last"]["kernel"].any())
        for name, layer in (
            ("first", params["first"]),
            ("0", params["layer0"]["conv"]),
        ):
            kernel = np.asarray(layer["kernel"])
            gram = kernel.reshape(-1, 6).T @ kernel.reshape(-1, 6)
            np.testing.assert_allclose(gram, np.eye(6), atol=1e-5, err_msg=name)
        image = np.random.default_rng(4).random((8, 8, 3), np.float32)
        np.testing.assert_array_equal(models.restorer(model)(image), image)

    def test_a_kernel_wider_than_its_inputs_has_orthonormal_rows(self):
        wide = models.create_model(jax.random.key(0), spec("dncnn", 1, width=16))
        kernel = np.asarray(wide.variables["params"]["first"]["kernel"]).reshape(9, 16)
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(9), atol=1e-5)

    @parameterized.parameters("dncnn", "memnet")
    def test_no_logits_from_a_denoiser(self, name):
        with self.assertRaisesRegex(InputError, f"a {name} is a denoiser, not a class"):
            models.predictor(random_model(name))

    def test_no_images_from_a_classifier(self):
        classifier = spec("small_cnn", num_classes=4, widths=[4])
        model = models.create_model(jax.random.key(0), classifier)
        with self.assertRaisesRegex(InputError, "small_cnn is a classifier, not a den"):
            models.restorer(model)

    @parameterized.parameters(("dncnn", 10, "0"), ("resnet20", 0, "a positive"))
    def test_number_of_classes_suits_the_kind(self, name, classes, wanted):
        with self.assertRaisesRegex(ValueError, f"num_classes must be {wanted}"):
            models.create_model(jax.random.key(0), spec(name, num_classes=classes))

    @parameterized.parameters(
        ("dncnn", {"depth": 1}), ("dncnn", {"width": 0}), ("memnet", {"blocks": 0}),
        ("memnet", {"depth": 3}),
    )  # fmt: skip
    def test_bad_sizes_are_refused(self, name, options):
        with self.assertRaises(ValueError):
            models.create_model(jax.random.key(0), spec(name, **options))

    def test_a_saved_denoiser_loads(self):
        model = random_model("dncnn")
        with tempfile.TemporaryDirectory() as folder:
            models.save_model(f"{folder}/model", model)
            loaded = models.load_model(f"{folder}/model")
        self.assertEqual(models.model_hash(loaded), models.model_hash(model))
        self.assertTrue(models.gives_images(loaded.spec))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # 3x3 kernels: 3 -> w, 15 times w -> w with two numbers per channel of the
        # normalization, w -> 3, and one bias.
        ("dncnn", 27 * 64 + 64 + 15 * (9 * 64**2 + 2 * 64) + 27 * 64),
        ("dncnn_wide", 27 * 128 + 128 + 15 * (9 * 128**2 + 2 * 128) + 27 * 128),
        # 36 convolutions in residual blocks, three gates over 7, 8 and 9 inputs of 64
        # channels, first and last convolution.
        (
            "memnet",
            36 * (9 * 64**2 + 2 * 64)
            + sum(n * 64 * 64 + 2 * n * 64 for n in (7, 8, 9))
            + (27 * 64 + 2 * 3)
            + (27 * 64 + 2 * 64),
        ),
    ],
)
def test_size(name, parameters):
    module = models.build_module(spec(name))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == parameters
