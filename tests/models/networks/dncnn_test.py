"""DnCNN: how it begins, its size, its two forms, and what it is not."""

import tempfile

import jax
import numpy as np
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.networks import denoisers
from tests.models.networks.denoisers import random_model, size, spec


class DnCNNTest(denoisers.Contract):
    name = "dncnn"

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

    @parameterized.parameters(({"depth": 1},), ({"width": 0},))
    def test_bad_sizes_are_refused(self, options):
        with self.assertRaises(ValueError):
            models.create_model(jax.random.key(0), spec("dncnn", **options))

    @parameterized.parameters(("dncnn", 64), ("dncnn_wide", 128))
    def test_size(self, name, width):
        # 3x3 kernels: 3 -> w, 15 times w -> w with two numbers per channel of the
        # normalization, w -> 3, and one bias.
        wanted = 27 * width + width + 15 * (9 * width**2 + 2 * width) + 27 * width
        self.assertEqual(size(name), wanted)

    def test_no_images_from_a_classifier(self):
        classifier = spec("small_cnn", num_classes=4, widths=[4])
        model = models.create_model(jax.random.key(0), classifier)
        with self.assertRaisesRegex(InputError, "small_cnn is a classifier, not a den"):
            models.restorer(model)

    @parameterized.parameters(("dncnn", 10, "0"), ("resnet20", 0, "a positive"))
    def test_number_of_classes_suits_the_kind(self, name, classes, wanted):
        with self.assertRaisesRegex(ValueError, f"num_classes must be {wanted}"):
            models.create_model(jax.random.key(0), spec(name, num_classes=classes))

    def test_a_saved_denoiser_loads(self):
        model = random_model("dncnn")
        with tempfile.TemporaryDirectory() as folder:
            models.save_model(f"{folder}/model", model)
            loaded = models.load_model(f"{folder}/model")
        self.assertEqual(models.model_hash(loaded), models.model_hash(model))
        self.assertTrue(models.gives_images(loaded.spec))
