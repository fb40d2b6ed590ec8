"""MeanSparse: its values and its gradient, both forms, and the names of its tensors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._architectures import family_of
from mspd_jax.models._initialize import variable_shapes
from mspd_jax.models.conversion._names import torch_name
from mspd_jax.models.networks import fold_norms
from mspd_jax.models.networks._mean_sparse import MeanSparse
from mspd_jax.models.networks._preactivation import PreactivationBlock
from tests.models.networks.cifar10_networks import spec
from tests.models.networks.torch_tensors import torch_tensors

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 4, 3)).astype(np.float32)
STATISTICS = {
    "mean": np.float32([0.5, -0.25, 0]),
    "var": np.float32([1, 0.25, 4]),
    "threshold": np.float32(0.5),
}


def sparse(x, **changed):
    return MeanSparse().apply({"batch_stats": STATISTICS | changed}, x)


def drawn(module, *shape):
    """Variables far from neutral, so that every `MeanSparse` has something to do."""

    def draw(path, leaf):
        low = -0.5 if path[-1].key == "kernel" else 0.2
        return jnp.asarray(RNG.uniform(low, 0.5, leaf.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, variable_shapes(module, shape))


def test_what_is_closer_to_the_mean_than_the_band_becomes_it():
    y = np.asarray(sparse(X))
    band = np.float32([0.5, 0.25, 1])
    inside = np.abs(X - STATISTICS["mean"]) < band
    assert inside.any() and not inside.all()
    np.testing.assert_array_equal(y, np.where(inside, STATISTICS["mean"], X))


def test_the_edge_of_the_band_is_kept_as_it_is():
    edge = np.float32([[1, 0, -1], [np.nextafter(np.float32(1), 0), 0, 1]])
    np.testing.assert_array_equal(sparse(edge), [[1, 0, -1], [0.5, 0, 1]])


def test_a_threshold_of_zero_changes_nothing():
    np.testing.assert_array_equal(sparse(X, threshold=np.float32(0)), X)


def test_the_gradient_is_that_of_the_identity_behind_exact_values():
    def loss(x):
        return jnp.sum(sparse(x**2) ** 3)

    values = np.asarray(sparse(X**2))
    assert (values != X**2).mean() > 0.2
    expected = 3 * values**2 * 2 * X
    np.testing.assert_allclose(jax.grad(loss)(X), expected, rtol=1e-6)
    _, slope = jax.jvp(loss, (X,), (np.ones_like(X),))
    np.testing.assert_allclose(slope, expected.sum(), rtol=1e-5)


def test_without_on_there_are_no_variables():
    shapes = variable_shapes(PreactivationBlock(3, 1), X.shape)
    assert "sparse" not in str(shapes)
    shapes = variable_shapes(PreactivationBlock(3, 1, sparse=True), X.shape)
    assert sum("threshold" in part for part in shapes["batch_stats"].values()) == 3


def test_the_folded_form_is_the_same_function():
    block = PreactivationBlock(3, 1, sparse=True)
    variables = drawn(block, *X.shape)
    folded = fold_norms(variables["params"], variables["batch_stats"])
    values = block.apply(variables, X)
    np.testing.assert_allclose(
        block.clone(folded=True).apply({"params": folded}, X), values, atol=1e-5
    )
    for name in ("sparse0", "sparse1", "sparse2"):
        off = variables["batch_stats"][name] | {"threshold": jnp.float32(0)}
        without = {**variables, "batch_stats": variables["batch_stats"] | {name: off}}
        assert np.abs(block.apply(without, X) - values).max() > 1e-3


def test_training_does_not_move_the_statistics():
    block = PreactivationBlock(3, 1, sparse=True)
    variables = drawn(block, *X.shape)
    _, moved = block.apply(variables, X, train=True, mutable=["batch_stats"])
    before, after = variables["batch_stats"], moved["batch_stats"]
    for name in ("sparse0", "sparse1", "sparse2"):
        jax.tree.map(np.testing.assert_array_equal, after[name], before[name])
    assert (after["norm0"]["mean"] != before["norm0"]["mean"]).all()


@pytest.mark.parametrize(
    ("architecture", "path", "name"),
    [
        ("wide_resnet28_10", "stage1_block0/sparse2", "layer.1.block.0.meansparse_2"),
        ("wide_resnet28_10", "sparse", "meansparse_end"),
        ("ra_wrn70_16", "stage0_block3/sparse0", "layer.0.block.3.meansparse_0"),
        ("ra_wrn70_16", "sparse", "meansparse_end"),
        ("convnext_large", "stage2_block5/mlp/sparse", "stages.2.blocks.5.mlp.act.0"),
        ("convnext_large", "stage2_block5/sparse", "stages.2.blocks.5.drop_path.1"),
        ("swin_large", "stage2_block1/sparse1", "layers.2.blocks.1.meansparse1"),
        (
            "swin_large",
            "stage2_block1/mlp/sparse",
            "layers.2.blocks.1.mlp.meansparse1",
        ),
        ("swin_large", "stage2_block1/sparse2", "layers.2.blocks.1.mlp.meansparse2"),
        ("swin_large", "stage2_block1/sparse3", "layers.2.blocks.1.meansparse2"),
    ],
)
def test_names_are_those_of_robustbench(architecture, path, name):
    path = ("batch_stats", *path.split("/"), "threshold")
    assert torch_name(family_of(architecture), {}, path) == f"{name}.threshold"


class TestConversion:
    """Of a small Wide ResNet, as RobustBench writes it."""

    @pytest.fixture
    def tensors(self):
        of = spec("wide_resnet10_1", sparse=True)
        return torch_tensors(of, drawn(models.build_module(of), 32, 32, 3))

    def convert(self, folder, tensors, **options):
        save_file(tensors, folder / "net.safetensors")
        return models.convert_torch(
            folder / "net.safetensors", architecture="wide_resnet10_1", options=options
        )

    def test_the_file_tells_the_option_and_its_counters_are_dropped(
        self, tmp_path, tensors
    ):
        for part in ("layer.2.block.0.meansparse_1", "meansparse_end"):
            tensors[f"{part}.flag_update_statistics"] = np.array(0)
            tensors[f"{part}.batch_num"] = np.array(391, np.float32)
        model = self.convert(tmp_path, tensors)
        assert model.spec.options["sparse"] is True
        threshold = tensors["layer.2.block.0.meansparse_1.threshold"]
        found = model.variables["batch_stats"]["stage2_block0"]["sparse1"]
        assert found["threshold"] == threshold
        models.save_model(tmp_path / "model", model)
        again = models.load_model(tmp_path / "model")
        assert models.model_hash(again) == models.model_hash(model)

    def test_every_statistic_is_wanted(self, tmp_path, tensors):
        del tensors["meansparse_end.running_var"]
        with pytest.raises(InputError, match=r"missing: meansparse_end.running_var$"):
            self.convert(tmp_path, tensors)

    def test_a_file_without_statistics_is_of_the_plain_network(self, tmp_path, tensors):
        plain = {k: t for k, t in tensors.items() if "meansparse" not in k}
        assert self.convert(tmp_path, plain).spec.options["sparse"] is False
        with pytest.raises(InputError, match=r"missing: layer.*threshold"):
            self.convert(tmp_path, plain, sparse=True)
