"""The U-Nets of diffusion models: how they begin, their sizes, what they refuse."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import models
from mspd_jax.errors import InputError
from mspd_jax.models._initialize import variable_shapes
from tests.models.noise_by_hand import random_model, spec

pytestmark = pytest.mark.compiling


def test_it_begins_with_no_noise_at_all_and_blocks_that_are_their_shortcuts():
    model = models.create_model(jax.random.key(0), spec())
    params = model.variables["params"]
    assert not params["last"]["bias"].any()
    zeros = [
        "/".join(key.key for key in path[:-1])
        for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]
        if path[-1].key == "kernel" and not leaf.any()
    ]
    blocks = ["down0_0", "middle0", "middle1", "up0_0", "up0_1"]
    expected = [f"{name}/second" for name in blocks] + ["last", "middle_attention/out"]
    assert sorted(zeros) == sorted(expected)


def test_it_reads_the_time_in_thousandths_of_the_schedule():
    model = random_model()
    image = np.random.default_rng(3).random((8, 8, 1), np.float32)
    finer = model._replace(spec=spec(timesteps=4000))
    run = jax.jit(lambda f, x, t: f(x, t))
    found = run(models.function_of(model), image, jnp.float32(150))
    same = run(models.function_of(finer), image, jnp.float32(600))
    np.testing.assert_allclose(found, same, rtol=1e-4, atol=1e-5)
    other = run(models.function_of(model), image, jnp.float32(600))
    assert np.abs(found - other).max() > 1e-2


@pytest.mark.parametrize(
    ("name", "size"), [("ddpm", 35_746_307), ("improved_ddpm", 52_546_438)]
)
def test_sizes_are_those_of_the_published_networks(name, size):
    of = models.ModelSpec(
        *(name, {"variance": True} if name == "improved_ddpm" else {}),
        *((0.5,) * 3, (0.5,) * 3, 0, (32, 32, 3), {}),
    )
    shapes = variable_shapes(models.build_module(of), (32, 32, 3))
    assert sum(math.prod(x.shape) for x in jax.tree.leaves(shapes)) == size


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": [4, 6], "groups": 4}, "multiples of groups 4 .* got 6"),
        ({"widths": [4, 6], "heads": 4}, "of heads 4, got 6"),
        ({"widths": [2, 4]}, "begin with 4, 6"),
        ({"attention": [1]}, "levels from 0 to 0, got 1"),
        ({"attention": [-1]}, "integers >= 0"),
        ({"schedule": "square"}, r"one of \['linear', 'cosine'\]"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        models.build_module(spec(**options))


def test_images_that_cannot_be_halved_are_refused():
    module = models.build_module(spec(widths=[4, 8]))
    with pytest.raises(InputError, match="8x9 for a U-Net of 2 levels: .* of 2"):
        variable_shapes(module, (8, 9, 1))
    variable_shapes(module, (6, 8, 1))


def test_without_a_time_there_is_no_answer():
    with pytest.raises(ValueError, match="reads an image and its timestep"):
        models.function_of(random_model())(jnp.zeros((8, 8, 1)))


def test_pixels_are_read_from_minus_one_to_one():
    with pytest.raises(ValueError, match="must be 0.5"):
        models.create_model(jax.random.key(0), spec(mean=0.4))
    assert models.default_normalization("ddpm", 1) == ((0.5,), (0.5,))
