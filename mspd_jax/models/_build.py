"""From a specification to a network, to random weights, to a `predict` function."""

import functools
import json
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models._architectures import complete_options, make_network
from mspd_jax.models._initialize import initialize
from mspd_jax.models._layers import fold_norms
from mspd_jax.models._spec import Model, ModelSpec, check_spec


def build_module(spec: ModelSpec, axis_name: str | None = None) -> nn.Module:
    """The network of a specification, in training form; it takes normalized images.

    Equal specifications give the same object, so that nothing compiles twice. With
    `axis_name`, batch statistics are averaged over the devices of that axis.
    """
    return _network(*_signature(spec), axis_name, False)


def create_model(key: jax.Array, spec: ModelSpec) -> Model:
    """A model with random weights: He-normal kernels, neutral normalizations."""
    check_spec(spec)
    return Model(spec, initialize(key, build_module(spec), spec.image_shape))


def predictor(model: Model, *, dtype=jnp.float32) -> jax.tree_util.Partial:
    """The model as a callable pytree: image [H, W, C] in [0, 1] -> logits [K].

    Evaluation mode: the logits of an image do not depend on any other. The
    normalization by mean and std is inside, so distances and gradients are in pixels.
    The weights are the leaves; the static part is one object for all models of one
    architecture, so two of them share their compilations. `dtype` is the type computed
    in (bfloat16 is for accelerators); image and logits stay float32. The batch
    normalizations are folded here, once; gradients flow to image and weights.
    """
    check_spec(model.spec)
    weights = _fold(model.variables["params"], model.variables.get("batch_stats", {}))
    weights = jax.tree.map(lambda leaf: leaf.astype(dtype), weights)
    mean, std = _normalization(model.spec)
    function = _predict_function(*_signature(model.spec))
    return jax.tree_util.Partial(function, weights, mean, std)


def train_logits(
    spec: ModelSpec,
    variables: dict,
    images: jax.Array,
    *,
    axis_name: str | None = None,
) -> tuple[jax.Array, dict]:
    """Logits in training mode, and the statistics that the batch has moved.

    images: [B, H, W, C] in [0, 1]; normalization is inside. Batch normalization uses
    the moments of the batch, over all devices of `axis_name` where one is given.
    Returns (logits [B, K], new batch_stats); the latter is {} where there are none.
    Gradients flow through the logits alone.
    """
    chex.assert_rank(images, 4)
    mean, std = _normalization(spec)
    module = build_module(spec, axis_name)
    logits, updated = module.apply(
        variables, _normalize(images, mean, std), train=True, mutable=["batch_stats"]
    )
    return logits, updated.get("batch_stats", {})


def _signature(spec):
    """The hashable part of a specification that decides what is compiled."""
    options = complete_options(spec.architecture, spec.options)
    return spec.architecture, json.dumps(options, sort_keys=True), spec.num_classes


@functools.cache
def _network(architecture, options, num_classes, axis_name, folded):
    return make_network(
        architecture,
        json.loads(options),
        num_classes=num_classes,
        axis_name=axis_name,
        folded=folded,
    )


@functools.cache
def _predict_function(architecture, options, num_classes) -> Callable:
    module = _network(architecture, options, num_classes, None, True)

    def predict(weights, mean, std, image):
        chex.assert_shape(image, (None, None, mean.shape[0]))
        dtype = jax.tree.leaves(weights)[0].dtype
        x = _normalize(image, mean, std).astype(dtype)
        return module.apply({"params": weights}, x).astype(jnp.float32)

    return predict


_fold = jax.jit(fold_norms)


def _normalization(spec):
    return jnp.asarray(spec.mean, jnp.float32), jnp.asarray(spec.std, jnp.float32)


def _normalize(images, mean, std):
    shape = (1,) * (images.ndim - 1) + mean.shape
    return (images - jnp.reshape(mean, shape)) / jnp.reshape(std, shape)
