"""Normalization in training: moments of the batch, over all devices of an axis."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from flax import linen as nn

from mspd_jax import models
from mspd_jax.models.networks._form import Formed
from mspd_jax.models.networks._layers import ConvNorm, Norm, fold_norms
from tests.models.conversion import small_reference
from tests.models.networks.numpy_blocks import Parts, drawn
from tests.models.small_models import IMAGES, SHAPE, TENSORS, small_model

MODEL = small_model()


class NormTest(parameterized.TestCase):
    def _train(self, images, **options):
        return models.train_outputs(MODEL.spec, MODEL.variables, images, **options)

    def test_statistics_move_a_tenth_towards_the_batch(self):
        normal = (IMAGES - np.array([0.3, 0.6])) / np.array([0.2, 2.0])
        outputs = np.stack(
            [small_reference.convolve(x, TENSORS["conv0.weight"], 1) for x in normal]
        ).reshape(-1, 3)
        _, stats = self._train(jnp.asarray(IMAGES))
        moved = stats["layer0"]["norm"]
        for name, batch in (
            ("mean", outputs.mean(0)),
            ("var", outputs.var(0, ddof=1)),
        ):
            before = TENSORS[f"bn0.running_{name}"]
            np.testing.assert_allclose(
                moved[name], 0.9 * before + 0.1 * batch, rtol=1e-4, atol=1e-5
            )

    def test_two_shards_with_an_axis_name_equal_one_batch(self):
        images = jnp.asarray(IMAGES[:6])
        logits, stats = self._train(images)
        sharded, shard_stats = jax.vmap(
            lambda x: self._train(x, axis_name="devices"), axis_name="devices"
        )(images.reshape(2, 3, *SHAPE))
        np.testing.assert_allclose(sharded.reshape(6, 5), logits, rtol=1e-4, atol=1e-4)
        jax.tree.map(
            lambda shard, one: np.testing.assert_allclose(
                shard, np.stack([one, one]), rtol=1e-4, atol=1e-5
            ),
            shard_stats,
            stats,
        )


def test_folding_keeps_the_statistics_of_what_has_no_weights():
    alone, kernel = {"mean": jnp.ones(2), "threshold": jnp.float32(3)}, jnp.ones((2, 2))
    folded = fold_norms({"a": {"kernel": kernel}}, {"a": {"b": alone}, "c": alone})
    assert folded == {"a": {"kernel": kernel, "b": alone}, "c": alone}


def test_folding_keeps_what_a_bias_before_a_normalization_does():
    rng = np.random.default_rng(0)
    draw = {
        "params": {
            "conv": {"kernel": rng.normal(size=(3, 3, 2, 4)), "bias": np.arange(4.0)},
            "norm": {"scale": rng.uniform(1, 2, 4), "bias": rng.normal(size=4)},
        },
        "batch_stats": {"norm": {"mean": rng.normal(size=4), "var": np.full(4, 0.3)}},
    }
    variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), draw)
    image = jnp.asarray(rng.normal(size=(5, 4, 2)), jnp.float32)
    layer = ConvNorm(4, groups=1, use_bias=True)
    folded = fold_norms(variables["params"], variables["batch_stats"])
    assert set(folded) == {"conv"}
    np.testing.assert_allclose(
        layer.clone(folded=True).apply({"params": folded}, image),
        layer.apply(variables, image),
        atol=1e-4,
    )


class Unscaled(Formed):
    """Normalizations without scale and bias, alone and behind a convolution."""

    @nn.compact
    def __call__(self, x):
        x = self.part(Norm, affine=False, name="norm0")(x)
        return self.part(ConvNorm, 4, affine=False, name="first")(x)


def test_normalizations_without_scale_and_bias():
    image = np.random.default_rng(0).normal(size=(5, 4, 2)).astype(np.float32)
    layers = Unscaled()
    variables = drawn(layers, image)
    assert set(variables["params"]) == {"first"}
    assert set(variables["params"]["first"]) == {"conv"}
    parts = Parts(variables)
    want = parts.convolve(parts.normalized(image, "norm0"), "first")
    found = layers.apply(variables, jnp.asarray(image))
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
    folded = fold_norms(variables["params"], variables["batch_stats"])
    assert {name: set(part) for name, part in folded.items()} == {
        "norm0": {"scale", "bias"},
        "first": {"conv"},
    }
    found = Unscaled(folded=True).apply({"params": folded}, jnp.asarray(image))
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)
