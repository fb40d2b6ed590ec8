"""PSSiLU: its values, how it begins, and that a network has one of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import initialize, variable_shapes
from mspd_jax.models.networks._pssilu import PSSiLU
from tests.models.networks.cifar10_networks import spec
from tests.models.networks.torch_tensors import torch_tensors

X = np.linspace(-4, 4, 24, dtype=np.float32).reshape(4, 2, 3)


def test_values_are_those_of_the_paper():
    params = {"alpha": jnp.float32([-1.5]), "beta": jnp.float32([-0.2])}
    expected = X * (1 / (1 + np.exp(-1.5 * X)) - 0.2) / 0.8
    np.testing.assert_allclose(
        PSSiLU().apply({"params": params}, X), expected, rtol=1e-5, atol=1e-6
    )


def test_it_begins_as_the_silu_where_both_numbers_have_a_gradient():
    variables = initialize(jax.random.key(0), PSSiLU(), X.shape)
    jax.tree.map(
        np.testing.assert_array_equal, variables, PSSiLU().init(jax.random.key(0), X)
    )

    def values(variables):
        return PSSiLU().apply(variables, X)

    np.testing.assert_allclose(values(variables), jax.nn.silu(X), atol=1e-6)
    gradient = jax.grad(lambda v: jnp.sum(values(v)))(variables)["params"]
    assert gradient["alpha"] != 0 and gradient["beta"] != 0


class TestNetwork:
    """A small plain Wide ResNet."""

    def shapes(self, **options):
        module = models.build_module(spec("plain_wide_resnet10_1", **options))
        return variable_shapes(module, (32, 32, 3))

    def test_all_layers_share_two_numbers(self):
        params = self.shapes(activation="pssilu")["params"]
        assert {k: v.shape for k, v in params.pop("activation").items()} == {
            "alpha": (1,),
            "beta": (1,),
        }
        assert jax.tree.structure(params) == jax.tree.structure(self.shapes()["params"])

    @pytest.fixture
    def tensors(self):
        """As RobustBench writes them: every block lists the activation."""
        shapes = self.shapes(activation="pssilu")
        variables = jax.tree.map(lambda leaf: np.ones(leaf.shape, np.float32), shapes)
        found = torch_tensors(
            spec("plain_wide_resnet10_1", activation="pssilu"), variables
        )
        for block in ("block1.layer.0", "block2.layer.0", "block3.layer.0"):
            for name in ("activation.alpha", "activation.beta"):
                found[f"{block}.{name}"] = found[name]
        return found

    def convert(self, folder, tensors):
        save_file(tensors, folder / "net.safetensors")
        return models.convert_torch(
            folder / "net.safetensors", architecture="plain_wide_resnet10_1"
        )

    def test_the_file_tells_the_activation(self, tmp_path, tensors):
        model = self.convert(tmp_path, tensors)
        assert model.spec.options["activation"] == "pssilu"
        plain = {k: t for k, t in tensors.items() if "activation" not in k}
        assert self.convert(tmp_path, plain).spec.options["activation"] == "relu"

    def test_a_copy_with_another_number_is_refused(self, tmp_path, tensors):
        name = "block2.layer.0.activation.beta"
        tensors[name] = tensors[name] + 1
        with pytest.raises(InputError, match=f"surplus: {name}$"):
            self.convert(tmp_path, tensors)
