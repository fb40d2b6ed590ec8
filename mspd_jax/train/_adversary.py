"""The inner maximization of adversarial training, on one image.

These are the attacks of `mspd_jax.attacks` stripped to what training needs: no loss of
the final point, no best iterate, no restart, because every gradient pass is paid for at
each step of training.

Deviation: the papers attack the network in training mode, where the images of a batch
shift each other's normalization; here the network is in evaluation mode, because
`predict` is a function of one image, so that an example does not depend on its batch.
"""

import jax
import optax

from mspd_jax.attacks import ascent, cross_entropy, project


def adversary(
    key, predict, image, label, *, eps, step_size, steps, norm, start, loss
) -> jax.Array:
    """`steps` steps of projected gradient ascent; a point of the ball and the box.

    start: (key, image, eps=, norm=) -> the first point. loss: (predict, image,
    label) -> the function of a point that is to grow.
    """
    return ascent(
        jax.grad(loss(predict, image, label)),
        start(key, image, eps=eps, norm=norm),
        image,
        eps=eps,
        step_size=step_size,
        steps=steps,
        norm=norm,
    )


def at_image(key, image, *, eps, norm) -> jax.Array:
    """The image itself."""
    del key, eps, norm
    return image


def beside_image(key, image, *, eps, norm) -> jax.Array:
    """image + 0.001 N(0, 1), where KL(predict(image) || .) has a gradient."""
    start = image + 0.001 * jax.random.normal(key, image.shape, image.dtype)
    return project(start, image, eps=eps, norm=norm)


def label_loss(predict, image, label):
    """Cross-entropy with the label."""
    del image
    return lambda x: cross_entropy(predict(x), label)


def divergence_loss(predict, image, label):
    """KL(predict(image) || predict(x)), without the label."""
    del label
    clean = jax.lax.stop_gradient(predict(image))
    return lambda x: kl_divergence(clean, predict(x))


def kl_divergence(logits: jax.Array, other: jax.Array) -> jax.Array:
    """KL(softmax(logits) || softmax(other)) over the last axis, in nats."""
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(other)
    return optax.losses.kl_divergence_with_log_targets(log_q, log_p)
