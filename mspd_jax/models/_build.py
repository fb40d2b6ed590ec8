"""From a specification to a network, to random weights, to a `predict` function."""

import functools
import json
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models._architectures import (
    complete_options,
    make_network,
    norm_epsilon,
    restores,
)
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
    normalizations are folded here, once; gradients flow to image and weights. Raises
    InputError for a denoiser, which gives no logits.
    """
    _check_gives(model.spec, images=False)
    return _function(model, dtype)


def restorer(model: Model, *, dtype=jnp.float32) -> jax.tree_util.Partial:
    """A denoiser as a callable pytree: image [H, W, C] -> image [H, W, C].

    Everything else is as for `predictor`. What comes out is not clipped. Raises
    InputError for a classifier.
    """
    _check_gives(model.spec, images=True)
    return _function(model, dtype)


def gives_images(spec: ModelSpec) -> bool:
    """Whether a model is a denoiser (see `restorer`), not a classifier."""
    return restores(spec.architecture)


def train_outputs(
    spec: ModelSpec,
    variables: dict,
    images: jax.Array,
    *,
    axis_name: str | None = None,
) -> tuple[jax.Array, dict]:
    """Logits (of a denoiser: images) in training mode, and the moved statistics.

    images: [B, H, W, C] in [0, 1]; normalization is inside. Batch normalization uses
    the moments of the batch, over all devices of `axis_name` where one is given.
    Returns (logits [B, K] or images, new batch_stats); the latter is {} where there are
    none. Gradients flow through the first alone.
    """
    chex.assert_rank(images, 4)
    mean, std = _normalization(spec)
    module = build_module(spec, axis_name)
    out, updated = module.apply(
        variables, _normalize(images, mean, std), train=True, mutable=["batch_stats"]
    )
    if gives_images(spec):
        out = _denormalize(out, mean, std)
    return out, updated.get("batch_stats", {})


def _check_gives(spec, *, images):
    check_spec(spec)
    if gives_images(spec) != images:
        kinds = ("a classifier", "a denoiser")
        raise InputError(
            f"a {spec.architecture} is {kinds[not images]}, not {kinds[images]}: name "
            f"a checkpoint of {kinds[images]}"
        )


def _function(model, dtype):
    """The network in evaluation mode, its normalizations folded."""
    spec, variables = model.spec, model.variables
    epsilon = norm_epsilon(spec.architecture)
    fold = _fold(variables["params"], variables.get("batch_stats", {}), epsilon=epsilon)
    weights = jax.tree.map(lambda leaf: leaf.astype(dtype), fold)
    function = _predict_function(*_signature(spec))
    return jax.tree_util.Partial(function, weights, *_normalization(spec))


def _signature(spec):
    """The hashable part of a specification that decides what is compiled."""
    options = complete_options(spec.architecture, spec.options)
    outputs = spec.image_shape[-1] if gives_images(spec) else spec.num_classes
    return spec.architecture, json.dumps(options, sort_keys=True), outputs


@functools.cache
def _network(architecture, options, outputs, axis_name, folded):
    return make_network(
        architecture,
        json.loads(options),
        outputs=outputs,
        axis_name=axis_name,
        folded=folded,
    )


@functools.cache
def _predict_function(architecture, options, outputs) -> Callable:
    module = _network(architecture, options, outputs, None, True)
    images = restores(architecture)

    def predict(weights, mean, std, image):
        chex.assert_shape(image, (None, None, mean.shape[0]))
        dtype = jax.tree.leaves(weights)[0].dtype
        x = _normalize(image, mean, std).astype(dtype)
        out = module.apply({"params": weights}, x).astype(jnp.float32)
        return _denormalize(out, mean, std) if images else out

    return predict


_fold = jax.jit(fold_norms, static_argnames="epsilon")


def _normalization(spec):
    return jnp.asarray(spec.mean, jnp.float32), jnp.asarray(spec.std, jnp.float32)


def _normalize(images, mean, std):
    shape = (1,) * (images.ndim - 1) + mean.shape
    return (images - jnp.reshape(mean, shape)) / jnp.reshape(std, shape)


def _denormalize(images, mean, std):
    shape = (1,) * (images.ndim - 1) + mean.shape
    return images * jnp.reshape(std, shape) + jnp.reshape(mean, shape)
