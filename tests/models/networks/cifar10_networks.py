"""Specifications of networks for CIFAR-10, and their sizes."""

import math

import jax

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes


def spec(name, **options):
    """For CIFAR-10."""
    return models.ModelSpec(
        architecture=name,
        options=options,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        num_classes=10,
        image_shape=(32, 32, 3),
        origin={},
    )


def millions_of(name):
    """How many million parameters a network has."""
    module = models.build_module(spec(name))
    shapes = variable_shapes(module, (32, 32, 3))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) / 1e6
