"""Chains of defences by name: values, views of attackers, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax import models
from mspd_jax.attacks import draws_of, is_random, reseed, straight_through
from mspd_jax.defenses import (
    bit_depth,
    defend,
    gaussian_blur,
    jpeg,
    jpeg_soft,
    known_defenses,
    restoration,
    restore,
)
from mspd_jax.errors import InputError
from mspd_jax.models import behind

KEY = jax.random.key(3)
IMAGE = np.random.default_rng(0).uniform(0.1, 0.9, (8, 8, 1)).astype(np.float32)
# Every name once, with views that it has beside bpda and static.
EXAMPLES = {
    "gcm": [],
    "trn:trn": ["detached"],
    "denoiser:denoiser": [],
    "jpeg:60": [],
    "jpeg-soft:60": [],
    "bits:3": [],
    "gaussian:0.7": [],
    "median:3": [],
    "tv:0.05": [],
    "resize:0.8": ["eot"],
}


def spec(architecture, classes=10, shape=(8, 8, 1), **options):
    channels = shape[-1]
    return models.ModelSpec(
        architecture, options, (0.0,) * channels, (1.0,) * channels, classes, shape, {}
    )


def create(seed, *args, **options):
    return models.create_model(jax.random.key(seed), spec(*args, **options))


def network(shape=(8, 8, 1), **read):
    """A restoration network that is not the identity, as all are at the start."""
    sizes = {"width": 4, "stages": 1, "blocks": 1, "shrink": 1}
    model = create(1, "trn_small", 0, shape, **sizes, **read)
    leaves, structure = jax.tree.flatten(model.variables)
    moved = [
        leaf + 0.2 * jax.random.normal(jax.random.key(place), leaf.shape)
        for place, leaf in enumerate(leaves)
    ]
    return model._replace(variables=jax.tree.unflatten(structure, moved))


CLASSIFIER = create(0, "small_cnn", widths=[4], activation="silu")
PREDICT = models.predictor(CLASSIFIER)
STORE = {
    "trn": network(),
    "trn of 16 pixels": network((16, 16, 1)),
    "trn of 7 classes": network(rule="all", maps=7),
    "denoiser": create(2, "dncnn", 0, depth=3, width=4),
    "denoiser in color": create(2, "dncnn", 0, (8, 8, 3), depth=3, width=4),
    "classifier": CLASSIFIER,
}


def defended(text, key=KEY):
    return defend(key, PREDICT, text, spec=CLASSIFIER.spec, load=STORE.__getitem__)


@jax.jit
def gradient(predict, image):
    """Of one logit."""
    return jax.grad(lambda x: predict(x)[3])(image)


def close(got, want, scale=1e-4):
    np.testing.assert_allclose(got, want, atol=scale * np.max(np.abs(want)))


def far(one, other):
    return np.max(np.abs(one - other)) > 0.05 * np.max(np.abs(other))


class NamesTest(parameterized.TestCase):
    def test_every_name_has_an_example(self):
        names = {text.partition(":")[0] for text in EXAMPLES}
        told = {part.partition(":")[0] for part in known_defenses().split(", ")}
        self.assertEqual(names, told)

    def test_hiding_layers_alone_have_the_identity_in_a_chain(self):
        found = defended("bits:4,gaussian:1")
        self.assertEqual(set(found.views), {"bpda", "unmasked", "static"})
        bits = straight_through(lambda x: bit_depth(x, bits=4))
        blur = Partial(gaussian_blur, width=jnp.float32(1))
        by_hand = behind(bits, behind(blur, PREDICT))
        seen = found.views["unmasked"]
        self.assertTrue(seen.same_values)
        close(seen.predict(IMAGE), found.predict(IMAGE), 1e-6)
        close(gradient(seen.predict, IMAGE), gradient(by_hand, IMAGE), 1e-5)
        # Which neither the chain itself nor the identity for all of it gives.
        for other in (found.predict, found.views["bpda"].predict):
            apart = gradient(other, IMAGE) - gradient(by_hand, IMAGE)
            self.assertGreater(np.abs(apart).max(), 1e-3)
        # A gradient map as a constant does not help behind a dead gradient.
        detached = defended("bits:4,trn:trn").views["detached"].predict
        self.assertGreater(np.abs(gradient(detached, IMAGE)).max(), 1e-6)

    def test_views_of_a_randomised_chain_are_means_over_draws(self):
        found = defended("jpeg:60,resize:0.8")
        self.assertEqual(set(found.views), {"bpda", "eot", "static"})
        for name in ("bpda", "eot"):
            self.assertEqual(draws_of(found.views[name].predict), 20)
            self.assertFalse(found.views[name].same_values)

    @parameterized.parameters(*EXAMPLES)
    def test_views_are_what_they_say(self, text):
        found = defended(text)
        moves = text.startswith("resize")
        want = {*([] if moves else ["bpda"]), *EXAMPLES[text], "static"}
        self.assertEqual(set(found.views), want)
        self.assertEqual(found.claim, "" if text == "gcm" else "static")
        values = found.predict(IMAGE)
        for name, view in found.views.items():
            self.assertEqual(view.same_values, name in ("bpda", "detached"), name)
            if view.same_values:
                close(view.predict(IMAGE), values, 1e-6)
            self.assertTrue(np.isfinite(gradient(view.predict, IMAGE)).all(), name)
        self.assertIs(found.views["static"].predict, PREDICT)
        # The same text again is the same program.
        for again, one in ((defended(text), found),):
            self.assertEqual(*(jax.tree.structure(x.predict) for x in (again, one)))

    def test_the_identity_as_backward_pass(self):
        got = gradient(defended("gcm").views["bpda"].predict, IMAGE)
        close(got, gradient(PREDICT, IMAGE), 1e-3)
        self.assertTrue(far(gradient(defended("gcm").predict, IMAGE), got))
        got = gradient(defended("jpeg:30").views["bpda"].predict, IMAGE)
        close(got, gradient(PREDICT, jpeg(IMAGE, quality=30)))


class LayersTest(parameterized.TestCase):
    def test_an_image_meets_them_from_left_to_right(self):
        got = defended("bits:2, gaussian:1").predict(IMAGE)
        want = PREDICT(gaussian_blur(bit_depth(IMAGE, bits=2), width=1.0))
        close(got, want)
        self.assertTrue(far(defended("gaussian:1,bits:2").predict(IMAGE), want))
        self.assertEqual(defended("bits:2, gaussian:1").text, "bits:2,gaussian:1")

    def test_a_codec_is_differentiated_as_its_smooth_twin(self):
        found = defended("jpeg:30").predict
        close(found(IMAGE), PREDICT(jpeg(IMAGE, quality=30)))
        passed, pull = jax.vjp(lambda x: jpeg_soft(x, quality=30), IMAGE)
        del passed
        outer = gradient(PREDICT, jpeg(IMAGE, quality=30))
        close(gradient(found, IMAGE), pull(outer)[0])

    def test_a_restoration_network_is_shown_the_bare_classifier(self):
        found = defended("trn:trn")
        trn = STORE["trn"]
        close(found.predict(IMAGE), restore(trn, PREDICT)(IMAGE))
        self.assertEqual(found.used, {"trn": trn})
        behind = defended("bits:1,trn:trn,gcm").predict(IMAGE)
        want = restore(trn, PREDICT)(bit_depth(IMAGE, bits=1))
        close(behind, want)
        constant = models.behind(restoration(trn, PREDICT, detach=True), PREDICT)
        got = gradient(found.views["detached"].predict, IMAGE)
        close(got, gradient(constant, IMAGE))
        self.assertTrue(far(gradient(found.predict, IMAGE), got))

    def test_used_models_have_names_of_their_own(self):
        used = defended("denoiser:denoiser,trn:trn,denoiser:denoiser").used
        self.assertEqual(list(used), ["denoiser", "trn", "denoiser_2"])
        self.assertEmpty(defended("gcm").used)

    @parameterized.parameters(
        ("gcm,resize:0.9", ""), ("resize:0.9", "static"), ("gcm,jpeg:75", "static")
    )
    def test_claims_of_chains(self, text, claim):
        self.assertEqual(defended(text).claim, claim)


class RandomTest(parameterized.TestCase):
    def test_the_key_makes_the_draw(self):
        one, same, other = (
            defended("resize:0.5", jax.random.key(n)).predict(IMAGE) for n in (0, 0, 5)
        )
        np.testing.assert_array_equal(one, same)
        self.assertTrue(far(one, other))
        self.assertTrue(is_random(defended("bits:3,resize:0.5").predict))
        # Two of them do not draw alike.
        twice = defended("resize:0.5,resize:0.5").predict
        self.assertTrue(far(*(jax.random.key_data(k) for k in _keys(twice))))

    def test_draws_are_averaged(self):
        found = defended("resize:0.5")
        draws = [reseed(found.predict, n)(IMAGE) for n in range(64)]
        # The mean of 20 is within 5 standard errors of that of 64 others, for each of
        # 10 logits: false alarms below 1e-4.
        error = np.std(draws, axis=0) * np.sqrt(1 / 20 + 1 / 64)
        got = found.views["eot"].predict(IMAGE)
        self.assertTrue((np.abs(got - np.mean(draws, axis=0)) < 5 * error).all())

    def test_who_averages_sees_through_what_hides(self):
        masked = defended("gcm,resize:0.9").views["eot"].predict
        bare = defended("resize:0.9").views["eot"].predict
        one, other = (gradient(p, IMAGE).ravel() for p in (masked, bare))
        alike = np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
        self.assertGreater(alike, 0.8)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ("gmc", "unknown defence 'gmc': choose from gcm, trn:CKPT"),
        ("gcm,", "unknown defence ''"),
        ("gcm:1", "'gcm:1': gcm takes no argument"),
        ("jpeg", "'jpeg': write jpeg:QUALITY with a whole number from 1 to 100"),
        ("jpeg:0", "'jpeg:0': write jpeg:QUALITY"),
        ("jpeg:101", "from 1 to 100"),
        ("jpeg:7.5", "from 1 to 100"),
        ("bits:9", "write bits:BITS with a whole number from 1 to 8"),
        ("median:4", "an odd whole number of pixels from 3"),
        ("gaussian:nan", "write gaussian:WIDTH with a number of pixels above 0"),
        ("gaussian:-1", "above 0"),
        ("tv:much", "write tv:WEIGHT with a number above 0"),
        ("resize:1.5", "write resize:LEAST"),
        ("trn", "'trn': write trn:CKPT with a checkpoint of train_trn"),
        ("trn:", "write trn:CKPT"),
        ("trn:denoiser", "'trn:denoiser': a dncnn is a denoiser, not a restoration"),
        (
            "trn:trn of 16 pixels",
            r"of shape \(16, 16, 1\), the model reads \(8, 8, 1\)",
        ),
        ("trn:trn of 7 classes", "classifier of 7 classes, this one has 10"),
        ("denoiser:classifier", "'denoiser:classifier': a small_cnn is a classifier"),
        ("denoiser:trn", "is a restoration network, not a denoiser"),
        ("gcm,denoiser:denoiser in color", "for images of 3 channels, not 1"),
    )
    def test_in_one_line(self, text, message):
        with self.assertRaisesRegex(InputError, message) as caught:
            defended(text)
        self.assertNotIn("\n", str(caught.exception))

    def test_what_takes_no_such_images(self):
        two = create(0, "small_cnn", shape=(8, 8, 2), widths=[4])
        with self.assertRaisesRegex(
            InputError, r"takes no images of shape \(8, 8, 2\)"
        ):
            defend(KEY, models.predictor(two), "jpeg:75", spec=two.spec)

    def test_missing_checkpoint(self):
        with self.assertRaisesRegex(InputError, "'trn:nowhere': no model 'nowhere'"):
            defend(KEY, PREDICT, "trn:nowhere", spec=CLASSIFIER.spec)


def _keys(predict):
    return [
        leaf
        for leaf in jax.tree.leaves(predict)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    ]
