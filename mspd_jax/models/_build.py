"""From a specification to a network, to random weights, to a `predict` function."""

import functools
import json
from collections.abc import Callable

import chex
import flax
import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from mspd_jax.errors import InputError, first_line
from mspd_jax.models._architectures import (
    complete_options,
    family_of,
    make_network,
    restores,
)
from mspd_jax.models._initialize import initialize, variable_shapes
from mspd_jax.models._precision import network_dtype
from mspd_jax.models._spec import Model, ModelSpec, check_spec, input_shape
from mspd_jax.models.networks import (
    CLASSIFIER,
    DIFFUSION,
    OWN_NOISE,
    TOLD_NOISE,
    as_channels,
    fold_norms,
)

# Architecture, options as JSON, outputs.
Signature = tuple[str, str, int]


def build_module(spec: ModelSpec, axis_name: str | None = None) -> nn.Module:
    """The network of a specification, in training form; it takes normalized images.

    Equal specifications give the same object, so that nothing compiles twice. With
    `axis_name`, batch statistics are averaged over the devices of that axis.
    """
    return network_of(signature(spec), axis_name=axis_name)


def checked_shapes(spec: ModelSpec) -> dict:
    """Shapes of the variables; InputError unless the network can read its images.

    Some take images that are not too small, some those of one size; what they raise
    comes from what they are made of.
    """
    module = build_module(spec)
    try:
        return variable_shapes(module, input_shape(spec))
    except Exception as error:
        height, width = spec.image_shape[:2]
        raise InputError(
            f"a {spec.architecture} cannot read images of {height}x{width} pixels: "
            f"{first_line(error)}"
        ) from error


def create_model(key: jax.Array, spec: ModelSpec) -> Model:
    """A model with random weights: He-normal kernels, neutral normalizations.

    Raises InputError for an unknown architecture, ValueError for options, shape or
    normalization that do not fit.

    Example:
      mean, std = models.default_normalization("resnet20", channels=3)
      spec = models.ModelSpec("resnet20", {}, mean, std, 10, (32, 32, 3), origin={})
      model = models.create_model(jax.random.key(0), spec)
    """
    check_spec(spec)
    return Model(spec, initialize(key, build_module(spec), input_shape(spec)))


def predictor(model: Model, *, dtype: DTypeLike = jnp.float32) -> jax.tree_util.Partial:
    """The model as a callable pytree: image [H, W, C] in [0, 1] -> logits [K].

    Evaluation mode: the logits of an image do not depend on any other. The
    normalization by mean and std is inside, so distances and gradients are in pixels.
    The weights are the leaves; the static part is one object for all models of one
    architecture, so two of them share their compilations. The batch normalizations are
    folded here, once; gradients flow to image and weights. Raises InputError for a
    network that does not return logits.

    Args:
      model: a classifier.
      dtype: the type computed in (bfloat16 is for accelerators); image and logits stay
        float32.

    Returns:
      image -> logits, a callable pytree.

    Example:
      predict = models.predictor(models.load_model("cifar10_resnet20_robust"))
      logits = jax.jit(jax.vmap(predict))(images)  # [B, 32, 32, 3] -> [B, 10]
    """
    return function_of_kind(CLASSIFIER, model, dtype=dtype)


def function_of(
    model: Model, *, dtype: DTypeLike = jnp.float32
) -> jax.tree_util.Partial:
    """Any network in evaluation mode: what it reads -> logits, or an image.

    A diffusion model reads x_t in [-1, 1], which is not normalized, and t [] -> noise.
    """
    check_spec(model.spec)
    weights = jax.tree.map(lambda leaf: leaf.astype(dtype), folded_weights(model))
    function = _predict_function(signature(model.spec))
    return jax.tree_util.Partial(function, weights, *normalization(model.spec))


def gives_images(spec: ModelSpec) -> bool:
    """Whether a model returns an image, or the noise in one, and not logits."""
    return restores(spec.architecture)


def is_told_noise(spec: ModelSpec) -> bool:
    """Whether a denoiser reads sigma beside the image."""
    return family_of(spec.architecture).noise == TOLD_NOISE


def takes_any_noise(spec: ModelSpec) -> bool:
    """Whether what removes noise does so for every sigma, not for one alone."""
    family = family_of(spec.architecture)
    return family.kind == DIFFUSION or family.noise != OWN_NOISE


def model_kind(spec: ModelSpec) -> str:
    """A classifier, a denoiser, a restoration network, or a diffusion model."""
    return family_of(spec.architecture).kind


def train_outputs(
    spec: ModelSpec,
    variables: dict,
    images: jax.Array,
    *,
    axis_name: str | None = None,
    edit: tuple[str, Callable] | None = None,
    time: jax.Array | None = None,
) -> tuple[jax.Array, dict]:
    """Logits [B, K] (or images) in training mode, and the moved batch_stats.

    Normalization is inside. Gradients flow through the first result alone. The second
    is {} where the network keeps no statistics.

    Args:
      images: [B, H, W, C] in [0, 1], for a restoration network with its gradient maps
        as further channels.
      axis_name: the batch is that of all devices of this axis.
      edit: a layer of a classifier, and what is done to the maps [B, h, w, c] behind
        it.
      time: [B], of a diffusion model, whose `images` are not normalized.
    """
    chex.assert_rank(images, 4)
    mean, std = normalization(spec)
    module = build_module(spec, axis_name)
    learn = functools.partial(module.apply, train=True, mutable=["batch_stats"])
    if time is not None:
        noise, updated = learn(variables, images, time=time)
        return noise, updated.get("batch_stats", {})
    x = normalize(images, mean, std)
    if edit is None:
        out, updated = learn(variables, x)
    else:
        cut, change = edit
        places, updated = learn(variables, x, span=(None, cut))
        out, updated = learn({**variables, **updated}, change(places), span=(cut, None))
    if gives_images(spec):
        out = _denormalize(out, mean, std)
    return out, updated.get("batch_stats", {})


def function_of_kind(
    wanted: str, model: Model, *, dtype: DTypeLike
) -> jax.tree_util.Partial:
    """As `function_of`; InputError unless the model is of the kind that is wanted."""
    kind = model_kind(model.spec)
    if kind != wanted:
        raise InputError(
            f"a {model.spec.architecture} is {kind}, not {wanted}: name a checkpoint "
            f"of {wanted}"
        )
    return function_of(model, dtype=dtype)


def folded_weights(model: Model) -> dict:
    """The weights of a network's folded form."""
    statistics = model.variables.get("batch_stats", {})
    epsilon = family_of(model.spec.architecture).epsilon
    return _fold(model.variables["params"], statistics, epsilon=epsilon)


def signature(spec: ModelSpec) -> Signature:
    """The hashable part of a specification that decides what is compiled."""
    options = complete_options(spec.architecture, spec.options)
    outputs = spec.image_shape[-1] if gives_images(spec) else spec.num_classes
    return spec.architecture, json.dumps(options, sort_keys=True), outputs


@functools.cache
def network_of(
    signed: Signature, *, axis_name: str | None = None, folded: bool = False
) -> nn.Module:
    """The network of this `signature`; see `Formed` for its form."""
    name, options, outputs = signed
    return make_network(
        name, json.loads(options), outputs=outputs, axis_name=axis_name, folded=folded
    )


@functools.cache
def _predict_function(signed: Signature) -> Callable:
    module = network_of(signed, folded=True)
    kind = family_of(signed[0]).kind

    def predict(weights, mean, std, image, *level):
        if image.ndim != 3 or image.shape[-1] != mean.shape[0]:
            raise InputError(
                f"an image of shape {image.shape} for a {signed[0]} that reads "
                f"[H, W, {mean.shape[0]}]"
            )
        dtype = network_dtype(jax.tree.leaves(weights)[0].dtype, name=signed[0])
        weights = jax.tree.map(lambda leaf: leaf.astype(dtype), weights)
        if kind == DIFFUSION:
            out = module.apply({"params": weights}, image.astype(dtype), False, *level)
            return out.astype(jnp.float32)
        x = normalize(image, mean, std).astype(dtype)
        try:
            out = module.apply({"params": weights}, x, False, *level)
        except flax.errors.ScopeParamShapeError as error:  # a dense layer of a map
            height, width = image.shape[:2]
            raise InputError(
                f"this {signed[0]} was made for another size than {height}x{width}"
            ) from error
        out = out.astype(jnp.float32)
        return out if kind == CLASSIFIER else _denormalize(out, mean, std)

    return predict


_fold = jax.jit(fold_norms, static_argnames="epsilon")


def normalization(spec: ModelSpec) -> tuple[jax.Array, jax.Array]:
    """Mean and deviation of each channel that the network reads."""
    maps = input_shape(spec)[-1] - spec.image_shape[-1]
    mean, std = (*spec.mean, *(0.0,) * maps), (*spec.std, *(1.0,) * maps)
    return jnp.asarray(mean, jnp.float32), jnp.asarray(std, jnp.float32)


def normalize(images: jax.Array, mean: jax.Array, std: jax.Array) -> jax.Array:
    """What a network reads: images [..., H, W, C] less mean, by std."""
    return (images - as_channels(mean, images)) / as_channels(std, images)


def _denormalize(images, mean, std):
    # The gradient maps, which were read after the image's channels, are not returned.
    mean, std = mean[: images.shape[-1]], std[: images.shape[-1]]
    return images * as_channels(std, images) + as_channels(mean, images)
