"""The detector-aware attack: it breaks what is unsound, nothing that is certified."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax import lax
from jax.tree_util import Partial

from mspd_jax import models, patch
from mspd_jax.attacks import patch_pgd, patch_positions
from mspd_jax.errors import InputError
from mspd_jax.patch._windows import GRAY

SHAPE = (6, 6, 1)
KEY = jax.random.key(0)
EVERY = patch_positions(SHAPE, patch=2)
CORNERS = patch_positions(SHAPE, patch=2, count=4)
PIXELS = models.PIXEL, models.PIXEL
WINDOWS = patch.cover(SHAPE, patch=2, per_axis=3)


@functools.partial(jax.jit, static_argnames=("steps", "sample"))
def run(key, detector, image, label, positions, confidence, *, steps, sample):
    options = {"patch": 2, "positions": positions, "confidence": confidence}
    options |= {"steps": steps, "sample": sample}
    return patch.evade(key, detector, image, label, **options)


def attack(detector, image, label, positions=CORNERS, *, confidence=0.0, **options):
    options = {"steps": 30, "sample": None} | options
    places = np.asarray(positions, np.int32)
    label, confidence = np.int32(label), np.float32(confidence)
    return run(KEY, detector, image, label, places, confidence, **options)


verdict = jax.jit(patch.detect, static_argnames="budget")


def trade(image):
    """Two ways to be wrong: class 1 by the last pixel, class 2 by the one before it.

    Both pixels white is most wrong, and class 2. But where the one before the last is
    gray, class 1 wins: whoever wants silence must leave class 2 alone.
    """
    last, before = image[5, 5, 0], image[5, 4, 0]
    return jnp.stack([jnp.array(1.45), 1.5 * last, 2.2 * before])


def trade_image():
    image = np.zeros(SHAPE, np.float32)
    image[5, 5], image[5, 4] = 0.4, 0.2
    return image


def hedged(image):
    """Gray in three pixels of a square hides class 0; the fourth is for 2, against 1.

    Under a window over all four the answer is 1, though 2 is the runner-up.
    """
    square = image[2:4, 2:4, 0].ravel()
    strange = jnp.sum(jnp.abs(square[:3] - GRAY))
    return jnp.stack([4.0 * strange, jnp.array(1.0), 0.4 + square[3]])


def hedged_image():
    image = np.zeros(SHAPE, np.float32)
    image[2:4, 2:4] = 1.0
    return image


def shortcut(image):
    """Class 1 by the last pixel, or sooner by the one before it, if not gray.

    The sooner way leaves no gradient for the other, which alone is silent.
    """
    last, before = image[5, 5, 0], image[5, 4, 0]
    sooner = jnp.minimum(100.0 * jnp.abs(before - GRAY) - 9.0, 2.0)
    class_1 = jnp.maximum(10.0 * last - 8.5, sooner)
    return jnp.stack([jnp.array(1.45), class_1, jnp.array(-20.0)])


def shortcut_image():
    image = trade_image()
    image[5, 4] = GRAY
    return image


MODELS = (trade, hedged, shortcut)


def any_of(number, scale, image):
    """All models in one, so that one compilation does for all tests of them."""
    return scale * jnp.stack([model(image) for model in MODELS])[number]


def planted(model, scale=1.0):
    predict = Partial(any_of, jnp.array(MODELS.index(model)), jnp.array(scale))
    return patch.minority_reports(predict, WINDOWS)


def short(model):
    """Windows that end before the last column."""
    detector = planted(model)
    predict, hidden = detector.args
    hidden = hidden._replace(cols=hidden.cols.at[:, -1].set(False))
    return Partial(detector.func, predict, hidden)


def by_corners(places):
    """Class 0 by the corners of the map, else class 1."""
    corners = places[0, 0] + places[0, 5] + places[5, 0] + places[5, 5]
    return jnp.concatenate([corners, jnp.array([0.5])])


def corners_image():
    image = np.zeros(SHAPE, np.float32)
    image[::5, ::5] = 0.6
    return image


def sound_selection():
    shallow, rest = Partial(jnp.asarray), Partial(by_corners)
    parts = models.Split(shallow, rest, PIXELS, SHAPE, SHAPE[:2])
    return patch.scalecert(parts, WINDOWS, keep=2 / 36)


def early_selection(image):
    """ScaleCert, but the two largest are chosen before the window is hidden."""
    selected = image >= lax.top_k(image.ravel(), 2)[0][1]
    pruned = jnp.where(selected, image, 0.0)
    masked = patch.minority_reports(by_corners, WINDOWS)(pruned)
    return masked._replace(hide=Partial(_hide_late, pruned))


def _hide_late(pruned, numbers):
    hidden = patch.hidden_by(WINDOWS, PIXELS, SHAPE)

    def one(number):
        return by_corners(
            jnp.where(patch.hides(hidden, number)[..., None], 0.0, pruned)
        )

    return jax.vmap(one)(numbers)


class UnsoundTest(parameterized.TestCase):
    @parameterized.product(
        case=((trade, trade_image, 2), (shortcut, shortcut_image, 1)), sample=(None, 2)
    )
    def test_short_windows_are_evaded_where_the_plain_attack_is_noticed(
        self, case, sample
    ):
        model, image, plain = case
        image, detector = image(), short(model)
        self.assertTrue(verdict(detector, image, budget=9).certified)
        blind = patch_pgd(KEY, model, image, 0, patch=2, positions=CORNERS, steps=30)
        found = verdict(detector, blind.image, budget=9)
        self.assertEqual((int(found.label), bool(found.alert)), (plain, True))
        got = attack(detector, image, 0, CORNERS[::-1], sample=sample)
        self.assertTrue(got.evades)
        self.assertGreater(got.loss, 0)
        np.testing.assert_array_equal(got.position, [4, 4])
        found = verdict(detector, got.image, budget=9)
        self.assertEqual((int(found.label), bool(found.alert)), (1, False))

    @parameterized.parameters(None, 2)
    def test_the_same_model_behind_sound_windows_is_not(self, sample):
        image, detector = trade_image(), planted(trade)
        self.assertTrue(verdict(detector, image, budget=9).certified)
        got = attack(detector, image, 0, sample=sample)
        self.assertFalse(got.evades)
        self.assertLess(got.loss, 0)
        # No window is sure enough to say so.
        got = attack(detector, image, 0, sample=sample, confidence=0.9)
        self.assertTrue(got.evades)
        self.assertGreater(got.loss, 0)

    @parameterized.named_parameters(
        ("early", Partial(early_selection), True),
        ("late", sound_selection(), False),
    )
    def test_neurons_selected_before_the_window_are_evaded(self, detector, evaded):
        image = corners_image()
        self.assertTrue(verdict(detector, image, budget=9).certified)
        got = attack(detector, image, 0, EVERY, steps=5)
        self.assertEqual(bool(got.evades), evaded)


class TargetTest(parameterized.TestCase):
    @parameterized.parameters(None, 2)
    def test_it_is_what_the_window_over_the_patch_says(self, sample):
        image, detector = hedged_image(), planted(hedged)
        self.assertEqual(list(np.argsort(hedged(image))), [1, 2, 0])
        # From elsewhere nothing can be done.
        places = [CORNERS[0], (2, 2), *CORNERS[1:3]]
        got = attack(detector, image, 0, places, sample=sample)
        self.assertTrue(got.evades)
        self.assertGreater(got.loss, 0)
        np.testing.assert_array_equal(got.position, [2, 2])
        self.assertEqual(np.argmax(hedged(got.image)), 1)


class CallTest(parameterized.TestCase):
    def test_compiled_is_eager(self):
        got = attack(short(trade), trade_image(), 0)
        options = {"patch": 2, "positions": CORNERS, "steps": 30}
        want = patch.evade(KEY, short(trade), trade_image(), 0, **options)
        close = functools.partial(np.testing.assert_allclose, atol=1e-5)
        jax.tree.map(close, got, want)

    def test_new_places_floats_and_weights_do_not_compile_again(self):
        attack(planted(trade), trade_image(), 0)
        before = run._cache_size()
        for number in range(3):
            detector = planted(MODELS[number], 0.5 * number)
            places = np.roll(CORNERS, number, axis=0)
            attack(detector, hedged_image(), number, places, confidence=number / 4)
        self.assertEqual(run._cache_size(), before)

    def test_an_image_that_is_wrong_in_silence_is_an_evasion(self):
        self.assertTrue(attack(planted(trade), trade_image(), 2).evades)

    def test_no_number_at_all_gives_the_original(self):
        got = attack(planted(trade, np.nan), trade_image(), 0)
        np.testing.assert_array_equal(got.image, trade_image())
        np.testing.assert_array_equal(got.position, [-1, -1])
        self.assertEqual(got.loss, -np.inf)

    @parameterized.parameters(
        ({"steps": 0}, "steps of an attack: expected 1 or more, got 0"),
        ({"sample": 0}, "windows in a sample: expected 1 or more, got 0"),
        ({"patch": 7}, "does not fit"),
    )
    def test_bad_arguments(self, options, message):
        options = {"patch": 2, "positions": EVERY, "steps": 2} | options
        with self.assertRaisesRegex(InputError, message):
            patch.evade(KEY, planted(trade), trade_image(), 0, **options)
