"""What fields of jobs may hold: radii, models and functions, by name or as values."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.jobs._function_digest import function_digest
from mspd_jax.jobs._values import loaded, opened, radius_of, shard_of


@pytest.mark.parametrize(
    ("value", "radius"), [("8/255", 8 / 255), (0.1, 0.1), ("0.5", 0.5), (1, 1.0)]
)
def test_radii_as_text_or_number(value, radius):
    assert radius_of(value, "linf") == radius


@pytest.mark.parametrize("value", ["8", 8, 0, -0.1, "big", "1/0", float("nan"), "inf"])
def test_radii_that_no_image_needs(value):
    with pytest.raises(InputError, match=r"^`eps`="):
        radius_of(value, "linf")


def test_an_l2_radius_may_be_large():
    assert radius_of(3, "l2") == 3.0


def test_a_shard_is_taken_after_limit_and_every():
    whole = opened("digits:test", limit=20, every=3)
    shards = [
        opened("digits:test", limit=20, every=3, shard=f"{place}/2") for place in (1, 2)
    ]
    assert [len(part.indices) for part in shards] == [3, 4]
    np.testing.assert_array_equal(
        np.concatenate([part.indices for part in shards]), whole.indices
    )
    assert shard_of(None) == (1, 1)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", ""])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="`shard`=.*expected a part like 3/8"):
        opened("digits:test", shard=text)


def network(weights, image):
    return image.ravel() @ weights


def other(weights, image):
    return -image.ravel() @ weights


def test_a_function_is_known_by_its_code_and_its_arrays():
    one, two = jnp.ones((4, 3)), jnp.zeros((4, 3))

    def closed(weights):
        return lambda image: image.ravel() @ weights

    def hidden(weights):
        return functools.partial(network, weights)

    digests = [
        function_digest(f)
        for f in (
            Partial(network, one),
            Partial(network, two),
            Partial(other, one),
            closed(np.ones(3)),
            closed(np.zeros(3)),
            hidden(np.ones(3)),
            hidden(np.zeros(3)),
        )
    ]
    assert len(set(digests)) == len(digests)
    assert function_digest(Partial(network, jnp.ones((4, 3)))) == digests[0]
    assert function_digest(closed(np.ones(3))) == digests[3]


def test_models_by_name_as_values_and_as_functions(tmp_path):
    spec = models.ModelSpec(
        "small_cnn", {"widths": [4]}, (0.0,), (1.0,), 10, (8, 8, 1), {}
    )
    model = models.create_model(jax.random.key(0), spec)
    models.save_model(tmp_path / "net", model)
    by_name, by_value = loaded(str(tmp_path / "net")), loaded(model)
    assert by_name.digest == by_value.digest
    assert by_name.name == str(tmp_path / "net")
    image = jnp.full((8, 8, 1), 0.5)
    as_function = loaded(by_value.predict)
    assert as_function.model is None
    np.testing.assert_array_equal(as_function.predict(image), by_value.predict(image))
    with pytest.raises(InputError, match="function of one image, not int"):
        loaded(3)
