"""Detectors ask for float32 products, whatever an accelerator does by default.

The bounds on rounding that certificates allow for hold in float32, and not in TF32 or
bfloat16, which GPUs and TPUs multiply in unless a program says otherwise.
"""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.extend import core

from mspd_jax import models, patch

SHAPE = (12, 12, 3)
WINDOWS = patch.cover(SHAPE, patch=3, per_axis=2)
PRODUCTS = ("dot_general", "conv_general_dilated", "dense_convolution")


def model_of(architecture, **options):
    spec = models.ModelSpec(
        architecture=architecture,
        options=options,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        num_classes=3,
        image_shape=SHAPE,
        origin={},
    )
    return models.create_model(jax.random.key(0), spec)


def products_of(function, *arguments):
    """(name, precision) of each product that a function traces, at any depth."""
    found = []

    def walk(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name in PRODUCTS:
                found.append((equation.primitive.name, equation.params["precision"]))
            for inner in core.jaxprs_in_params(equation.params):
                walk(inner)

    with jax.default_matmul_precision("default"):  # as accelerators find it
        walk(jax.make_jaxpr(function)(*arguments).jaxpr)
    return found


def is_highest(precision):
    both = precision if isinstance(precision, tuple) else (precision,)
    return all(each == lax.Precision.HIGHEST for each in both)


@functools.cache
def network(name):
    if name == "resnet":
        return model_of("resnet20"), "stem"
    return model_of("small_cnn", widths=[3, 4], norm=False), "layer0"


def asked(method, name):
    """What is asked of an image by a method: image -> what it says."""
    model, cut = network(name)
    predict = models.predictor(model)
    if method == "patchcleanser":
        pairs = patch.patch_cleanser(predict, WINDOWS)
        return functools.partial(patch.recover, pairs, budget=3)
    if method == "minority":
        detector = patch.minority_reports(predict, WINDOWS)
    else:
        detector = patch.scalecert(models.split(model, cut), WINDOWS, keep=0.1)
    return functools.partial(patch.detect, detector, budget=3)


@pytest.mark.parametrize(
    "method, name",
    [
        ("scalecert", "resnet"),
        ("scalecert", "small_cnn"),
        ("minority", "small_cnn"),
        ("patchcleanser", "small_cnn"),
    ],
)
def test_every_product_is_in_float32(method, name):
    function = asked(method, name)
    image = jnp.zeros(SHAPE)
    # What was traced before, in another precision, is not taken.
    products_of(jax.jit(models.predictor(network(name)[0])), image)
    found = products_of(jax.jit(jax.vmap(function)), image[None])
    assert {"dot_general", "dense_convolution"} <= {name for name, _ in found}
    assert all(is_highest(precision) for _, precision in found), found


def test_a_network_alone_takes_the_default():
    """The walk sees what it looks for: without a detector, nothing is asked."""
    model, _ = network("small_cnn")
    found = products_of(models.predictor(model), jnp.zeros(SHAPE))
    assert found and not any(is_highest(precision) for _, precision in found)
