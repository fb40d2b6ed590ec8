"""Sound models of the embedded digits, and sound defenses: none may be accused."""

import functools

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.tree_util import Partial

from mspd_jax import data, defenses, models
from mspd_jax.attacks import straight_through
from mspd_jax.evaluate.checks._programs import subject
from tests.evaluate import digit_models

SOUND = (
    *digit_models.HONEST,
    "normalized_plain",
    "log_probabilities",
    "log_probabilities_mlp",
    "small_logits",
    "clipped_to_the_box",
    "pooling",
    "pooling_first",
    "relu_mlp",
    "linear",
)
PURIFIERS = {
    "bits_2": Partial(functools.partial(defenses.bit_depth, bits=2)),
    "bits_3": Partial(functools.partial(defenses.bit_depth, bits=3)),
    "jpeg_10": Partial(functools.partial(defenses.jpeg, quality=10)),
    "jpeg_50": Partial(functools.partial(defenses.jpeg, quality=50)),
    "jpeg_75": Partial(functools.partial(defenses.jpeg, quality=75)),
    "jpeg_soft_50": Partial(functools.partial(defenses.jpeg_soft, quality=50)),
    "median_3": Partial(functools.partial(defenses.median_blur, size=3)),
    "tv": Partial(functools.partial(defenses.total_variation, weight=0.05)),
}
_STRAIGHT = ("bits", "jpeg_1", "jpeg_5", "jpeg_7")
DEFENDED = tuple(
    f"{defense}+{name}" for defense in PURIFIERS for name in ("plain", "mlp")
)


def batch(number):
    """Batch `number` of 32 test images with their labels, of ten."""
    images, labels = digit_models.digits("test", 320)
    rows = slice(32 * number, 32 * number + 32)
    return images[rows], labels[rows]


def checked(check, predict, seed=0, number=0):
    """A check of a model on one of these batches."""
    return check(jax.random.key(seed), subject(predict, *batch(number)))


@functools.cache
def sound(name):
    """A sound model by its name in `SOUND` or `DEFENDED`."""
    if "+" in name:
        defense, name = name.split("+")
        purifier = PURIFIERS[defense]
        if defense.startswith(_STRAIGHT):
            purifier = straight_through(purifier)
        return models.behind(purifier, sound(name))
    if name in digit_models.HONEST:
        return digit_models.honest(name)
    return _MAKERS[name]()


def _log_probabilities(predict, image):
    return jax.nn.log_softmax(predict(image))


def _hundredth(predict, image):
    return predict(image) / 100


def _in_the_box(predict, image):
    return predict(jnp.clip(image, 0.0, 1.0))


def _linear(weights, image):
    return 20.0 * image.reshape(-1) @ weights


def _relu_mlp(weights, image):
    return weights[1] @ jax.nn.relu(weights[0] @ image.reshape(-1))


def _pooling(weights, image, *, first):
    """Two 3x3 convolutions with ReLU, 2x2 maxima after or before them, a classifier."""
    x = image[None]
    x = _maxima(x) if first else x
    for kernel in weights[:2]:
        layout = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=layout
        )
        x = jax.nn.relu(x)
        x = x if first else _maxima(x)
    return x.reshape(-1) @ weights[2]


def _maxima(x):
    window = (1, 2, 2, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def _trained(function, weights, *, rate):
    """After 100 steps on 500 digits."""
    source = data.open_source("digits:train", limit=500)
    records = [source.read(i) for i in range(len(source.indices))]
    images = jnp.stack([r.image for r in records])
    labels = jnp.asarray([r.label for r in records], jnp.int32)
    tool = optax.sgd(rate, momentum=0.9)

    def loss(weights):
        logits = jax.vmap(functools.partial(function, weights))(images)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.mean(losses)

    @jax.jit
    def step(weights, memory):
        updates, memory = tool.update(jax.grad(loss)(weights), memory)
        return optax.apply_updates(weights, updates), memory

    memory = tool.init(weights)
    for _ in range(100):
        weights, memory = step(weights, memory)
    return Partial(function, weights)


def _drawn(*shapes):
    keys = jax.random.split(jax.random.key(1), len(shapes))
    return [
        jax.random.normal(key, shape) * (2 / fan) ** 0.5
        for key, (shape, fan) in zip(keys, shapes, strict=True)
    ]


def _pooling_model(*, first):
    inputs = 16 * (16 if first else 4)
    weights = _drawn(((3, 3, 1, 8), 9), ((3, 3, 8, 16), 72), ((inputs, 10), 2 * inputs))
    return _trained(functools.partial(_pooling, first=first), weights, rate=0.03)


_MAKERS = {
    "normalized_plain": lambda: models.predictor(
        digit_models.network("none", 0.3, 0.4)
    ),
    "log_probabilities": lambda: Partial(_log_probabilities, sound("plain")),
    "log_probabilities_mlp": lambda: Partial(_log_probabilities, sound("mlp")),
    "small_logits": lambda: Partial(_hundredth, sound("plain")),
    "clipped_to_the_box": lambda: Partial(_in_the_box, sound("mlp")),
    "pooling": lambda: _pooling_model(first=False),
    "pooling_first": lambda: _pooling_model(first=True),
    "relu_mlp": lambda: _trained(
        _relu_mlp, _drawn(((64, 64), 64), ((10, 64), 128)), rate=0.1
    ),
    "linear": lambda: Partial(_linear, jax.random.normal(jax.random.key(5), (64, 10))),
}
