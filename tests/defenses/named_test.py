"""Defenses by name: which there are, and what is refused."""

from absl.testing import parameterized

from mspd_jax.defenses import known_defenses
from mspd_jax.errors import InputError
from tests.defenses.chains import EXAMPLES, defended


class NamesTest(parameterized.TestCase):
    def test_every_name_has_an_example(self):
        names = {text.partition(":")[0] for text in EXAMPLES}
        listed = {part.partition(":")[0] for part in known_defenses().split(", ")}
        self.assertEqual(names, listed)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(
        ("gmc", "unknown defense 'gmc': choose from gcm, trn:CKPT"),
        ("gcm,", "unknown defense ''"),
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
