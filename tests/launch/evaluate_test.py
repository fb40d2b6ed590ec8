"""The evaluation from the command line: sweeps, several models, kills, bad input."""

import json
import pathlib
import time

import jax
import numpy as np
import pytest
from PIL import Image

from mspd_jax import data, models
from tests.evaluate import digit_models
from tests.launch import mains

_ATTACK = "--attack=pgd-5x2,apgd-ce-10,square-50"


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A plain model, a robust one, and digits with the labels that the first gives."""
    path = tmp_path_factory.mktemp("ground")
    models.save_model(path / "one" / "model", digit_models.network("none"))
    models.save_model(path / "two" / "model", digit_models.network("fgsm"))
    _save_labelled(path, count=48)
    return path


def _save_labelled(path: pathlib.Path, count: int) -> None:
    """Digits, again and again under noise, labelled by model `one`."""
    digits, _ = digit_models.digits(limit=None)
    noise = np.random.default_rng(0).normal(scale=0.05, size=(count, 8, 8, 1))
    images = digits[np.arange(count) % len(digits)] + noise
    images = np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
    predict = models.predictor(models.load_model(path / "one"))
    logits = jax.vmap(predict)(images.astype(np.float32) / 255)
    labels = np.argmax(logits, axis=1)
    np.savez(path / "images.npz", x=images, y=labels)


def _evaluate(ground, out, *flags):
    base = (f"--source=npz:{ground}/images.npz", "--batch_size=16", f"--out={out}")
    return mains.run("evaluate", *base, *flags)


def _summary(out):
    return json.loads((out / "summary.json").read_text())


def _records(out):
    lines = (out / "records.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_a_sweep_over_models_and_radii(ground, tmp_path):
    out = tmp_path / "out"
    flags = (f"--targets={ground}/one,{ground}/two", _ATTACK, "--check_images=4")
    code, text, err = _evaluate(ground, out, *flags, "--eps=0.1,0.02")
    assert code == 0, err
    summary = _summary(out)
    told = [(run["target"], run["eps"]) for run in summary["runs"]]
    assert told == [(n, e) for n in ("one", "two") for e in ("0.02", "0.1")]
    small, large = (_summary(out / "one" / f"eps_{e}") for e in ("0.02", "0.1"))
    assert small["clean_accuracy"] == 1.0
    assert small["robust_accuracy"] > large["robust_accuracy"]
    # What one attack brought down the next does not meet: shares fall in order.
    assert list(large["attacks"]) == ["pgd-5x2", "apgd-ce-10", "square-50"]
    shares = list(large["attacks"].values())
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == large["robust_accuracy"]
    # The largest radius was looked at; what was found counts for both.
    names = [[c["name"] for c in s["reliability"]] for s in (small, large)]
    assert names[0] == names[1] and len(names[0]) > 8
    assert "robust_accuracy: " in text

    # One more radius goes on in the same folder.
    code, _, err = _evaluate(ground, out, *flags, "--eps=0.1,0.02,0.05")
    assert code == 0, err
    assert len(_summary(out)["runs"]) == 6
    report = tmp_path / "report"
    code, table, err = mains.run("report", f"--runs={out}", f"--out={report}")
    assert code == 0, err
    assert np.asarray(Image.open(report / "curve.png")).ndim == 3
    text = (report / "report.md").read_text()
    assert text.count("| evaluate |") == 6 and "Can the numbers be trusted?" in text


@pytest.mark.slow
def test_transfer_each_alone_8_bit_and_given_images(ground, tmp_path):
    base = (f"--target={ground}/one", "--eps=0.4", "--check_images=0", "--norm=l2")
    first = tmp_path / "first"
    code, _, err = _evaluate(
        ground,
        first,
        *base,
        "--attack=transfer:pgd-5,pgd-5",
        "--each_alone",
        f"--surrogate={ground}/two",
        "--save_images",
        "--eight_bit",
    )
    assert code == 0, err
    summary = _summary(first)
    assert summary["attacks_each_alone"] and summary["reliable"] is None
    assert summary["attacks"]["pgd-5"] < summary["attacks"]["transfer:pgd-5"]
    records = _records(first)
    assert all(set(r["attacks"]) == {"transfer:pgd-5", "pgd-5"} for r in records)
    # The saved 8-bit images are what was judged.
    folder = tmp_path / "attacked"
    for record in records:
        told = record["attacks"]["pgd-5"]
        assert told["l2"] <= 0.4 + 1e-5
        image = data.read_image(first / told["file"])
        name = f"{record['index']:05d}_{record['label']}.png"
        data.write_png(folder / name, np.rint(image * 255).astype(np.uint8))
    second = tmp_path / "second"
    code, _, err = _evaluate(
        ground, second, *base, "--attack=none", f"--adversarial=folder:{folder}"
    )
    assert code == 0, err
    assert _summary(second)["robust_accuracy"] == summary["attacks"]["pgd-5"]


@pytest.mark.slow
def test_autoattack_on_ten_thousand_images_in_bounded_memory(ground, tmp_path):
    # A tiny model and a radius at which some images survive until the last attack.
    for name, count in (("few", 640), ("many", 10_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one").symlink_to(ground / "one")
        _save_labelled(tmp_path / name, count)
    flags = (
        f"--target={ground}/one",
        "--attack=autoattack",
        "--eps=0.1",
        "--check_images=0",
        "--batch_size=500",
    )

    def start(name, out):
        source = f"--source=npz:{tmp_path / name}/images.npz"
        return mains.start("evaluate", *flags, source, f"--out={out}")

    few = _peak(start("few", tmp_path / "out_few"))
    whole = _peak(start("many", tmp_path / "out_whole"))
    assert _summary(tmp_path / "out_whole")["images"] == 10_000
    # 16 times the images: no more than 200 MiB on top, most of it the data set.
    assert whole < few + 200 * 2**20, (few, whole)
    resumed = tmp_path / "out_resumed"
    for lines in (4_000, 12_000):
        process = start("many", resumed)
        _wait_for_lines(process, resumed / "stages.jsonl", lines)
        process.kill()
        process.communicate()
    assert _peak(start("many", resumed)) < few + 200 * 2**20
    assert _bytes(resumed) == _bytes(tmp_path / "out_whole")
    assert not (resumed / "stages.jsonl").exists()


def _peak(process) -> int:
    """The largest resident memory of a process, which must end well."""
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in lines)])
        time.sleep(0.2)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return peak


def _wait_for_lines(process, path: pathlib.Path, count: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            return
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.05)
    raise AssertionError(f"no {count} lines in time")


def _bytes(out):
    return (out / "records.jsonl").read_bytes()


_CASES = {
    "unknown attack": (["--attack=pdg"], ["'pdg'", "autoattack", "apgd-ce"]),
    "no radius": (["--eps="], ["--eps="]),
    "radius twice": (["--eps=8/255,8/255"], ["names a radius twice"]),
    "two ways to name a model": (["--targets={}/two"], ["--target", "--targets"]),
    "transfer from nobody": (["--attack=transfer:pgd"], ["needs a surrogate"]),
    "norm of another attack": (["--attack=fgsm", "--norm=l1"], ["linf and l2"]),
    "an attack twice": (["--attack=pgd,pgd"], ["named twice"]),
    "gate of 70": (["--clean_gate=70"], ["clean_gate"]),
}


@pytest.mark.parametrize("name", _CASES)
def test_one_line_code_two_nothing_written(ground, tmp_path, name):
    flags, words = _CASES[name]
    base = [f"--target={ground}/one", "--eps=8/255"]
    out = tmp_path / "out"
    given = [flag.format(ground) for flag in flags]
    code, text, err = _evaluate(ground, out, *base, *given)
    assert (code, text) == (2, ""), err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err
    assert not out.exists()
