"""The inner maximization of adversarial training, on one image.

These are the attacks of `mspd_jax.attacks` stripped to what training needs: no loss of
the final point, no best iterate, no restart, because every gradient pass is paid for at
each step of training.

Deviation: the papers attack the network in training mode, where the images of a batch
shift each other's normalization; here the network is in evaluation mode, because
`predict` is a function of one image, so that an example does not depend on its batch.
"""

from collections.abc import Callable

import jax
import optax

from mspd_jax.attacks import ascent, cross_entropy, project, random_start

Predict = Callable[[jax.Array], jax.Array]


def fast_adversary(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    step_size: float | jax.Array,
    norm: str,
) -> jax.Array:
    """One signed step from a random point of the ball (Wong et al. 2020, fast FGSM).

    The paper's step is 1.25 eps. image: [H, W, C] in [0, 1]; label: int [];
    eps, step_size: in pixels, traced. Returns a point of the ball and the box.
    """
    return pgd_adversary(
        key, predict, image, label, eps=eps, step_size=step_size, steps=1, norm=norm
    )


def fgsm_adversary(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    step_size: float | jax.Array,
    norm: str,
) -> jax.Array:
    """One step from the image itself (Goodfellow et al. 2015).

        linf, a step of eps:  x' = clip01(image + eps sign(grad CE(predict(image), y)))

    key: unused, since every adversary is called alike. Everything else as in
    `fast_adversary`.
    """
    del key
    return ascent(
        jax.grad(lambda x: cross_entropy(predict(x), label)),
        image,
        image,
        eps=eps,
        step_size=step_size,
        steps=1,
        norm=norm,
    )


def pgd_adversary(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    step_size: float | jax.Array,
    steps: int,
    norm: str,
) -> jax.Array:
    """Projected gradient ascent on the cross-entropy (Madry et al. 2018).

    Starts at a random point of the ball and takes `steps` steps; returns the last.
    """
    return ascent(
        jax.grad(lambda x: cross_entropy(predict(x), label)),
        random_start(key, image, eps=eps, norm=norm),
        image,
        eps=eps,
        step_size=step_size,
        steps=steps,
        norm=norm,
    )


def kl_adversary(
    key: jax.Array,
    predict: Predict,
    image: jax.Array,
    label: jax.Array,
    *,
    eps: float | jax.Array,
    step_size: float | jax.Array,
    steps: int,
    norm: str,
) -> jax.Array:
    """Projected gradient ascent on KL(predict(image) || predict(x)), without the label.

    The inner problem of TRADES (Zhang et al. 2019); starts at image + 0.001 N(0, 1).
    """
    del label
    clean = jax.lax.stop_gradient(predict(image))
    start = image + 0.001 * jax.random.normal(key, image.shape, image.dtype)
    return ascent(
        jax.grad(lambda x: kl_divergence(clean, predict(x))),
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
    return optax.losses.kl_divergence_with_log_targets(log_q, log_p)
