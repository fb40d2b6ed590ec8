"""The run folder: resume, torn lines, foreign folders, several processes."""

import json
import pathlib
import tempfile

from absl.testing import absltest

from mspd_jax import runs
from mspd_jax.errors import InputError

IDENTITY = {"job": "protect", "flags": {"eps": "8/255", "seed": 0}}


class RunFolderTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name, "deep", "out")

    def test_records_survive_reopening(self):
        run = runs.open_run(self.path, IDENTITY, details={"device": "cpu"})
        runs.append_records(run, [{"index": 5, "a": 1}, {"index": 2, "a": 2}])
        again = runs.open_run(self.path, IDENTITY, details={"device": "gpu"})
        self.assertEqual(again.done, {2, 5})
        runs.append_records(again, [{"index": 3, "a": 3}])
        self.assertEqual([r["index"] for r in runs.merge_records(again)], [2, 3, 5])
        content = json.loads((self.path / "run.json").read_text())
        self.assertEqual(content, IDENTITY | {"device": "cpu"})

    def test_a_torn_line_is_cut_and_its_image_done_again(self):
        run = runs.open_run(self.path, IDENTITY)
        runs.append_records(run, [{"index": 0}, {"index": 1}])
        with open(run.log, "a") as file:
            file.write('{"index": 2, "li')
        again = runs.open_run(self.path, IDENTITY)
        self.assertEqual(again.done, {0, 1})
        runs.append_records(again, [{"index": 2}])
        self.assertEqual(run.log.read_text().count("\n"), 3)
        self.assertLen(runs.read_records(self.path), 3)

    def test_another_run_is_refused_and_left_alone(self):
        runs.open_run(self.path, IDENTITY)
        before = sorted(self.path.iterdir())
        other = {"job": "protect", "flags": {"eps": "4/255", "seed": 0}}
        with self.assertRaisesRegex(InputError, "flags.eps was '8/255', now '4/255'"):
            runs.open_run(self.path, other)
        self.assertEqual(sorted(self.path.iterdir()), before)

    def test_a_run_that_lacks_a_part_of_the_identity_is_another_run(self):
        runs.open_run(self.path, IDENTITY)
        before = (self.path / "run.json").read_text()
        with self.assertRaisesRegex(InputError, "block was None, now 8"):
            runs.open_run(self.path, IDENTITY | {"block": 8})
        self.assertEqual((self.path / "run.json").read_text(), before)

    def test_a_foreign_folder_or_file_is_refused(self):
        self.path.mkdir(parents=True)
        (self.path / "holiday.txt").write_text("keep me")
        with self.assertRaisesRegex(InputError, "holds no run of ours"):
            runs.open_run(self.path, IDENTITY)
        with self.assertRaisesRegex(InputError, "is a file"):
            runs.open_run(self.path / "holiday.txt", IDENTITY)
        self.assertLen(list(self.path.iterdir()), 1)

    def test_a_field_that_came_later_is_no_difference(self):
        fields = {"job": "protect", "fields": {"eps": 1, "shard": None}}
        runs.open_run(self.path / "out", {"job": "protect", "fields": {"eps": 1}})
        runs.open_run(self.path / "out", fields)
        with self.assertRaisesRegex(InputError, "`shard` was None, now '1/2'"):
            other = {"job": "protect", "fields": {"eps": 1, "shard": "1/2"}}
            runs.open_run(self.path / "out", other)

    def test_processes_write_apart_and_merge_to_one_file(self):
        whole = runs.open_run(self.path / "one", IDENTITY)
        runs.append_records(whole, [{"index": i} for i in range(6)])
        runs.merge_records(whole)
        parts = [
            runs.open_run(self.path / "two", IDENTITY, process_index=i, process_count=2)
            for i in range(2)
        ]
        self.assertNotEqual(parts[0].log, parts[1].log)
        for i in (3, 1, 5):
            runs.append_records(parts[1], [{"index": i}])
        runs.append_records(parts[0], [{"index": 0}, {"index": 4}])
        # A kill, and the rest by one process alone.
        rest = runs.open_run(self.path / "two", IDENTITY)
        self.assertEqual(rest.done, {0, 1, 3, 4, 5})
        runs.append_records(rest, [{"index": 2}])
        runs.merge_records(rest)
        read = [(self.path / n / "records.jsonl").read_bytes() for n in ("one", "two")]
        self.assertEqual(read[0], read[1])
        self.assertLen(list((self.path / "two").glob("records*")), 1)


if __name__ == "__main__":
    absltest.main()
