"""Trains a Two-stream Restoration Network for a classifier that stays as it is.

    python -m launch.train_trn --source=tfds:cifar10:train --classifier=CKPT \
        --rule=predicted --eps=4/255,8/255 --eval_source=tfds:cifar10:test --out=TRN
    python -m launch.evaluate --target=CKPT --defense=trn:TRN ...

Every image is attacked on the fly by one attack of --mix, drawn anew in each epoch; the
network reads the image and the classifier's gradient map and gives the image back.
Writes OUT/model, OUT/metrics.jsonl and OUT/summary.json. All devices share a batch.
Interrupted, the same command goes on and ends with the same weights. About 100 images
per second on two CPU cores with a ResNet-20.
"""

from launch import _flags, _main, _training  # isort: skip (prepares JAX)

import functools

from absl import flags

from mspd_jax import models, train
from mspd_jax.errors import InputError

FLAGS = flags.FLAGS
# fmt: off
_flags.define("source", "data_dir", "limit", "eps", "seed", "out",
    required=("source", "eps", "out"))
_training.define(epochs=20, optimizer="adamw", learning_rate=1e-3, weight_decay=1e-4,
    schedule="cosine", warmup_epochs=0.5)
flags.DEFINE_string("classifier", None, "the classifier that is defended: a "
    "checkpoint", required=True)
flags.DEFINE_string("arch", "trn_small", f"network to train: {models.RESTORERS}")
flags.DEFINE_string("rule", "predicted", "the label whose gradient is shown to the "
    f"network: {', '.join(models.LABEL_RULES)} (every class in turn)")
flags.DEFINE_list("mix", ["clean:0.2", "fgsm:0.2", "ffgsm:0.1", "bim:0.15", "pgd:0.2",
    "mim:0.15"], f"shares of the attacks trained on, which sum to 1: {train.MIXED}")
flags.DEFINE_integer("attack_steps", 5, "gradient steps of bim, pgd and mim", 1)
flags.DEFINE_float("ce_weight", 0.1, "weight of the classifier's cross-entropy beside "
    "the mean absolute difference to the clean image", 0.0)
# fmt: on
_PLANNED = (*_training.PLANNED, "rule", "attack_steps", "ce_weight")


def main(_) -> int:
    classifier = models.load_model(FLAGS.classifier)
    eps = [_flags.parse_eps(text, "linf") for text in FLAGS.eps.split(",")]
    mix = _mix()
    examples, judged = _training.load()
    plan = train.make_restoration_plan(
        examples, judged, classifier=classifier, mix=mix, eps=eps,
        arch=FLAGS.arch if FLAGS["arch"].present or not FLAGS.init else None,
        **{name: FLAGS[name].value for name in _PLANNED},
    )  # fmt: skip
    summarize = functools.partial(train.restoration_summary, eps=max(eps))
    return _training.run(
        "train_trn", plan, examples, judged, used={"classifier": classifier},
        measure=train.restoration_records, summarize=summarize,
        origin=train.restoration_origin(classifier, rule=FLAGS.rule),
        classifier=classifier, eps=max(eps),
    )  # fmt: skip


def _mix() -> dict[str, float]:
    """The shares by name."""
    shares = {}
    for part in FLAGS.mix:
        name, _, share = part.strip().partition(":")
        try:
            value = float(share)
        except ValueError:
            raise InputError(
                f"--mix: {part!r} is no share; write clean:0.5,pgd:0.5"
            ) from None
        if name in shares:
            raise InputError(f"--mix names {name} twice")
        shares[name] = value
    return shares


if __name__ == "__main__":
    _main.run(main)
