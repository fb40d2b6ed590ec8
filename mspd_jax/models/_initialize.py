"""Random weights for any network, from one draw.

A network's own `init` makes a program with one random generator per kernel, and XLA
takes longer to compile that than to train a small model. Here all kernels are slices
of a single normal vector.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn


def initialize(key: jax.Array, module: nn.Module, image_shape: tuple) -> dict:
    """Variables of a network for images [H, W, C] of `image_shape`.

    Kernels are He-normal, N(0, 2 / fan_in), of dense layers N(0, 1 / fan_in);
    normalizations are the identity, biases zero (He et al. 2015, section 2.2). Tokens,
    position embeddings and tables of biases are N(0, 0.02^2), temperatures one, scales
    of residual branches the network's `layer_scale`, or one; a learned activation is
    the SiLU. A network marked `orthogonal` has semi-orthogonal kernels [fan_in,
    outputs], and zeros in its layer `last`, so that it begins as the identity plus
    nothing. Layers that a network names as its `zeros` have kernels of zeros.
    """
    shapes = variable_shapes(module, image_shape)
    paths, structure = jax.tree_util.tree_flatten_with_path(shapes)
    sizes = [math.prod(leaf.shape) if _is_drawn(path) else 0 for path, leaf in paths]
    pieces = jnp.split(jax.random.normal(key, (sum(sizes),)), np.cumsum(sizes)[:-1])
    orthogonal = getattr(module, "orthogonal", False)
    zeros = getattr(module, "zeros", ("last",) if orthogonal else ())
    constants = _CONSTANTS | dict.fromkeys(_GAMMAS, getattr(module, "layer_scale", 1.0))
    leaves = [
        _leaf(path, leaf.shape, piece, orthogonal, zeros, constants)
        for (path, leaf), piece in zip(paths, pieces, strict=True)
    ]
    return jax.tree.unflatten(structure, leaves)


def variable_shapes(module: nn.Module, image_shape: tuple) -> dict:
    """Shapes and types of a network's variables, without computing anything."""
    image = jax.ShapeDtypeStruct(image_shape, jnp.float32)
    return jax.eval_shape(module.init, jax.random.key(0), image)


_CONSTANTS = dict.fromkeys(("scale", "var", "temperature", "alpha"), 1.0)
_CONSTANTS["beta"] = 1e-8  # of PSSiLU
_GAMMAS = ("gamma", "gamma1", "gamma2", "gamma3")
_SMALL, _DEVIATION = ("cls_token", "pos_embed", "relative_position_bias_table"), 0.02


def _is_drawn(path):
    return path[-1].key in ("kernel", *_SMALL)


def _leaf(path, shape, normal, orthogonal, zeros, constants):
    if not _is_drawn(path):
        return jnp.full(shape, constants.get(path[-1].key, 0.0))
    if path[-1].key in _SMALL:
        return _DEVIATION * normal.reshape(shape)
    if path[-2].key in zeros:
        return jnp.zeros(shape)
    if orthogonal:
        return _orthogonal(normal, shape)
    gain = 1.0 if len(shape) == 2 else 2.0
    return normal.reshape(shape) * math.sqrt(gain / math.prod(shape[:-1]))


def _orthogonal(normal, shape):
    """Rows or columns, whichever are fewer, are orthonormal, uniformly so."""
    matrix = normal.reshape(-1, shape[-1])
    wide = matrix.shape[0] < matrix.shape[1]
    q, r = jnp.linalg.qr(matrix.T if wide else matrix)
    q = q * jnp.sign(jnp.diagonal(r))[None]  # makes the choice of q unique
    return (q.T if wide else q).reshape(shape)
