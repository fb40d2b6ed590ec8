"""MSPD of a picture of any size against its definition, at once and by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from mspd_jax import attacks, drive, models, preempt
from mspd_jax.preempt import _picture
from mspd_jax.preempt._views import whole_view

KEY = jax.random.key(0)
RNG = np.random.default_rng(1)
EPS = 8 / 255


def logits(weights, image):
    hidden = jnp.tanh(weights["first"] @ image.reshape(-1))
    return weights["second"] @ hidden


def network(size, classes=4):
    count = int(np.prod(size))
    first = RNG.normal(size=(16, count)) / np.sqrt(count)
    weights = {"first": 8 * first, "second": 2 * RNG.normal(size=(classes, 16))}
    return Partial(logits, jax.tree.map(lambda w: jnp.asarray(w, jnp.float32), weights))


def picture(*shape):
    return RNG.uniform(0.1, 0.9, shape).astype(np.float32)


WHOLE = preempt.Sights(crop=1.0)


def test_slopes_and_their_signs_are_those_of_the_picture():
    image, predict = picture(150, 40, 3), network((8, 8, 3))
    shown = models.at_size(predict, "resize8x8-bilinear")
    views = whole_view(image.shape, (8, 8))
    none = np.zeros((1, 8, 8, 3), np.float32)
    slopes = _picture.view_slopes(predict, _picture.see(image, views), none, 2)
    moved = _picture._stepped(
        image, image, views, np.asarray(slopes), 1.0, 1e-3, itertools.starmap
    )
    loss = lambda x: attacks.cross_entropy(shown(x), 2)  # noqa: E731
    expected = image - 1e-3 * np.sign(jax.grad(loss)(image))
    # A gradient that is all but zero has a sign of its own in each.
    assert np.mean(np.abs(moved - expected) > 1e-6) < 1e-3


def test_without_noise_on_the_picture_it_is_the_mean_of_mspd():
    image, predict, size = picture(8, 8, 3), network((8, 8, 3)), (8, 8, 3)
    options = dict(eps=EPS, num_samples=2000)
    made = preempt.protect_picture(
        KEY, predict, image, 1, size=size, sights=WHOLE, epochs=1, **options
    )
    other = preempt.mcgs(
        jax.random.key(7), predict, image, jnp.asarray(1), backward_epochs=0, **options
    )
    np.testing.assert_allclose(made, other.image, atol=0.1 * EPS)


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (300, 700, 3), (129, 513, 1), (3, 900, 3)]
)
def test_any_size_stays_in_the_ball_and_changes(shape):
    image, predict = picture(*shape), network((8, 8, 3))
    image[1:2, :2] = 0.0  # at the edge of the box
    made = preempt.protect_picture(
        KEY, predict, image, 0, eps=EPS, size=(8, 8, 3), num_samples=4, antithetic=True
    )
    assert made.shape == shape and made.dtype == np.float32
    assert np.abs(made - image).max() <= EPS * (1 + 1e-5)
    assert 0.0 <= made.min() and made.max() <= 1.0
    assert np.mean(np.abs(made - image)) > EPS / 4


def test_the_loss_of_all_views_falls():
    image, predict = picture(200, 90, 3), network((8, 8, 3))
    label = preempt.view_label(predict, image, (8, 8, 3))
    made = preempt.protect_picture(
        KEY, predict, image, label, eps=EPS, size=(8, 8, 3), num_samples=8
    )
    shown = models.at_size(predict, "resize8x8-bilinear")
    before, after = (attacks.cross_entropy(shown(x), label) for x in (image, made))
    assert after < before - 0.05


def test_calls_on_several_devices_give_the_same():
    image, predict = picture(300, 700, 3), network((8, 8, 3))
    options = dict(eps=EPS, size=(8, 8, 3), num_samples=4)
    one = preempt.protect_picture(KEY, predict, image, 0, **options)
    several = preempt.protect_picture(
        KEY, predict, image, 0, spread=drive.spread, **options
    )
    np.testing.assert_array_equal(one, several)


def test_pairs_of_draws_see_one_box_and_every_second_pair_all():
    views = _picture.drawn_views(
        KEY, (100, 100, 3), (8, 8), 8, preempt.Sights(crop=0.5), paired=True
    )
    np.testing.assert_array_equal(views.rows[0::2], views.rows[1::2])
    whole = whole_view((100, 100, 3), (8, 8)).rows[0]
    seen_whole = [bool((rows == whole).all()) for rows in views.rows]
    assert seen_whole == [True, True, False, False] * 2


def test_distortions_take_turns_with_the_picture_as_it_is():
    image, predict, asked = picture(20, 20, 3), network((8, 8, 3)), []

    def darker(x):
        asked.append(x)
        return x / 2

    sights = preempt.Sights(distortions=(darker,))
    views = _picture.drawn_views(KEY, image.shape, (8, 8), 8, WHOLE, paired=False)
    seen = _picture._seen_each(image, views, sights.distortions, itertools.starmap)
    as_it_is = _picture.see(image, views)[0]
    for number, view in enumerate(seen):
        factor = 0.5 if number // 2 % 2 else 1.0
        np.testing.assert_allclose(view, factor * as_it_is, rtol=1e-5)
    preempt.protect_picture(
        KEY, predict, image, 0, eps=EPS, size=(8, 8, 3), num_samples=8, sights=sights
    )
    assert len(asked) == 3  # once above, once in each epoch


def test_gray_is_shown_in_all_channels():
    gray, predict = picture(2, 8, 8, 1), network((8, 8, 3))
    noise = RNG.uniform(-EPS, EPS, (2, 8, 8, 3)).astype(np.float32)
    slopes = _picture.view_slopes(predict, gray, noise, 0)
    colors = _picture.view_slopes(predict, np.repeat(gray, 3, 3), noise, 0)
    np.testing.assert_allclose(slopes, colors.sum(3, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(
        preempt.view_label(predict, gray[0], (8, 8, 3)),
        jnp.argmax(predict(np.repeat(gray[0], 3, 2))),
    )


@pytest.mark.parametrize("shape", [(8, 8, 3), (150, 600, 1)])
@pytest.mark.parametrize("samples, distortions", [(1, 2), (3, 1), (8, 3)])
def test_the_calls_of_a_picture_are_known_before(shape, samples, distortions):
    sights = preempt.Sights(distortions=(lambda image: image,) * distortions)
    calls = []

    def spread(function, arguments):
        for one in arguments:
            calls.append(function)
            yield function(*one)

    preempt.protect_picture(
        *(KEY, network((8, 8, 3)), picture(*shape), 1),
        eps=EPS,
        size=(8, 8, 3),
        num_samples=samples,
        sights=sights,
        spread=spread,
    )
    expected = preempt.count_calls(shape, num_samples=samples, sights=sights)
    assert len(calls) == expected
