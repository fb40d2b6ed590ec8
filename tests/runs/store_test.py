"""Run folders in a store: parts, their merging, the manifest, and what kills leave."""

import hashlib
import json

import pytest

from mspd_jax import paths, runs
from mspd_jax.errors import InputError

IDENTITY = {"job": "protect", "fields": {"eps": "8/255"}}
OUT = paths.as_path("s3://b/deep/out")


def names(folder=OUT):
    return [p.relative_to(folder).as_posix() for p in paths.files_below(folder)]


def test_parts_of_all_processes_are_one_log(bucket):
    both = [
        runs.open_run(OUT, IDENTITY, process_index=i, process_count=2) for i in range(2)
    ]
    for i in (3, 1, 5):
        runs.append_records(both[1], [{"index": i}])
    runs.append_records(both[0], [{"index": 0}, {"index": 4}])
    runs.append_records(both[0], [])
    parts = [name for name in names() if name.startswith("records.parts/")]
    assert len(parts) == 4
    # Killed; the rest is done by one process.
    rest = runs.open_run(OUT, IDENTITY)
    assert rest.done == {0, 1, 3, 4, 5}
    runs.append_records(rest, [{"index": 2}])
    runs.merge_records(rest)
    assert names() == ["records.jsonl", "run.json"]
    lines = paths.read_text(OUT / "records.jsonl")
    assert lines == "".join(f'{{"index": {i}}}\n' for i in range(6))
    assert runs.open_run(OUT, IDENTITY).done == set(range(6))


def test_the_file_is_that_of_the_disk(bucket, tmp_path):
    for folder in (OUT, tmp_path / "out"):
        run = runs.open_run(folder, IDENTITY)
        for i in (2, 0, 1):
            runs.append_records(run, [{"index": i, "linf": 0.1 * i}])
        runs.merge_records(run)
    for name in ("records.jsonl", "run.json"):
        assert paths.read_bytes(OUT / name) == (tmp_path / "out" / name).read_bytes()


def test_a_lost_or_torn_part_costs_its_batch_alone(bucket):
    run = runs.open_run(OUT, IDENTITY)
    for i in range(3):
        runs.append_records(run, [{"index": i}])
    first, second, third = sorted(p for p in bucket.store if ".parts" in p)
    bucket.store[second].truncate(5)
    bucket.store.pop(third)
    assert runs.open_run(OUT, IDENTITY).done == {0}


@pytest.mark.parametrize("requests", range(5))
def test_a_kill_while_merging_loses_nothing(bucket, requests):
    run = runs.open_run(OUT, IDENTITY)
    for i in range(3):
        runs.append_records(run, [{"index": i}])
    left = [requests]

    def die(what, path):
        if what in ("put", "delete"):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1

    bucket.fails = staticmethod(die)
    if requests < 4:
        with pytest.raises(KeyboardInterrupt):
            runs.merge_records(run)
    bucket.fails = None
    again = runs.open_run(OUT, IDENTITY)
    assert again.done == {0, 1, 2}
    assert [r["index"] for r in runs.merge_records(again)] == [0, 1, 2]
    assert names() == ["records.jsonl", "run.json"]


def test_another_run_is_refused_and_left_alone(bucket):
    runs.open_run(OUT, IDENTITY)
    before = dict(bucket.store)
    with pytest.raises(InputError, match="eps.* was '8/255', now '4/255'"):
        runs.open_run(OUT, {"job": "protect", "fields": {"eps": "4/255"}})
    runs.write_file("s3://b/holiday/photo.txt", b"keep me")
    with pytest.raises(InputError, match="holds no run of ours"):
        runs.open_run("s3://b/holiday", IDENTITY)
    with pytest.raises(InputError, match="is a file"):
        runs.open_run("s3://b/holiday/photo.txt", IDENTITY)
    assert set(bucket.store) == {*before, "/b/holiday/photo.txt"}
    runs.remove_run(runs.open_run(OUT, IDENTITY))
    assert not paths.exists(OUT)


def test_the_manifest_is_true_and_success_is_last(bucket):
    run = runs.open_run(OUT, IDENTITY)
    runs.append_records(run, [{"index": 0}])
    runs.write_file(OUT / "images" / "a.png", b"pixels")
    runs.merge_records(run)
    assert runs.is_unfinished(OUT)
    runs.write_json(OUT / "summary.json", {"images": 1})
    bucket.requests.clear()
    runs.seal(OUT)
    written = [path for what, path in bucket.requests if what == "put"]
    assert written == [str(OUT / "MANIFEST.json"), str(OUT / "_SUCCESS")]
    files = json.loads(paths.read_text(OUT / "MANIFEST.json"))["files"]
    assert set(files) == {"images/a.png", "records.jsonl", "run.json", "summary.json"}
    for name, entry in files.items():
        content = paths.read_bytes(OUT / name)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    # What has not changed is not read again; what has, is.
    runs.write_json(OUT / "summary.json", {"images": 2})
    bucket.requests.clear()
    runs.seal(OUT)
    read = [path for what, path in bucket.requests if what == "get"]
    assert read == [str(OUT / "MANIFEST.json"), str(OUT / "summary.json")]
    changes = [(w, path) for w, path in bucket.requests if w in ("put", "delete")]
    assert changes == [
        ("delete", str(OUT / "_SUCCESS")),  # until the new manifest is there
        ("put", str(OUT / "MANIFEST.json")),
        ("put", str(OUT / "_SUCCESS")),
    ]
    bucket.requests.clear()
    runs.seal(OUT)
    written = [path for what, path in bucket.requests if what in ("put", "delete")]
    assert written == [str(OUT / "_SUCCESS")]
    runs.reopen_run(run)
    assert "_SUCCESS" not in names() and runs.is_unfinished(OUT)


def test_a_sealed_folder_stands_for_what_is_in_it(bucket):
    for name in ("cell/images/a.png", "cell/run.json", "summary.json"):
        runs.write_file(OUT / name, b"{}")
    runs.seal(OUT / "cell")
    runs.seal(OUT)
    files = json.loads(paths.read_text(OUT / "MANIFEST.json"))["files"]
    assert set(files) == {"cell/MANIFEST.json", "summary.json"}


def test_journals_and_metrics_survive_in_parts(bucket):
    journal = runs.disk_journal(OUT)
    runs.note(journal, "clean", 0, [{"index": 4, "label": 1, "prediction": 1}])
    again = runs.disk_journal(OUT, process_index=1, process_count=3)
    assert runs.done_in(again, "clean", 0) == {4}
    assert runs.has_journal(OUT)
    runs.remove_journal(OUT)
    assert not runs.has_journal(OUT) and not names()

    for step in (4, 8, 12):
        runs.append_metrics(OUT, {"step": step, "loss": step})
    runs.rewind_metrics(OUT, 9)
    assert names() == ["metrics.jsonl"]
    runs.append_metrics(OUT, {"step": 12, "loss": 3})
    assert [line["loss"] for line in runs.read_metrics(OUT)] == [4, 8, 3]
    parts = {name: file for name, file in bucket.store.items() if ".parts" in name}
    runs.close_metrics(OUT)
    assert names() == ["metrics.jsonl"]
    bucket.store.update(parts)  # as a kill before their removal leaves them
    assert [line["loss"] for line in runs.read_metrics(OUT)] == [4, 8, 3]


def test_a_log_that_stays_becomes_one_file(bucket):
    log = runs.open_log(OUT, "queries")
    for i in range(3):
        runs.append_log(log, [{"index": i}])
    runs.close_log(OUT, "queries")
    assert names() == ["queries.jsonl"]
    assert [entry["index"] for entry in runs.read_log(OUT, "queries")] == [0, 1, 2]


def test_runs_are_found_without_listing_their_images(bucket):
    for name in ("a", "b/c"):
        run = runs.open_run(OUT / name, IDENTITY)
        runs.write_file(run.path / "images" / "0.png", b"")
        runs.append_records(run, [{"index": 7}])
    bucket.requests.clear()
    found = runs.read_runs(["s3://b"])
    assert [run.path for run in found] == [OUT / "a", OUT / "b" / "c"]
    assert [run.name for run in found] == ["a", "c"]
    assert found[0].records == [{"index": 7}]
    assert not [path for _, path in bucket.requests if "images" in str(path)]
    with pytest.raises(InputError, match="no folder s3://b/none"):
        runs.read_runs(["s3://b/none"])
