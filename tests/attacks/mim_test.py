"""The momentum family against iterations written out in numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import ndimage, stats

from mspd_jax.attacks import bim, mim, resolve_attack

SHAPE = (5, 4, 2)
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 40)).astype(np.float32)
CURVE = np.random.default_rng(2).normal(size=40).astype(np.float32) * 4
# The turning points of `bowl` lie within the ball, so that gradients change sign.
TURN = IMAGE.ravel() + np.random.default_rng(3).uniform(-0.15, 0.15, 40)
SLOPE = -(CURVE * TURN).astype(np.float32)
KEY = jax.random.key(0)
EPS = 0.2  # the ball binds; the box does not

run = jax.jit(
    mim,
    static_argnames=(
        "predict",
        "norm",
        "steps",
        "loss",
        "nesterov",
        "scales",
        "kernel",
        "neighbors",
    ),
)


def bowl(image):
    """One logit: a quadratic function."""
    x = image.reshape(-1)
    value = jnp.sum(jnp.array(CURVE) * x**2) / 2 + jnp.array(SLOPE) @ x
    return value[None]


def slope(x):
    return CURVE.reshape(SHAPE) * x + SLOPE.reshape(SHAPE)


def plane(image):
    return (jnp.array(SLOPE) @ image.reshape(-1))[None]


def first_logit(logits, label):
    return logits[0]


attack = functools.partial(run, KEY, bowl, IMAGE, 0, eps=EPS, loss=first_logit)


def iterate(gradient, *, steps=6, decay=1.0, step_size=None, norm="linf", ahead=False):
    """MIM in float64: Dong et al., algorithm 1; NI: Lin et al., equation 6."""
    step_size = EPS / steps if step_size is None else step_size
    x, momentum = IMAGE.astype(np.float64), np.zeros(SHAPE)
    for _ in range(steps):
        g = gradient(x + step_size * decay * momentum if ahead else x)
        momentum = decay * momentum + g / np.mean(np.abs(g))
        if norm == "linf":
            x = x + step_size * np.sign(momentum)
            x = np.clip(x, IMAGE - EPS, IMAGE + EPS)
        else:
            change = x + step_size * momentum / np.linalg.norm(momentum) - IMAGE
            x = IMAGE + change * min(1, EPS / np.linalg.norm(change))
        x = np.clip(x, 0, 1)
    return x


class MomentumTest(parameterized.TestCase):
    @parameterized.product(norm=("linf", "l2"), decay=(0.0, 1.0))
    def test_iteration_written_out(self, norm, decay):
        got = attack(norm=norm, decay=decay, steps=6, step_size=0.06)
        want = iterate(slope, norm=norm, decay=decay, step_size=0.06)
        np.testing.assert_allclose(got.image, want, atol=1e-5)
        # The momentum matters here.
        other = iterate(slope, norm=norm, decay=0.4, step_size=0.06)
        self.assertGreater(np.max(np.abs(want - other)), 1e-3)

    @parameterized.parameters("linf", "l2")
    def test_without_momentum_it_is_bim(self, norm):
        options = {"eps": EPS, "steps": 5, "norm": norm, "step_size": 0.05}
        want = bim(KEY, bowl, IMAGE, 0, loss=first_logit, **options)
        got = run(KEY, bowl, IMAGE, 0, decay=0.0, loss=first_logit, **options)
        np.testing.assert_allclose(got.image, want.image, atol=1e-6)
        np.testing.assert_allclose(got.loss, want.loss, rtol=1e-5)

    def test_default_step_is_eps_by_steps(self):
        want = attack(steps=7, step_size=EPS / 7)
        np.testing.assert_array_equal(attack(steps=7).image, want.image)

    def test_nesterov_looks_ahead(self):
        got = attack(nesterov=True, steps=6, step_size=0.06)
        want = iterate(slope, ahead=True, step_size=0.06)
        np.testing.assert_allclose(got.image, want, atol=1e-5)
        without = iterate(slope, step_size=0.06)
        self.assertGreater(np.max(np.abs(want - without)), 1e-3)

    def test_tiny_and_broken_gradients(self):
        # At any scale the same; zero and NaN do not move.
        for scale in (1e-30, 1e30):
            tiny = run(
                KEY, bowl, IMAGE, 0, eps=EPS, loss=lambda z, _, c=scale: c * z[0]
            )
            np.testing.assert_allclose(tiny.image, attack().image, atol=1e-5)
        for factor in (0.0, np.nan):
            flat = run(
                KEY, bowl, IMAGE, 0, eps=EPS, loss=lambda z, _, c=factor: c * z[0]
            )
            np.testing.assert_allclose(flat.image, IMAGE, atol=1e-7)

    def test_target_is_approached(self):
        def predict(x):
            return jnp.array(WEIGHTS) @ x.reshape(-1)

        got = run(KEY, predict, IMAGE, 0, eps=EPS, target=2)
        before, after = (jax.nn.softmax(predict(x))[2] for x in (IMAGE, got.image))
        self.assertGreater(after, before)
        np.testing.assert_allclose(got.loss, np.log(after), rtol=1e-4)


class ScalesTest(parameterized.TestCase):
    def test_mean_over_scales_by_hand(self):
        # d/dx of q(x / 2^i) = 2^-i (curve x 2^-i + slope).
        def mean(x):
            scale = 0.5 ** np.arange(3)
            return sum(s * slope(s * x) for s in scale) / 3

        got = attack(scales=3, steps=6, step_size=0.06)
        want = iterate(mean, step_size=0.06)
        np.testing.assert_allclose(got.image, want, atol=1e-5)
        self.assertGreater(np.max(np.abs(want - iterate(slope, step_size=0.06))), 1e-3)

    def test_each_scale_is_asked_once_a_step(self):
        calls = []

        def predict(x):
            jax.debug.callback(lambda x: calls.append(np.array(x)), x, ordered=True)
            return plane(x)

        got = run(KEY, predict, IMAGE, 0, eps=EPS, scales=4, steps=2, loss=first_logit)
        jax.block_until_ready(got)
        jax.effects_barrier()
        self.assertLen(calls, 2 * 4 + 1)
        for power in range(4):
            np.testing.assert_allclose(calls[power], IMAGE / 2**power, rtol=1e-6)


class VarianceTest(parameterized.TestCase):
    def test_zero_on_a_linear_model(self):
        plain = run(KEY, plane, IMAGE, 0, eps=EPS, loss=first_logit, norm="l2")
        tuned = run(
            KEY, plane, IMAGE, 0, eps=EPS, loss=first_logit, norm="l2", neighbors=5
        )
        np.testing.assert_allclose(tuned.image, plain.image, atol=1e-5)

    @parameterized.parameters(("linf", 1), ("linf", 2), ("l2", 1))
    def test_neighbors_and_variance_from_the_points_asked(self, norm, scales):
        points = []

        def predict(x):
            jax.debug.callback(lambda x: points.append(np.array(x)), x, ordered=True)
            return bowl(x)

        got = run(
            KEY,
            predict,
            IMAGE,
            0,
            eps=EPS,
            loss=first_logit,
            norm=norm,
            steps=3,
            neighbors=4,
            neighborhood=0.5,
            step_size=0.06,
            scales=scales,
        )
        jax.block_until_ready(got)
        jax.effects_barrier()
        self.assertLen(points, 3 * 5 * scales + 1)
        asked = np.asarray(points[:-1], np.float64).reshape(3, 5, scales, *SHAPE)
        powers = 0.5 ** np.arange(scales)
        # All scales of a neighbor are of one point.
        for i, power in enumerate(powers):
            np.testing.assert_allclose(
                asked[:, :, i], power * asked[:, :, 0], atol=1e-6
            )
        offsets = (asked[:, 1:, 0] - asked[:, :1, 0]).reshape(12, -1)
        length = np.linalg.norm(offsets, {"linf": np.inf, "l2": 2}[norm], axis=1)
        self.assertLess(np.max(length), 0.5 * EPS + 1e-6)
        self.assertGreater(np.max(length), 0.4 * EPS)
        self.assertLen(np.unique(np.round(offsets, 6), axis=0), 12)
        # Wang and He, algorithm 1, with these neighbors.
        x, momentum, variance = IMAGE.astype(np.float64), 0.0, 0.0
        for t in range(3):
            np.testing.assert_allclose(asked[t, 0, 0], x, atol=1e-5)
            each = [
                sum(s * slope(s * point) for s in powers) / scales
                for point in asked[t, :, 0]
            ]
            g = each[0] + variance
            momentum = momentum + g / np.mean(np.abs(g))
            variance = np.mean(each[1:], axis=0) - each[0]
            if norm == "linf":
                x = np.clip(x + 0.06 * np.sign(momentum), IMAGE - EPS, IMAGE + EPS)
            else:
                x = x + 0.06 * momentum / np.linalg.norm(momentum)
        np.testing.assert_allclose(got.image, x, atol=1e-5)


class DiversityTest(parameterized.TestCase):
    def test_probability_of_zero_changes_nothing(self):
        np.testing.assert_allclose(
            attack(diversity=0.0).image, attack().image, atol=1e-6
        )


class TranslationTest(parameterized.TestCase):
    def test_attack_follows_the_smoothed_gradient(self):
        def smooth(x):
            profile = stats.norm.pdf(np.linspace(-2, 2, 3))
            gaussian = np.outer(profile, profile) / np.sum(np.outer(profile, profile))
            return ndimage.convolve(slope(x), gaussian[..., None], mode="constant")

        got = attack(kernel=3, kernel_sigma=2.0, steps=6, step_size=0.06)
        want = iterate(smooth, step_size=0.06)
        np.testing.assert_allclose(got.image, want, atol=1e-5)
        self.assertGreater(np.max(np.abs(want - iterate(slope, step_size=0.06))), 1e-3)


class NamesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("di-mim", {"diversity": 0.5}),
        ("ti-mim", {"kernel": 15, "kernel_sigma": 3.0}),
        ("si-mim", {"scales": 5}),
        ("ni-mim", {"nesterov": True}),
        ("si-ni-mim", {"scales": 5, "nesterov": True}),
        ("vmi-mim", {"neighbors": 5, "neighborhood": 1.5}),
    )
    def test_published_constants(self, name, options):
        named = resolve_attack(f"{name}-2", eps=EPS, norm="linf", loss=first_logit)
        got = named(KEY, bowl, IMAGE, 0)
        want = attack(steps=2, decay=1.0, resize=0.9, **options)
        np.testing.assert_allclose(got.image, want.image, atol=1e-6)

    @parameterized.parameters(
        ({"steps": 0}, "steps must be"),
        ({"scales": 0}, "scales must be"),
        ({"neighbors": -1}, "neighbors must be"),
        ({"kernel": 4}, "kernel must be odd"),
        ({"norm": "l1"}, "norm must be"),
    )
    def test_bad_static_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            mim(KEY, bowl, IMAGE, 0, eps=EPS, **options)
