"""Normalization in training: moments of the batch, over all devices of an axis."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from mspd_jax import models
from tests.models.conversion import small_reference
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
