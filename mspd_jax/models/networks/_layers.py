"""Layers that the networks share: normalization in two forms, convolutions, maxima."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from mspd_jax.convolution import convolution, max_pool
from mspd_jax.models.networks._form import Formed

ACTIVATIONS = {"relu": nn.relu, "silu": nn.silu}
NORM_EPSILON, NORM_MOMENTUM = 1e-5, 0.9

Padding = str | Sequence[tuple[int, int]]
# What "same" padding puts around an even-sized image, by stride.
SAME_PADDING = {1: ((1, 1), (1, 1)), 2: ((0, 1), (0, 1))}
SYMMETRIC_PADDING = ((1, 1), (1, 1))


def conv(
    features: int,
    *,
    kernel: int = 3,
    strides: int = 1,
    padding: Padding = SYMMETRIC_PADDING,
    groups: int = 1,
    use_bias: bool = False,
    name: str,
) -> nn.Conv:
    """A square convolution with the canonical input gradient.

    groups: as many as there are channels make it depthwise.
    """
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(strides, strides),
        padding=padding,
        feature_group_count=groups,
        use_bias=use_bias,
        conv_general_dilated=convolution,
        name=name,
    )


class Norm(Formed):
    """Batch normalization over all axes but the last.

        y = (x - mean) * scale / sqrt(variance + epsilon) + bias

    In training the moments are those of the batch, over every device of `axis_name` if
    there is one, and the running ones keep `momentum` of their value and take the rest
    from them (the variance from the unbiased estimate, as in PyTorch). Otherwise the
    running moments are used. Without `affine` scale is 1, bias 0, and neither learned.
    """

    epsilon: float = NORM_EPSILON
    momentum: float = NORM_MOMENTUM
    affine: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        features = (x.shape[-1],)
        if self.affine or self.folded:
            scale = self.param("scale", nn.initializers.ones, features)
            bias = self.param("bias", nn.initializers.zeros, features)
        else:
            scale, bias = jnp.ones(features), jnp.zeros(features)
        if self.folded:
            return x * as_channels(scale, x) + as_channels(bias, x)
        mean = self.variable("batch_stats", "mean", jnp.zeros, features)
        variance = self.variable("batch_stats", "var", jnp.ones, features)
        if not train:
            moments = mean.value, variance.value
            scale, bias = _affine(*moments, scale, bias, epsilon=self.epsilon)
            return x * as_channels(scale, x) + as_channels(bias, x)
        batch_mean = self._average(x)
        centered = x - as_channels(batch_mean, x)
        batch_variance = self._average(centered**2)
        if not self.is_initializing():
            mean.value = self._move(mean.value, batch_mean)
            count = x.size // x.shape[-1]
            if self.axis_name is not None:
                count *= jax.lax.axis_size(self.axis_name)
            unbiased = batch_variance * (count / max(count - 1, 1))
            variance.value = self._move(variance.value, unbiased)
        scale = scale * jax.lax.rsqrt(batch_variance + self.epsilon)
        return centered * as_channels(scale, x) + as_channels(bias, x)

    def _average(self, x):
        # A product with ones: XLA sums columns on CPUs several times slower, and the
        # gradient of that again.
        rows = jnp.reshape(x, (-1, x.shape[-1]))
        ones = jnp.ones((1, len(rows)), x.dtype)
        average = jnp.matmul(ones, rows, precision="highest")[0] / len(rows)
        if self.axis_name is None or self.is_initializing():
            return average
        return jax.lax.pmean(average, self.axis_name)

    def _move(self, running, batch):
        batch = jax.lax.stop_gradient(batch)
        return self.momentum * running + (1 - self.momentum) * batch


class ConvNorm(Formed):
    """A convolution followed by its normalization; folded, a convolution with bias.

    `use_bias` gives the convolution a bias of its own before the normalization, which
    does nothing there but is in some public checkpoints. `groups` are of channels,
    `affine` is of the normalization.
    """

    features: int
    strides: int = 1
    padding: Padding = SYMMETRIC_PADDING
    epsilon: float = NORM_EPSILON
    momentum: float = NORM_MOMENTUM
    kernel: int = 3
    groups: int = 1
    use_bias: bool = False
    affine: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = conv(
            self.features,
            kernel=self.kernel,
            strides=self.strides,
            padding=self.padding,
            groups=self.groups,
            use_bias=self.use_bias or self.folded,
            name="conv",
        )(x)
        if self.folded:
            return x
        form = (self.epsilon, self.momentum, self.affine)
        return self.part(Norm, *form, name="norm")(x, train)


def largest(
    x: jax.Array,
    size: int,
    stride: int,
    padding: Sequence[tuple[int, int]] = ((0, 0), (0, 0)),
) -> jax.Array:
    """Maxima over windows of size x size pixels of maps [..., H, W, C]."""
    front = (1,) * (x.ndim - 3)
    around = [(0, 0)] * len(front) + [*padding, (0, 0)]
    window, strides = (*front, size, size, 1), (*front, stride, stride, 1)
    return max_pool(x, window, strides, around)


def fold_norms(
    params: Mapping, batch_stats: Mapping, *, epsilon: float = NORM_EPSILON
) -> dict:
    """Weights of the folded form, from those of the training form.

    conv then norm:  kernel' = kernel * a, bias' = bias + (b - mean) * a
    norm alone:      scale'  = a,          bias' = bias - mean * a
    with a = scale / sqrt(variance + epsilon), per output channel, and b the bias of the
    convolution, if it has one. Norms without running statistics (of groups or layers)
    stay as they are, and so do the statistics of a `MeanSparse`; norms without scale
    and bias have 1 and 0.
    """
    if "threshold" in batch_stats:
        return dict(batch_stats)
    if "mean" in batch_stats.get("norm", {}) and "conv" in params:
        moments = batch_stats["norm"]
        scale, bias = _affine(**moments, **params.get("norm", {}), epsilon=epsilon)
        kernel = params["conv"]["kernel"]
        if "bias" in params["conv"]:
            bias = bias + params["conv"]["bias"] * scale
        return {"conv": {"kernel": kernel * as_channels(scale, kernel), "bias": bias}}
    if "mean" in batch_stats:
        scale, bias = _affine(**batch_stats, **params, epsilon=epsilon)
        return {"scale": scale, "bias": bias}
    inner = {name: params.get(name, {}) for name in (*params, *batch_stats)}
    return {
        name: fold_norms(value, batch_stats.get(name, {}), epsilon=epsilon)
        if isinstance(value, Mapping)
        else value
        for name, value in inner.items()
    }


def _affine(mean, var, scale=1.0, bias=0.0, *, epsilon):
    scale = scale * jax.lax.rsqrt(var + epsilon)
    return scale, bias - mean * scale


def as_channels(vector: jax.Array, x: jax.Array) -> jax.Array:
    """A vector along the last axis of `x`, ready to be computed with it."""
    return jnp.reshape(vector, (1,) * (x.ndim - 1) + vector.shape)


def blocks_as_channels(x: jax.Array, size: int) -> jax.Array:
    """[..., H, W, C] -> [..., H / size, W / size, C * size^2], edges repeated."""
    if size == 1:
        return x
    sides = [(0, 0)] * (x.ndim - 3) + [(0, -side % size) for side in x.shape[-3:-1]]
    x = jnp.pad(x, [*sides, (0, 0)], mode="edge")
    *lead, height, width, channels = x.shape
    x = x.reshape(*lead, height // size, size, width // size, size, channels)
    x = jnp.moveaxis(x, (-4, -2), (-2, -1))  # places in a block behind the channels
    return x.reshape(*lead, height // size, width // size, channels * size**2)


def channels_as_blocks(x: jax.Array, size: int) -> jax.Array:
    """The inverse: [..., h, w, C * size^2] -> [..., h * size, w * size, C]."""
    if size == 1:
        return x
    *lead, height, width, channels = x.shape
    x = x.reshape(*lead, height, width, channels // size**2, size, size)
    x = jnp.moveaxis(x, (-2, -1), (-4, -2))  # each behind its rows or columns
    return x.reshape(*lead, height * size, width * size, channels // size**2)
