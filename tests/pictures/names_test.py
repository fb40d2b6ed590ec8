"""Names of outputs: distinct, text, and never out of the folder."""

import itertools
import os
import pathlib
from unicodedata import normalize

import pytest

from mspd_jax.data._run_folder import is_safe_name
from mspd_jax.pictures._names import output_names


def named(*files, suffix=".png"):
    return output_names([pathlib.PurePosixPath(os.fsdecode(f)) for f in files], suffix)


def test_a_name_is_that_of_the_file_with_another_suffix():
    assert named("a.jpg", "b/c.TIFF", "b/d", "e.f.webp", "g.2024") == [
        "a.png",
        "b/c.png",
        "b/d.png",
        "e.f.png",
        "g.2024.png",
    ]
    assert named("a.jpg", suffix=".webp") == ["a.webp"]


def test_those_of_one_name_keep_their_own_suffix_and_no_other_does():
    assert named("a.jpg", "a.png", "b.jpg", "c/a.jpg") == [
        "a.jpg.png",
        "a.png.png",
        "b.png",
        "c/a.png",
    ]


@pytest.mark.parametrize(
    "files",
    [
        ("a.jpg", "a.png", "a.jpg.bmp"),  # a.jpg.png would be that of the last, too
        ("a.jpg", "A.jpg"),  # one file, where letters are not told apart
        ("a.jpg", "a.JPG"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),  # written in two ways
        ("a%0A.jpg", "a\n.jpg"),
        ("a.jpg", "a.png/b.jpg"),  # a file and a folder
        ("x" * 300 + "1.jpg", "x" * 300 + "2.jpg"),
        ("x" * 300 + ".jpg", "x" * 300 + ".png"),
    ],
)
def test_no_two_are_the_same(files):
    for order in itertools.permutations(files):
        found = dict(zip(order, named(*order), strict=True))
        lowered = {normalize("NFC", name).casefold() for name in found.values()}
        assert len(lowered) == len(files)
        # None is a folder of another one.
        parts = [name.split("/") for name in lowered]
        starts = {"/".join(p[:n]) for p in parts for n in range(1, len(p))}
        assert not starts & lowered
        assert found == dict(zip(files, named(*files), strict=True))


@pytest.mark.parametrize(
    "earlier, files, found",
    [
        ({"a.png": "a.png"}, ["a.jpg", "a.png"], ["a.jpg.png", "a.png"]),
        ({"a.jpg": "a.jpg.png"}, ["a.jpg"], ["a.jpg.png"]),
        # Both it and its copy are that which was written: one keeps the name.
        ({"a.bmp": "a.png", "a.png": "a.png"}, ["a.bmp", "a.png"], None),
        ({"a.jpg": "a.jpg.png"}, ["a.jpg", "a.jpg.bmp"], None),
    ],
)
def test_what_was_written_keeps_its_name(earlier, files, found):
    paths = [pathlib.PurePosixPath(file) for file in files]
    names = output_names(
        paths, ".png", lambda place, name: earlier.get(files[place]) == name
    )
    assert found is None or names == found
    assert len({name.casefold() for name in names}) == len(files)
    assert files[0] not in earlier or names[0] == earlier[files[0]]


@pytest.mark.parametrize(
    "file",
    [
        "../a.png",
        "../../etc/passwd",
        "a/../../b.png",
        "/etc/passwd",
        "..",
        "a\\..\\b.png",
        "C:/a.png",
        "C:a.png",
        "a\0b.png",
        "a\nb\rc\x1b[31m.png",
        b"caf\xe9.png",
        "..png",
        "...jpg",
        "x" * 300,
        "é" * 200 + ".jpg",
    ],
)
def test_no_name_leads_out_or_is_no_text(file):
    [name] = named(file)
    assert is_safe_name(name) and name.isprintable()
    path = pathlib.PurePosixPath("/out", name)
    assert os.path.normpath(path) == str(path)  # no dots that lead anywhere
    assert not pathlib.PureWindowsPath(name).anchor
    assert all(len(part.encode()) <= 230 for part in path.parts)
    name.encode()


def test_the_suffix_does_not_decide_who_clashes():
    files = ("a.jpg", "a.png", "b.webp/c.jpg", "b.bmp", "d.gif", "e.png/x.png", "e.gif")
    stems = [name.removesuffix(".png") for name in named(*files)]
    for suffix in (".jpg", ".webp"):
        found = named(*files, suffix=suffix)
        assert [name.removesuffix(suffix) for name in found] == stems
