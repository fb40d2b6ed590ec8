"""How many parameters networks have, without computing anything."""

import math

import jax

from mspd_jax import models


def parameters_of(name, *, size, num_classes, **options):
    """The number of parameters, after a look at the shape of the logits."""
    mean, std = models.default_normalization(name, 3)
    shape = (size, size, 3)
    spec = models.ModelSpec(name, options, mean, std, num_classes, shape, {})
    init = models.build_module(spec).init_with_output
    images = jax.ShapeDtypeStruct((2, *shape), "float32")
    logits, shapes = jax.eval_shape(init, jax.random.key(0), images)
    assert logits.shape == (2, num_classes)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes["params"]))
