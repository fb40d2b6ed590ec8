"""The inner maximisation of adversarial training, on one image.

These are the attacks of `mspd_jax.attacks` stripped to what training needs: no loss of
the final point, no best iterate, no restart, because every gradient pass is paid for at
each step of training.

Deviation: the papers attack the network in training mode, where the images of a batch
shift each other's normalization; here the network is in evaluation mode, because
`predict` is a function of one image, so that an example does not depend on its batch.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from mspd_jax.attacks import ascend, cross_entropy, project, random_start


def fast_adversary(key, predict, image, label, *, eps, step_size, norm) -> jax.Array:
    """One signed step from a random point of the ball (Wong et al. 2020, fast FGSM).

    The paper's step is 1.25 eps. image: [H, W, C] in [0, 1]; label: int [];
    eps, step_size: in pixels, traced. Returns a point of the ball and the box.
    """
    return pgd_adversary(
        key, predict, image, label, eps=eps, step_size=step_size, steps=1, norm=norm
    )


def fgsm_adversary(key, predict, image, label, *, eps, step_size, norm) -> jax.Array:
    """One step from the image itself (Goodfellow et al. 2015).

        linf, a step of eps:  x' = clip01(image + eps sign(grad CE(predict(image), y)))

    key: unused, since every adversary is called alike. Everything else as in
    `fast_adversary`.
    """
    del key
    return _ascend(
        lambda x: cross_entropy(predict(x), label),
        image,
        image,
        eps=eps,
        step_size=step_size,
        steps=1,
        norm=norm,
    )


def pgd_adversary(
    key, predict, image, label, *, eps, step_size, steps: int, norm: str
) -> jax.Array:
    """Projected gradient ascent on the cross-entropy (Madry et al. 2018).

    Starts at a random point of the ball and takes `steps` steps; returns the last.
    """
    return _ascend(
        lambda x: cross_entropy(predict(x), label),
        random_start(key, image, eps=eps, norm=norm),
        image,
        eps=eps,
        step_size=step_size,
        steps=steps,
        norm=norm,
    )


def kl_adversary(
    key, predict, image, label, *, eps, step_size, steps: int, norm: str
) -> jax.Array:
    """Projected gradient ascent on KL(predict(image) || predict(x)), without the label.

    The inner problem of TRADES (Zhang et al. 2019); starts at image + 0.001 N(0, 1).
    """
    del label
    clean = jax.lax.stop_gradient(predict(image))
    start = image + 0.001 * jax.random.normal(key, image.shape, image.dtype)
    return _ascend(
        lambda x: kl_divergence(clean, predict(x)),
        project(start, image, eps=eps, norm=norm),
        image,
        eps=eps,
        step_size=step_size,
        steps=steps,
        norm=norm,
    )


def kl_divergence(logits: jax.Array, other: jax.Array) -> jax.Array:
    """KL(softmax(logits) || softmax(other)) over the last axis, in nats."""
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(other)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def _ascend(
    loss: Callable, start, image, *, eps, step_size, steps: int, norm: str
) -> jax.Array:
    def step(x):
        return ascend(
            x, jax.grad(loss)(x), image, eps=eps, step_size=step_size, norm=norm
        )

    if steps == 1:  # a loop would only cost compile time
        return step(start)
    return jax.lax.fori_loop(0, steps, lambda _, x: step(x), start)
