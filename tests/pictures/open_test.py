"""Pictures as a source."""

import numpy as np
import pytest

from mspd_jax import data, paths, runs
from mspd_jax.errors import InputError
from mspd_jax.pictures import open_pictures
from tests.pictures import samples as s
from tests.pictures.list_test import put


def filled(root):
    put(root, "a.jpg", content=s.saved(s.COLOR, "PNG"))  # by its name, something else
    put(root, "b/c.png", content=s.saved(s.DEEP, "PNG"))
    put(root, "d.png", content=s.saved(s.with_alpha(s.GRAY), "PNG", exif=s.exif(6)))
    return root


def records(source):
    found = [source.read(place) for place in range(len(source.indices))]
    return {record.name: record for record in found}


def test_levels_become_floats_upright_and_without_alpha(tmp_path):
    source = open_pictures("photos", filled(tmp_path))
    found = records(source)
    want = {
        "a.png": s.COLOR / np.float32(255),
        "b/c.png": s.DEEP[..., None] / np.float32(65535),
        "d.png": s.GRAY.T[:, ::-1, None] / np.float32(255),
    }
    assert found.keys() == want.keys()
    for name, image in want.items():
        assert found[name].image.dtype == np.float32 and found[name].label == -1
        np.testing.assert_array_equal(found[name].image, image)
    deep = found["b/c.png"].image.astype(np.float64) * 65535
    np.testing.assert_array_equal(np.rint(deep), s.DEEP[..., None])
    assert source.spec == "photos" and not source.labelled and source.max_label == -1


def test_a_source_knows_its_pictures(tmp_path):
    source = open_pictures("photos", filled(tmp_path))
    indices = data.name_indices(["a.png", "b/c.png", "d.png"])
    assert source.indices.tolist() == sorted(indices)
    assert source.image_shape is None
    for place, record in enumerate(map(source.read, range(3))):
        assert source.shape_of(place) == record.image.shape
        assert record.index == source.indices[place]
    assert {file.removeprefix(f"{tmp_path}/") for file in source.files} == {
        "a.jpg",
        "b/c.png",
        "d.png",
    }


def test_a_picture_that_changes_is_another_one(tmp_path):
    source = open_pictures("photos", filled(tmp_path))
    before, digests = source.fingerprint, [source.digest_of(n) for n in range(3)]
    again = open_pictures("photos", tmp_path)
    assert again.fingerprint == before
    put(tmp_path, "a.jpg", content=s.saved(s.COLOR ^ 1, "PNG"))
    after = open_pictures("photos", tmp_path)
    assert after.fingerprint != before
    changed = [after.digest_of(n) != digests[n] for n in range(3)]
    assert [source.files[n].endswith("a.jpg") for n in range(3)] == changed


def test_what_cannot_be_read_does_not_spoil_the_rest(tmp_path):
    put(filled(tmp_path), "e.png", content=b"")
    put(tmp_path, "f.gif", content=s.frames("GIF"))
    source = open_pictures("photos", tmp_path)
    bad = [n for n in range(5) if source.files[n].endswith(("e.png", "f.gif"))]
    for place in bad:
        assert source.shape_of(place) is None
        with pytest.raises(InputError, match="is empty|several frames"):
            source.read(place)
    assert len(bad) == 2 and len(source.indices) == 5


def test_a_limit_takes_the_first_names_and_no_index_moves(tmp_path):
    whole = open_pictures("photos", filled(tmp_path))
    for limit in (1, 2, 9):
        found = records(open_pictures("photos", tmp_path, limit=limit))
        assert sorted(found) == ["a.png", "b/c.png", "d.png"][:limit]
        for name, record in found.items():
            assert record.index == records(whole)[name].index
    with pytest.raises(InputError, match="`limit`=0: wanted at least 1"):
        open_pictures("photos", tmp_path, limit=0)


def test_no_pictures_are_no_source(tmp_path):
    with pytest.raises(InputError, match=r"source 'photos': no pictures in .*"):
        open_pictures("photos", tmp_path)
    put(tmp_path, "a.txt", content=b"x")
    with pytest.raises(InputError, match=r"no pictures in .*; .*a\.txt is no picture"):
        open_pictures("photos", tmp_path)


def test_a_store_gives_what_the_disk_gives(bucket, tmp_path):
    here = open_pictures("photos", filled(tmp_path))
    root = paths.as_path("s3://b/photos")
    for file in here.files:
        name = file.removeprefix(f"{tmp_path}/")
        runs.write_file(root / name, (tmp_path / name).read_bytes())
    there = open_pictures("photos", root)
    assert there.fingerprint == here.fingerprint
    for place in range(3):
        one, other = here.read(place), there.read(place)
        np.testing.assert_array_equal(one.image, other.image)
        assert (one.index, one.name) == (other.index, other.name)
        assert here.digest_of(place) == there.digest_of(place)
