"""The log of queries: what is found again, and what is passed over."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import parameterized

from mspd_jax import runs
from mspd_jax.errors import InputError
from mspd_jax.query._log import (
    MISSING,
    digest_of,
    known_labels,
    logged_labels,
    note_labels,
    open_query_log,
    what_differs,
)

HEAD = {"sigma": 0.25, "image": "abc"}
DIGEST = digest_of(HEAD)


def known(log, numbers, stage="estimation", digest=DIGEST):
    return known_labels(log, digest, stage, numbers).tolist()


def listed():
    """A log over a list, as JSON would give it back."""
    lines = []
    log = open_query_log(
        lambda entries: lines.extend(map(json.dumps, entries)), lambda: ()
    )
    return log, lines


def reopened(lines):
    return open_query_log(None, lambda: map(json.loads, lines))


class QueryLogTest(parameterized.TestCase):
    def test_what_was_noted_is_known_and_nothing_else(self):
        log, lines = listed()
        numbers = [3, 4, 5, 1022, 1023, 1024, 1025, 5000]
        labels = [7, -1, 0, 1, 2, 3, 4, 5]
        note_labels(log, 9, HEAD, "estimation", numbers, labels)
        for each in (log, reopened(lines)):
            self.assertEqual(known(each, numbers), labels)
            self.assertEqual(known(each, [2, 6, 1021, 10**6]), [MISSING] * 4)
            self.assertEqual(known(each, [3], "selection"), [MISSING])
            self.assertEqual(known(each, [3], digest=digest_of({})), [MISSING])
            self.assertEqual(known(each, []), [])
        # One head, and one line for each run.
        entries = list(map(json.loads, lines))
        self.assertEqual(entries[0], {"index": 9, "head": DIGEST, "of": HEAD})
        self.assertEqual([entry["first"] for entry in entries[1:]], [3, 1022, 5000])
        note_labels(log, 9, HEAD, "estimation", [6], [1])
        self.assertLen(lines, 5)

    def test_runs_of_many_blocks(self):
        log = listed()[0]
        labels = np.random.default_rng(0).integers(-1, 5, 5000)
        note_labels(log, 0, HEAD, "selection", np.arange(700, 5700), labels)
        got = known_labels(log, DIGEST, "selection", np.arange(700, 5700))
        np.testing.assert_array_equal(got, labels)

    def test_of_two_answers_the_first_counts(self):
        log = listed()[0]
        note_labels(log, 0, HEAD, "estimation", [1, 2], [5, 6])
        note_labels(log, 0, HEAD, "estimation", [2, 3], [7, 8])
        self.assertEqual(known(log, [1, 2, 3]), [5, 6, 8])

    @parameterized.parameters(
        {"stage": 1},
        {"first": -1},
        {"first": 1.5},
        {"first": None},
        {"labels": None},
        {"labels": "12"},
        {"labels": [0, 1.0]},
        {"labels": [0, True]},
        {"labels": [0, -2]},
        {"labels": [0, 2**40]},
        {"head": 5},
        {"index": "1"},
    )
    def test_entries_that_are_no_answers_are_passed_over(self, **broken):
        whole = {"index": 1, "head": DIGEST, "stage": "estimation", "first": 0}
        whole |= {"labels": [4, 4]}
        self.assertEqual(known(reopened([json.dumps(whole)]), [0, 1]), [4, 4])
        log = reopened([json.dumps(whole | broken), '{"index": 3}'])
        self.assertEmpty(log.blocks)

    def test_heads_that_do_not_fit_their_digest_are_passed_over(self):
        entry = {"index": 1, "head": DIGEST, "of": HEAD | {"sigma": 0.5}}
        self.assertEmpty(reopened([json.dumps(entry)]).heads)

    def test_in_the_driver_s_log_with_a_torn_line(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

        def opened():
            kept = runs.open_log(folder, "queries")
            return open_query_log(
                lambda entries: runs.append_log(kept, entries),
                lambda: runs.read_log(folder, "queries"),
            )

        log = opened()
        note_labels(log, 1, HEAD, "estimation", [0, 1], [5, 6])
        note_labels(log, 1, HEAD, "estimation", [2, 3], [7, 8])
        path = folder / "queries.jsonl"
        path.write_bytes(path.read_bytes()[:-4])  # killed in the middle of a line
        log = opened()
        self.assertEqual(known(log, range(4)), [5, 6, MISSING, MISSING])
        note_labels(log, 1, HEAD, "estimation", [2], [9])
        self.assertEqual(known(opened(), range(4)), [5, 6, 9, MISSING])

    def test_what_differs(self):
        log = listed()[0]
        self.assertEqual(what_differs(log, 1, HEAD), "it holds none for image 1")
        note_labels(log, 1, HEAD, "estimation", [0], [1])
        self.assertIn("others of the same setting", what_differs(log, 1, HEAD))
        self.assertEqual(
            what_differs(log, 1, HEAD | {"sigma": 0.5}),
            "it holds answers with another sigma",
        )

    def test_labels_that_the_log_lacks_are_asked_for_batch_by_batch(self):
        log, lines = listed()
        options = {"index": 9, "head": HEAD, "stage": "estimation"}
        note_labels(log, 9, HEAD, "estimation", [1, 4], [5, 6])
        asked = []

        def ask(numbers):
            for start in range(0, len(numbers), 2):
                asked.append(numbers[start : start + 2].tolist())
                yield np.asarray(asked[-1], np.int32) + 10
                noted = reopened(lines)  # before the next batch
                self.assertNotIn(MISSING, known(noted, asked[-1]))

        found = logged_labels(log, np.arange(6), ask, **options)
        self.assertEqual(found.tolist(), [10, 5, 12, 13, 6, 15])
        self.assertEqual(asked, [[0, 2], [3, 5]])
        # All are known now, so that nothing is asked and none need be there to answer.
        found = logged_labels(log, np.arange(6), None, **options)
        self.assertEqual(found.tolist(), [10, 5, 12, 13, 6, 15])
        with self.assertRaisesRegex(InputError, r"lacks 2 .* samples 6\.\.7"):
            logged_labels(log, np.arange(5, 8), None, **options)
