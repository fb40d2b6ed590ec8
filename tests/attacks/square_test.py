"""Square against written-out moves, and its own trace."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import NORMS, _square, resolve_attack, square
from tests.attacks.square_by_hand import ORDER, hills, sides_of

SHAPE = (7, 6, 2)
IMAGE = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 84)).astype(np.float32)
KEY = jax.random.key(0)
EPS = {"linf": 0.05, "l2": 0.3, "l1": 1.0}
run = jax.jit(
    square, static_argnames=("predict", "norm", "queries", "restarts", "rescale")
)


def linear(weights, image):
    return weights @ image.reshape(-1)


def toward(label, distance):
    """A linear model that starts `distance` away from being wrong about `label`."""
    bias = distance * np.eye(3)[label] - WEIGHTS @ IMAGE.ravel()
    return lambda x: linear(jnp.array(WEIGHTS), x) + jnp.array(bias, jnp.float32)


def norms(images, norm, image=IMAGE):
    change = np.asarray(images, np.float64) - np.asarray(image, np.float64)
    return np.linalg.norm(change.reshape(len(images), -1), ORDER[norm], axis=1)


def moved(change, draws, eps, norm, size=3):
    """The move of mass, with slices and loops; before the projection."""
    order, power = ORDER[norm], {"l2": 2, "l1": 1}[norm]
    height, width, channels = change.shape
    places = np.array([height - size + 1, width - size + 1] * 2)
    r1, c1, r2, c2 = np.floor(draws[:4] * places).astype(int)
    bump = hills(size, norm)
    bump = bump.T if draws[4] < 0.5 else bump
    either = np.zeros((height, width), bool)
    either[r1 : r1 + size, c1 : c1 + size] = True
    either[r2 : r2 + size, c2 : c2 + size] = True
    new = change.copy()
    new[r2 : r2 + size, c2 : c2 + size] = 0
    spare = max(eps**power - np.linalg.norm(change.ravel(), order) ** power, 0)
    for channel in range(channels):
        old = change[r1 : r1 + size, c1 : c1 + size, channel]
        sign = -1 if draws[5 + channel] < 0.5 else 1
        shape = old / max(np.linalg.norm(old.ravel(), order), 1e-12) + sign * bump
        mass = spare / channels
        mass += np.linalg.norm(change[either][:, channel], order) ** power
        mass = mass**0.5 if norm == "l2" else mass * channels
        shape = shape * mass / np.linalg.norm(shape.ravel(), order)
        new[r1 : r1 + size, c1 : c1 + size, channel] = shape
    return new


class MoveTest(parameterized.TestCase):
    @parameterized.product(norm=("l2", "l1"), seed=(0, 1, 2, 3))
    def test_one_move_written_out_in_numpy(self, norm, seed):
        rng = np.random.default_rng(seed)
        draws = rng.uniform(size=7).astype(np.float32)
        change = rng.normal(size=SHAPE)
        change[0] = 0.0  # an empty strip, which some windows meet
        length = np.linalg.norm(change.ravel(), ORDER[norm])
        # Shorter than the budget, so that there is some to spare.
        change *= 0.7 * EPS[norm] / length
        want = moved(change, draws, EPS[norm], norm)
        if norm == "l2":
            want *= EPS[norm] / np.linalg.norm(want.ravel())
        else:
            low, high = 0.0, np.max(np.abs(want))
            for _ in range(60):
                t = (low + high) / 2
                total = np.sum(np.maximum(np.abs(want) - t, 0))
                low, high = (t, high) if total > EPS[norm] else (low, t)
            want = np.sign(want) * np.maximum(np.abs(want) - high, 0)
        image = np.full(SHAPE, 0.5, np.float32)  # the box does not bind
        got = _square._move_mass(
            jnp.array(draws),
            image + jnp.array(change, jnp.float32),
            image,
            jnp.int32(3),
            eps=jnp.float32(EPS[norm]),
            norm=norm,
        )
        np.testing.assert_allclose(got - image, want, atol=1e-5)


def trace(norm, queries=40, distance=1e3, image=IMAGE, **options):
    """All points that the model was asked about, in order, and the result."""
    points = []
    model = toward(0, distance)

    def predict(x):
        jax.debug.callback(lambda x: points.append(np.array(x)), x, ordered=True)
        return model(x)

    attack = functools.partial(square, norm=norm, queries=queries, **options)
    got = jax.jit(lambda eps: attack(KEY, predict, image, 0, eps=eps))(EPS[norm])
    jax.block_until_ready(got)
    jax.effects_barrier()
    points = np.asarray(points)
    return points, np.asarray([margin_of(model(jnp.array(x))) for x in points]), got


def margin_of(logits):
    return float(np.max(np.asarray(logits)[1:]) - logits[0])


class TraceTest(parameterized.TestCase):
    @parameterized.product(norm=NORMS, restarts=(1, 2))
    def test_exact_number_of_queries(self, norm, restarts):
        points, _, _ = trace(norm, queries=9, restarts=restarts)
        self.assertLen(points, 9 * restarts)
        # A success does not end the counting: the time does not tell.
        points, values, _ = trace(norm, queries=9, distance=0.01)
        self.assertGreater(np.max(values), 0)
        self.assertLen(points, 9)

    @parameterized.parameters(*NORMS)
    def test_the_best_is_kept_and_every_trial_starts_from_it(self, norm):
        points, values, got = trace(norm)
        np.testing.assert_allclose(got.loss, np.max(values), rtol=1e-5)
        np.testing.assert_allclose(got.image, points[np.argmax(values)], atol=1e-6)
        sizes = [0, *sides_of(39, SHAPE, norm)]
        improved = 0
        for number in range(1, len(points)):
            best = np.argmax(values[:number])
            improved += best == number - 1
            if norm == "linf":
                touched = np.any(points[number] != points[best], axis=-1)
                rows, columns = np.nonzero(touched)
                for places in (rows, columns):
                    if len(places):
                        self.assertLess(np.ptp(places), sizes[number])
        self.assertGreater(improved, 5)
        self.assertLess(improved, 35)

    def test_linf_trials_color_one_window_by_channel(self):
        points, values, _ = trace("linf")
        whole, offsets = 0, []
        for number in range(1, len(points)):
            best = np.argmax(values[:number])
            offset = points[number] - IMAGE
            np.testing.assert_allclose(np.abs(offset), EPS["linf"], atol=1e-6)
            touched = points[number] != points[best]
            for channel in range(2):
                signs = np.sign(offset[..., channel][touched[..., channel]])
                self.assertLessEqual(len(set(signs)), 1)
                whole += len(signs) > 0
                offsets += list(signs[:1])
        self.assertGreater(whole, 20)
        self.assertLen(set(offsets), 2)

    def test_linf_starts_from_vertical_stripes(self):
        points, _, _ = trace("linf", queries=1)
        offset = points[0] - IMAGE
        want = EPS["linf"] * np.sign(offset[:1]) + np.zeros(SHAPE)
        np.testing.assert_allclose(offset, want, atol=1e-6)
        self.assertLen(set(np.sign(offset).ravel()), 2)

    @parameterized.parameters(*NORMS)
    def test_first_success_ends_the_search(self, norm):
        points, values, got = trace(norm, distance=0.6)
        first = int(np.argmax(values > 0))
        self.assertGreater(values[first], 0)
        self.assertGreater(first, 0)
        np.testing.assert_allclose(got.image, points[first], atol=1e-6)
        np.testing.assert_allclose(got.loss, values[first], rtol=1e-3)

    @parameterized.parameters("l2", "l1")
    def test_every_trial_uses_the_whole_budget(self, norm):
        # The images are far from the border of the box at this eps.
        points, _, _ = trace(norm, image=np.full(SHAPE, 0.5, np.float32))
        flat = np.full(SHAPE, 0.5, np.float32)
        np.testing.assert_allclose(norms(points, norm, flat), EPS[norm], rtol=1e-4)


class SquareTest(parameterized.TestCase):
    @parameterized.parameters(*NORMS)
    def test_in_ball_and_box(self, norm):
        rng = np.random.default_rng(2)
        images = rng.uniform(size=(16, *SHAPE)).astype(np.float32)
        images[:4] = rng.integers(0, 2, (4, *SHAPE))
        predict = Partial(linear, jnp.array(WEIGHTS))
        keys = jax.random.split(KEY, 16)

        def one(key, image, eps):
            return square(key, predict, image, 0, eps=eps, norm=norm, queries=30)

        attack = jax.jit(lambda eps: jax.vmap(one, (0, 0, None))(keys, images, eps))
        for eps in (0.0, 1e-4, 8 / 255, 0.5, 2.0, 50.0):
            got = np.asarray(attack(eps).image, np.float64)
            self.assertTrue(np.all((got >= 0) & (got <= 1)))
            for one, image in zip(got, images, strict=True):
                self.assertLessEqual(
                    norms([one], norm, image)[0], eps * (1 + 1e-6) + 1e-6
                )
        np.testing.assert_array_equal(attack(0.0).image, images)

    @parameterized.parameters(*NORMS)
    def test_two_classes_fall_well_before_the_worst_case(self, norm):
        # Exact: the gap can close by eps times the dual norm of its weights.
        gap = (WEIGHTS[1] - WEIGHTS[0]).astype(np.float64)
        dual = np.linalg.norm(gap, {"linf": 1, "l2": 2, "l1": np.inf}[norm])
        distance = 0.5 * EPS[norm] * dual
        bias = jnp.array([distance + gap @ IMAGE.ravel(), 0.0], jnp.float32)
        predict = Partial(lambda w, x: linear(w, x) + bias, jnp.array(WEIGHTS[:2]))
        got = run(KEY, predict, IMAGE, 0, eps=EPS[norm], norm=norm, queries=500)
        self.assertGreater(got.loss, 0)
        self.assertLess(norms([got.image], norm)[0], EPS[norm] + 1e-6)
        self.assertEqual(np.argmax(predict(got.image)), 1)

    def test_linf_reaches_the_worst_corner(self):
        weights = jnp.stack([jnp.ones(84), -jnp.ones(84)])
        predict = Partial(linear, weights)
        got = run(KEY, predict, IMAGE, 0, eps=0.01, queries=400)
        np.testing.assert_allclose(got.image, IMAGE - 0.01, atol=1e-6)

    def test_target(self):
        model = Partial(linear, jnp.array(WEIGHTS))
        logits = np.asarray(model(IMAGE))
        target = int(np.argmin(logits))
        got = run(KEY, model, IMAGE, int(np.argmax(logits)), eps=0.3, target=target)
        self.assertEqual(np.argmax(model(got.image)), target)

    @parameterized.parameters(*NORMS)
    def test_restarts_in_parts(self, norm):
        model = Partial(linear, jnp.array(WEIGHTS))
        attack = functools.partial(
            run, KEY, model, IMAGE, 0, eps=0.01, norm=norm, queries=5
        )
        parts = [attack(first=number) for number in range(3)]
        losses = [float(part.loss) for part in parts]
        self.assertLen(set(losses), 3)
        whole = attack(restarts=3)
        np.testing.assert_array_equal(whole.loss, max(losses))
        np.testing.assert_array_equal(whole.image, parts[np.argmax(losses)].image)

    def test_nan_is_not_kept(self):
        broken = run(
            KEY,
            Partial(lambda x: x.reshape(-1)[:3] * jnp.nan),
            IMAGE,
            0,
            eps=0.1,
            queries=9,
        )
        np.testing.assert_array_equal(broken.image, IMAGE)
        self.assertEqual(broken.loss, -np.inf)

        def half(x):
            bad = x[0, 0, 0] > IMAGE[0, 0, 0]
            return jnp.where(bad, jnp.nan, x.reshape(-1)[:3])

        for seed in range(3):
            got = run(jax.random.key(seed), half, IMAGE, 0, eps=0.1, queries=30)
            self.assertTrue(np.isfinite(got.loss))
            self.assertLess(got.image[0, 0, 0], IMAGE[0, 0, 0])

    def test_counts_in_the_name_are_queries_and_restarts(self):
        got = resolve_attack("square-7x2", eps=0.1, norm="l2")
        want = resolve_attack("square", eps=0.1, norm="l2", queries=7, restarts=2)
        self.assertEqual(*(jax.tree.structure(a) for a in (got, want)))

    @parameterized.parameters(
        ({"queries": 0}, "queries must be"),
        ({"restarts": 0}, "restarts must be"),
        ({"norm": "l0"}, "norm must be"),
    )
    def test_bad_static_arguments(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            square(KEY, Partial(linear, WEIGHTS), IMAGE, 0, eps=0.1, **options)
