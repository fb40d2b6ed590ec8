"""FAB against closed forms and linear programs; attempts; broken models."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import optimize

from mspd_jax.attacks import fab, fab_targeted

KEY = jax.random.key(0)
SHAPE = (2, 3, 2)
SIZE = 12
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(5, SIZE)).astype(np.float32)
CENTER = RNG.uniform(0.45, 0.55, SHAPE).astype(np.float32)
# Pixels at and near the ends: the box binds.
EDGE = np.random.default_rng(16).uniform(-0.5, 1.5, SHAPE).clip(0, 1).astype(np.float32)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
GAP = 3.0  # at EDGE, where the box binds in every norm
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}
STATIC = ("norm", "steps", "restarts", "targets", "attempts")
run = jax.jit(fab, static_argnames=("norm", "steps", "restarts"))
run_targeted = jax.jit(fab_targeted, static_argnames=STATIC)
ATTACKS = {"fab": run, "fab-t": run_targeted}


def linear(parameters, image):
    weights, bias = parameters
    return weights @ image.reshape(-1) + bias


def problem(image, gap, rest=0.0):
    """A linear model, class 3 ahead of 1, and of the `rest`: (predict, bias, label)."""
    bias = -WEIGHTS @ image.ravel()
    bias[3] += gap
    bias[[0, 2, 4]] -= rest
    return Partial(linear, (jnp.array(WEIGHTS), jnp.array(bias))), bias, jnp.array(3)


def length(x, image, norm):
    change = np.asarray(x, np.float64) - np.asarray(image, np.float64)
    return np.linalg.norm(change.ravel(), ORDER[norm])


def smallest(norm, image, bias, rival, label=3):
    """The least change that makes class `rival` catch up inside the box, or inf."""
    x = image.ravel().astype(np.float64)
    normal = WEIGHTS[rival].astype(np.float64) - WEIGHTS[label]
    value = normal @ x + float(bias[rival]) - float(bias[label])
    bounds = np.stack([-x, 1 - x], axis=1)
    if norm == "l2":
        got = optimize.minimize(
            lambda d: d @ d,
            0 * x,
            jac=lambda d: 2 * d,
            bounds=bounds,
            constraints={"type": "ineq", "fun": lambda d: value + normal @ d},
            method="SLSQP",
            options={"ftol": 1e-10},
        )
        return np.sqrt(got.fun) if got.success else np.inf
    ones, eye = np.ones((SIZE, 1)), np.eye(SIZE)
    if norm == "linf":  # variables d, t
        got = optimize.linprog(
            np.append(np.zeros(SIZE), 1.0),
            A_ub=np.block([[eye, -ones], [-eye, -ones], [-normal, 0.0]]),
            b_ub=np.append(np.zeros(2 * SIZE), value),
            bounds=[*bounds, (0, None)],
        )
    else:  # variables up, down
        got = optimize.linprog(
            np.ones(2 * SIZE),
            A_ub=np.append(-normal, normal)[None],
            b_ub=[value],
            bounds=[(0, b) for b in np.append(1 - x, x)],
        )
    return got.fun if got.status == 0 else np.inf


class LinearModelTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2", "l1"), name=("fab", "fab-t"))
    def test_smallest_change_in_closed_form(self, norm, name):
        predict, bias, label = problem(CENTER, gap=0.4)
        gaps = bias[3] - bias + (WEIGHTS[3] - WEIGHTS) @ CENTER.ravel()
        dual = np.linalg.norm(WEIGHTS[3] - WEIGHTS, DUAL[norm], axis=1)
        wants = [gaps[k] / dual[k] for k in (0, 1, 2, 4)]
        got = ATTACKS[name](KEY, predict, CENTER, label, eps=jnp.inf, norm=norm)
        np.testing.assert_allclose(-got.loss, min(wants), rtol=1e-3)
        np.testing.assert_allclose(
            length(got.image, CENTER, norm), -got.loss, rtol=1e-5
        )
        self.assertNotEqual(np.argmax(predict(got.image)), 3)

    @parameterized.product(norm=("linf", "l2", "l1"), name=("fab", "fab-t"))
    def test_smallest_change_where_the_box_binds(self, norm, name):
        predict, bias, label = problem(EDGE, gap=GAP, rest=9.0)
        # Which boundary is nearest FAB judges without the box: the rest is far away.
        want = smallest(norm, EDGE, bias, 1)
        free = GAP / np.linalg.norm(WEIGHTS[3] - WEIGHTS[1], DUAL[norm])
        self.assertBetween(want, 1.1 * free, 10.0 * free)
        got = ATTACKS[name](KEY, predict, EDGE, label, eps=jnp.inf, norm=norm)
        np.testing.assert_allclose(-got.loss, want, rtol=2e-3)
        self.assertNotEqual(np.argmax(predict(got.image)), 3)

    def test_rank_decides_which_boundary(self):
        # One pixel for each class, so that raising one does not raise another: class k
        # catches up after gap_k / sqrt(2), half of it from the label's own pixel.
        gaps = np.array([1.6, 1.0, 1.4, 0.0, 1.2], np.float32) / 4
        weights = jnp.eye(5, SIZE)
        predict = Partial(linear, (weights, -weights @ CENTER.ravel() - gaps))
        for rank, rival in enumerate((1, 4, 2, 0, 1)):
            options = {"attempts": 1, "first": rank, "norm": "l2"}
            got = run_targeted(
                KEY, predict, CENTER, jnp.array(3), eps=jnp.inf, **options
            )
            self.assertEqual(np.argmax(predict(got.image)), rival)
            np.testing.assert_allclose(-got.loss, gaps[rival] / 2**0.5, rtol=1e-3)

    def test_target(self):
        # The smallest change after which class 2 is above all others.
        predict, bias, label = problem(CENTER, gap=0.4)
        ahead, x = WEIGHTS[2] - WEIGHTS[[0, 1, 3, 4]], CENTER.ravel()
        lead = ahead @ x + bias[2] - bias[[0, 1, 3, 4]]
        want = optimize.minimize(
            lambda d: d @ d,
            0 * x,
            jac=lambda d: 2 * d,
            bounds=np.stack([-x, 1 - x], axis=1),
            constraints={"type": "ineq", "fun": lambda d: lead + ahead @ d},
            method="SLSQP",
            options={"ftol": 1e-10},
        )
        self.assertGreater(np.sqrt(want.fun), 1.02 * smallest("l2", CENTER, bias, 2))
        got = run(KEY, predict, CENTER, label, eps=jnp.inf, norm="l2", target=2)
        self.assertEqual(np.argmax(predict(got.image)), 2)
        np.testing.assert_allclose(-got.loss, np.sqrt(want.fun), rtol=1e-2)


def wave(image):
    return jnp.array(WEIGHTS) @ jnp.sin(7.0 * image.reshape(-1))


WAVE_LABEL = int(np.argmax(WEIGHTS @ np.sin(7.0 * CENTER.ravel())))


class AttemptsTest(parameterized.TestCase):
    @parameterized.parameters("fab", "fab-t")
    def test_parts_equal_the_whole(self, name):
        # fab-t: all of 2 rounds of 3 targets, by default.
        every = {"fab": {"restarts": 6}, "fab-t": {"targets": 3, "restarts": 2}}[name]
        one = {"fab": {"restarts": 1}, "fab-t": {"targets": 3, "attempts": 1}}[name]
        options = {"eps": jnp.inf, "norm": "l2", "steps": 3}
        args = (KEY, Partial(wave), CENTER, WAVE_LABEL)
        whole = ATTACKS[name](*args, **every, **options)
        parts = [ATTACKS[name](*args, first=i, **one, **options) for i in range(6)]
        losses = [float(part.loss) for part in parts]
        self.assertGreater(len(set(losses)), 3)
        best = parts[int(np.argmax(losses))]
        np.testing.assert_allclose(whole.loss, best.loss, rtol=1e-5)
        np.testing.assert_allclose(whole.image, best.image, atol=1e-5)
        # The first round starts at the image, the later ones where the key says.
        later = {"fab": 1, "fab-t": 3}[name]
        for first, same in ((later - 1, True), (later, False)):
            other = ATTACKS[name](
                jax.random.key(1), *args[1:], first=first, **one, **options
            )
            self.assertEqual(bool(np.all(other.image == parts[first].image)), same)


class LimitsTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2", "l1"), name=("fab", "fab-t"))
    def test_proposal_is_in_the_ball(self, norm, name):
        predict, bias, label = problem(EDGE, gap=GAP, rest=9.0)
        want = smallest(norm, EDGE, bias, 1)
        for eps in (0.0, 0.6 * want, 1.01 * want):
            got = ATTACKS[name](KEY, predict, EDGE, label, eps=eps, norm=norm)
            self.assertLessEqual(length(got.image, EDGE, norm), eps + 1e-6)
            self.assertBetween(np.min(got.image), 0.0, 1.0)
            self.assertLessEqual(np.max(got.image), 1.0)
            fooled = int(np.argmax(predict(got.image))) != 3
            self.assertEqual(fooled, eps > want)
            # What it says: the smallest distance, whatever eps is.
            np.testing.assert_allclose(-got.loss, want, rtol=2e-3)

    @parameterized.parameters("fab", "fab-t")
    def test_misclassified_image_is_returned(self, name):
        predict, _, _ = problem(CENTER, gap=0.4)
        got = ATTACKS[name](
            KEY, predict, CENTER, jnp.array(0), eps=0.1, norm="l2", first=5
        )
        np.testing.assert_array_equal(got.image, CENTER)
        self.assertAlmostEqual(float(got.loss), 0.0, delta=1e-12)

    @parameterized.parameters(1e-30, 1e20)
    def test_scale_of_the_logits_does_not_matter(self, scale):
        predict, bias, label = problem(CENTER, gap=0.4)
        scaled = Partial(linear, (WEIGHTS * scale, jnp.array(bias) * scale))
        want = run(KEY, predict, CENTER, label, eps=jnp.inf, norm="l2").loss
        got = run(KEY, scaled, CENTER, label, eps=jnp.inf, norm="l2").loss
        np.testing.assert_allclose(got, want, rtol=1e-3)

    @parameterized.parameters("fab", "fab-t")
    def test_nan_everywhere_returns_the_original_and_says_so(self, name):
        broken = Partial(lambda x: x.reshape(-1)[:3] * jnp.nan)
        got = ATTACKS[name](KEY, broken, CENTER, 0, eps=0.1, steps=2)
        np.testing.assert_array_equal(got.image, CENTER)
        self.assertEqual(got.loss, -np.inf)

    def test_nan_beyond_the_boundary_is_no_success(self):
        predict, _, label = problem(CENTER, gap=0.4)

        def half(image):
            logits = predict(image)
            return jnp.where(jnp.argmax(logits) == label, logits, jnp.nan)

        got = run(KEY, Partial(half), CENTER, label, eps=jnp.inf, steps=5)
        self.assertTrue(np.all(np.isfinite(got.image)))
        self.assertFalse(np.any(np.isnan(half(got.image))))
        self.assertLess(got.loss, 0.0)

    @parameterized.parameters(
        (fab, {"steps": 0}, "steps must be an integer of at least 1; got 0"),
        (fab, {"restarts": 0}, "restarts must be"),
        (fab, {"norm": "l0"}, "norm must be one of"),
        (fab_targeted, {"targets": 0}, "targets must be"),
        (fab_targeted, {"restarts": 1.0}, "restarts must be"),
        (fab_targeted, {"attempts": 0}, "attempts must be"),
    )
    def test_bad_static_arguments(self, attack, options, message):
        with self.assertRaisesRegex(ValueError, message):
            attack(KEY, wave, CENTER, 0, eps=0.1, **options)
