"""A classifier that is a program: one start, one line for one line, and its faults."""

import os
import pathlib
import shlex
import sys
import tempfile
import time

import numpy as np
from absl.testing import parameterized

from mspd_jax.errors import InputError
from mspd_jax.query import answer, query_access
from mspd_jax.query._command import command_classifier

IMAGES = np.random.default_rng(0).uniform(size=(7, 2, 3, 5)).astype(np.float32)

# Notes each start and question; `FAULT` runs at the second question of the first start.
PROGRAM = """
import base64, json, os, pathlib, struct, subprocess, sys
notes = pathlib.Path(sys.argv[1])
def note(text):
    with open(notes, "a") as file:
        file.write(text + "\\n")
first = not notes.exists()
note(f"start {os.getpid()}")
for turn, line in enumerate(sys.stdin):
    images = json.loads(line)["images"]
    note(f"asked {len(images)}")
    if first and turn == 1:
        FAULT
    # By the last pixel: the last four bytes of an .npy file.
    pixels = [struct.unpack("<f", base64.b64decode(x)[-4:])[0] for x in images]
    labels = [int(4 * x) for x in pixels]
    print(json.dumps({"labels": labels}), flush=True)
"""


def classes_of(images):
    return [int(4 * image[-1, -1, -1]) for image in images]


def gone(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


class CommandTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.slept = []

    def command(self, fault="pass"):
        script = self.folder / "classify it.py"
        script.write_text(PROGRAM.replace("FAULT", fault))
        words = [sys.executable, script, self.folder / "notes"]
        return shlex.join(map(str, words))

    def access(self, command, **options):
        classifier = command_classifier(command, **options)
        self.addCleanup(classifier.close)
        return classifier, query_access(
            classifier.ask,
            name=classifier.name,
            num_classes=4,
            batch_size=3,
            retries=2,
            sleep=self.slept.append,
        )

    def notes(self, what):
        lines = (self.folder / "notes").read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith(what)]

    def test_starts_once_and_ends_with_close(self):
        classifier, access = self.access(self.command())
        self.assertFalse((self.folder / "notes").exists())
        for _ in range(2):
            np.testing.assert_array_equal(answer(access, IMAGES), classes_of(IMAGES))
        self.assertEqual(self.notes("asked"), [3, 3, 1, 3, 3, 1])
        (process_id,) = self.notes("start")
        self.assertFalse(gone(process_id))
        classifier.close()
        self.assertTrue(gone(process_id))
        classifier.close()

    @parameterized.parameters("sys.exit(3)", "print('{\"labels', end=''); sys.exit()")
    def test_is_started_again_when_it_dies(self, fault):
        _, access = self.access(self.command(fault))
        np.testing.assert_array_equal(answer(access, IMAGES), classes_of(IMAGES))
        self.assertEqual(self.notes("asked"), [3, 3, 3, 1])
        self.assertLen(self.notes("start"), 2)
        self.assertEqual(self.slept, [1.0])

    def test_is_killed_when_it_hangs(self):
        # With a program of its own that keeps the pipes open, and deaf to SIGTERM.
        fault = (
            "import signal; signal.signal(15, signal.SIG_IGN); "
            "subprocess.run(['sleep', '60'])"
        )
        _, access = self.access(self.command(fault), timeout=1.5)
        begun = time.monotonic()
        np.testing.assert_array_equal(answer(access, IMAGES), classes_of(IMAGES))
        self.assertLess(time.monotonic() - begun, 20)
        self.assertEqual(self.notes("asked"), [3, 3, 3, 1])
        self.assertTrue(gone(self.notes("start")[0]))

    def test_gives_up_on_one_that_always_dies(self):
        _, access = self.access(f"{sys.executable} -c 'raise SystemExit(3)'")
        with self.assertRaisesRegex(
            InputError, r"3 tries \(the command ended with cod"
        ):
            answer(access, IMAGES)

    @parameterized.parameters(
        ("print('hello', flush=True)", "answered no JSON but 'hello'"),
        ("print('x' * 2000, flush=True)", "answered more than 1000 bytes"),
    )
    def test_no_answer_is_a_mistake_at_once(self, fault, message):
        _, access = self.access(self.command(fault), limit=1000)
        with self.assertRaisesRegex(InputError, message):
            answer(access, IMAGES)
        self.assertEqual(self.notes("asked"), [3, 3])
        self.assertTrue(gone(self.notes("start")[0]))  # and nothing stale is read
        np.testing.assert_array_equal(answer(access, IMAGES), classes_of(IMAGES))

    @parameterized.parameters(
        ("", "is empty"),
        ("a 'b", "cannot be read: No closing"),
        ("./no-such-program --x", "cannot be started: .*No such file"),
    )
    def test_bad_commands(self, command, message):
        with self.assertRaisesRegex(InputError, message):
            answer(self.access(command)[1], IMAGES)
