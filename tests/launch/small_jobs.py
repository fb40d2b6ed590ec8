"""Every job, so small that it takes a second or two, on digits and a random network."""

import json

from tests.launch import mains

# Blocks that are not filled, and several turns of each process.
_IMAGES = {"source": "digits:test", "limit": 30, "batch_size": 2, "block": 2}
_NOISE = {"sigma": 0.25, "samples": 100, "selection": 10}
_WINDOWS = {"method": "scalecert", "patch": "2", "windows": 2, "cut": "layer0"}
# Jobs whose result for an image depends on no other: files are the same to the byte.
IMAGES = {
    "protect": {"job": "protect", "surrogate": "@/cnn", "eps": "0.1", "samples": 4},
    "revert": {
        "job": "revert",
        "surrogate": "@/cnn",
        "eps": "0.1",
        "samples": 4,
        "format": "arrayrecord",
    },
    "evaluate": {
        "job": "evaluate",
        "target": "@/cnn",
        "attack": "pgd-3,square-20",
        "eps": "0.1",
        "check_images": 0,
        "save_images": True,
    },
    "smoothing": {"job": "certify", "target": "@/cnn", **_NOISE},
    "patches": {"job": "certify", "target": "@/cnn", **_WINDOWS},
}
IMAGES = {name: _IMAGES | fields for name, fields in IMAGES.items()}

# More than fall to one process in a turn.
_EVALUATED = {"eval_source": "digits:test", "eval_limit": 100}
_TRAINING = {"source": "digits:train", "limit": 128, "batch_size": 64, "epochs": 2}
_DNCNN = {"arch": "dncnn", "arch_options": '{"depth": 2, "width": 4}'}
_DDPM = '{"widths": [4], "layers": 1, "groups": 2, "attention": []}'
_DENOISER = {"job": "train_denoiser", "sigma": 0.25}
_BEFORE = {"classifier": ("@/cnn",)}
# Trainings: their sums over a batch round as the devices share it.
TRAININGS = {
    "train_classifier": {
        "job": "train_classifier",
        "arch": "small_cnn",
        "arch_options": '{"widths": [4]}',
        "adversarial": "fgsm",
        "eps": "0.1",
    },
    "noisy": {
        "job": "train_classifier",
        "arch": "small_cnn",
        "arch_options": '{"widths": [4]}',
        "noise": 0.1,
    },
    "mse": _DENOISER | _DNCNN,
    "stab": _DENOISER | _DNCNN | _BEFORE | {"objective": "stab"},
    "clf": _DENOISER | _DNCNN | _BEFORE | {"objective": "clf"},
    "diffusion": {
        **_DENOISER,
        "objective": "diffusion",
        "arch": "ddpm",
        "arch_options": _DDPM,
        "ema": 0.9,
    },
    "train_trn": {
        "job": "train_trn",
        "classifier": "@/cnn",
        "eps": "0.1",
        "mix": ("clean:0.5", "pgd:0.5"),
        "attack_steps": 1,
        "arch_options": '{"width": 4, "stages": 1}',
    },
}
TRAININGS = {n: _TRAINING | _EVALUATED | fields for n, fields in TRAININGS.items()}
# Much like others, for a release.
RELEASED = ("noisy", "mse", "clf", "diffusion")


def save_models(root):
    """What the jobs take."""
    mains.save_small_model(root / "cnn", seed=5)


def write_jobs(file, jobs, root, out):
    """Writes jobs for `in_turn`, each with a folder of its name in `out`; @ is root."""
    lines = [
        json.dumps(fields | {"out": f"{out}/{name}"}).replace("@", str(root))
        for name, fields in jobs.items()
    ]
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def run_jobs(file, *, processes=1, devices):
    """Runs what `write_jobs` wrote, in each process; what each said."""
    each = mains.cluster(processes) if processes > 1 else [[]]
    commands = [("tests.launch.in_turn", [str(file), *own]) for own in each]
    with mains.together(commands, devices=devices, hastily=True) as begun:
        ended = begun.finish()
    assert [code for code, _, _ in ended] == [0] * processes, ended
    return [err for _, _, err in ended]


def as_flags(fields):
    """The flags of a main that say what the fields say."""
    texts = {n: ",".join(v) if isinstance(v, tuple) else v for n, v in fields.items()}
    texts = {n: str(v).lower() if v is True else v for n, v in texts.items()}
    return [f"--{name}={text}" for name, text in texts.items() if name != "job"]
