"""Every attack of the registry, in every norm, meets one battery."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax.attacks import ATTACKS, NORMS, Proposal, resolve_attack
from mspd_jax.evaluate import judge

SHAPE = (4, 4, 2)
IMAGES = 12
# Large enough for one gradient step to fool the model almost everywhere (measured
# share: 1.0 for each attack), small enough that the box does not do the ball's work.
EPS = {"linf": 0.12, "l2": 0.6, "l1": 2.0}
DAMAGE = 0.75
OPTIONS = {
    "apgd-ce": {"steps": 8, "restarts": 2},
    "apgd-dlr": {"steps": 8},
    "apgd-t": {"steps": 8},
    "bim": {"steps": 5},
    "deepfool": {"steps": 8},
    "fab": {"steps": 6, "restarts": 2},
    "fab-t": {"steps": 6},
    "malt": {"steps": 8},
    "pgd": {"steps": 5, "restarts": 2},
    "si-mim": {"steps": 4},
    "si-ni-mim": {"steps": 4},
    "spsa": {"steps": 8, "samples": 8, "learning_rate": 0.05},
    "square": {"queries": 40},
    # The published kernel is wider than these images, which have no smooth parts.
    "ti-mim": {"kernel": 3},
    "vmi-mim": {"steps": 3},
}
CASES = [
    (f"{name}_{norm}", name, norm)
    for name, attack in sorted(ATTACKS.items())
    for norm in attack.norms
]
# Compiling takes the time: what costs a program of its own runs for a few of each kind.
KINDS = ("apgd-ce", "cw", "fab", "mim", "pgd", "square")
FAST = [case for case in CASES if case[1] in KINDS and case[2] == "linf"]
OTHERS = [case for case in CASES if case not in FAST]
# Without jit, a step costs as much as compiling a small program.
EAGER = [case for case in FAST if case[1] in ("pgd", "square")]


class Batch(NamedTuple):
    index: jax.Array
    image: jax.Array
    label: jax.Array


def mlp(weights, image):
    hidden = jnp.tanh(weights[0] @ image.reshape(-1))
    return weights[1] @ hidden


@functools.cache
def problem(seed=0):
    """A random network, and images that it labels itself: nothing is found for free."""
    keys = jax.random.split(jax.random.key(seed), 3)
    weights = (
        jax.random.normal(keys[0], (16, np.prod(SHAPE))) / 4,
        jax.random.normal(keys[1], (3, 16)),
    )
    predict = Partial(mlp, weights)
    images = jax.random.uniform(keys[2], (IMAGES, *SHAPE))
    labels = jnp.argmax(jax.vmap(predict)(images), axis=-1)
    return predict, Batch(jnp.arange(IMAGES), images, labels)


def make_runner(norm):
    """What a driver does: keys by index, the attack, the judge, in one program."""

    def run_one(attack, predict, example):
        key = jax.random.fold_in(jax.random.key(7), example.index)
        proposal = attack(key, predict, example.image, example.label)
        eps = attack.keywords["eps"]
        return proposal, judge(
            predict, example.image, proposal.image, example.label, eps=eps, norm=norm
        )

    return jax.jit(jax.vmap(run_one, in_axes=(None, None, 0))), run_one


@functools.cache
def outcome(name, norm):
    """The attack on the whole batch, once for all tests: (runner, attack, results)."""
    attack = resolve_attack(name, eps=EPS[norm], norm=norm, **OPTIONS.get(name, {}))
    run, _ = make_runner(norm)
    return run, attack, run(attack, *problem())


def check_sets(results, norm):
    proposal, _ = results
    image = np.asarray(proposal.image, np.float64)
    change = (image - np.asarray(problem()[1].image, np.float64)).reshape(IMAGES, -1)
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    assert np.all(np.isfinite(image))
    assert image.min() >= 0.0 and image.max() <= 1.0
    assert np.linalg.norm(change, order, axis=1).max() <= EPS[norm] + 1e-6


def check_damage(results):
    _, verdict = results
    assert np.mean(verdict.found) >= DAMAGE, np.mean(verdict.found)


def check_found(results):
    """The claim is repeated on the host: numpy, float64, no judge."""
    predict, batch = problem()
    first, second = (np.asarray(w, np.float64) for w in predict.args[0])
    images = np.asarray(results[1].image, np.float64).reshape(IMAGES, -1)
    prediction = np.argmax(np.tanh(images @ first.T) @ second.T, axis=-1)
    np.testing.assert_array_equal(results[1].found, prediction != batch.label)
    np.testing.assert_array_equal(results[1].prediction, prediction)


def check_close(got, want, name):
    """Equal but for rounding, to which the place in a batch and its size may lead.

    FAB steps to where it takes the boundary to be, a quotient of small numbers: there
    rounding grows.
    """
    tolerance = 1e-3 if name.startswith("fab") else 1e-5
    close = functools.partial(np.testing.assert_allclose, atol=tolerance, rtol=0)
    jax.tree.map(close, got, want)


def rows(tree, positions):
    return jax.tree.map(lambda x: x[np.asarray(positions)], tree)


class ContractTest(parameterized.TestCase):
    @parameterized.named_parameters(CASES)
    def test_proposal_is_in_box_and_ball(self, name, norm):
        check_sets(outcome(name, norm)[2], norm)

    @parameterized.named_parameters(CASES)
    def test_does_damage(self, name, norm):
        check_damage(outcome(name, norm)[2])

    @parameterized.named_parameters(CASES)
    def test_found_is_judged_again(self, name, norm):
        check_found(outcome(name, norm)[2])

    @parameterized.named_parameters(CASES)
    def test_company_does_not_matter(self, name, norm):
        # The same program and place in the batch, other images beside it: to the bit.
        run, attack, results = outcome(name, norm)
        predict, batch = problem()
        stays = np.arange(IMAGES) % 2 == 0
        order = np.where(stays, np.arange(IMAGES), np.arange(IMAGES)[::-1])
        mixed = run(attack, predict, rows(batch, order))
        kept = np.flatnonzero(stays)
        jax.tree.map(
            np.testing.assert_array_equal, rows(mixed, kept), rows(results, kept)
        )

    @parameterized.named_parameters(CASES)
    def test_order_of_rows_does_not_matter(self, name, norm):
        run, attack, results = outcome(name, norm)
        predict, batch = problem()
        order = np.random.default_rng(0).permutation(IMAGES)
        shuffled = run(attack, predict, rows(batch, order))
        check_close(shuffled, rows(results, order), name)

    @parameterized.named_parameters(FAST)
    def test_batch_size_does_not_matter(self, name, norm):
        self.check_batch_size(name, norm)

    @parameterized.named_parameters(OTHERS)
    @pytest.mark.compiling
    def test_batch_size_does_not_matter_elsewhere(self, name, norm):
        self.check_batch_size(name, norm)

    def check_batch_size(self, name, norm):
        # Another batch shape sums in another order: 1e-5 per pixel and unit of loss.
        _, attack, results = outcome(name, norm)
        predict, batch = problem()
        run, _ = make_runner(norm)
        subset = np.random.default_rng(1).permutation(IMAGES)[:7]
        got = run(attack, predict, rows(batch, subset))
        check_close(got, rows(results, subset), name)

    @parameterized.named_parameters(EAGER)
    def test_one_image_without_jit_gives_the_same_row(self, name, norm):
        self.check_one_image(name, norm)

    @parameterized.named_parameters(case for case in CASES if case not in EAGER)
    @pytest.mark.compiling
    def test_one_image_without_jit_gives_the_same_row_elsewhere(self, name, norm):
        self.check_one_image(name, norm)

    def check_one_image(self, name, norm):
        # Batch of 1, and compiled against eager, at once; tolerance as above.
        _, attack, results = outcome(name, norm)
        predict, batch = problem()
        _, run_one = make_runner(norm)
        with jax.disable_jit():
            got = jax.vmap(run_one, in_axes=(None, None, 0))(
                attack, predict, rows(batch, [3])
            )
        check_close(got, rows(results, [3]), name)

    @parameterized.named_parameters(CASES)
    def test_new_floats_and_weights_do_not_compile_again(self, name, norm):
        run, _, _ = outcome(name, norm)
        options = OPTIONS.get(name, {})
        before = run._cache_size()
        for seed, eps in enumerate((0.01, 0, np.float64(0.5))):
            attack = resolve_attack(name, eps=eps, norm=norm, **options)
            run(attack, *problem(seed % 2))
        self.assertEqual((before, run._cache_size()), (1, 1))

    @parameterized.named_parameters(CASES)
    def test_eps_zero_is_the_original(self, name, norm):
        run, _, _ = outcome(name, norm)
        attack = resolve_attack(name, eps=0.0, norm=norm, **OPTIONS.get(name, {}))
        predict, batch = problem()
        _, verdict = run(attack, predict, batch)
        np.testing.assert_array_equal(verdict.image, batch.image)
        self.assertFalse(np.any(verdict.found))


def do_nothing(key, predict, image, label, *, eps):
    return Proposal(image, jnp.inf)


def overshoot(key, predict, image, label, *, eps):
    return Proposal(image + 2 * eps, jnp.inf)


class BatteryTest(parameterized.TestCase):
    """The battery can fail: impostors do not pass it."""

    @parameterized.parameters(*NORMS)
    def test_do_nothing_fails(self, norm):
        run, _ = make_runner(norm)
        results = run(Partial(do_nothing, eps=EPS[norm]), *problem())
        with self.assertRaises(AssertionError):
            check_damage(results)

    @parameterized.parameters(*NORMS)
    def test_leaving_the_set_fails(self, norm):
        run, _ = make_runner(norm)
        results = run(Partial(overshoot, eps=EPS[norm]), *problem())
        with self.assertRaises(AssertionError):
            check_sets(results, norm)

    @parameterized.parameters(*NORMS)
    def test_false_claim_fails(self, norm):
        run, _ = make_runner(norm)
        proposal, verdict = run(Partial(do_nothing, eps=EPS[norm]), *problem())
        with self.assertRaises(AssertionError):
            check_found((proposal, verdict._replace(found=~verdict.found)))
