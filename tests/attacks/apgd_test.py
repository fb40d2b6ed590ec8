"""Auto-PGD against a second implementation, closed forms, and its own recorded path."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from scipy import optimize, special

from mspd_jax.attacks import fooled, margin
from mspd_jax.attacks._apgd import apgd, apgd_targeted
from mspd_jax.attacks._apgd_steps import border_noise

SHAPE = (3, 3, 2)
SIZE = 18
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(5, SIZE)).astype(np.float32) * 3
KEY = jax.random.key(0)
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}

STATIC = ("norm", "steps", "restarts", "shrinking", "loss")
run = jax.jit(apgd, static_argnames=STATIC)
run_targeted = jax.jit(
    apgd_targeted, static_argnames=("norm", "steps", "targets", "restarts", "attempts")
)


def linear(weights, image):
    return weights @ image.reshape(-1)


def wave(image):
    return jnp.array(WEIGHTS) @ jnp.sin(9.0 * image.reshape(-1))


def make_script(seed, points, level=0.0):
    """A loss for each point that will be asked about, and a gradient.

    The loss mostly rises, then drops at once: so it can rise often and gain nothing.
    """
    rng = np.random.default_rng(seed)
    falls = rng.uniform(size=points) < 0.2
    moves = np.where(falls, -1.0, 0.2) * rng.uniform(0.1, 1.0, points)
    gradients = rng.normal(size=(points, *SHAPE))
    return (level + np.cumsum(moves)).astype(np.float32), gradients.astype(np.float32)


def nearest(x, center, eps, norm):
    """The published projections; l1 by a root in SciPy."""
    change = x - center
    if norm == "linf":
        return np.clip(center + np.clip(change, -eps, eps), 0, 1)
    if norm == "l2":
        length = np.linalg.norm(change)
        return np.clip(center + change * min(1, eps / max(length, 1e-30)), 0, 1)

    def at(t):
        shrunk = np.sign(change) * np.maximum(np.abs(change) - t, 0)
        return np.clip(shrunk, -center, 1 - center)

    def excess(t):
        return np.abs(at(t)).sum() - eps

    if excess(0) <= 0:
        return center + at(0)
    return center + at(optimize.brentq(excess, 0, np.abs(change).max(), xtol=1e-14))


def second_run(value, x, center, *, eps, norm, steps, wide):
    """One stage of Auto-PGD, written from the papers: (path, best point, events)."""
    first = eps if norm == "l1" else 2 * eps
    step_size, events = first, []
    loss, gradient = value(x)
    path, losses = [x], [loss]
    best, best_gradient, best_loss = x, gradient, loss
    before, halved, loss_at_check = x, True, loss
    period = max(int((0.04 if norm == "l1" else 0.22) * steps), 1)
    shorter, least = max(int(0.03 * steps), 1), max(int(0.06 * steps), 1)
    checked, support, share = 0, float(SIZE), 0.2
    if wide:
        support = np.count_nonzero(x != center)
        share = support / SIZE / 1.5
    for step in range(1, steps + 1):
        if norm == "l1":
            count = max(SIZE - int(np.floor((1 - share) * SIZE + 1e-9)), 1)
            chosen = np.argsort(-np.abs(gradient))[:count]
            move = np.zeros(SIZE)
            move[chosen] = np.sign(gradient[chosen]) / count
            following = nearest(x + step_size * move, center, eps, norm)
        else:
            unit = np.sign(gradient)
            if norm == "l2":
                unit = gradient / np.linalg.norm(gradient)
            ahead = nearest(x + step_size * unit, center, eps, norm)
            a = 0.75 if step > 1 else 1.0
            following = x + a * (ahead - x) + (1 - a) * (x - before)
            following = nearest(following, center, eps, norm)
        before, x = x, following
        loss, gradient = value(x)
        path.append(x)
        losses.append(loss)
        if loss > best_loss:
            best, best_gradient, best_loss = x, gradient, loss
        if step != checked + period:
            continue
        if norm == "l1":
            now = np.count_nonzero(np.abs(best - center) > 1e-7)
            back = now < 0.95 * support
            step_size = first if back else max(step_size / 1.5, first / 10)
            share, support = now / SIZE / 1.5, now
            events += ["sparser"] if back else ["smaller"]
        else:
            rises = sum(losses[i] > losses[i - 1] for i in range(checked + 1, step + 1))
            slow = rises <= 0.75 * period
            stuck = not halved and loss_at_check >= best_loss
            back = halved = slow or stuck
            loss_at_check = best_loss
            step_size /= 2 if back else 1
            events += ["slow"] if slow else ["stuck"] if stuck else ["fine"]
        if back:
            x, gradient = best, best_gradient
        checked = step
        if norm != "l1":
            period = max(period - shorter, least)
    return path, best, events


def scripted(**options):
    """The attack on a model that follows a script -> (Proposal, points asked about)."""
    script, points = [], []

    def turn(image):
        points.append(np.array(image))
        return script[0][0][len(points) - 1], script[0][1][len(points) - 1]

    like = (jax.ShapeDtypeStruct((), "float32"), jax.ShapeDtypeStruct(SHAPE, "float32"))

    def forward(image):
        return jax.pure_callback(turn, like, image)

    @jax.custom_vjp
    def height(image):
        return forward(image)[0]

    height.defvjp(forward, lambda gradient, weight: (weight * gradient,))

    def predict(image):  # label 0 is right up to height 0
        return jnp.stack([jnp.zeros(()), height(image)])

    attack = jax.jit(lambda: apgd(KEY, predict, IMAGE, 0, loss=margin, **options))

    def follow(new):
        points.clear()
        script[:] = [new]
        return jax.block_until_ready(attack()), np.asarray(points)

    return follow


def second_attack(script, *, eps, norm, steps, shrinking=False):
    """All stages on the host: (path, number of points in the last stage, events)."""
    center = IMAGE.ravel().astype(np.float64)
    wide = int(np.ceil(0.3 * steps)) if shrinking else 0
    plan = [(3, wide), (2, wide), (1, steps - 2 * wide)] if wide else [(1, steps)]
    x = border_noise(jax.random.fold_in(KEY, 0), IMAGE, eps=plan[0][0] * eps, norm=norm)
    x = np.asarray(x, np.float64).ravel()
    lines = zip(*script, strict=True)

    def value(_):
        loss, gradient = next(lines)
        return loss, gradient.astype(np.float64).ravel()

    path, events = [], []
    for scale, share in plan:
        options = {"eps": scale * eps, "norm": norm, "steps": share}
        x = nearest(x, center, scale * eps, norm)
        stage, x, new = second_run(value, x, center, wide=shrinking, **options)
        path, events = path + stage, events + new
    return np.asarray(path), len(stage), events


class SecondImplementationTest(parameterized.TestCase):
    """Same script, same points: step sizes, inertia, checkpoints, going back."""

    @parameterized.parameters(
        ("linf", 0.05, 100, False, {"slow", "stuck", "fine"}),
        ("l2", 0.3, 37, False, {"slow", "stuck", "fine"}),
        ("l1", 0.5, 50, False, {"sparser", "smaller"}),
        ("l1", 2.0, 100, True, {"sparser", "smaller"}),
    )
    def test_same_points(self, norm, eps, steps, shrinking, kinds):
        options = {"eps": eps, "norm": norm, "steps": steps, "shrinking": shrinking}
        follow, seen = scripted(**options), set()
        for seed, level in itertools.product((0, 1), (0.0, -50.0)):
            script = make_script(seed, steps + (3 if shrinking else 1), level)
            want, last, events = second_attack(script, **options)
            got, points = follow(script)
            points = points.reshape(-1, SIZE)
            np.testing.assert_allclose(points, want, atol=1e-5)
            seen |= set(events)
            # The last misclassified point of the last stage, or else the highest.
            losses, points = script[0][-last:], points[-last:]
            wrong = np.flatnonzero(losses > 0)
            kept = wrong[-1] if wrong.size else np.argmax(losses)
            self.assertEqual(got.loss, losses[kept])
            np.testing.assert_array_equal(got.image.ravel(), points[kept])
        # The scripts have led through every branch of the rules.
        self.assertEqual(seen, kinds)


def greedy(weights, center, eps, norm):
    """The largest weights @ change within ball and box, l2 without the box."""
    room = np.where(weights > 0, 1 - center, center)
    size = np.abs(weights)
    if norm == "linf":
        return np.sum(size * np.minimum(room, eps))
    if norm == "l2":
        return eps * np.linalg.norm(weights)
    gain = 0.0
    for i in np.argsort(-size):  # spend the budget where it buys most
        gain += size[i] * min(room[i], eps)
        eps -= min(room[i], eps)
    return gain


def host_dlr(logits, label, target):
    ranked = np.sort(np.asarray(logits, np.float64))[::-1]
    spread = ranked[0] - (ranked[2] + ranked[3]) / 2
    return (logits[target] - logits[label]) / spread


def length(x, norm):
    change = np.asarray(x, np.float64) - np.asarray(IMAGE, np.float64)
    return np.linalg.norm(change.ravel(), ORDER[norm])


class LinearModelTest(parameterized.TestCase):
    # In l1 steps are never along less than two pixels once the best point has changed
    # two, so that budgets which one pixel should take alone are not spent to the last.
    @parameterized.product(
        case=(("linf", 0.1), ("linf", 0.6), ("l2", 0.2), ("l1", 1.5), ("l1", 2.5)),
        label=(0, 1),
    )
    def test_two_classes_exact_worst_case(self, case, label):
        norm, eps = case
        gap = (WEIGHTS[1 - label] - WEIGHTS[label]).astype(np.float64)
        center = IMAGE.ravel().astype(np.float64)
        want = gap @ center + greedy(gap, center, eps, norm)
        predict = Partial(linear, jnp.array(WEIGHTS[:2]))
        got = run(KEY, predict, IMAGE, label, eps=eps, norm=norm, loss=margin)
        np.testing.assert_allclose(got.loss, want, rtol=1e-4)
        np.testing.assert_allclose(got.loss, gap @ got.image.ravel(), rtol=1e-4)
        self.assertLessEqual(length(got.image, norm), eps + 1e-6)
        self.assertBetween(np.min(got.image), 0.0, 1.0)
        self.assertBetween(np.max(got.image), 0.0, 1.0)

    def test_target_reaches_the_convex_minimum(self):
        # Lowering the target's cross-entropy is a convex problem: SciPy solves it.
        bounds = [(v - 0.1, v + 0.1) for v in IMAGE.ravel()]
        best = optimize.minimize(
            lambda x: -special.log_softmax(WEIGHTS @ x)[2], IMAGE.ravel(), bounds=bounds
        )
        predict = Partial(linear, jnp.array(WEIGHTS))
        got = run(KEY, predict, IMAGE, 0, eps=0.1, target=jnp.array(2))
        self.assertAlmostEqual(float(got.loss), -best.fun, delta=1e-3)

    @parameterized.parameters((False,), (True,))
    def test_success_in_a_wider_l1_ball_does_not_count(self, shrinking):
        # One pixel would have to move by 0.4, and may by 0.2 or, at first, by 0.6.
        def predict(image):
            return jnp.stack([image[1, 1, 0] - IMAGE[1, 1, 0] + 0.4, jnp.zeros(())])

        options = {"norm": "l1", "shrinking": shrinking, "loss": margin}
        got = apgd(KEY, predict, jnp.array(IMAGE), 0, eps=0.2, steps=20, **options)
        self.assertLessEqual(length(got.image, "l1"), 0.2 + 1e-6)
        self.assertAlmostEqual(float(got.loss), -float(predict(got.image)[0]), places=6)
        self.assertLess(got.loss, -0.199)


class RestartsTest(parameterized.TestCase):
    def test_restarts_in_parts_are_the_whole(self):
        attack = jax.jit(
            lambda first: apgd(KEY, wave, IMAGE, 0, eps=0.4, steps=3, first=first)
        )
        parts = [attack(first) for first in range(5)]
        whole = apgd(KEY, wave, jnp.array(IMAGE), 0, eps=0.4, steps=3, restarts=5)
        wrong = [bool(fooled(wave(part.image), 0)) for part in parts]
        best = max(range(5), key=lambda i: (wrong[i], parts[i].loss))
        self.assertNotEqual(best, 0)
        np.testing.assert_allclose(whole.image, parts[best].image, atol=1e-6)

    def test_keys_give_different_starts(self):
        def flat(image):
            return 0.0 * image.reshape(-1)[:3]

        one, other = (
            run(jax.random.key(s), Partial(flat), IMAGE, 0, eps=0.3, steps=1).image
            for s in (0, 1)
        )
        self.assertGreater(np.max(np.abs(one - other)), 0.05)


class TargetedTest(parameterized.TestCase):
    ORDER = [int(c) for c in np.argsort(-(WEIGHTS @ IMAGE.ravel()))]

    def attempt(self, number, label, **options):
        # So near that no logit overtakes another: the loss tells which class it is of.
        predict = Partial(linear, jnp.array(WEIGHTS))
        options = {"steps": 4, "attempts": 1, "first": number} | options
        return run_targeted(KEY, predict, IMAGE, label, eps=1e-3, **options)

    @parameterized.parameters(*range(5))
    def test_attempts_take_the_wrong_classes_by_rank(self, label):
        wrong = [c for c in self.ORDER if c != label]
        for number, want in enumerate([*wrong[:3], *wrong[:2]]):
            got = self.attempt(number, label, targets=3)
            logits = WEIGHTS @ np.asarray(got.image).ravel()
            of_class = [host_dlr(logits, label, c) for c in range(5)]
            near = np.flatnonzero(np.abs(of_class - np.asarray(got.loss)) < 1e-5)
            np.testing.assert_array_equal(near, [want])

    def test_more_targets_than_classes_take_all(self):
        label = self.ORDER[0]
        first, again = (self.attempt(n, label, targets=9).loss for n in (0, 4))
        self.assertNotAlmostEqual(
            float(first), float(self.attempt(1, label, targets=9).loss), places=4
        )
        # Attempt 4 aims at the class of attempt 0, from another start.
        self.assertAlmostEqual(float(first), float(again), places=3)

    def test_attempts_in_parts_are_the_whole(self):
        predict, label = Partial(linear, jnp.array(WEIGHTS)), self.ORDER[0]
        options = {"eps": 0.05, "steps": 4, "targets": 2}
        whole = run_targeted(KEY, predict, IMAGE, label, restarts=2, **options)
        parts = [
            run_targeted(KEY, predict, IMAGE, label, attempts=1, first=i, **options)
            for i in range(4)
        ]
        wrong = [bool(fooled(predict(part.image), label)) for part in parts]
        best = max(range(4), key=lambda i: (wrong[i], parts[i].loss))
        np.testing.assert_allclose(whole.image, parts[best].image, atol=1e-6)
        np.testing.assert_allclose(whole.loss, parts[best].loss, atol=1e-5)

    def test_reaches_its_class_and_any_wrong_class_counts(self):
        predict, label = Partial(linear, jnp.array(WEIGHTS)), self.ORDER[0]
        got = run_targeted(KEY, predict, IMAGE, label, eps=0.3, steps=20)
        self.assertGreater(got.loss, 0)
        self.assertNotEqual(int(jnp.argmax(predict(got.image))), label)


class LimitsTest(parameterized.TestCase):
    @parameterized.parameters("linf", "l2", "l1")
    def test_nan_everywhere_returns_the_original_and_says_so(self, norm):
        def broken(image):
            return image.reshape(-1)[:5] * jnp.nan

        image = jnp.array(IMAGE)
        for attack in (apgd, apgd_targeted):
            got = attack(KEY, broken, image, 0, eps=0.1, norm=norm, steps=5)
            np.testing.assert_array_equal(got.image, IMAGE)
            self.assertEqual(got.loss, -np.inf)

    def test_nan_on_half_the_ball_keeps_the_other_half(self):
        def half(image):
            x = image.reshape(-1)
            return jnp.where(x[0] > IMAGE[0, 0, 0], jnp.nan, x[:3])

        got = run(KEY, Partial(half), IMAGE, 0, eps=0.1, steps=10, restarts=8)
        self.assertTrue(np.isfinite(got.loss))
        self.assertLess(got.image[0, 0, 0], IMAGE[0, 0, 0])

    @parameterized.parameters(
        (apgd, {"steps": 0}, "steps must be an integer of at least 1; got 0"),
        (apgd, {"restarts": 0}, "restarts must be"),
        (apgd, {"norm": "l3"}, "norm must be one of linf, l2, l1; got 'l3'"),
        (apgd, {"shrinking": True}, "shrinking is for norm l1 only; got norm 'linf'"),
        (apgd_targeted, {"targets": 0}, "targets must be"),
        (apgd_targeted, {"restarts": 1.0}, "restarts must be"),
        (apgd_targeted, {"attempts": 0}, "attempts must be"),
    )
    def test_bad_static_arguments(self, attack, options, message):
        with self.assertRaisesRegex(ValueError, message):
            attack(KEY, wave, IMAGE, 0, eps=0.1, **options)

    @parameterized.parameters("l2", "l1")
    def test_a_defense_may_differentiate_through_it(self, norm):
        def end(weights):
            predict = Partial(linear, weights)
            options = {"norm": norm, "steps": 5}
            got = apgd(KEY, predict, jnp.array(IMAGE), 0, eps=0.3, **options)
            return got.loss

        gradient = jax.jit(jax.grad(end))(jnp.array(WEIGHTS))
        self.assertTrue(np.all(np.isfinite(gradient)))
        self.assertGreater(np.max(np.abs(gradient)), 0)
