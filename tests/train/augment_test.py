"""Augmentation: which images can come out, how often, and from what alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import train
from mspd_jax.patch._windows import GRAY
from mspd_jax.train import _augment

KEYS = jax.random.split(jax.random.key(0), 400)
# Every value occurs once and none is 0, so that a window is recognized.
IMAGE = (1.0 + jnp.arange(6 * 5 * 2, dtype=jnp.float32)).reshape(6, 5, 2)


def test_crop_gives_every_window_and_nothing_else():
    crop = functools.partial(_augment.random_crop, pad=1)
    found = np.asarray(jax.jit(jax.vmap(crop, in_axes=(0, None)))(KEYS, IMAGE))
    padded = np.pad(np.asarray(IMAGE), ((1, 1), (1, 1), (0, 0)))
    windows = [padded[i : i + 6, j : j + 5] for i in range(3) for j in range(3)]
    counts = [int((found == w).all(axis=(1, 2, 3)).sum()) for w in windows]
    assert sum(counts) == len(KEYS)
    # Binomial(400, 1/9): fewer than 12 for any has a probability below 1e-8.
    assert min(counts) >= 12


def test_flip_mirrors_half_of_the_images():
    found = np.asarray(jax.vmap(_augment.random_flip, in_axes=(0, None))(KEYS, IMAGE))
    same = (found == np.asarray(IMAGE)).all(axis=(1, 2, 3))
    mirrored = (found == np.asarray(IMAGE)[:, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    # Binomial(400, 1/2): 6 standard deviations are 60.
    assert 140 < mirrored.sum() < 260


def test_noise_has_the_standard_deviation_asked_for_and_is_not_clipped():
    image = jnp.full((64, 64, 3), 0.9)
    noise = np.asarray(train.add_noise(KEYS[0], image, sigma=0.25)) - 0.9
    count = noise.size
    # Five standard errors of each moment: false alarms below 1e-6.
    assert abs(noise.mean()) < 5 * 0.25 / np.sqrt(count)
    assert abs(noise.std() / 0.25 - 1) < 5 / np.sqrt(2 * count)
    assert (noise > 0.1).any()


def test_an_example_depends_on_its_own_key_and_image_alone():
    augment = train.augmentation(pad=2, flip=True, sigma=0.1)
    images = jax.random.uniform(jax.random.key(1), (6, 8, 8, 3))
    run = jax.jit(jax.vmap(augment))
    rows = np.asarray([4, 0, 3])
    whole = np.asarray(run(KEYS[:6], images))
    np.testing.assert_array_equal(run(KEYS[:6][rows], images[rows]), whole[rows])
    assert not np.array_equal(run(KEYS[6:12], images), whole)


def test_augmentation_without_options_changes_nothing():
    np.testing.assert_array_equal(train.augmentation()(KEYS[0], IMAGE), IMAGE)


def test_a_new_sigma_compiles_nothing():
    run = jax.jit(lambda augment, key, image: augment(key, image))
    for sigma in (0.1, 0.2):
        run(train.augmentation(pad=1, sigma=sigma), KEYS[0], IMAGE)
    assert run._cache_size() == 1


def test_negative_pad_is_refused():
    with pytest.raises(ValueError, match="pad"):
        train.augmentation(pad=-1)


def test_a_window_of_pixels_is_hidden_at_every_place_alike():
    image = np.random.default_rng(1).random((6, 7, 2), np.float32)
    keys = jax.random.split(jax.random.key(0), 4_000)
    hide = functools.partial(_augment.hide_window, size=3)
    found = np.asarray(jax.jit(jax.vmap(hide, in_axes=(0, None)))(keys, image))
    counts = []
    for row in range(4):
        for col in range(5):
            want = image.copy()
            want[row : row + 3, col : col + 3] = 0.5
            counts.append(int((found == want).all(axis=(1, 2, 3)).sum()))
    assert sum(counts) == len(keys)
    # Binomial(4000, 1/20): six standard deviations are 83.
    np.testing.assert_allclose(counts, 200, atol=83)


def test_windows_of_several_sizes_are_hidden_alike():
    image = np.full((7, 7, 1), 0.25, np.float32)
    keys = jax.random.split(jax.random.key(5), 3_000)
    hide = train.augmentation(hide=4, hide_least=2)
    found = np.asarray(jax.jit(jax.vmap(hide, in_axes=(0, None)))(keys, image))
    sides, counts = np.unique((found == GRAY).sum(axis=(1, 2, 3)), return_counts=True)
    assert list(sides) == [4, 9, 16]
    # Binomial(3000, 1/3): six standard deviations are 155.
    np.testing.assert_allclose(counts, 1_000, atol=155)


def test_the_augmentation_hides_what_it_is_asked_to():
    image = 0.6 + 0.4 * jnp.asarray(
        np.random.default_rng(2).random((8, 8, 1)), jnp.float32
    )
    keys = jax.random.split(jax.random.key(1), 20)
    both = train.augmentation(flip=True, hide=3)
    found = np.asarray(jax.jit(jax.vmap(both, in_axes=(0, None)))(keys, image))
    np.testing.assert_array_equal((found == GRAY).sum(axis=(1, 2, 3)), 9)
    with pytest.raises(ValueError, match="hide"):
        train.augmentation(hide=-1)
    with pytest.raises(ValueError, match="`hide_least`: expected 1 to `hide`=3"):
        train.augmentation(hide=3, hide_least=4)
