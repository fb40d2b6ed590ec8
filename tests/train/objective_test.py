"""Objectives against formulas in float64, finite differences and closed forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax.test_util import check_grads
from jax.tree_util import Partial
from scipy import special

from mspd_jax import data, train
from mspd_jax.train import _adversary

RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((3 * 3 * 2, 4)).astype(np.float32)
IMAGES = RNG.random((5, 3, 3, 2), np.float32)
ADVERSARIAL = np.clip(IMAGES + 0.1 * RNG.standard_normal(IMAGES.shape), 0, 1).astype(
    np.float32
)
LABELS = np.asarray([0, 3, 1, 1, 2], np.int32)
OBJECTIVES = {
    "none": train.objective("none", smoothing=0.1),
    "pgd": train.objective("pgd", eps=0.1, smoothing=0.1),
    "trades": train.objective("trades", eps=0.1, smoothing=0.1, beta=3.0),
    "fgsm_regularized": train.objective(
        "fgsm_regularized", eps=0.1, smoothing=0.1, beta=3.0
    ),
}


def loss(name, kernel):
    def forward(stats, images):
        return images.reshape(len(images), -1) @ kernel, {"seen": stats["seen"] + 1}

    return OBJECTIVES[name].loss(
        forward, {"seen": 0}, jnp.asarray(IMAGES), jnp.asarray(ADVERSARIAL), LABELS
    )


def expected(name):
    clean, robust = (
        special.log_softmax(x.reshape(5, -1).astype(np.float64) @ KERNEL, axis=1)
        for x in (IMAGES, ADVERSARIAL)
    )
    target = 0.9 * np.eye(4)[LABELS] + 0.1 / 4
    divergence = (np.exp(clean) * (clean - robust)).sum(1).mean()
    none, pgd = (-(target * log_p).sum(1).mean() for log_p in (clean, robust))
    return {
        "none": none,
        "pgd": pgd,
        "trades": none + 3.0 * divergence,
        "fgsm_regularized": none + 3.0 * pgd,
    }[name]


class LossTest(parameterized.TestCase):
    @parameterized.parameters(*OBJECTIVES)
    def test_value_is_that_of_the_formula(self, name):
        np.testing.assert_allclose(loss(name, KERNEL)[0], expected(name), rtol=1e-5)

    @parameterized.parameters(*OBJECTIVES)
    def test_gradient_is_that_of_finite_differences(self, name):
        check_grads(
            lambda kernel: loss(name, kernel)[0],
            (jnp.asarray(KERNEL),),
            order=1,
            modes=["rev"],
            atol=2e-3,
            rtol=2e-3,
            eps=1e-2,
        )

    def test_signals_name_the_logits_they_come_from(self):
        for name, (clean, robust), passes in (
            ("none", (IMAGES, None), 1),
            ("pgd", (None, ADVERSARIAL), 1),
            ("trades", (IMAGES, ADVERSARIAL), 2),
            ("fgsm_regularized", (IMAGES, ADVERSARIAL), 2),
        ):
            signals = loss(name, KERNEL)[1]
            assert signals.batch_stats["seen"] == passes
            for found, images in ((signals.clean, clean), (signals.robust, robust)):
                assert (found is None) == (images is None)
                if images is not None:
                    np.testing.assert_allclose(
                        found, images.reshape(5, -1) @ KERNEL, rtol=1e-5, atol=1e-5
                    )


@pytest.mark.parametrize("name", ["trades", "fgsm_regularized"])
def test_without_its_weight_the_loss_is_the_clean_one(name):
    lowered = train.objective(name, eps=0.1, smoothing=0.1, beta=0.0)

    def forward(stats, images):
        return images.reshape(len(images), -1) @ KERNEL, stats

    found = lowered.loss(forward, {}, IMAGES, ADVERSARIAL, LABELS)[0]
    np.testing.assert_array_equal(found, loss("none", KERNEL)[0])


@pytest.mark.parametrize(
    "name, weight", [("trades", 6.0), ("fgsm_regularized", 1.0), ("pgd", None)]
)
def test_the_usual_weight_is_that_of_the_paper(name, weight):
    lowered = train.objective(name, eps=0.1)
    assert lowered.loss.keywords.get("beta") == weight
    again = train.objective(name, eps=0.1, beta=weight)
    assert jax.tree.leaves(again) == jax.tree.leaves(lowered)


def linear(x):
    return x.reshape(-1) @ KERNEL[:, :2]


def test_pgd_adversary_finds_the_corner_of_a_linear_model():
    image, label = jnp.full((3, 3, 2), 0.5), jnp.asarray(0)
    pgd = train.objective("pgd", eps=0.1, step_size=0.1, steps=3).adversary
    found = pgd(jax.random.key(0), linear, image, label)
    uphill = np.sign(KERNEL[:, 1] - KERNEL[:, 0]).reshape(3, 3, 2)
    np.testing.assert_allclose(found, 0.5 + 0.1 * uphill, atol=1e-6)


def test_fast_adversary_takes_one_step_from_a_random_point():
    image, label, keys = jnp.full((3, 3, 2), 0.5), jnp.asarray(0), jax.random.key(0)
    fast = train.objective("fgsm", eps=0.1).adversary
    found = jax.jit(jax.vmap(lambda key: fast(key, linear, image, label)))(
        jax.random.split(keys, 64)
    )
    uphill = np.sign(KERNEL[:, 1] - KERNEL[:, 0]).reshape(3, 3, 2)
    progress = (np.asarray(found) - 0.5) * uphill
    # From u ~ U(-.1, .1) the step ends at min(u + .125, .1): below .1 if u < -.025.
    assert progress.min() >= 0.025 - 1e-6 and progress.max() <= 0.1 + 1e-6
    below = (progress < 0.1 - 1e-6).mean()
    # 1152 draws: 6 standard errors are 0.086.
    assert abs(below - 0.375) < 0.086


def test_regularized_adversary_is_one_signed_step_from_the_image():
    # The gradient of the cross-entropy of a linear model, by hand in float64.
    kernel = KERNEL.astype(np.float64)
    adversary = train.objective("fgsm_regularized", eps=0.3).adversary
    for image, label in zip(IMAGES, LABELS, strict=True):
        p = special.softmax(image.reshape(-1) @ kernel)
        slope = (kernel @ (p - np.eye(4)[label])).reshape(3, 3, 2)
        want = np.clip(image + 0.3 * np.sign(slope), 0, 1)
        for seed in (0, 1):  # no random start
            found = adversary(
                jax.random.key(seed), lambda x: x.reshape(-1) @ KERNEL, image, label
            )
            np.testing.assert_allclose(found, want, atol=1e-6)


def test_a_step_size_of_ones_own_and_another_norm():
    # Half a step in l2: half the way to the border, along the gradient.
    lowered = train.objective("fgsm_regularized", eps=0.2, step_size=0.1, norm="l2")
    image = jnp.full((3, 3, 2), 0.5)
    found = lowered.adversary(jax.random.key(0), linear, image, jnp.asarray(0))
    uphill = (KERNEL[:, 1] - KERNEL[:, 0]).reshape(3, 3, 2)
    want = 0.5 + 0.1 * uphill / np.linalg.norm(uphill)
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_l1_adversary_changes_the_most_rewarding_pixels_to_the_edge():
    # Budget for three pixels out of 18, from .5 to the edge each.
    lowered = train.objective("pgd", eps=1.5, norm="l1", steps=20)
    image = jnp.full((3, 3, 2), 0.5)
    found = lowered.adversary(jax.random.key(0), linear, image, jnp.asarray(0))
    uphill = (KERNEL[:, 1] - KERNEL[:, 0]).astype(np.float64)
    best = 0.5 * np.sort(np.abs(uphill))[-3:].sum()
    change = np.asarray(found, np.float64).ravel() - 0.5
    assert np.abs(change).sum() <= 1.5 + 1e-6
    assert 0.9 * best <= change @ uphill <= best + 1e-5


def learned(name):
    """A linear model of 512 digits: its accuracy, and that under PGD at eps = .2."""
    images, labels = data.load_arrays(data.open_source("digits:train", limit=512))
    images, labels = images / np.float32(255), labels.astype(np.int32)
    lowered = train.objective(name, eps=0.2)

    def attacked(adversary, kernel):
        def one(image, label):
            predict = Partial(lambda kernel, x: x.reshape(-1) @ kernel, kernel)
            return adversary(jax.random.key(0), predict, image, label)

        return jax.vmap(one)(jnp.asarray(images), labels)

    def forward(kernel, stats, x):
        return x.reshape(len(x), -1) @ kernel, stats

    def step(_, kernel):
        adversarial = images
        if lowered.adversary is not None:
            adversarial = attacked(lowered.adversary, kernel)

        def loss(kernel):
            predict = functools.partial(forward, kernel)
            return lowered.loss(predict, {}, images, adversarial, labels)[0]

        return kernel - 0.5 * jax.grad(loss)(kernel)

    kernel = jax.jit(lambda k: jax.lax.fori_loop(0, 300, step, k))(jnp.zeros((64, 10)))
    pgd = train.objective("pgd", eps=0.2).adversary
    return [
        np.mean(np.argmax(x.reshape(512, -1) @ kernel, -1) == labels)
        for x in (images, jax.jit(functools.partial(attacked, pgd))(kernel))
    ]


def test_regularized_training_learns_and_gains_robustness():
    plain, regularized = learned("none"), learned("fgsm_regularized")
    # Measured: .99 and .14 without, .97 and .36 with.
    assert regularized[0] > 0.9 and regularized[1] > plain[1] + 0.1


def test_kl_adversary_raises_the_divergence_inside_the_ball():
    image = jnp.asarray(IMAGES[0])
    lowered = train.objective("trades", eps=0.1, step_size=0.05, steps=4)
    found = lowered.adversary(jax.random.key(0), linear, image, jnp.asarray(-1))
    assert np.abs(np.asarray(found) - IMAGES[0]).max() <= 0.1 + 1e-6
    # On a linear model of two classes the best point is one of two corners.
    direction = np.sign(KERNEL[:, 1] - KERNEL[:, 0]).reshape(3, 3, 2)
    corners = [np.clip(IMAGES[0] + s * 0.1 * direction, 0, 1) for s in (-1, 1)]
    best = max(
        float(_adversary.kl_divergence(linear(image), linear(c))) for c in corners
    )
    value = float(_adversary.kl_divergence(linear(image), linear(found)))
    assert value > 0 and value <= best + 1e-6
    assert any(np.allclose(found, c, atol=1e-6) for c in corners)


def test_equal_settings_share_a_compilation_and_so_does_another_radius():
    run = jax.jit(lambda objective, key, x: objective.adversary(key, linear, x, 0))
    for eps in (0.1, 0.1, 0.2):
        objective = train.objective("pgd", eps=eps, steps=2)
        run(objective, jax.random.key(0), jnp.asarray(IMAGES[0]))
    assert run._cache_size() == 1


@pytest.mark.parametrize(
    "arguments, word",
    [
        ({"name": "mart", "eps": 0.1}, "mart"),
        ({"name": "pgd"}, "eps"),
        ({"name": "pgd", "eps": 0.1, "steps": 0}, "steps"),
        ({"name": "fgsm", "eps": 0.1, "steps": 2}, "steps"),
        ({"name": "fgsm_regularized"}, "eps"),
        ({"name": "fgsm_regularized", "eps": 0.1, "steps": 2}, "steps"),
        ({"name": "fgsm_regularized", "eps": 0.1, "norm": "l1"}, "linf, l2; got 'l1'"),
        ({"name": "fgsm", "eps": 0.1, "norm": "l1"}, "linf, l2; got 'l1'"),
        ({"name": "pgd", "eps": 0.1, "norm": "l0"}, "norm"),
        ({"name": "none", "smoothing": 1.0}, "smoothing"),
    ],
)
def test_bad_settings_are_refused_by_name(arguments, word):
    with pytest.raises(ValueError, match=word):
        train.objective(**arguments)
