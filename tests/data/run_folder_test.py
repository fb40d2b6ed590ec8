"""Run folders: records decide, and nothing outside the folder is opened."""

import json
import os

import numpy as np
import pytest

from mspd_jax.data import open_source, write_png
from mspd_jax.errors import InputError


def finish(root, images):
    """What a job leaves beside the records of so many images when it ends."""
    (root / "run.json").write_text('{"job": "protect"}')
    (root / "summary.json").write_text(json.dumps({"images": images}))


def write_run(root, records, end="\n"):
    root.mkdir(exist_ok=True)
    for record in records:
        if record.get("file"):
            level = record["index"] % 256
            write_png(root / record["file"], np.full((4, 5, 1), level, np.uint8))
    text = "\n".join(json.dumps(record) for record in records) + end
    (root / "records.jsonl").write_text(text)
    return f"folder:{root}"


RECORDS = [
    {"index": 8, "label": 3, "file": "images/00008_3.png", "name": "00008_3.png"},
    {"index": 2, "label": -1, "file": "images/cat/tom.png", "name": "cat/tom.png"},
    {"index": 5, "label": 9, "file": "images/00005_9.png"},
    {"index": 6, "label": 9, "error": "cannot be read"},
]


def test_records_give_index_label_and_name(tmp_path):
    write_png(tmp_path / "stray.png", np.zeros((9, 9, 3), np.uint8))
    source = open_source(write_run(tmp_path, RECORDS))
    records = [source.read(i) for i in range(len(source.indices))]
    assert [(r.index, r.label, r.name) for r in records] == [
        (2, -1, "cat/tom.png"),
        (5, 9, "00005_9.png"),
        (8, 3, "00008_3.png"),
    ]
    assert [round(float(r.image[0, 0, 0]) * 255) for r in records] == [2, 5, 8]
    assert source.image_shape == (4, 5, 1) and source.num_classes is None
    assert source.max_label == 9 and source.labelled


def test_the_torn_last_line_of_a_killed_run_is_passed_over(tmp_path):
    spec = write_run(tmp_path, RECORDS[:2], end='\n{"index": 77, "la')
    assert list(open_source(spec).indices) == [2, 8]


def test_records_of_several_processes_are_one(tmp_path):
    spec = write_run(tmp_path, RECORDS)
    finish(tmp_path, images=2)
    lines = (tmp_path / "records.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "records.jsonl").unlink()
    (tmp_path / "records-00000-of-00002.jsonl").write_text(lines[0])
    (tmp_path / "records-00001-of-00002.jsonl").write_text(lines[1])
    assert list(open_source(spec).indices) == [2, 8]


def test_a_run_that_has_not_begun_is_no_class_folder(tmp_path):
    write_png(tmp_path / "images" / "00001_2.png", np.zeros((4, 5, 1), np.uint8))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="has not finished"):
        open_source(f"folder:{tmp_path}")
    finish(tmp_path, images=0)
    with pytest.raises(InputError, match="list no images"):
        open_source(f"folder:{tmp_path}")


def test_an_unfinished_run_is_refused_in_one_line(tmp_path):
    spec = write_run(tmp_path, RECORDS)
    assert len(open_source(spec).indices) == 3  # records that somebody copied
    (tmp_path / "run.json").write_text('{"job": "protect"}')
    with pytest.raises(InputError, match=f"{tmp_path} has not finished") as caught:
        open_source(spec)
    assert "\n" not in str(caught.value)
    finish(tmp_path, images=len(RECORDS))
    assert len(open_source(spec).indices) == 3


def test_a_finished_run_that_is_going_on_is_refused(tmp_path):
    spec = write_run(tmp_path, RECORDS)
    finish(tmp_path, images=len(RECORDS) - 1)
    with pytest.raises(InputError, match="has not finished"):
        open_source(spec)


def test_the_images_of_an_unfinished_run_are_refused_without_their_records(tmp_path):
    write_run(tmp_path, RECORDS[:1])
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="has not finished"):
        open_source(f"folder:{tmp_path / 'images'}")
    finish(tmp_path, images=1)
    assert list(open_source(f"folder:{tmp_path / 'images'}").indices) == [8]


def test_the_fingerprint_is_that_of_the_records_and_their_images(tmp_path):
    before = open_source(write_run(tmp_path / "one", RECORDS))
    assert open_source(write_run(tmp_path / "two", RECORDS)).fingerprint == (
        before.fingerprint
    )
    other = [dict(RECORDS[0], label=4), *RECORDS[1:]]
    changed = open_source(write_run(tmp_path / "two", other))
    assert changed.fingerprint != before.fingerprint
    assert [before.digest_of(i) == changed.digest_of(i) for i in range(3)] == [
        True,
        True,
        False,
    ]
    write_png(tmp_path / "one/images/00005_9.png", np.zeros((4, 5, 1), np.uint8))
    again = open_source(f"folder:{tmp_path / 'one'}")
    assert (
        again.fingerprint
        != open_source(write_run(tmp_path / "three", RECORDS)).fingerprint
    )


def test_the_number_of_classes_is_kept_where_it_was_recorded(tmp_path):
    spec = write_run(tmp_path, RECORDS)
    finish(tmp_path, images=len(RECORDS))
    (tmp_path / "run.json").write_text('{"job": "protect", "num_classes": 10}')
    assert open_source(spec).num_classes == 10
    for text in ("[]", "{", "{}", '{"num_classes": "ten"}'):
        (tmp_path / "run.json").write_text(text)
        assert open_source(spec).num_classes is None


def outside(root):
    write_run(root, RECORDS)
    return "leads out of the folder", {"index": 1, "file": "../secret.png"}


def absolute(root):
    return "leads out of the folder", {
        "index": 1,
        "file": str(root.parent / "secret.png"),
    }


def link(root):
    root.mkdir()
    os.symlink(root.parent / "secret.png", root / "link.png")
    return "leads out of the folder", {"index": 1, "file": "link.png"}


def linked_folder(root):
    root.mkdir()
    os.symlink(root.parent, root / "up")
    return "leads out of the folder", {"index": 1, "file": "up/secret.png"}


def name_outside(root):
    record = {"index": 1, "label": 1, "file": "a.png", "name": "../a.png"}
    return "leads out of the folder", record


def name_absolute(root):
    record = {"index": 1, "label": 1, "file": "a.png", "name": "/a.png"}
    return "leads out of the folder", record


def name_not_png(root):
    record = {"index": 1, "label": 1, "file": "a.png", "name": "a.py"}
    return "leads out of the folder", record


def no_index(root):
    return "line 1 of .*KeyError", {"file": "a.png"}


def no_record(root):
    return "line 1 of .*no record", ["a.png"]


def nothing(root):
    return "list no images", {"index": 3, "loss": 0.1}


@pytest.mark.parametrize(
    "make",
    [
        outside,
        absolute,
        link,
        linked_folder,
        name_outside,
        name_absolute,
        name_not_png,
        no_index,
        no_record,
        nothing,
    ],
)
def test_bad_records_are_refused_in_one_line(tmp_path, make):
    write_png(tmp_path / "secret.png", np.zeros((4, 4, 1), np.uint8))
    root = tmp_path / "run"
    message, record = make(root)
    root.mkdir(exist_ok=True)
    (root / "records.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(InputError, match=message) as caught:
        open_source(f"folder:{root}")
    assert "\n" not in str(caught.value)


def test_a_missing_image_surfaces_when_it_is_read(tmp_path):
    spec = write_run(tmp_path, RECORDS)
    (tmp_path / "images/00005_9.png").unlink()
    source = open_source(spec)
    with pytest.raises(InputError, match=r"00005_9\.png"):
        source.read(1)
    assert source.read(2).index == 8
