"""Chains of defenses: values, the views of attackers, claims, draws."""

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
    restoration,
    trn,
)
from mspd_jax.errors import InputError
from mspd_jax.models import behind
from tests.defenses.chains import (
    EXAMPLES,
    IMAGE,
    KEY,
    PREDICT,
    STORE,
    close,
    create,
    defended,
    far,
    gradient,
)


class ViewsTest(parameterized.TestCase):
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

    def test_views_of_a_randomized_chain_are_means_over_draws(self):
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
        model = STORE["trn"]
        close(found.predict(IMAGE), trn(PREDICT, model)(IMAGE))
        self.assertEqual(found.used, {"trn": model})
        behind = defended("bits:1,trn:trn,gcm").predict(IMAGE)
        want = trn(PREDICT, model)(bit_depth(IMAGE, bits=1))
        close(behind, want)
        constant = models.behind(restoration(PREDICT, model, detach=True), PREDICT)
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
    def test_what_takes_no_such_images(self):
        two = create(0, "small_cnn", shape=(8, 8, 2), widths=[4])
        with self.assertRaisesRegex(
            InputError, r"takes no images of shape \(8, 8, 2\)"
        ):
            defend(KEY, models.predictor(two), "jpeg:75", image_shape=(8, 8, 2))

    def test_missing_checkpoint(self):
        with self.assertRaisesRegex(InputError, "'trn:nowhere': no model 'nowhere'"):
            defend(KEY, PREDICT, "trn:nowhere", image_shape=(8, 8, 1))


def _keys(predict):
    return [
        leaf
        for leaf in jax.tree.leaves(predict)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    ]
