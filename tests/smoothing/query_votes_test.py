"""Votes by query: those of the device, nothing asked twice, nothing asked offline."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.errors import InputError
from mspd_jax.models import behind
from mspd_jax.query import QueryLog, open_query_log, query_access
from mspd_jax.smoothing import (
    certify_votes,
    eight_bit,
    query_votes,
    smoothed_votes,
    stopping_plan,
)

SHAPE, CLASSES, SIGMA = (4, 4, 1), 4, 0.5
IMAGE = np.random.default_rng(1).uniform(size=SHAPE).astype(np.float32)
WEIGHTS = np.random.default_rng(0).normal(size=(CLASSES, 16)).astype(np.float32)
KEY = jax.random.key(3)


def linear(weights, image):
    logits = weights @ image.reshape(-1)
    # Some answers are no class.
    return jnp.where(jnp.sum(image) > 10.5, jnp.nan, logits)


PREDICT = Partial(linear, jnp.asarray(WEIGHTS))
_predict_all = jax.jit(jax.vmap(PREDICT))
LABEL = int(np.argmax(PREDICT(IMAGE)))


def blur(image):
    return 0.5 * image + 0.5 * jnp.mean(image)


class Asked:
    """The same classifier as a callable on the host, which counts, and may fail."""

    def __init__(self, fail_at=None, levels=False):
        self.images, self.fail_at, self.levels = [], fail_at, levels

    def __call__(self, images):
        if self.fail_at is not None and len(self.images) >= self.fail_at:
            raise KeyboardInterrupt
        self.images.extend(images.copy())
        if self.levels:
            assert images.dtype == np.uint8
            images = images.astype(np.float32) / np.float32(255)
        padded = np.zeros((16, *SHAPE), np.float32)
        padded[: len(images)] = images
        return np.asarray(_predict_all(padded))[: len(images)]


def access_of(ask, **options):
    options = {"name": "test", "num_classes": CLASSES, "batch_size": 16} | options
    return query_access(ask, **options)


def plan_of(estimation=200, alpha=0.01, **options):
    return stopping_plan(
        selection=30, estimation=estimation, sigma=SIGMA, alpha=alpha, **options
    )


# Draws all samples, in a program that is compiled for the others anyway.
FULL = plan_of()._replace(futile=np.full(20, -1, np.int32))


def votes_of(ask=None, *, log=None, key=KEY, image=IMAGE, label=LABEL, **options):
    access = ask if isinstance(ask, tuple) else access_of(ask)
    options = {"index": 5, "sigma": SIGMA, "plan": plan_of()} | options
    log = QueryLog({}, {}, lambda entries: None) if log is None else log
    return query_votes(key, access, image, label, log=log, **options)


@functools.partial(jax.jit, static_argnames="chunk")
def on_device(predict, plan, label, *, chunk=7):
    return smoothed_votes(
        KEY, predict, IMAGE, label, sigma=SIGMA, plan=plan, chunk=chunk
    )


def same(got, want):
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)


class SameVotesTest(parameterized.TestCase):
    @parameterized.parameters(
        (plan_of(),),
        (FULL,),
        (plan_of(radius=0.2),),
        (plan_of(radius=0.8, futility=0.1),),
        (plan_of(radius=0.8, known_label=True),),
        (plan_of(known_label=True), (LABEL + 1) % CLASSES),
    )
    def test_as_on_the_device(self, plan, label=LABEL):
        want = on_device(PREDICT, plan, label)
        for batch_size in (16, 5):
            asked = Asked()
            access = access_of(asked, batch_size=batch_size)
            got = votes_of(access, label=label, plan=plan)
            same(got, want)
            self.assertLen(asked.images, 30 + int(want.drawn))

    def test_the_cases_above_differ(self):
        plans = [plan_of(), plan_of(radius=0.2), plan_of(radius=0.8, futility=0.1)]
        drawn = [int(on_device(PREDICT, plan, LABEL).drawn) for plan in plans]
        self.assertLen(set(drawn), 3)
        full = on_device(PREDICT, FULL, LABEL)
        self.assertLess(full.estimation.sum(), 200)  # some are no class

    def test_rules_hold_with_equality(self):
        log = QueryLog({}, {}, lambda entries: None)
        votes_of(Asked(), log=log, plan=FULL)
        first = votes_of(log=log, plan=FULL._replace(enough=np.int32(0)))
        self.assertEqual(first.drawn, 10)
        agreeing = first.estimation.max()
        for change, few in ((0, True), (1, False)):
            futile = FULL.futile.copy()
            futile[0] = agreeing - change
            for plan in (
                FULL._replace(futile=futile),
                FULL._replace(enough=agreeing + np.int32(change)),
            ):
                got = votes_of(log=log, plan=plan)
                same(got, on_device(PREDICT, plan, LABEL))
                self.assertEqual(got.drawn == 10, few)

    def test_denoised_and_in_eight_bit(self):
        access = access_of(Asked(levels=True), eight_bit=True)
        got = votes_of(access, denoiser=blur, denoiser_hash="blur", plan=FULL)
        model = behind(blur, eight_bit(PREDICT))
        same(got, on_device(model, FULL, LABEL))
        # Neither goes without saying.
        for one in (
            votes_of(access, plan=FULL),
            votes_of(Asked(), denoiser=blur, denoiser_hash="blur", plan=FULL),
        ):
            self.assertFalse(np.array_equal(got.estimation, one.estimation))

    def test_bad_arguments(self):
        with self.assertRaisesRegex(ValueError, "denoiser_hash must be given together"):
            votes_of(Asked(), denoiser=blur)
        with self.assertRaisesRegex(ValueError, "sigma must be positive"):
            votes_of(Asked(), sigma=0.0)


class ResumeTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.entries = []
        self.want = on_device(PREDICT, plan_of(), LABEL)

    def log(self):
        return open_query_log(self.entries.extend, lambda: list(self.entries))

    # Before anything, in the middle of the selection, of a round, between rounds.
    @parameterized.parameters(0, 17, 36, 40)
    def test_a_killed_run_asks_the_rest(self, fail_at):
        first = Asked(fail_at)
        with self.assertRaises(KeyboardInterrupt):
            votes_of(access_of(first, batch_size=4), log=self.log())
        self.assertBetween(len(first.images), fail_at, fail_at + 3)
        rest = Asked()
        same(votes_of(rest, log=self.log()), self.want)
        asked = np.stack(first.images + rest.images)
        self.assertLen(asked, 30 + int(self.want.drawn))
        self.assertLen(np.unique(asked.reshape(len(asked), -1), axis=0), len(asked))

    def test_offline(self):
        votes_of(Asked(), log=self.log())
        same(votes_of(None, log=self.log()), self.want)

    @parameterized.parameters(
        {"plan": plan_of(alpha=0.1)},
        {"plan": plan_of(alpha=1e-6)},
        {"plan": plan_of(estimation=130)},
        {"plan": plan_of(radius=0.1, futility=0.05)},
    )
    def test_offline_under_another_plan(self, plan):
        votes_of(Asked(), log=self.log(), plan=FULL)
        got = votes_of(None, log=self.log(), plan=plan)
        want = on_device(PREDICT, plan, LABEL)
        same(got, want)
        numbers = {"num_samples": int(plan.estimation), "sigma": SIGMA, "alpha": 0.01}
        same(
            certify_votes(got.selection, got.estimation, **numbers),
            certify_votes(want.selection, want.estimation, **numbers),
        )

    def test_offline_says_what_is_missing(self):
        with self.assertRaisesRegex(
            InputError, "lacks 30 answers of the selection samples 0..29 of image 5: it"
        ):
            votes_of(None, log=self.log())
        votes_of(
            Asked(),
            log=self.log(),
            plan=plan_of(estimation=100)._replace(futile=FULL.futile),
        )
        with self.assertRaisesRegex(
            InputError, "lacks 10 answers of the estimation samples 100..109 of image"
        ):
            votes_of(None, log=self.log(), plan=FULL)

    @parameterized.parameters(
        ("sigma", {"sigma": 0.25}),
        ("key, noise", {"key": jax.random.key(4)}),
        ("image", {"image": IMAGE[::-1]}),
        ("denoiser", {"denoiser": blur, "denoiser_hash": "blur"}),
        ("classifier", {"ask": access_of(None, name="other")}),
        ("eight_bit", {"ask": access_of(None, eight_bit=True)}),
        ("classes", {"ask": access_of(None, num_classes=5)}),
    )
    def test_other_answers_are_not_used(self, field, options):
        votes_of(Asked(), log=self.log())
        with self.assertRaisesRegex(
            InputError, f"lacks 30 .* it holds answers with another {field}$"
        ):
            votes_of(**options, log=self.log())

    def test_labels_of_more_classes_in_a_file_are_no_class(self):
        votes_of(Asked(), log=self.log(), plan=FULL)
        answers = [entry for entry in self.entries if "labels" in entry]
        answers[-1]["labels"][-1] = CLASSES
        got = votes_of(None, log=self.log(), plan=FULL)
        full = on_device(PREDICT, FULL, LABEL)
        self.assertBetween(int(full.estimation.sum() - got.estimation.sum()), 0, 1)
