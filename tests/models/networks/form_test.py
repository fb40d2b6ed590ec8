"""Modules in two forms, the names of blocks, parts of networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mspd_jax.errors import InputError
from mspd_jax.models._architectures import make_network
from mspd_jax.models.networks import FAMILIES
from mspd_jax.models.networks._form import Formed, block_places, global_average, in_turn
from mspd_jax.models.networks._layers import ConvNorm, Norm

LAYERS = {
    "one": lambda x, train: x + 1,
    "two": lambda x, train: 2 * x if train else 0,
    "three": lambda x, train: x - 3,
}


def test_names_of_blocks():
    names = [("stage0_block0", 0, 0), ("stage0_block1", 0, 1), ("stage1_block0", 1, 0)]
    assert list(block_places([2, 1])) == names


@pytest.mark.parametrize(
    ("span", "value"),
    [
        ((None, None), 9),
        (("one", None), 7),
        ((None, "two"), 12),
        (("one", "two"), 10),
        (("three", None), 5),
    ],
)
def test_layers_in_turn(span, value):
    assert in_turn(LAYERS, 5, True, span) == value


def test_an_unknown_layer_is_refused():
    with pytest.raises(InputError, match="no layer 'four': it has one, two, three"):
        in_turn(LAYERS, 5, True, (None, "four"))


def test_average_is_over_rows_and_columns():
    images = np.random.default_rng(0).random((2, 3, 4, 5))
    average = global_average(jnp.asarray(images, jnp.float32))
    np.testing.assert_allclose(average, images.mean(axis=(1, 2)), rtol=1e-5)


class Pair(Formed):
    """A layer in the form of the module, and one that is always folded."""

    @nn.compact
    def __call__(self, x):
        x = self.part(Norm, name="own")(x)
        return self.part(ConvNorm, 2, folded=True, name="folded")(x)


@pytest.mark.parametrize("folded", [False, True])
def test_parts_have_the_form_of_the_module(folded):
    module = Pair(axis_name="devices", folded=folded)
    variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((4, 4, 3)))
    assert ("batch_stats" in variables) is not folded
    assert "norm" not in variables["params"]["folded"]


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize(
    "name", ["resnet20", "ensemble2_resnet20", "bagnet9", "trn", "memnet", "dncnn"]
)
def test_every_normalization_has_the_form_of_its_network(name, folded):
    form = dict(axis_name="devices", folded=folded)
    network = make_network(name, {}, outputs=3, **form)
    seen = []

    def note(next_function, args, kwargs, context):
        if isinstance(context.module, Formed):
            seen.append((context.module.axis_name, context.module.folded))
        return next_function(*args, **kwargs)

    channels = 6 if name == "trn" else 3
    with nn.intercept_methods(note):
        jax.eval_shape(
            network.init, jax.random.key(0), jnp.zeros((1, 40, 40, channels))
        )
    assert set(seen) == {("devices", folded)}
    assert len(seen) > 3


def test_every_network_is_of_that_kind():
    assert all(issubclass(family.network, Formed) for family in FAMILIES)
