"""Predictors and training logits against NumPy, and what must not recompile."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from safetensors.numpy import save_file

from mspd_jax import models
from tests.models import small_reference

SHAPE = (8, 8, 2)
IMAGES = np.random.default_rng(5).random((7, *SHAPE), np.float32)
TENSORS = small_reference.random_tensors(channels=2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small_cnn whose statistics are far from neutral."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_file(TENSORS, path)
    return models.convert_torch(
        path, architecture="small_cnn", image_shape=SHAPE, mean=(0.3, 0.6), std=(0.2, 2)
    )


def spec(name="small_cnn", channels=2, **options):
    return models.ModelSpec(
        architecture=name,
        options=options,
        mean=(0.4,) * channels,
        std=(0.3,) * channels,
        num_classes=5,
        image_shape=(8, 8, channels),
        origin={},
    )


def reference(images):
    normalization = dict(mean=np.array([0.3, 0.6]), std=np.array([0.2, 2.0]))
    return np.stack(
        [small_reference.logits(TENSORS, x, **normalization) for x in images]
    )


class PredictorTest(parameterized.TestCase):
    @pytest.fixture(autouse=True)
    def _model(self, model):
        self.model = model

    def test_one_image_equals_numpy(self):
        predict = models.predictor(self.model)
        logits = predict(jnp.asarray(IMAGES[0]))
        self.assertEqual(logits.shape, (5,))
        np.testing.assert_allclose(logits, reference(IMAGES[:1])[0], rtol=1e-4)

    def test_vmap_equals_numpy_and_the_batched_network(self):
        logits = jax.vmap(models.predictor(self.model))(jnp.asarray(IMAGES))
        np.testing.assert_allclose(logits, reference(IMAGES), rtol=1e-4, atol=1e-5)
        normal = (IMAGES - np.float32([0.3, 0.6])) / np.float32([0.2, 2.0])
        module = models.build_module(self.model.spec)
        batched = module.apply(self.model.variables, jnp.asarray(normal))
        np.testing.assert_allclose(logits, batched, rtol=1e-4, atol=1e-5)

    def test_gradient_equals_central_differences_of_numpy(self):
        weight = np.random.default_rng(6).normal(size=5)
        direction = np.random.default_rng(7).normal(size=SHAPE)
        predict = models.predictor(self.model)
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
            variables = self.model.variables | {"params": params}
            predict = models.predictor(models.Model(self.model.spec, variables))
            return jnp.sum(predict(jnp.asarray(IMAGES[0])) ** 2)

        gradient = jax.grad(loss)(self.model.variables["params"])
        for leaf in jax.tree.leaves(gradient):
            self.assertGreater(np.abs(leaf).max(), 0)

    def test_two_models_of_one_architecture_share_a_compilation(self):
        other = models.create_model(jax.random.key(0), spec(widths=[3, 4]))
        run = jax.jit(lambda predict, x: predict(x))
        first = run(models.predictor(self.model), IMAGES[0])
        second = run(models.predictor(other), IMAGES[0])
        self.assertEqual(run._cache_size(), 1)
        self.assertGreater(np.abs(first - second).max(), 0.1)

    def test_bfloat16_is_computed_in_and_not_returned(self):
        predict = models.predictor(self.model, dtype=jnp.bfloat16)
        dtypes = {leaf.dtype for leaf in jax.tree.leaves(predict.args[0])}
        self.assertEqual(dtypes, {jnp.dtype(jnp.bfloat16)})
        logits = predict(jnp.asarray(IMAGES[0]))
        self.assertEqual(logits.dtype, jnp.float32)
        # bfloat16 keeps 8 bits: a few percent of the largest logit.
        expected = reference(IMAGES[:1])[0]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(logits, expected, atol=0.05 * scale)

    def test_batches_and_wrong_channels_are_refused(self):
        predict = models.predictor(self.model)
        for shape in ((2, *SHAPE), (8, 8, 3)):
            with self.assertRaises(AssertionError):
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


@pytest.mark.parametrize(
    "change",
    [
        dict(mean=(0.5,)),
        dict(std=(0.5, 0.0)),
        dict(num_classes=0),
        dict(image_shape=()),
    ],
)
def test_inconsistent_specification_is_refused(change):
    with pytest.raises(ValueError):
        models.create_model(jax.random.key(0), spec()._replace(**change))


def test_random_kernels_have_the_he_scale():
    """Standard deviation of 36,864 draws: within 2 % (5 sigma is 1.9 %)."""
    params = models.create_model(jax.random.key(2), spec("resnet20", 3)).variables
    kernel = params["params"]["stage2_block1"]["second"]["conv"]["kernel"]
    np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / (9 * 64)), rtol=0.02)
    assert not params["params"]["head"]["bias"].any()


class TrainLogitsTest(parameterized.TestCase):
    @pytest.fixture(autouse=True)
    def _model(self, model):
        self.model = model

    def _train(self, images, **options):
        return models.train_outputs(
            self.model.spec, self.model.variables, images, **options
        )

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

    def test_logits_depend_on_the_batch(self):
        all_, _ = self._train(jnp.asarray(IMAGES))
        some, _ = self._train(jnp.asarray(IMAGES[:3]))
        self.assertGreater(np.abs(all_[:3] - some).max(), 0.01)

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

    def test_network_without_statistics_returns_none(self):
        made = models.create_model(jax.random.key(3), spec(norm=False, widths=[3]))
        self.assertNotIn("batch_stats", made.variables)
        logits, stats = models.train_outputs(
            made.spec, made.variables, jnp.asarray(IMAGES)
        )
        self.assertEqual((logits.shape, stats), ((7, 5), {}))
        predicted = jax.vmap(models.predictor(made))(jnp.asarray(IMAGES))
        np.testing.assert_allclose(predicted, logits, rtol=1e-5, atol=1e-6)
