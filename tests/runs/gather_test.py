"""One run made of its parts, on a disk and in a store."""

import hashlib
import json

import pytest

from mspd_jax import paths, runs

OUT = paths.as_path("s3://b/sweep/cell")


def part(root, number):
    folder = root / f"part{number}"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / f"{number}.png").write_bytes(bytes([number]))
    (folder / "images" / ".9.png.partial").write_bytes(b"torn")
    (folder / "records.jsonl").write_text(f'{{"index": {number}}}\n')
    (folder / "stages.jsonl").write_text(f"stage {number}\n")
    (folder / "run.json").write_text("{}")
    (folder / "summary.json").write_text("{}")
    return str(folder)


def test_a_run_is_made_of_its_parts_in_their_order(tmp_path):
    parts = [part(tmp_path, number) for number in (3, 1)]
    out = tmp_path / "out"
    for _ in range(2):  # as after a kill
        runs.gather_run(parts, out, {"job": "protect"})
    assert (out / "records.jsonl").read_text() == '{"index": 3}\n{"index": 1}\n'
    assert (out / "stages.jsonl").read_text() == "stage 3\nstage 1\n"
    found = {path.name: path.read_bytes() for path in (out / "images").iterdir()}
    assert found == {"1.png": b"\x01", "3.png": b"\x03"}
    assert runs.read_info(out) == {"job": "protect"}
    assert not (out / "summary.json").exists()


def test_files_are_copied_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    runs.gather_run([part(tmp_path, 1)], tmp_path / "out", {})
    assert (tmp_path / "out" / "images" / "1.png").read_bytes() == b"\x01"


def stored_part(number, *, images=3, sealed=True):
    """A part of a run in a store, as a job leaves it, with a journal and a queue."""
    run = runs.open_run(f"s3://b/sweep/cell.shards/{number}", {"job": "evaluate"})
    for place in range(images):
        index = 10 * number + place
        runs.write_file(run.path / "images" / f"{index}.png", bytes([index]))
        runs.append_records(run, [{"index": index}])
        note = {"index": index, "label": 1, "prediction": 1}
        runs.note(runs.disk_journal(run.path), "clean", 0, [note])
    runs.merge_records(run)
    runs.write_json(run.path / "summary.json", {"images": images})
    if sealed:
        runs.seal(run.path)
    return str(run.path)


def content():
    """All objects of the whole run."""
    return {
        path.relative_to(OUT).as_posix(): paths.read_bytes(path)
        for path in paths.files_below(OUT)
    }


def finish():
    """Ends the run as its job does."""
    runs.merge_records(runs.open_run(OUT, {"job": "evaluate"}))
    runs.write_json(OUT / "summary.json", {"images": 6})
    runs.seal(OUT)


def test_a_store_copies_by_itself_and_nothing_is_read_again(bucket):
    parts = [stored_part(number) for number in (1, 2)]
    bucket.requests.clear()
    runs.gather_run(parts, OUT, {"job": "evaluate"})
    changed = [(w, path) for w, path in bucket.requests if w in ("put", "copy")]
    copied = {path.rpartition("/")[2] for what, path in changed if what == "copy"}
    assert copied == {f"{i}.png" for i in (10, 11, 12, 20, 21, 22)}
    assert [path.rpartition("/")[2] for what, path in changed if what == "put"] == [
        "records.jsonl",
        "stages.jsonl",
        "MANIFEST.json",
        "run.json",  # last: without it the folder is not whole
    ]
    notes = runs.disk_journal(OUT).last["clean"]
    assert sorted(notes) == [10, 11, 12, 20, 21, 22]
    bucket.requests.clear()
    finish()
    assert not [path for what, path in bucket.requests if "images" in str(path)]
    found = content()
    assert found["records.jsonl"].count(b"\n") == 6
    entries = json.loads(found["MANIFEST.json"])["files"]
    assert entries.keys() == found.keys() - {"MANIFEST.json", "_SUCCESS"}
    for name, entry in entries.items():
        assert entry["sha256"] == hashlib.sha256(found[name]).hexdigest()


def test_what_a_part_has_not_sealed_is_read(bucket):
    parts = [stored_part(1), stored_part(2, sealed=False)]
    runs.gather_run(parts, OUT, {"job": "evaluate"})
    finish()
    found = content()
    for name, entry in json.loads(found["MANIFEST.json"])["files"].items():
        assert entry["sha256"] == hashlib.sha256(found[name]).hexdigest()


@pytest.mark.parametrize("requests", range(11))
def test_a_kill_comes_out_the_same_when_begun_again(bucket, requests):
    parts = [stored_part(number) for number in (1, 2)]
    runs.gather_run(parts, OUT, {"job": "evaluate"})
    wanted = content()
    paths.remove(paths.files_below(OUT))
    left = [requests]

    def die(what, path):
        if what in ("put", "copy"):
            if left[0] <= 0:
                raise KeyboardInterrupt
            left[0] -= 1

    bucket.fails = staticmethod(die)
    if requests < 10:
        with pytest.raises(KeyboardInterrupt):
            runs.gather_run(parts, OUT, {"job": "evaluate"})
        assert not runs.is_marked(OUT)
    bucket.fails, done = None, set(content())
    bucket.requests.clear()
    runs.gather_run(parts, OUT, {"job": "evaluate"})
    assert content() == wanted
    copied = {p.partition("/cell/")[2] for w, p in bucket.requests if w == "copy"}
    assert not copied & done, "what is there is not copied again"


def test_another_image_of_this_name_is_replaced(bucket):
    parts = [stored_part(1)]
    runs.write_file(OUT / "images" / "10.png", b"?")
    runs.gather_run(parts, OUT, {})
    assert paths.read_bytes(OUT / "images" / "10.png") == bytes([10])
