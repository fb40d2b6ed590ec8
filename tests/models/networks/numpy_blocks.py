"""What blocks are made of, in NumPy."""

import jax
import numpy as np

from tests.models.conversion import small_reference


def drawn(module, image, seed=0):
    """Variables of a module, far from neutral, drawn without compiling anything."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), image)
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        if path[-1].key in ("scale", "var"):
            return np.float32(rng.uniform(0.5, 2, leaf.shape))
        return np.float32(rng.normal(size=leaf.shape))

    return jax.tree_util.tree_map_with_path(draw, shapes)


class Parts:
    """The layers of a block by name, from its variables."""

    def __init__(self, variables):
        self.params, self.stats = variables["params"], variables["batch_stats"]

    def convolve(self, x, name, *, strides=1):
        """A convolution, and the normalization behind it where there is one."""
        part = self.params[name]
        kernel = (part["conv"] if "conv" in part else part)["kernel"]
        x = small_reference.convolve(x, np.transpose(kernel, (3, 2, 0, 1)), strides)
        if "conv" not in part:
            return x
        return _normalize(x, self.stats[name]["norm"], part.get("norm"))

    def normalized(self, x, name):
        """Behind a normalization of its own."""
        return _normalize(x, self.stats[name], self.params.get(name))

    def active(self, x, name="norm0"):
        """The same, and behind a ReLU."""
        return relu(self.normalized(x, name))


def relu(x):
    """The positive part."""
    return np.maximum(x, 0)


def _normalize(x, moments, affine):
    x = (x - moments["mean"]) / np.sqrt(moments["var"] + 1e-5)
    return x if affine is None else x * affine["scale"] + affine["bias"]
