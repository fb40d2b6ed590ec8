"""Records on the disk: found once, parsed when looked at, the last of an index."""

import json
import tracemalloc

import pytest

from mspd_jax import runs
from mspd_jax.runs._records import records_in


def written(path, lines):
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_they_are_a_sequence_in_order_of_index(tmp_path):
    first = written(tmp_path / "a", ['{"index": 7, "x": 1}', '{"index": 2, "x": 2}'])
    second = written(tmp_path / "b", ['{"index": 7, "x": 3}', '{"index": 4, "x": 4}'])
    found = records_in([first, second])
    wanted = [(2, 2), (4, 4), (7, 3)]
    assert [(r["index"], r["x"]) for r in found] == wanted
    assert found.indices.tolist() == [2, 4, 7]
    assert len(found) == 3 and found[-1] == {"index": 7, "x": 3}
    assert found[1:] == ({"index": 4, "x": 4}, {"index": 7, "x": 3})
    assert found == records_in([first, second]) and found == list(found)
    assert found != list(found)[:2] and found != [{}, {}, {}]
    assert found.as_made_by(lambda entry: entry["x"])[:] == (2, 4, 3)
    with pytest.raises(IndexError):
        found[3]


def test_torn_lines_and_others_are_none(tmp_path):
    odd = ['{"index": 1}', "[1]", '{"index": "one"}', '{"index": 5', "", '{"a": 1}']
    file = written(tmp_path / "a", odd)
    with open(file, "a") as log:
        log.write('{"index": 3}')  # whole, but for its end
    assert list(records_in([file])) == [{"index": 1}]
    assert list(records_in([written(tmp_path / "none", [])])) == []
    assert not records_in([])


def test_they_stay_readable_when_they_have_been_put_together(tmp_path):
    run = runs.open_run(tmp_path / "out", {"job": "protect"})
    runs.append_records(run, [{"index": i, "x": i / 8} for i in (3, 1, 2)])
    before = runs.read_records(run.path)
    after = runs.merge_records(run)
    text = (run.path / "records.jsonl").read_text()
    assert [json.loads(line) for line in text.splitlines()] == list(before)
    assert before == after == runs.read_records(run.path)


def test_a_record_takes_a_few_bytes(tmp_path):
    count = 20_000
    line = '{"index": %d, "name": "a name as long as names of images are.png"}'
    file = written(tmp_path / "a", [line % i for i in range(count)])
    tracemalloc.start()
    found = records_in([file])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == count
    assert kept < 64 * count  # its dictionary takes 400
