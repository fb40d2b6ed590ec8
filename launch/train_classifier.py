"""Trains a classifier: plainly, on noise, or adversarially.

    python -m launch.train_classifier --source=digits:train --eval_source=digits:test \
        --arch=small_cnn --adversarial=fgsm --eps=0.15 --out=OUT

writes OUT/model (a checkpoint for --surrogate and --target), OUT/metrics.jsonl (a line
per epoch) and OUT/summary.json. --init=CKPT goes on from a checkpoint. All devices
share a batch. Interrupted, the same command goes on and ends with the same weights.
"""

from launch import _flags, _main, _training  # isort: skip (prepares JAX)

from absl import flags

from mspd_jax import models, train

FLAGS = flags.FLAGS
# fmt: off
_flags.define(
    "source", "data_dir", "limit", "norm", "eps", "seed", "out",
    required=("source", "out"),
)
_training.define(epochs=30, optimizer="sgd", learning_rate=0.05, weight_decay=5e-4,
    schedule="cosine", warmup_epochs=0.5)
flags.DEFINE_string("arch", None, f"network to train: {models.ARCHITECTURES}")
flags.DEFINE_enum("adversarial", "none", list(train.OBJECTIVES), "what is trained on: "
    "none (the images), fgsm (one step of 1.25 eps from a random start), "
    "fgsm_regularized (the images, and one step of eps from them), pgd, trades")
flags.DEFINE_integer("attack_steps", None, "gradient steps of pgd and trades [10]", 1)
flags.DEFINE_float("step_size", None, "their size [min(1.25, 2.5 / steps) * eps]", 0.0)
flags.DEFINE_float("beta", None, "weight of the divergence in trades [6], of the loss "
    "on attacked images in fgsm_regularized [1]", 0.0)
flags.DEFINE_float("noise", 0.0, "standard deviation of noise on the images", 0.0)
flags.DEFINE_float("label_smoothing", 0.0, "share of the label for all classes", 0.0, 1)
flags.DEFINE_integer("occlude", 0, "hide a window of so many pixels a side, at a "
    "random place of each image: for certify --method=minority, scalecert", 0)
flags.DEFINE_string("occlude_at", "pixels", "where: pixels, or a layer such as stem, "
    "behind which the values that see the window are hidden (for scalecert)")
flags.DEFINE_list("keep", [], "with a layer: only this share of its values, the "
    "largest, is kept; of several shares, one is drawn for each image")
_PLANNED = (
    *_training.PLANNED, "arch", "adversarial", "norm", "attack_steps", "step_size",
    "beta", "noise", "label_smoothing", "occlude", "occlude_at", "keep",
)


def main(_) -> int:
    eps = None if FLAGS.eps is None else _flags.parse_eps(FLAGS.eps, FLAGS.norm)
    eps = None if FLAGS.adversarial == "none" else eps
    examples, judged = _training.load()
    plan = train.make_plan(
        examples, judged, eps=eps, **{name: FLAGS[name].value for name in _PLANNED}
    )
    return _training.run(
        "train_classifier", plan, examples, judged, used={},
        measure=train.final_records, summarize=train.final_summary,
        eps=eps, norm=FLAGS.norm, sigma=FLAGS.noise or None,
    )


# fmt: on
if __name__ == "__main__":
    _main.run(main)
