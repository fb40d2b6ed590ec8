"""ImageNet ResNets and BagNets: sizes, maps, patches, the two forms, options."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import variable_shapes

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAMES = ("resnet18", "resnet34", "resnet50", "bagnet9", "bagnet17", "bagnet33")
SMALL = {
    "resnet18": {"width": 4},
    "resnet50": {"width": 4},
    "bagnet9": {"width": 4, "blocks": [1, 2, 1, 2]},
    "bagnet33": {"width": 4, "blocks": [1, 1, 2, 1], "strides": [1, 1, 2, 1]},
}


def _spec(name, *, size=(48, 48), num_classes=7, **options):
    mean, std = models.default_normalization(name, 3)
    return models.ModelSpec(name, options, mean, std, num_classes, (*size, 3), {})


def _random(name, **options):
    """A model whose statistics and affine maps are far from neutral, and images."""
    model = models.create_model(jax.random.key(0), _spec(name, **options))
    draw = np.random.default_rng(3)

    def disturb(path, leaf):
        if path[-1].key == "kernel":
            return leaf
        low, high = (0.5, 2.0) if path[-1].key in ("scale", "var") else (-0.5, 0.5)
        return jnp.asarray(draw.uniform(low, high, leaf.shape), jnp.float32)

    variables = jax.tree_util.tree_map_with_path(disturb, model.variables)
    return model._replace(variables=variables), jnp.asarray(_images(2, (48, 48)))


def _images(count, size):
    return np.random.default_rng(1).random((count, *size, 3), np.float32)


def _close(actual, expected):
    """Within 1e-4 of the largest value: float32, summed in another order."""
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * scale)


class NetworkTest(parameterized.TestCase):
    @parameterized.parameters(
        # torchvision's own figures.
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        # A ResNet-50, but 1x1 and 3x3 in the stem for 7x7, 64 channels each, and 3x3
        # convolutions of width 64, 128, 256, 512 that are 1x1: 2, 3, 5 and 2 of them,
        # then the first of the last stage, then that of the third.
        ("bagnet33", 18_310_184),
        ("bagnet17", 16_213_032),
        ("bagnet9", 15_688_744),
    )
    def test_number_of_parameters(self, name, expected):
        module = models.build_module(_spec(name, num_classes=1000))
        shapes = variable_shapes(module, (224, 224, 3))
        sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes["params"])]
        assert sum(sizes) == expected

    @parameterized.parameters(*NAMES)
    def test_one_logit_for_each_class(self, name):
        module = models.build_module(_spec(name, width=4))
        shapes = variable_shapes(module, (224, 224, 3))
        for size in ((64, 91, 3), (2, 224, 224, 3)):
            images = jax.ShapeDtypeStruct(size, "float32")
            logits = jax.eval_shape(module.apply, shapes, images)
            assert logits.shape == (*size[:-3], 7)

    @parameterized.parameters(
        # He et al. 2016, table 1.
        ("resnet50", "stem", (112, 112, 64)),
        ("resnet50", "pool", (56, 56, 64)),
        ("resnet50", "stage1_block3", (28, 28, 512)),
        ("resnet18", "stage3_block1", (7, 7, 512)),
        # (224 - patch) / 8 + 1, rounded down.
        ("bagnet33", "stage3_block2", (24, 24, 2048)),
        ("bagnet17", "stage3_block2", (26, 26, 2048)),
        ("bagnet9", "stage3_block2", (27, 27, 2048)),
    )
    def test_shape_of_maps(self, name, last, expected):
        module = models.build_module(_spec(name))
        image = jax.ShapeDtypeStruct((224, 224, 3), "float32")
        features, _ = jax.eval_shape(
            lambda key, x: module.init_with_output(key, x, span=(None, last)),
            jax.random.key(0),
            image,
        )
        assert features.shape == expected

    @parameterized.parameters(*SMALL)
    def test_two_spans_are_the_whole_and_maps_are_not_negative(self, name):
        model, images = _random(name, **SMALL[name])
        module = models.build_module(model.spec)
        cuts = ["stem", "stage0_block0", "stage3_block0"]
        cuts += ["pool"] if name.startswith("resnet") else []

        @jax.jit
        def compute(variables, images):
            def part(x, span):
                return module.apply(variables, x, span=span)

            maps = [part(images, (None, cut)) for cut in cuts]
            ends = [part(x, (cut, None)) for x, cut in zip(maps, cuts, strict=True)]
            return module.apply(variables, images), maps, ends

        whole, maps, ends = compute(model.variables, images)
        for features, end in zip(maps, ends, strict=True):
            assert features.min() >= 0 and features.max() > 0
            _close(end, whole)

    @parameterized.parameters(*SMALL)
    def test_folded_form_equals_training_form(self, name):
        model, images = _random(name, **SMALL[name])
        mean, std = jnp.asarray([[[MEAN]]]), jnp.asarray([[[STD]]])
        module = models.build_module(model.spec)
        expected = jax.jit(module.apply)(model.variables, (images - mean) / std)
        _close(jax.jit(jax.vmap(models.predictor(model)))(images), expected)

    @parameterized.parameters(("bagnet9", 9), ("bagnet17", 17), ("bagnet33", 33))
    def test_a_place_of_the_last_map_of_a_bagnet_sees_one_patch(self, name, patch):
        model, _ = _random(name, size=(64, 64), width=2, blocks=[1, 1, 1, 1])
        module = models.build_module(model.spec)

        def corner(image):
            span = (None, "stage3_block0")
            places = module.apply(model.variables, image, span=span)
            return places[1, 1].sum()

        images = jnp.asarray(_images(8, (64, 64)))
        gradient = jax.jit(jax.vmap(jax.grad(corner)))(images)
        rows, columns = np.nonzero(np.abs(gradient).sum((0, 3)))
        for seen in (rows, columns):
            assert (seen.min(), seen.max()) == (8, 8 + patch - 1)

    def test_logits_of_a_bagnet_are_the_mean_over_its_patches(self):
        name, options = "bagnet9", SMALL["bagnet9"]
        model, images = _random(name, **options)
        predict = jax.jit(models.predictor(model))
        whole = predict(images[0])
        patches = [
            predict(images[0, row : row + 9, column : column + 9])
            for row in range(0, 40, 8)
            for column in range(0, 40, 8)
        ]
        _close(whole, np.mean(patches, axis=0))

    @parameterized.parameters(("bagnet33", 32), ("bagnet17", 16), ("bagnet9", 8))
    def test_images_without_a_patch_are_refused(self, name, size):
        module = models.build_module(_spec(name, width=2))
        with self.assertRaisesRegex(InputError, f"too small for a {name}"):
            variable_shapes(module, (size, 64, 3))
        variable_shapes(module, (size + 1, 64, 3))

    @parameterized.parameters(
        ("resnet50", dict(width=0), "width must be 1 or more"),
        ("resnet50", dict(blocks=[1, 1, 1, 1]), "no option"),
        ("bagnet9", dict(blocks=3), "blocks must be a list of 4 positive"),
        ("bagnet9", dict(blocks=[1, 1, 1]), "blocks must be a list of 4 positive"),
        ("bagnet9", dict(strides=[2, 2, 2, 0]), "strides must be a list of 4"),
        ("memnet", dict(blocks=[1, 1, 1, 1]), "blocks must be 1 or more"),
    )
    def test_bad_option_is_refused(self, name, options, expected):
        with self.assertRaisesRegex(ValueError, expected):
            models.build_module(_spec(name, **options))

    @parameterized.parameters(*NAMES)
    def test_usual_normalization_is_that_of_imagenet(self, name):
        assert models.default_normalization(name, 3) == (MEAN, STD)


if __name__ == "__main__":
    absltest.main()
