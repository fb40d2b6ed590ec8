"""Classifiers by their spelling: functions, addresses, and what is none."""

import pathlib
import sys
import tempfile

import numpy as np
from absl.testing import parameterized

from mspd_jax.errors import InputError
from mspd_jax.query._open import open_classifier, python_classifier

IMAGES = np.random.default_rng(0).uniform(size=(7, 2, 3, 5)).astype(np.float32)


def classes_of(images):
    return [int(4 * image[-1, -1, -1]) for image in images]


MODULE = """
not_callable = 3
class Own:
    def classify(self, images):
        return [0] * len(images)
own = Own()
"""


class PythonTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "query_own_module.py").write_text(MODULE)
        (folder / "query_own_needy.py").write_text("import query_not_installed")
        sys.path.insert(0, str(folder))
        self.addCleanup(sys.path.remove, str(folder))

    def test_function(self):
        classifier = python_classifier("query_own_module:own.classify")
        self.assertEqual(classifier.ask(IMAGES), [0] * 7)
        self.assertEqual(classifier.name, "python:query_own_module:own.classify")
        classifier.close()

    @parameterized.parameters(
        ("query_own_module", "accepted is package.module:function"),
        (":function", "accepted is package.module:function"),
        ("query_no_module:f", "no module 'query_no_module': is it on"),
        ("query_no_module.sub:f", "no module 'query_no_module': is it on"),
        ("query_own_module.sub:f", "no module 'query_own_module.sub': is it on"),
        ("query_own_needy:f", "'query_not_installed', which query_own_needy needs"),
        ("query_own_module:g", "module 'query_own_module' has no 'g'"),
        ("query_own_module:own.g", "module 'query_own_module' has no 'own.g'"),
        ("query_own_module:not_callable", "is a int, not a function"),
    )
    def test_bad_specs(self, spec, message):
        with self.assertRaisesRegex(InputError, message):
            python_classifier(spec)


class OpenTest(parameterized.TestCase):
    @parameterized.parameters(
        "http://host:80/a", "https://host/a", "python:numpy:argmax", "command:./a --x"
    )
    def test_by_prefix(self, text):
        classifier = open_classifier(text)
        self.assertEqual(classifier.name, text)
        self.assertTrue(callable(classifier.ask))
        classifier.close()

    @parameterized.parameters("", "host/a", "ftp://host/a", "file:///a", "model.npz")
    def test_others(self, text):
        with self.assertRaisesRegex(
            InputError, "names no classifier: accepted are http"
        ):
            open_classifier(text)

    def test_token(self):
        with self.assertRaisesRegex(InputError, "takes no token"):
            open_classifier("command:./a", token_variable="TOKEN")
        with self.assertRaisesRegex(InputError, "QUERY_NO_TOKEN holds no token"):
            open_classifier("http://host/", token_variable="QUERY_NO_TOKEN")
