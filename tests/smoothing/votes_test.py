"""Counted votes against a plain loop, in any chunks, rounds, batches and on devices."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.smoothing import (
    SamplingPlan,
    certify_votes,
    smoothed_votes,
    stopping_plan,
)
from mspd_jax.smoothing._noise import ESTIMATION, SELECTION
from mspd_jax.smoothing._votes import count_votes

SHAPE = (2, 3, 1)
CLASSES = 4
WEIGHTS = np.random.default_rng(0).normal(size=(CLASSES, 6)).astype(np.float32)
IMAGES = np.random.default_rng(1).uniform(0, 1, (5, *SHAPE)).astype(np.float32)
KEY = jax.random.key(7)
SIGMA = 0.5


def linear(weights, image):
    return weights @ image.reshape(-1)


def broken_above(limit, weights, image):
    """NaN in one logit wherever the first pixel is bright."""
    logits = linear(weights, image)
    bad = (image[0, 0, 0] > limit) & (jnp.arange(CLASSES) == 1)
    return jnp.where(bad, jnp.nan, logits)


PREDICT = Partial(linear, jnp.asarray(WEIGHTS))
BROKEN = Partial(broken_above, jnp.float32(0.9), jnp.asarray(WEIGHTS))
count = jax.jit(count_votes, static_argnames=("chunk", "axis_name"))
vote = jax.jit(smoothed_votes, static_argnames=("chunk", "axis_name"))


@jax.jit
def draw(key, number):
    return jax.random.normal(jax.random.fold_in(key, number), SHAPE)


def by_hand(key, image, start, stop, limit=np.inf):
    """The votes, one sample after the other, in NumPy."""
    votes = np.zeros(CLASSES, int)
    for i in range(start, stop):
        noise = draw(key, i)
        x = image + np.float32(SIGMA) * np.asarray(noise)
        if x[0, 0, 0] <= limit:
            votes[np.argmax(WEIGHTS @ x.ravel())] += 1
    return votes


class CountVotesTest(parameterized.TestCase):
    @parameterized.parameters(1, 7, 64, 90)
    def test_any_chunk_counts_the_same(self, chunk):
        got = count(
            KEY, PREDICT, IMAGES[0], sigma=SIGMA, start=10, stop=100, chunk=chunk
        )
        np.testing.assert_array_equal(got, by_hand(KEY, IMAGES[0], 10, 100))
        self.assertEqual(got.dtype, jnp.int32)
        self.assertEqual(got.sum(), 90)
        self.assertGreater((got > 0).sum(), 1)

    @parameterized.parameters(0, 3)
    def test_no_samples_no_votes(self, start):
        got = count(
            KEY, PREDICT, IMAGES[0], sigma=SIGMA, start=start, stop=3 * 0, chunk=4
        )
        self.assertEqual(got.tolist(), [0] * CLASSES)

    def test_nan_is_a_vote_for_no_class(self):
        got = count(KEY, BROKEN, IMAGES[0], sigma=SIGMA, start=0, stop=50, chunk=8)
        np.testing.assert_array_equal(got, by_hand(KEY, IMAGES[0], 0, 50, limit=0.9))
        self.assertBetween(got.sum(), 1, 49)

    @parameterized.parameters((1, 7), (3, 7), (4, 1), (4, 64))
    def test_devices_share_the_samples(self, devices, chunk):
        def on_one(_):
            options = {"start": 10, "stop": 100, "chunk": chunk, "axis_name": "d"}
            return count_votes(KEY, PREDICT, IMAGES[0], sigma=SIGMA, **options)

        got = jax.jit(jax.vmap(on_one, axis_name="d"))(jnp.arange(devices))
        want = by_hand(KEY, IMAGES[0], 10, 100)
        np.testing.assert_array_equal(got, np.tile(want, (devices, 1)))

    def test_other_ranges_do_not_compile_again(self):
        traces = []

        def traced(image):
            traces.append(1)
            return linear(WEIGHTS, image)

        predict = Partial(traced)
        for stop in (10, 1_000):
            count(
                KEY, predict, IMAGES[0], sigma=0.1 * stop, start=0, stop=stop, chunk=5
            )
            if stop == 10:
                seen = len(traces)
        self.assertLen(traces, seen)

    def test_bad_chunk(self):
        with self.assertRaisesRegex(ValueError, "chunk must be an integer of 1"):
            count_votes(KEY, PREDICT, IMAGES[0], sigma=1.0, start=0, stop=1, chunk=0)


def plan_of(**options):
    fixed = {"selection": 20, "estimation": 60, "sigma": SIGMA, "alpha": 0.1}
    return stopping_plan(**(fixed | {"rounds": 5} | options))


def in_rounds(image, label, plan: SamplingPlan):
    """What `smoothed_votes` should do, written out."""
    stage = [jax.random.fold_in(KEY, s) for s in (SELECTION, ESTIMATION)]
    selection = by_hand(stage[0], image, 0, int(plan.selection))
    votes, drawn = np.zeros(CLASSES, int), 0
    chosen = np.argmax(selection)
    if plan.known_label and chosen != label:
        return selection, votes, drawn
    for end, futile in zip(plan.ends, plan.futile, strict=True):
        votes, drawn = by_hand(stage[1], image, 0, int(end)), int(end)
        if votes[chosen] <= futile or votes[chosen] >= plan.enough:
            break
    return selection, votes, drawn


PLANS = {
    "all": plan_of(rounds=1),
    "curtailed": plan_of(),
    "radius": plan_of(radius=0.1),
    "futile": plan_of(radius=0.2, futility=0.4),
    "label": plan_of(known_label=True),
}


@jax.jit
def vote_all(keys, images, labels, plan):
    return jax.vmap(
        lambda key, image, label: smoothed_votes(
            key, PREDICT, image, label, sigma=SIGMA, plan=plan, chunk=30
        )
    )(keys, images, labels)


class SmoothedVotesTest(parameterized.TestCase):
    @parameterized.parameters(*PLANS)
    def test_draws_in_rounds(self, name):
        drawn = []
        for label, image in enumerate(IMAGES):
            got = vote(
                KEY,
                PREDICT,
                image,
                label % CLASSES,
                sigma=SIGMA,
                plan=PLANS[name],
                chunk=7,
            )
            want = in_rounds(image, label % CLASSES, PLANS[name])
            for value, wanted in zip(got, want, strict=True):
                np.testing.assert_array_equal(value, wanted)
            drawn.append(int(got.drawn))
        if name == "all":
            self.assertEqual(set(drawn), {60})
        else:
            self.assertLess(min(drawn), 60)  # and some image does stop

    def test_stops_at_the_limits_exactly(self):
        selection, votes, _ = in_rounds(IMAGES[0], 0, PLANS["all"])
        chosen = np.argmax(selection)
        stage = jax.random.fold_in(KEY, ESTIMATION)
        at = by_hand(stage, IMAGES[0], 0, 24)[chosen]
        never = PLANS["curtailed"]._replace(futile=np.full(5, -1, np.int32))
        for change, drawn in (
            ({"enough": np.int32(at)}, 24),
            ({"enough": np.int32(votes[chosen] + 1)}, 60),
            ({"futile": np.array([-1, at, -1, -1, -1], np.int32)}, 24),
            ({"futile": np.array([-1, at - 1, -1, -1, -1], np.int32)}, 60),
        ):
            plan = never._replace(**change)
            got = vote(KEY, PREDICT, IMAGES[0], 0, sigma=SIGMA, plan=plan, chunk=7)
            self.assertEqual(got.drawn, drawn, change)

    @parameterized.parameters("curtailed", "radius", "futile", "label")
    def test_stopping_never_claims_more(self, name):
        options = {"num_samples": 60, "sigma": SIGMA, "alpha": 0.1}
        keys = jax.random.split(KEY, 200)
        rows = np.arange(200) % 5
        claims = {}
        for plan in ("all", name):
            votes = vote_all(keys, IMAGES[rows], rows % CLASSES, PLANS[plan])
            claims[plan] = certify_votes(
                np.asarray(votes.selection), np.asarray(votes.estimation), **options
            )
        full, part = claims["all"], claims[name]
        self.assertTrue(np.all(part.radius <= full.radius))
        certified = part.label >= 0
        np.testing.assert_array_equal(part.label[certified], full.label[certified])
        # Where all samples were drawn, and for plain curtailment always: the same.
        same = (np.asarray(votes.drawn) == 60) | (name == "curtailed")
        np.testing.assert_array_equal(part.radius[same], full.radius[same])
        self.assertTrue(np.any(full.radius > 0.0))
        if name == "radius":  # ... which every full run that has it keeps
            np.testing.assert_array_equal(part.radius >= 0.1, full.radius >= 0.1)
            self.assertLess(part.radius.sum(), full.radius.sum())

    def test_jit_equals_eager_and_rows_do_not_depend_on_the_batch(self):
        plan = PLANS["radius"]

        def one(key, image, label):
            return smoothed_votes(
                key, PREDICT, image, label, sigma=SIGMA, plan=plan, chunk=7
            )

        keys = jax.random.split(KEY, 5)
        labels = jnp.arange(5) % CLASSES
        compiled = jax.jit(one)
        alone = [compiled(*row) for row in zip(keys, IMAGES, labels, strict=True)]
        eager = one(keys[2], jnp.asarray(IMAGES[2]), labels[2])
        for value, wanted in zip(eager, alone[2], strict=True):
            np.testing.assert_array_equal(value, wanted)
        together = jax.jit(jax.vmap(one))
        order = np.array([3, 0, 4, 1, 2])
        for rows in (order, order[:1]):
            batch = together(keys[rows], jnp.asarray(IMAGES)[rows], labels[rows])
            for place, row in enumerate(rows):
                for value, wanted in zip(batch, alone[row], strict=True):
                    np.testing.assert_array_equal(value[place], wanted)

    @parameterized.parameters("radius", "label")
    def test_devices_decide_alike(self, name):
        def on_one(_, image):
            return smoothed_votes(
                KEY,
                PREDICT,
                image,
                1,
                sigma=SIGMA,
                plan=PLANS[name],
                chunk=3,
                axis_name="d",
            )

        run = jax.jit(jax.vmap(on_one, in_axes=(0, None), axis_name="d"))
        for image in IMAGES:
            got = run(jnp.arange(4), image)
            for value, wanted in zip(
                got, in_rounds(image, 1, PLANS[name]), strict=True
            ):
                np.testing.assert_array_equal(value, [wanted] * 4)

    def test_other_plans_do_not_compile_again(self):
        traces = []

        def traced(image):
            traces.append(1)
            return linear(WEIGHTS, image)

        predict, seen = Partial(traced), []
        for plan in (plan_of(), plan_of(selection=30, estimation=500, radius=0.3)):
            vote(KEY, predict, IMAGES[0], 0, sigma=SIGMA, plan=plan, chunk=7)
            seen.append(len(traces))
        self.assertEqual(seen[0], seen[1])
