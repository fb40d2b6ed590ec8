"""Folders of pictures as people have them."""

import os

import pytest

from mspd_jax import paths, runs
from mspd_jax.errors import InputError
from mspd_jax.pictures import list_pictures
from tests.pictures import samples as s

PNG = s.saved(s.GRAY, "PNG")


def put(root, *names, content=PNG):
    for name in names:
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def names(listing):
    return [name for _, name in listing.files]


def skipped(listing, root):
    return {str(path.relative_to(root)): reason for path, reason in listing.skipped}


def test_a_folder_is_listed_to_the_bottom_without_what_is_hidden(tmp_path):
    put(tmp_path, "b.jpg", "a/c.PNG", "a/b/c/d.webp", ".x.png", "a/.y/z.png", "e.heic")
    listing = list_pictures(tmp_path)
    assert names(listing) == ["a/b/c/d.png", "a/c.png", "b.png", "e.png"]
    assert listing.skipped == ()
    assert all(path.is_file() for path, _ in listing.files)


@pytest.mark.parametrize("format, suffix", [("jpeg", ".jpg"), ("webp", ".webp")])
def test_a_name_ends_as_the_format_does(tmp_path, format, suffix):
    put(tmp_path, "a/b.png")
    assert names(list_pictures(tmp_path, format=format)) == [f"a/b{suffix}"]
    with pytest.raises(InputError, match="`format`='gif'"):
        list_pictures(tmp_path, format="gif")


@pytest.mark.parametrize(
    "pattern, found",
    [
        ("*.jpg", ["a.jpg", "b.jpg"]),
        ("a.*", ["a.jpg"]),
        ("[ab].jpg", ["a.jpg", "b.jpg"]),
        ("?.jpg", ["a.jpg", "b.jpg"]),
        ("*/*.png", ["one/c.png"]),
        ("**/*.png", ["d.png", "one/c.png", "one/two/e.png"]),
        ("one/**", ["c.png", "two/e.png"]),
        ("o*/**/*", ["one/c.png", "one/two/e.png"]),
        ("one/*/e.png", ["two/e.png"]),
        ("**", ["a.jpg", "b.jpg", "d.png", "one/c.png", "one/two/e.png"]),
        ("*.gif", []),
    ],
)
def test_a_pattern_names_what_it_names_in_a_shell(tmp_path, pattern, found):
    put(tmp_path, "a.jpg", "b.jpg", "d.png", "one/c.png", "one/two/e.png", ".f.jpg")
    listing = list_pictures(f"{tmp_path}/{pattern}")
    root = tmp_path / "one" if pattern.startswith("one") else tmp_path
    assert [path.relative_to(root).as_posix() for path, _ in listing.files] == found


def test_a_name_that_looks_like_a_pattern_is_meant_where_it_exists(tmp_path):
    put(tmp_path, "a[1]/b*.png", "a1/c.png")
    assert names(list_pictures(tmp_path / "a[1]")) == ["b*.png"]
    assert names(list_pictures(tmp_path / "a[1]" / "*.png")) == ["b*.png"]
    assert names(list_pictures(tmp_path / "a[1]" / "b*.png")) == ["b*.png"]


@pytest.mark.parametrize("name", ["x.png", "x", ".x.jpg"])
def test_a_file_is_a_list_of_one(tmp_path, name):
    put(tmp_path, name, "other.png")
    [(path, out)] = list_pictures(tmp_path / name).files
    assert path == tmp_path / name
    assert out == name.removesuffix(".png").removesuffix(".jpg") + ".png"


@pytest.mark.parametrize("name", ["x.png", "no/x.png", "no/*.png", "x" * 300, "\0"])
def test_what_does_not_exist_is_named_in_one_line(tmp_path, name):
    with pytest.raises(InputError, match="does not exist|cannot list") as told:
        list_pictures(f"{tmp_path}/{name}")
    assert "\n" not in str(told.value)


def test_what_is_no_picture_is_skipped_for_a_reason(tmp_path):
    put(tmp_path, "a.txt", "b", content=b"P1 is no picture, BM neither")
    put(tmp_path, "c.dng", "d.NEF", "e.txt", "f")
    put(tmp_path, "g.mp4", "h.xmp", content=b"")
    listing = list_pictures(tmp_path)
    assert names(listing) == ["e.txt.png", "f.png"]  # pictures, whatever their names
    assert skipped(listing, tmp_path) == {
        "a.txt": "is no picture",
        "b": "is no picture",
        "c.dng": "is a raw photograph (.dng); give the developed one",
        "d.NEF": "is a raw photograph (.nef); give the developed one",
        "g.mp4": "is no picture",
        "h.xmp": "is no picture",
    }


def test_a_picture_that_is_damaged_is_one_to_be_told_of(tmp_path):
    put(tmp_path, "a.png", "b.jpg", content=b"")
    assert names(list_pictures(tmp_path)) == ["a.png", "b.png"]


def test_no_link_leads_out_of_the_folder(tmp_path):
    root = put(tmp_path / "in", "a.png", "b/c.png")
    put(tmp_path / "out", "x.png")
    os.symlink(tmp_path / "out" / "x.png", root / "file.png")
    os.symlink(tmp_path / "out", root / "folder")
    os.symlink("../out/x.png", root / "relative.png")
    os.symlink(root / "a.png", root / "same.png")
    os.symlink(root / "b", root / "again")
    os.symlink("nowhere.png", root / "broken.png")
    os.symlink("circle.png", root / "circle.png")
    os.symlink(root / "a.png", root / ".hidden.png")
    listing = list_pictures(root)
    assert names(listing) == ["a.png", "b/c.png", "same.png"]
    found = skipped(listing, root)
    out = "is a link that leads out of the folder"
    assert {n: found[n] for n in ("file.png", "folder", "relative.png")} == {
        "file.png": out,
        "folder": out,
        "relative.png": out,
    }
    assert found["again"] == "is a link to a folder"
    assert found["broken.png"].startswith("cannot be read (No such file")
    assert found["circle.png"].startswith("cannot be read (")
    # The folder itself, and a file that is named, may be links.
    os.symlink(root, tmp_path / "link")
    assert names(list_pictures(tmp_path / "link")) == names(listing)
    assert names(list_pictures(root / "file.png")) == ["file.png"]


def test_what_is_no_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    put(tmp_path, "folder.png/a.png")
    listing = list_pictures(tmp_path)
    assert names(listing) == ["folder.png/a.png"]
    assert skipped(listing, tmp_path) == {"pipe.png": "is a pipe"}
    assert list_pictures("/dev/null").skipped[0][1] == "is a device"


def test_a_folder_that_may_not_be_listed_is_told(tmp_path, monkeypatch):
    put(tmp_path, "a.png", "b/c.png")
    listdir = os.listdir

    def deny(folder):
        if str(folder).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", deny)
    listing = list_pictures(tmp_path)
    assert names(listing) == ["a.png"]
    assert skipped(listing, tmp_path) == {"b": "cannot be listed (Permission denied)"}
    with pytest.raises(InputError, match="cannot list .*Permission denied"):
        list_pictures(tmp_path / "b")


def test_names_may_be_anything(tmp_path):
    odd = ["a b.png", "a'b\".png", "a\nb.png", "фото 写真.png", b"caf\xe9.png"]
    put(tmp_path, *odd)
    listing = list_pictures(tmp_path)
    assert {path.name for path, _ in listing.files} == {os.fsdecode(n) for n in odd}
    assert set(names(listing)) == {
        "a b.png",
        "a'b\".png",
        "a%0Ab.png",
        "фото 写真.png",
        "caf%E9.png",
    }


def test_a_listing_does_not_depend_on_the_disk(tmp_path, monkeypatch):
    put(tmp_path, "b.png", "a/z.png", "a.png", "c.txt", content=b"")
    one = list_pictures(tmp_path)
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listdir(folder)[::-1])
    assert list_pictures(tmp_path) == one


def test_a_pattern_without_stars_of_folders_goes_no_deeper(tmp_path, monkeypatch):
    put(tmp_path, "a.png", "b/c.png", "b/d/e.png")
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda f: listed.append(f) or listdir(f))
    for pattern, folders in [("*.png", 1), ("*/*.png", 2), ("**/*.png", 3)]:
        listed.clear()
        list_pictures(tmp_path / pattern)
        assert len(listed) == folders


def test_a_store_is_listed_by_names(bucket):
    root = paths.as_path("s3://b/photos")
    for name in ("a.jpg", "one/b.png", "one/two/c.png", ".d.png", "e.txt"):
        runs.write_file(root / name, PNG)
    listing = list_pictures(root)
    assert names(listing) == ["a.png", "one/b.png", "one/two/c.png"]
    assert [reason for _, reason in listing.skipped] == ["is no picture"]
    assert names(list_pictures("s3://b/photos/one/**/*.png")) == ["b.png", "two/c.png"]
    assert names(list_pictures("s3://b/photos/a.jpg")) == ["a.png"]
    with pytest.raises(InputError, match="does not exist"):
        list_pictures("s3://b/photo")


def test_results_are_not_listed_as_originals(tmp_path):
    put(tmp_path, "a.png", "out/images/a.png", "before/images/a.png", "out/b/c.png")
    (tmp_path / "before/run.json").write_text("{}")
    listing = list_pictures(tmp_path, out=tmp_path / "out")
    assert names(listing) == ["a.png"]
    reason = "is the folder of a run, whose pictures are done"
    assert skipped(listing, tmp_path) == {"before": reason}
    # Who asks for them by name gets them.
    assert names(list_pictures(tmp_path / "before")) == ["images/a.png"]


@pytest.mark.parametrize("place", ["in", "in/a.png", "in/*.png", "in/deep"])
def test_originals_are_not_listed_where_results_go(tmp_path, place):
    put(tmp_path, "in/a.png", "in/deep/b.png")
    with pytest.raises(InputError, match="`out`=.*in holds the originals"):
        list_pictures(tmp_path / place, out=tmp_path / "in")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(InputError, match="`out`=.*in holds the originals"):
        list_pictures(tmp_path / place, out=tmp_path / "link")
