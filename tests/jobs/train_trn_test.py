"""The plan of a restoration training: what it builds, and what it refuses."""

import jax
import numpy as np
from absl.testing import parameterized

from mspd_jax import jobs, models, train
from mspd_jax.errors import InputError


def classifier(shape=(8, 8, 1), classes=4):
    channels = shape[-1]
    spec = models.ModelSpec(
        "small_cnn",
        {"widths": [4]},
        (0.0,) * channels,
        (1.0,) * channels,
        classes,
        shape,
        {},
    )
    return models.create_model(jax.random.key(0), spec)


CLASSIFIER = classifier()
SETTINGS = {
    "classifier": CLASSIFIER,
    "mix": {"fgsm": 1.0},
    "eps": 0.1,
    "attack_steps": 2,
    "augment": "none",
    "epochs": 1,
    "batch_size": 8,
    "weight_decay": 0.0,
    "warmup_epochs": 0.0,
}


def plan(**changes):
    rng = np.random.default_rng(0)
    examples = train.Examples(
        images=rng.random((16, 8, 8, 1), np.float32),
        labels=np.arange(16, dtype=np.int32) % 4,
        indices=np.arange(16),
        num_classes=4,
    )
    return jobs.TrainTRN(source="digits:train", **SETTINGS | changes).plan(examples)


class RestorationPlanTest(parameterized.TestCase):
    @parameterized.parameters(("softmax", 1), ("all", 4))
    def test_the_rule_decides_what_the_network_reads(self, rule, maps):
        spec = train.spec_of(plan(rule=rule).start)
        self.assertEqual((spec.options["rule"], spec.options["maps"]), (rule, maps))
        self.assertEqual(spec.num_classes, 0)

    def test_the_attacker_is_the_one_that_was_asked_for(self):
        found = {name: plan(attacker=name).objective for name in train.ATTACKERS}
        victims = {n: o.adversary.keywords["victim"].func for n, o in found.items()}
        self.assertNotEqual(victims["unaware"], victims["adaptive"])
        usual = plan().objective.adversary.keywords["victim"].func
        self.assertEqual(usual, victims["unaware"])

    @parameterized.parameters(
        ({"rule": "true"}, "`rule` must be one of .* 'true'"),
        ({"mix": {"fgsm": 0.7}}, "shares must sum to 1, they sum to 0.7"),
        ({"eps": (0.1, 0.0)}, "expected a positive number"),
        ({"classifier": classifier((32, 32, 3))}, r"\(32, 32, 3\), .* \(8, 8, 1\)"),
        ({"classifier": classifier(classes=7)}, "7 classes, the training data have 4"),
        ({"arch": "dncnn"}, "a dncnn is a denoiser, .* trn, trn_small"),
        ({"arch_options": '{"width": 0}'}, "width must be 1 or more"),
        ({"batch_size": 99}, "99"),
    )
    def test_refusals(self, changes, message):
        with self.assertRaisesRegex(InputError, message):
            plan(**changes)
