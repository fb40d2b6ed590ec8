"""DenseNets: published sizes, the channels that layers add and transitions halve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models.networks._densenet import Transition
from tests.models.networks.published_sizes import parameters_of

pytestmark = pytest.mark.compiling


def test_size_is_the_published_one():
    # torchvision's own figure.
    assert parameters_of("densenet121", size=32, num_classes=1000) == 7_978_856


def test_layers_add_channels_and_transitions_halve_them():
    spec = models.ModelSpec("densenet121", {}, (0.0,), (1.0,), 2, (64, 64, 1), {})
    module = models.build_module(spec)
    image = jax.ShapeDtypeStruct((64, 64, 1), "float32")

    def map_of(last):
        shapes, _ = jax.eval_shape(
            lambda x: module.init_with_output(jax.random.key(0), x, span=(None, last)),
            image,
        )
        return shapes.shape

    assert map_of("stage0_block1") == (16, 16, 64 + 2 * 32)
    assert map_of("transition0") == (8, 8, (64 + 6 * 32) // 2)


def test_a_transition_takes_means_of_four():
    x = np.random.default_rng(0).random((4, 6, 2), np.float32)
    variables = {"params": {"norm0": {"scale": np.ones(2), "bias": np.zeros(2)}}}
    variables["params"]["conv"] = {"kernel": np.float32([[[[2.0], [1.0]]]])}
    variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, "float32"), variables)
    out = Transition(folded=True).apply(variables, jnp.asarray(x))
    means = x.reshape(2, 2, 3, 2, 2).mean((1, 3))
    np.testing.assert_allclose(out, means @ [[2.0], [1.0]], rtol=1e-5)


@pytest.mark.parametrize("size", [28, 29])
def test_images_of_which_nothing_is_left_are_refused(size):
    shape = (size, 40, 1)
    spec = models.ModelSpec("densenet121", {"growth": 1}, (0.0,), (1.0,), 2, shape, {})
    module = models.build_module(spec)
    span = (None, "transition2")
    image = jax.ShapeDtypeStruct(shape, "float32")

    def start():
        return jax.eval_shape(
            lambda x: module.init(jax.random.key(0), x, span=span), image
        )

    if size < 29:
        with pytest.raises(InputError, match="too small for a DenseNet"):
            start()
    else:
        start()


@pytest.mark.parametrize("name", ["densenet161", "densenet201"])
def test_each_name_has_its_own_defaults(name):
    _, options = models.parse_architecture(name)
    assert options == (
        {"width": 96, "growth": 48} if "161" in name else {"width": 64, "growth": 32}
    )


def test_other_depths_do_not_exist():
    with pytest.raises(InputError, match="'densenet120' does not exist"):
        models.parse_architecture("densenet120")
