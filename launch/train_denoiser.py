"""Trains a denoiser for denoised smoothing, which goes in front of a fixed classifier.

    python -m launch.train_denoiser --source=tfds:cifar10:train --sigma=0.25 \
        --objective=mse --eval_source=tfds:cifar10:test --out=MSE
    python -m launch.train_denoiser ... --objective=stab --classifier=CKPT --init=MSE

mse needs images alone; stab asks that the classifier say of the restored image what it
says of the clean one (several classifiers, separated by commas, stand in for one that
cannot be looked into); clf uses true labels. Writes OUT/model (for certify --denoiser;
it knows its sigma), OUT/metrics.jsonl and OUT/summary.json. All devices share a batch.
Interrupted, the same command goes on and ends with the same weights.
"""

from launch import _flags, _main, _training  # isort: skip (prepares JAX)

from absl import flags

from mspd_jax import models, train
from mspd_jax.errors import InputError

FLAGS = flags.FLAGS
# fmt: off
_flags.define("source", "data_dir", "limit", "sigma", "seed", "out",
    required=("source", "sigma", "out"))
_training.define(epochs=90, optimizer="adamw", learning_rate=1e-3, weight_decay=1e-4,
    schedule="thirds", warmup_epochs=0.0, batch_size=256)
flags.DEFINE_string("arch", None, f"network to train: {models.DENOISERS}")
flags.DEFINE_enum("objective", "mse", list(train.DENOISER_OBJECTIVES), "what is "
    "lowered: mse (to the clean image), stab (to the class that the classifier gives "
    "the clean image), clf (to the true label)")
flags.DEFINE_list("classifier", [], "the fixed classifiers of stab and clf: "
    "checkpoints, separated by commas")
# fmt: on
_PLANNED = (*_training.PLANNED, "arch", "objective", "sigma")


def main(_) -> int:
    classifiers = [models.load_model(path.strip()) for path in FLAGS.classifier]
    examples, judged = _training.load(labelled=FLAGS.objective == "clf")
    plan = train.make_denoiser_plan(
        examples, judged, classifiers=classifiers,
        **{name: FLAGS[name].value for name in _PLANNED},
    )  # fmt: skip
    _check_sigma(plan)
    return _training.run(
        "train_denoiser", plan, examples, judged,
        used={f"classifier{n}": model for n, model in enumerate(classifiers)},
        measure=train.denoiser_records, summarize=train.denoiser_summary,
        origin={"sigma": FLAGS.sigma}, sigma=FLAGS.sigma, classifiers=classifiers,
    )  # fmt: skip


def _check_sigma(plan: train.Plan) -> None:
    """InputError if training starts from a denoiser that was made for other noise."""
    if isinstance(plan.start, models.Model):
        sigma = plan.start.spec.origin.get("sigma")
        if sigma is not None and sigma != FLAGS.sigma:
            raise InputError(
                f"--init was trained on noise of sigma {sigma}, --sigma={FLAGS.sigma}: "
                "give the same, or train from --arch"
            )


if __name__ == "__main__":
    _main.run(main)
