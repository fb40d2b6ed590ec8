"""Networks that want a batch, as per-image functions that see the true one.

Under `vmap` the usual rules would hand a network batches of one image each: slow where
it was written for batches, and blind to a network whose images influence each other.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.tree_util import Partial

from mspd_jax.models._callable import as_pytree


def from_batched(function: Callable, *args) -> Partial:
    """A network `function(*args, images [B, H, W, C]) -> [B, K]` as a `predict`.

        predict(image) = function(*args, image[None])[0]

    Under `vmap`, nested or inside loops, `function` is called once with the images of
    all levels as one batch, and so is its gradient. So the logits under `vmap` are
    the network's own on this batch: if images leak into each other (batch
    normalization in training mode), they still do, and so do their gradients.

    Gradient flows to the image alone; asking for that of `args` raises ValueError. In
    reverse mode only, because the backward pass is batched by hand.

    Args:
      function: pure; a function or a callable pytree. Use one object for all models of
        a kind: another one compiles again.
      *args: pytrees, such as the weights; they become leaves of the result. Where the
        weights themselves are mapped over, each model sees the batch that is its own.

    Returns:
      image [H, W, C] -> logits [K], a callable pytree.

    Example:
      predict = models.from_batched(network.apply, {"params": weights})
      logits = jax.vmap(predict)(images)  # one call of network.apply
    """
    return Partial(_predict, Partial(_apply, as_pytree(function), *args))


def _apply(function, *args_and_images):
    return function(*args_and_images)


def _predict(network, image):
    return _logits(network, image[None])[0]


@jax.custom_vjp
def _logits(network, images):
    return _forward(network, images)


def _logits_forward(network, images):
    if any(leaf.perturbed for leaf in jax.tree.leaves(network, is_leaf=_is_primal)):
        raise ValueError("from_batched: no gradient flows to args, only to the image")
    network = jax.tree.map(lambda leaf: leaf.value, network, is_leaf=_is_primal)
    images = images.value
    return _forward(network, images), (network, images)


def _logits_backward(saved, cotangent):
    network, images = saved
    if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
        cotangent = jnp.zeros(cotangent.shape, cotangent.dtype)
    return None, _backward(network, images, cotangent[None])[0]


def _is_primal(leaf):
    return isinstance(leaf, jax.custom_derivatives.CustomVJPPrimal)


_logits.defvjp(_logits_forward, _logits_backward, symbolic_zeros=True)


@custom_vmap
def _forward(network, images):
    """images [B, H, W, C] -> [B, K]."""
    return network(images)


@_forward.def_vmap
def _forward_mapped(size, mapped, network, images):
    network_mapped, images_mapped = mapped
    if any(jax.tree.leaves(network_mapped)):
        run = jax.vmap(
            lambda network, images: network(images),
            in_axes=(_axes(network_mapped), 0 if images_mapped else None),
        )
        return run(network, images), True
    # Not mapped at all never comes here, so that it is the images.
    logits = _forward(network, images.reshape(-1, *images.shape[2:]))
    return logits.reshape(size, -1, *logits.shape[1:]), True


@custom_vmap
def _backward(network, images, cotangents):
    """images [B, H, W, C], cotangents [M, B, K] -> M gradients [M, B, H, W, C]."""
    return _pull(network, images, cotangents)


@_backward.def_vmap
def _backward_mapped(size, mapped, network, images, cotangents):
    network_mapped, images_mapped, cotangents_mapped = mapped
    if any(jax.tree.leaves(network_mapped)):
        axes = [0 if m else None for m in (images_mapped, cotangents_mapped)]
        run = jax.vmap(_pull, in_axes=(_axes(network_mapped), *axes))
        return run(network, images, cotangents), True
    if not cotangents_mapped:
        cotangents = jnp.broadcast_to(cotangents, (size, *cotangents.shape))
    if not images_mapped:
        # More cotangents of the same batch, which must not be repeated for that: a
        # gradient row belongs to the batch as it was.
        flat = cotangents.reshape(-1, *cotangents.shape[2:])
        gradients = _backward(network, images, flat)
        return gradients.reshape(size, -1, *gradients.shape[1:]), True
    count = cotangents.shape[1]
    flat = jnp.moveaxis(cotangents, 1, 0).reshape(count, -1, *cotangents.shape[3:])
    gradients = _backward(network, images.reshape(-1, *images.shape[2:]), flat)
    gradients = gradients.reshape(count, size, -1, *gradients.shape[2:])
    return jnp.moveaxis(gradients, 0, 1), True


def _pull(network, images, cotangents):
    _, pull = jax.vjp(network, images)
    return jax.vmap(lambda cotangent: pull(cotangent)[0])(cotangents)


def _axes(mapped):
    return jax.tree.map(lambda is_mapped: 0 if is_mapped else None, mapped)
