"""Bad input: one line that says what was given, exit code 2, nothing written."""

import concurrent.futures
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.launch import mains


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Models and images, good and bad."""
    path = tmp_path_factory.mktemp("ground")
    mains.save_small_model(path / "model")
    mains.save_small_model(path / "seven", classes=7)
    shutil.copytree(path / "model", path / "corrupt")
    arrays = sorted((path / "corrupt" / "state" / "d").iterdir())
    content = bytearray(arrays[0].read_bytes())
    content[len(content) // 2] ^= 255
    arrays[0].write_bytes(content)
    for name, size in [("right", 8), ("wrong", 9)]:
        (path / name).mkdir()
        image = Image.fromarray(np.full((size, size), 7, np.uint8))
        image.save(path / name / "00000_1.png")
    (path / "foreign").mkdir()
    (path / "foreign" / "letter.txt").write_text("keep me")
    (path / "broken").mkdir()
    shutil.copy(path / "right" / "00000_1.png", path / "broken")
    (path / "broken" / "00001_2.png").write_bytes(b"no image at all")
    return path


_GOOD = {"source": "folder:{}/right", "surrogate": "{}/model", "eps": "8/255"}
_CASES = {
    "missing model": ({"surrogate": "{}/none"}, ["no model", "/none"]),
    "missing source": ({"source": "folder:{}/none"}, ["/none"]),
    "other classes": (
        {"source": "digits:test", "surrogate": "{}/seven"},
        ["10 classes", "7"],
    ),
    "eps of 8": ({"eps": "8"}, ["--eps=8", "did you mean --eps=8/255?"]),
    "eps in words": ({"eps": "big"}, ["--eps=big", "8/255"]),
    "corrupt checkpoint": ({"surrogate": "{}/corrupt"}, ["corrupt"]),
    "image size": ({"source": "folder:{}/wrong"}, ["00000_1.png", "9x9", "8x8"]),
    "foreign folder": ({"out": "{}/foreign"}, ["foreign", "not empty"]),
    "unknown split": ({"source": "digits:exam"}, ["train", "test"]),
    "unknown labeler": ({"labeler": "oracle"}, ["oracle", "coupled", "truth"]),
    "unknown flag": ({"epsilon": "1"}, ["epsilon"]),
    "not a number": ({"samples": "many"}, ["samples", "many"]),
    "negative epochs": ({"forward_epochs": "-1"}, ["forward_epochs", "-1"]),
    "no surrogate": ({"surrogate": None}, ["--surrogate is required"]),
}


def _protect(ground, out, changes):
    flags = {**_GOOD, "out": str(out), **changes}
    given = [f"--{k}={v}".format(ground) for k, v in flags.items() if v is not None]
    return mains.run("protect", *given)


@pytest.fixture(scope="module")
def answers(ground):
    """All cases at once: starting Python takes most of the time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = {
            name: pool.submit(_protect, ground, ground / f"out of {name}", changes)
            for name, (changes, _) in _CASES.items()
        }
        return {name: future.result() for name, future in futures.items()}


@pytest.mark.parametrize("name", _CASES)
def test_one_line_code_two_nothing_written(ground, answers, name):
    code, out, err = answers[name]
    assert code == 2, err
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for word in _CASES[name][1]:
        assert word in err
    assert not (ground / f"out of {name}").exists()
    assert [p.name for p in (ground / "foreign").iterdir()] == ["letter.txt"]


def test_an_unreadable_image_is_named_and_the_others_done(ground, tmp_path):
    out = tmp_path / "out"
    code, _, err = _protect(ground, out, {"source": "folder:{}/broken"})
    assert code == 1
    assert "00001_2.png" in err
    assert "error: 1 images could not be read" in err
    assert set(mains.files(out)) == {"records.jsonl", "images/00000_1.png"}


def test_help_begins_with_what_the_main_does():
    code, out, err = mains.run("protect", "--help")
    assert code == 0
    assert "\npython -m launch.protect:\n" in out  # over its flags, and no path
    assert "Protects images before they are released" in out + err
    for flag in ("--source", "--surrogate", "--samples", "antithetic"):
        assert flag in out + err
