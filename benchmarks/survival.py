"""What protection is worth after files were packed, made smaller, and cropped.

    python -m benchmarks.survival --shared=SHARED --out=OUT

SHARED is as results/external_models/command.sh wants it. Takes lossless CIFAR-10 test
images as picture files, protects them as pictures are protected, with and without
`survive`, lets the files go through one fate each ("denoised": by a public DnCNN for
noise of unknown strength), and attacks two robust networks that protection never met,
by PGD-20 at 8/255. Prints clean and robust accuracy in percent, cut. What is finished
is not done again. Half an hour on two CPU cores.
"""

import pathlib
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags, logging

from benchmarks import _external, _measure
from mspd_jax import data, jobs, models, pictures
from mspd_jax.data._resized import resized
from mspd_jax.jobs._verify import fate_of

FLAGS = flags.FLAGS
flags.DEFINE_string("shared", None, "folder of data and weights", required=True)
flags.DEFINE_string("out", None, "where all of it goes", required=True)
flags.DEFINE_string("surrogate", "cifar10_resnet20_robust", "a checkpoint or a name")
flags.DEFINE_integer("limit", 512, "how many images")
flags.DEFINE_float("eps", 8 / 255, "radius of protection and attack")
flags.DEFINE_integer("seed", 0, "seed of noise, boxes and attacks")

_TARGETS = {
    "resnet4b": ("resnet4b.pth", "resnet4b"),
    "cnn_a_adv": ("cifar_cnn_a_adv.model", "cifar_cnn_a"),
}
_FATES = (
    *("as it is", "jpeg:95", "jpeg:85", "jpeg:75", "resize:0.5", "crop:0.9"),
    *("bits:5", "bits:4", "denoised"),
)
_DENOISER = ("dncnn", "dncnn_color_blind.pth", "kair_dncnn_color_blind")
_SURVIVE = ("jpeg:75-95", "resize:0.5-1", "crop:0.9-1")


def main(_):
    logging.set_verbosity(logging.WARNING)
    out, shared = pathlib.Path(FLAGS.out), pathlib.Path(FLAGS.shared)
    print(_measure.surroundings("jax", "pillow"))
    labeler = _external.converted(
        out, "resnet32", shared / "weights/resnet32-d509ac18.th", "akamaster_resnet32"
    )
    external = shared / "weights/external"
    targets = {
        name: _external.converted(out, name, external / file, model)
        for name, (file, model) in _TARGETS.items()
    }
    name, file, model = _DENOISER
    denoiser = _external.converted(out, name, external / file, model)
    changes = {fate: _change(fate, denoiser) for fate in _FATES}
    originals = _files(out / "originals", shared / "data")
    versions = {"unprotected": originals}
    for name, survive in {"protected": None, "protected to survive": _SURVIVE}.items():
        folder = out / name.replace(" ", "_")
        summary = (
            jobs.ProtectPictures(
                source=str(originals),
                surrogate=FLAGS.surrogate,
                labeler=labeler,
                eps=FLAGS.eps,
                survive=survive,
                seed=FLAGS.seed,
            )
            .run(folder)
            .summary
        )
        print(f"\n{name}: {summary.psnr_mean:.1f} dB, SSIM {summary.ssim_mean:.3f}, ")
        print(f"{summary.images_per_second or 0:.1f} images/s")
        versions[name] = folder / "images"
    for target, checkpoint in targets.items():
        print(f"\n| {target}: clean, robust | {' | '.join(_FATES)} |")
        print(f"|:--|{'--:|' * len(_FATES)}", flush=True)
        for name, folder in versions.items():
            cells = [_accuracies(folder, *item, checkpoint) for item in changes.items()]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _files(folder: pathlib.Path, data_dir: pathlib.Path) -> pathlib.Path:
    source = data.open_source(
        "tfds:cifar10_subset:test", data_dir=data_dir, limit=FLAGS.limit
    )
    folder.mkdir(parents=True, exist_ok=True)
    for position in range(len(source.indices)):
        record = source.read(position)
        levels = np.rint(record.image * 255).astype(np.uint8)
        data.write_png(folder / record.name, levels)
    return folder


def _change(fate: str, denoiser: str) -> Callable[[np.ndarray], np.ndarray]:
    """levels -> levels."""
    if fate == "as it is":
        return lambda levels: levels
    if fate.startswith("bits:"):
        steps = 2 ** int(fate.removeprefix("bits:")) - 1
        return lambda levels: _levels(np.rint(levels / 255 * steps) / steps)
    if fate == "denoised":
        clean = jax.jit(models.restorer(models.load_model(denoiser)))
        return lambda levels: _levels(np.clip(clean(data.as_float(levels)), 0, 1))
    return fate_of(fate)


def _levels(image: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.asarray(image, np.float64)).astype(np.uint8)


def _accuracies(folder: pathlib.Path, fate: str, change, target: str) -> str:
    """Clean and robust accuracy of files after a fate, seen at the network's size."""
    files = sorted(folder.glob("*.png"))
    images = [change(pictures.read_picture(path).levels) for path in files]
    labels = [int(path.stem.split("_")[1]) for path in files]
    source = data.from_arrays(np.stack(images), np.array(labels))
    if fate.startswith("crop"):
        source = resized(source, "resize32x32-bilinear")
    options = {"eps": FLAGS.eps, "seed": FLAGS.seed}
    found = _external.attacked(source, target, **options).summary
    clean, robust = (
        int(1000 * x) / 10 for x in (found.clean_accuracy, found.robust_accuracy)
    )
    return f"{clean}, {robust}"


if __name__ == "__main__":
    app.run(main)
