"""The bi-level baseline against a NumPy version of it, and by what it achieves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import ball_noise, pgd
from mspd_jax.preempt import bilevel, bilevel_reconstruct

SHAPE = (3, 3, 1)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32) * 2
IMAGE = np.random.default_rng(1).uniform(size=SHAPE).astype(np.float32)
# Where [0, 1] cuts the attack off, the reference has no gradient: black and white.
IMAGE[0], IMAGE[1] = 0.0, 1.0
EPS, DELTA = 0.1, 0.15
KEY = jax.random.key(3)


def linear(weights, image):
    return weights @ image.reshape(-1)


PREDICT = Partial(linear, jnp.array(WEIGHTS))


@functools.partial(jax.jit, static_argnames=("function", "outer_steps", "inner_steps"))
def run(function, key, predict, image, label, **options):
    return function(key, predict, image, label, **options)


def in_numpy(weights, image, label, *, outer_steps, inner_steps, rate, sign, random):
    """The reference algorithm in float64, with its gradients worked out by hand."""
    start_key, attack_key = jax.random.split(KEY)

    def noise(key, eps):
        draw = ball_noise(key, SHAPE, eps=eps, norm="linf")
        return np.asarray(draw, np.float64)

    lower, upper = np.maximum(image - DELTA, 0), np.minimum(image + DELTA, 1)

    def gradient(x):
        z = weights @ x.ravel()
        p = np.exp(z - z.max())
        return ((p / p.sum() - np.eye(3)[label]) @ weights).reshape(SHAPE)

    x = image.astype(np.float64)
    if random:
        x = np.clip(x + noise(start_key, DELTA), 0, 1)
    t = np.arctanh(((x - lower) / (upper - lower) - 0.5) * 1.999)
    v = np.zeros(SHAPE)
    for i in range(outer_steps):
        x = lower + (np.tanh(t) + 1) / 2 * (upper - lower)
        z = x + noise(jax.random.fold_in(attack_key, i), EPS)
        moves = (0 < z) & (z < 1)  # does the attacked pixel move with x?
        z = np.clip(z, 0, 1)
        for _ in range(inner_steps):
            change = z + EPS / 4 * np.sign(gradient(z)) - x
            moves = moves | (np.abs(change) > EPS)
            z = x + np.clip(change, -EPS, EPS)
            moves = moves & (0 < z) & (z < 1)
            z = np.clip(z, 0, 1)
        g = sign * gradient(z) * moves * (1 - np.tanh(t) ** 2) / 2 * (upper - lower)
        v = 0.99 * v + 0.01 * g**2
        t = t - rate * g / (np.sqrt(v) + 1e-8)
    return lower + (np.tanh(t) + 1) / 2 * (upper - lower)


class BilevelTest(parameterized.TestCase):
    @parameterized.product(
        case=((bilevel, 1, True), (bilevel_reconstruct, -1, False)),
        label=(0, 2),
        scale=(1.0, 1e-3),  # small gradients show where RMSprop adds its eps
    )
    def test_equals_numpy(self, case, label, scale):
        # Steps of RMSprop divide by small roots: float32 agrees to 1e-4.
        function, sign, random = case
        weights = WEIGHTS * np.float32(scale)
        predict = Partial(linear, jnp.array(weights))
        steps = {"outer_steps": 6, "inner_steps": 4}
        got = run(function, KEY, predict, IMAGE, label, eps=EPS, delta=DELTA, **steps)
        want = in_numpy(
            weights, IMAGE, label, rate=0.1, sign=sign, random=random, **steps
        )
        np.testing.assert_allclose(got, want, atol=1e-4)

    @parameterized.product(
        function=(bilevel, bilevel_reconstruct), delta=(0.0, 0.02, 0.15)
    )
    def test_result_is_in_ball_and_box(self, function, delta):
        # A rate at which tanh saturates: the ends of the ball are reached.
        x = run(
            function,
            KEY,
            PREDICT,
            IMAGE,
            0,
            eps=EPS,
            delta=delta,
            learning_rate=5.0,
            outer_steps=6,
            inner_steps=4,
        )
        change = np.abs(np.asarray(x, np.float64) - IMAGE)
        self.assertLessEqual(change.max(), delta + 1e-6)
        self.assertGreaterEqual(change.max(), 0.9 * delta)
        self.assertBetween(np.min(x), 0.0, 1.0)
        self.assertBetween(np.max(x), 0.0, 1.0)

    def test_delta_is_eps_by_default(self):
        steps = {"outer_steps": 6, "inner_steps": 4}
        default = run(bilevel, KEY, PREDICT, IMAGE, 0, eps=EPS, **steps)
        stated = run(bilevel, KEY, PREDICT, IMAGE, 0, eps=EPS, delta=EPS, **steps)
        np.testing.assert_array_equal(default, stated)

    def test_lowers_the_attacked_loss_and_reconstruction_raises_it(self):
        attack = functools.partial(pgd, KEY, PREDICT, eps=EPS, steps=20)
        label = jnp.array(1)
        options = {"eps": EPS, "outer_steps": 30, "inner_steps": 10}
        protected = run(bilevel, KEY, PREDICT, IMAGE, label, **options)
        undone = run(bilevel_reconstruct, KEY, PREDICT, protected, label, **options)
        before, after, again = (
            float(attack(x, label).loss) for x in (IMAGE, protected, undone)
        )
        self.assertLess(after, before - 0.5)
        self.assertGreater(again, after + 0.5)

    def test_row_does_not_depend_on_its_batch(self):
        images = np.random.default_rng(2).uniform(size=(5, *SHAPE)).astype(np.float32)
        keys = jax.random.split(KEY, 5)
        labels = jnp.array([0, 1, 2, 1, 0])
        many = jax.jit(
            jax.vmap(
                functools.partial(
                    bilevel, predict=PREDICT, eps=EPS, outer_steps=6, inner_steps=4
                )
            )
        )
        order = np.array([3, 0, 4, 1, 2])
        rows = many(keys, image=images, label=labels)
        shuffled = many(keys[order], image=images[order], label=labels[order])
        np.testing.assert_array_equal(shuffled, rows[order])

    def test_negative_steps(self):
        with self.assertRaisesRegex(ValueError, "outer_steps must not be negative"):
            bilevel(KEY, PREDICT, IMAGE, 0, eps=EPS, outer_steps=-1)
