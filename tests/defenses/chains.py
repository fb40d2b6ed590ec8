"""A small classifier, models of defenses for it, and what tests compare."""

import jax
import numpy as np

from mspd_jax import models
from mspd_jax.defenses import Defended, defend

KEY = jax.random.key(3)
IMAGE = np.random.default_rng(0).uniform(0.1, 0.9, (8, 8, 1)).astype(np.float32)
# Every name once, with views that it has beside bpda and static.
EXAMPLES = {
    "gcm": [],
    "trn:trn": ["detached"],
    "denoiser:denoiser": [],
    "jpeg:60": [],
    "jpeg-soft:60": [],
    "bits:3": [],
    "gaussian:0.7": [],
    "median:3": [],
    "tv:0.05": [],
    "resize:0.8": ["eot"],
}


def spec(architecture, classes=10, shape=(8, 8, 1), **options):
    channels = shape[-1]
    return models.ModelSpec(
        architecture, options, (0.0,) * channels, (1.0,) * channels, classes, shape, {}
    )


def create(seed, *args, **options):
    return models.create_model(jax.random.key(seed), spec(*args, **options))


def network(shape=(8, 8, 1), **read):
    """A restoration network that is not the identity, as all are at the start."""
    sizes = {"width": 4, "stages": 1, "blocks": 1, "shrink": 1}
    model = create(1, "trn_small", 0, shape, **sizes, **read)
    leaves, structure = jax.tree.flatten(model.variables)
    moved = [
        leaf + 0.2 * jax.random.normal(jax.random.key(place), leaf.shape)
        for place, leaf in enumerate(leaves)
    ]
    return model._replace(variables=jax.tree.unflatten(structure, moved))


CLASSIFIER = create(0, "small_cnn", widths=[4], activation="silu")
PREDICT = models.predictor(CLASSIFIER)
STORE = {
    "trn": network(),
    "trn of 16 pixels": network((16, 16, 1)),
    "trn of 7 classes": network(rule="all", maps=7),
    "denoiser": create(2, "dncnn", 0, depth=3, width=4),
    "denoiser in color": create(2, "dncnn", 0, (8, 8, 3), depth=3, width=4),
    "classifier": CLASSIFIER,
}


def defended(text, key=KEY) -> Defended:
    shape = CLASSIFIER.spec.image_shape
    return defend(key, PREDICT, text, image_shape=shape, load=STORE.__getitem__)


@jax.jit
def gradient(predict, image):
    """Of one logit."""
    return jax.grad(lambda x: predict(x)[3])(image)


def close(got, want, scale=1e-4):
    np.testing.assert_allclose(got, want, atol=scale * np.max(np.abs(want)))


def far(one, other):
    return np.max(np.abs(one - other)) > 0.05 * np.max(np.abs(other))
