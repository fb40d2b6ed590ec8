"""Auto-PGD on a scripted model, point by point against a second implementation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import optimize

from mspd_jax.attacks import apgd, margin
from mspd_jax.attacks._apgd_steps import border_noise

SHAPE = (3, 3, 2)
SIZE = 18
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
KEY = jax.random.key(0)


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

    @parameterized.parameters(
        ([np.nan, -2.0, -1.0, -3.0, np.nan], 2),  # nothing known of the start
        ([-1.0, 2.0, 1.0, np.nan, np.nan], 2),  # the last that is a number
    )
    def test_points_with_broken_logits_are_not_kept(self, losses, want):
        follow = scripted(eps=0.1, norm="l2", steps=4)
        _, gradients = make_script(0, 5)
        got, points = follow((np.float32(losses), gradients))
        self.assertEqual(got.loss, losses[want])
        np.testing.assert_array_equal(got.image, points[want])
