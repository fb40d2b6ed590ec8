"""Honest classifiers of the embedded digits, trained in seconds, once per process."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from mspd_jax import data, models, train

# A radius at which the plain network loses most images and the trained one few.
EPS = 0.1
HONEST = ("plain", "adversarial", "mlp")


@functools.cache
def digits(split="test", limit=32):
    """(images float32 [n, 8, 8, 1], labels int32 [n])."""
    source = data.open_source(f"digits:{split}", limit=limit)
    records = [source.read(i) for i in range(len(source.indices))]
    images = np.stack([r.image for r in records])
    return images, np.asarray([r.label for r in records], np.int32)


@functools.cache
def network(objective="none", mean=0.0, std=1.0):
    """A convolutional model with batch normalization, trained for some epochs."""
    spec = models.ModelSpec(
        "small_cnn", {"widths": [8, 16]}, (mean,), (std,), 10, (8, 8, 1), {}
    )
    images, labels = digits("train", None)
    epochs = 10 if objective == "none" else 15
    schedule = train.learning_rate_schedule(
        "cosine", peak=1e-2, steps=epochs * (len(labels) // 64)
    )
    # A draw of weights that every check finds sound: some others are not quite.
    return train.fit(
        jax.random.key(4),
        spec,
        images,
        labels,
        epochs=epochs,
        batch_size=64,
        objective=train.objective(objective, eps=None if objective == "none" else EPS),
        optimizer=train.optimizer("adamw", learning_rate=schedule),
    )


def mlp_logits(weights, image):
    hidden = jax.nn.silu(weights[0] @ image.reshape(-1))
    return weights[1] @ hidden


@functools.cache
def mlp():
    """One hidden layer of SiLU, trained until it is very sure of itself."""
    images, labels = digits("train", None)
    keys = jax.random.split(jax.random.key(0))
    weights = (
        jax.random.normal(keys[0], (64, 64)) / 8,
        jax.random.normal(keys[1], (10, 64)) / 8,
    )
    # Adam counts in integers, which strict promotion forbids inside this loop.
    tool = optax.sgd(0.3, momentum=0.9)

    def loss(weights):
        logits = jax.vmap(functools.partial(mlp_logits, weights))(images)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.mean(losses)

    @jax.jit
    def trained(weights):
        def step(_, state):
            weights, memory = state
            updates, memory = tool.update(jax.grad(loss)(weights), memory)
            return optax.apply_updates(weights, updates), memory

        return jax.lax.fori_loop(0, 300, step, (weights, tool.init(weights)))[0]

    return Partial(mlp_logits, trained(weights))


def honest(name):
    """A sound model by its name: plain, adversarial (both ReLU) or mlp (SiLU)."""
    if name == "mlp":
        return mlp()
    return models.predictor(network("none" if name == "plain" else "fgsm"))
