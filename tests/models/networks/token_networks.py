"""Small specifications of the networks that norm the channels of each place."""

import jax
import jax.numpy as jnp

from mspd_jax import models
from mspd_jax.models._initialize import variable_shapes
from tests.models.networks.imagenet_networks import spec_of

SIZE = (32, 36)
_CONVNEXT = {"depths": [1, 1, 2, 1], "dims": [4, 6, 8, 10]}
_VIT = {"depth": 2, "width": 12}
SMALL = {
    "convnext_tiny": _CONVNEXT,
    "convnext_base_convstem": _CONVNEXT | {"stem": [2, 3, 4]},
    "vit_small": _VIT | {"patch": 8},
    "vit_small_convstem": _VIT | {"stem": [2, 3, 4, 6]},
    "swin_tiny": {
        "depths": [2, 1, 1, 1],
        "width": 6,
        "window": 3,
    },
    "xcit_small_12_p16": {"depth": 1, "width": 16},
    "xcit_small_12_p4": {"depth": 1, "width": 16},
}


def parameters(name, size=224, classes=1000):
    """How many parameters the network of this name has, statistics not counted."""
    spec = spec_of(name, size=(size, size), num_classes=classes)
    shapes = variable_shapes(models.build_module(spec), spec.image_shape)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def small_model(name, size=SIZE, **options):
    spec = spec_of(name, size=size, **(SMALL[name] | options))
    return models.create_model(jax.random.key(0), spec)


def logits_shape(model, dtype=jnp.float32):
    """Shape and type of what the model gives, without computing it."""
    image = jax.ShapeDtypeStruct(model.spec.image_shape, jnp.float32)
    return jax.eval_shape(models.predictor(model, dtype=dtype), image)
