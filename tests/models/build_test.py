"""Predictors and training logits against NumPy, and what must not recompile."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from mspd_jax import models
from mspd_jax.errors import InputError
from tests.models.small_models import IMAGES, SHAPE, reference, small_model, spec

MODEL = small_model()


class PredictorTest(parameterized.TestCase):
    def test_vmap_equals_numpy_and_the_batched_network(self):
        logits = jax.vmap(models.predictor(MODEL))(jnp.asarray(IMAGES))
        np.testing.assert_allclose(logits, reference(IMAGES), rtol=1e-4, atol=1e-5)
        normal = (IMAGES - np.float32([0.3, 0.6])) / np.float32([0.2, 2.0])
        module = models.build_module(MODEL.spec)
        batched = module.apply(MODEL.variables, jnp.asarray(normal))
        np.testing.assert_allclose(logits, batched, rtol=1e-4, atol=1e-5)

    def test_gradient_equals_central_differences_of_numpy(self):
        weight = np.random.default_rng(6).normal(size=5)
        direction = np.random.default_rng(7).normal(size=SHAPE)
        predict = models.predictor(MODEL)
        gradient = jax.grad(lambda x: jnp.vdot(predict(x), jnp.float32(weight)))(
            jnp.asarray(IMAGES[0])
        )
        step = 1e-6 * direction
        up, down = reference(np.stack([IMAGES[0] + step, IMAGES[0] - step])) @ weight
        np.testing.assert_allclose(
            np.vdot(gradient, direction), (up - down) / 2e-6, rtol=1e-3
        )

    def test_weights_are_leaves_and_gradients_reach_them(self):
        def loss(params):
            variables = MODEL.variables | {"params": params}
            predict = models.predictor(models.Model(MODEL.spec, variables))
            return jnp.sum(predict(jnp.asarray(IMAGES[0])) ** 2)

        gradient = jax.grad(loss)(MODEL.variables["params"])
        for leaf in jax.tree.leaves(gradient):
            self.assertGreater(np.abs(leaf).max(), 0)

    def test_two_models_of_one_architecture_share_a_compilation(self):
        other = models.create_model(jax.random.key(0), spec(widths=[3, 4]))
        run = jax.jit(lambda predict, x: predict(x))
        first = run(models.predictor(MODEL), IMAGES[0])
        second = run(models.predictor(other), IMAGES[0])
        self.assertEqual(run._cache_size(), 1)
        self.assertGreater(np.abs(first - second).max(), 0.1)

    def test_bfloat16_is_computed_in_and_not_returned(self):
        predict = models.predictor(MODEL, dtype=jnp.bfloat16)
        dtypes = {leaf.dtype for leaf in jax.tree.leaves(predict.args[0])}
        self.assertEqual(dtypes, {jnp.dtype(jnp.bfloat16)})
        logits = predict(jnp.asarray(IMAGES[0]))
        self.assertEqual(logits.dtype, jnp.float32)
        # bfloat16 keeps 8 bits: a few percent of the largest logit.
        expected = reference(IMAGES[:1])[0]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(logits, expected, atol=0.05 * scale)

    def test_batches_and_wrong_channels_are_refused(self):
        predict = models.predictor(MODEL)
        for shape in ((2, *SHAPE), (8, 8, 3)):
            with self.assertRaisesRegex(InputError, r"reads \[H, W, \d\]"):
                predict(jnp.zeros(shape))


@pytest.mark.parametrize(
    "name",
    [
        "resnet20",
        "wide_resnet10_1",
        pytest.param("preact_resnet18", marks=pytest.mark.slow),
    ],
)
def test_folding_changes_no_logit(name):
    made = models.create_model(jax.random.key(1), spec(name, 3))
    rng = np.random.default_rng(8)
    stats = jax.tree.map(
        lambda leaf: jnp.float32(rng.uniform(0.5, 2, leaf.shape)),
        made.variables["batch_stats"],
    )
    made = made._replace(variables=made.variables | {"batch_stats": stats})
    image = rng.random((8, 8, 3), np.float32)
    module = models.build_module(made.spec)
    normal = jnp.asarray((image - np.float32(0.4)) / np.float32(0.3))
    expected = jax.jit(module.apply)(made.variables, normal)
    logits = jax.jit(models.predictor(made))(jnp.asarray(image))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * scale)


def test_equal_specifications_give_one_network():
    assert models.build_module(spec()) is models.build_module(spec())
    assert models.build_module(spec()) is not models.build_module(spec(norm=False))


class TrainLogitsTest(parameterized.TestCase):
    def _train(self, images, **options):
        return models.train_outputs(MODEL.spec, MODEL.variables, images, **options)

    def test_logits_depend_on_the_batch(self):
        all_, _ = self._train(jnp.asarray(IMAGES))
        some, _ = self._train(jnp.asarray(IMAGES[:3]))
        self.assertGreater(np.abs(all_[:3] - some).max(), 0.01)
