r"""Certifies a classifier: under noise, against all small changes; or against a patch.

    python -m launch.certify --source=tfds:cifar10:test --every=20 --target=CKPT \
        --method=denoised --denoiser=DENOISER --sigma=0.25 --out=OUT
    python -m launch.certify ... --query=https://host/path --num_classes=10 --out=OUT
    python -m launch.certify --source=SOURCE --target=CKPT --method=scalecert \
        --patch=5 --out=OUT

With noise (smoothing, denoised), each image gets a class and an l2 radius, wrong with
probability at most --alpha, or an abstention; records.jsonl holds its votes,
summary.json the share certified at radii .25 to 1.5. With --query the classifier is
asked over a network, as a program or as a Python function; OUT/queries.jsonl then holds
its answers, and --offline --query_log=OUT with another --out certifies from them
without asking.

Against a square patch of any content at any place (scalecert, minority), each image
gets a class, perhaps an alert, and is certified if no patch can bring about another
class without an alert; patchcleanser recovers the class without alerts. records.jsonl
holds the windows that were asked and what they said. Networks for it are trained with
train_classifier --occlude. Interrupted, the same command goes on, and asks nothing
twice.
"""

from launch import _flags, _job, _main, _protected  # isort: skip (prepares JAX)
from launch import _asking, _patches, _smoothing  # isort: skip

from absl import flags

from mspd_jax import data, models
from mspd_jax.errors import InputError

FLAGS = flags.FLAGS
_flags.define(
    "source", "data_dir", "limit", "target", "sigma", "seed", "block", "batch_size",
    "chunk",
    "out", required=("source", "out"), batch_size=1, block=1,
)  # fmt: skip
flags.DEFINE_enum(
    "method", "smoothing", ["smoothing", "denoised", *_patches.METHODS],
    "under noise, smoothing: the classifier as it is; denoised: behind --denoiser; "
    "against a patch, scalecert: windows over important neurons; minority: over pixels "
    "(Minority Reports); patchcleanser: pairs of windows, the class is recovered",
)  # fmt: skip
flags.DEFINE_string("denoiser", None, "checkpoint of train_denoiser, for denoised")
flags.DEFINE_bool(
    "force_sigma", False, "use a denoiser that was trained on noise of another sigma"
)
flags.DEFINE_integer("every", 1, "certify every EVERY-th image only", lower_bound=1)
_smoothing.define_flags()
_asking.define_flags()
_patches.define_flags()
_OF_NOISE = (*_smoothing.OWN, *_asking.OWN)


def main(_) -> int:
    against_patches = FLAGS.method in _patches.METHODS
    _check_flags(_OF_NOISE if against_patches else _patches.OWN)
    source = data.every(
        data.open_source(FLAGS.source, data_dir=FLAGS.data_dir, limit=FLAGS.limit),
        FLAGS.every,
    )
    return (_against_patches if against_patches else _under_noise)(source)


def _against_patches(source: data.Source) -> int:
    _patches.check_flags()
    if FLAGS.target is None:
        raise InputError("name the classifier with --target")
    target = models.load_model(FLAGS.target)
    _protected.check(source, {"target": target}, truth=False)
    job = _patches.certify_patches(source, target, unused=_OF_NOISE)
    windows = _patches.windows_of(target)
    return _job.finish(job, _patches.summarize(windows, job.records))


def _under_noise(source: data.Source) -> int:
    if FLAGS.sigma is None:
        raise InputError(f"--method={FLAGS.method} needs --sigma, as in --sigma=0.25")
    settings, denoiser = _smoothing.settings(), _denoiser()
    if (FLAGS.target is None) == (FLAGS.query is None):
        raise InputError("name the classifier with --target, or with --query")
    _asking.check_flags()
    if FLAGS.query is not None:
        job = _asking.certify_by_queries(settings, source, denoiser)
    else:
        target = models.load_model(FLAGS.target)
        used = {"target": target} | ({"denoiser": denoiser} if denoiser else {})
        _protected.check(source, used, truth=False)
        job = _smoothing.certify_on_devices(settings, source, used)
    return _job.finish(job, _smoothing.summarize(settings, job.records))


def _check_flags(of_others) -> None:
    for name in of_others:
        if FLAGS[name].present:
            raise InputError(f"--{name} does not go with --method={FLAGS.method}")


def _denoiser() -> models.Model | None:
    """The denoiser, which must have been trained on this noise."""
    if (FLAGS.method == "denoised") != (FLAGS.denoiser is not None):
        raise InputError("--method=denoised and --denoiser=CKPT go together")
    if FLAGS.denoiser is None:
        return None
    model = models.load_model(FLAGS.denoiser)
    models.restorer(model)  # refuses what is no denoiser
    trained = model.spec.origin.get("sigma")
    if trained != FLAGS.sigma and not FLAGS.force_sigma:
        noise = "unknown noise" if trained is None else f"noise of sigma {trained}"
        raise InputError(
            f"--denoiser={FLAGS.denoiser} was trained on {noise}, --sigma="
            f"{FLAGS.sigma}: give the same, or --force_sigma"
        )
    return model


if __name__ == "__main__":
    _main.run(main)
