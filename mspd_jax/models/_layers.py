"""Layers that the networks share: normalization in two forms, and the convolutions.

A network is built in one of two forms from one description.

* Training form: `params` and `batch_stats`; batch statistics when `train` is true,
  running statistics otherwise.
* Folded form (`folded=True`): `params` alone, evaluation only. Every normalization is
  one multiply-add per channel, and one that follows a convolution is part of its
  kernel and bias. `fold_norms` turns the weights of the first form into the second.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.models._convolution import convolution

ACTIVATIONS = {"relu": nn.relu, "silu": nn.silu}
NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.9

# What "same" padding puts around an even-sized image, by stride.
SAME_PADDING = {1: ((1, 1), (1, 1)), 2: ((0, 1), (0, 1))}
SYMMETRIC_PADDING = ((1, 1), (1, 1))


def conv(
    features: int,
    *,
    kernel: int = 3,
    strides: int = 1,
    padding=SYMMETRIC_PADDING,
    use_bias: bool = False,
    name: str,
) -> nn.Conv:
    """A square convolution with the canonical input gradient."""
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(strides, strides),
        padding=padding,
        use_bias=use_bias,
        conv_general_dilated=convolution,
        name=name,
    )


class Norm(nn.Module):
    """Batch normalization over all axes but the last.

        y = (x - mean) * scale / sqrt(variance + 1e-5) + bias

    In training the moments are those of the batch, over every device of `axis_name` if
    it is given, and the running ones move by a tenth towards them (the variance towards
    the unbiased estimate, as in PyTorch). Otherwise the running moments are used.
    """

    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        features = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, features)
        bias = self.param("bias", nn.initializers.zeros, features)
        if self.folded:
            return x * _as_channels(scale, x) + _as_channels(bias, x)
        mean = self.variable("batch_stats", "mean", jnp.zeros, features)
        variance = self.variable("batch_stats", "var", jnp.ones, features)
        if not train:
            scale, bias = _affine(scale, bias, mean.value, variance.value)
            return x * _as_channels(scale, x) + _as_channels(bias, x)
        batch_mean = self._average(x)
        centered = x - _as_channels(batch_mean, x)
        batch_variance = self._average(centered**2)
        if not self.is_initializing():
            mean.value = _move(mean.value, batch_mean)
            unbiased = batch_variance * self._bessel(x)
            variance.value = _move(variance.value, unbiased)
        scale = scale * jax.lax.rsqrt(batch_variance + NORM_EPSILON)
        return centered * _as_channels(scale, x) + _as_channels(bias, x)

    def _average(self, x):
        average = jnp.mean(x, axis=tuple(range(x.ndim - 1)))
        if self.axis_name is None or self.is_initializing():
            return average
        return jax.lax.pmean(average, self.axis_name)

    def _bessel(self, x):
        count = x.size // x.shape[-1]
        if self.axis_name is not None:
            count *= jax.lax.axis_size(self.axis_name)
        return count / max(count - 1, 1)


class ConvNorm(nn.Module):
    """A convolution followed by its normalization; folded, a convolution with bias."""

    features: int
    strides: int = 1
    padding: tuple = SYMMETRIC_PADDING
    axis_name: str | None = None
    folded: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = conv(
            self.features,
            strides=self.strides,
            padding=self.padding,
            use_bias=self.folded,
            name="conv",
        )(x)
        if self.folded:
            return x
        return Norm(self.axis_name, name="norm")(x, train)


def fold_norms(params: Mapping, batch_stats: Mapping) -> dict:
    """Weights of the folded form, from those of the training form.

    conv then norm:  kernel' = kernel * a, bias' = bias - mean * a
    norm alone:      scale'  = a,          bias' = bias - mean * a
    with a = scale / sqrt(variance + 1e-5), per output channel.
    """
    if "norm" in params and "conv" in params:
        scale, bias = _affine(**params["norm"], **batch_stats["norm"])
        kernel = params["conv"]["kernel"]
        return {"conv": {"kernel": kernel * _as_channels(scale, kernel), "bias": bias}}
    if "scale" in params:
        scale, bias = _affine(**params, **batch_stats)
        return {"scale": scale, "bias": bias}
    return {
        name: fold_norms(value, batch_stats.get(name, {}))
        if isinstance(value, Mapping)
        else value
        for name, value in params.items()
    }


def global_average(x: jax.Array) -> jax.Array:
    """Mean over the two spatial axes: [..., H, W, C] -> [..., C]."""
    return jnp.mean(x, axis=(-3, -2))


def _affine(scale, bias, mean, var):
    scale = scale * jax.lax.rsqrt(var + NORM_EPSILON)
    return scale, bias - mean * scale


def _as_channels(vector, x):
    return jnp.reshape(vector, (1,) * (x.ndim - 1) + vector.shape)


def _move(running, batch):
    return NORM_MOMENTUM * running + (1 - NORM_MOMENTUM) * jax.lax.stop_gradient(batch)
