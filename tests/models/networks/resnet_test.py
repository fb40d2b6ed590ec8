"""ResNets, and BagNets made of them: sizes, maps, the two forms, options."""

import math

import jax
import jax.numpy as jnp
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes
from tests.models.networks.cifar10_networks import millions_of
from tests.models.networks.imagenet_networks import (
    MEAN,
    NAMES,
    SMALL,
    STD,
    assert_close,
    random_model,
    spec_of,
)


# He et al. 2016, table 6.
@pytest.mark.parametrize(
    ("depth", "millions", "digits"),
    [(20, 0.27, 2), (32, 0.46, 2), (44, 0.66, 2), (56, 0.85, 2), (110, 1.7, 1)],
)
def test_size_is_the_published_one(depth, millions, digits):
    assert round(millions_of(f"resnet{depth}"), digits) == millions


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
        module = models.build_module(spec_of(name, num_classes=1000))
        shapes = variable_shapes(module, (224, 224, 3))
        sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes["params"])]
        assert sum(sizes) == expected

    @parameterized.parameters(*NAMES)
    def test_one_logit_for_each_class(self, name):
        module = models.build_module(spec_of(name, width=4))
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
        module = models.build_module(spec_of(name))
        image = jax.ShapeDtypeStruct((224, 224, 3), "float32")
        features, _ = jax.eval_shape(
            lambda key, x: module.init_with_output(key, x, span=(None, last)),
            jax.random.key(0),
            image,
        )
        assert features.shape == expected

    @parameterized.parameters(*SMALL)
    def test_two_spans_are_the_whole_and_maps_are_not_negative(self, name):
        model, images = random_model(name, **SMALL[name])
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
            assert_close(end, whole)

    @parameterized.parameters(*SMALL)
    def test_folded_form_equals_training_form(self, name):
        model, images = random_model(name, **SMALL[name])
        mean, std = jnp.asarray([[[MEAN]]]), jnp.asarray([[[STD]]])
        module = models.build_module(model.spec)
        expected = jax.jit(module.apply)(model.variables, (images - mean) / std)
        assert_close(jax.jit(jax.vmap(models.predictor(model)))(images), expected)

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
            models.build_module(spec_of(name, **options))

    @parameterized.parameters(*NAMES)
    def test_usual_normalization_is_that_of_imagenet(self, name):
        assert models.default_normalization(name, 3) == (MEAN, STD)
