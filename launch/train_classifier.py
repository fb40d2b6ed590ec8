"""Trains a classifier: plainly, on noise, or adversarially.

    python -m launch.train_classifier --source=digits:train --eval_source=digits:test \
        --arch=small_cnn --adversarial=fgsm --eps=0.15 --out=OUT

writes OUT/model (a checkpoint for --surrogate and --target), OUT/metrics.jsonl (a line
per epoch) and OUT/summary.json. --init=CKPT goes on from a checkpoint. All devices
share a batch. Interrupted, the same command goes on and ends with the same weights.
"""

from launch import _flags, _job, _main  # isort: skip (prepares JAX)

import jax
from absl import flags
from jax.experimental import multihost_utils

from mspd_jax import drive, models, train

FLAGS = flags.FLAGS
# fmt: off
_flags.define(
    "source", "data_dir", "limit", "norm", "eps", "seed", "out",
    required=("source", "out"),
)
flags.DEFINE_integer("batch_size", 128, "images per step, over all devices", 1)
flags.DEFINE_string("eval_source", None, "measure the trained model on this source")
flags.DEFINE_integer("eval_limit", None, "its first EVAL_LIMIT images only", 1)
flags.DEFINE_string("arch", None, f"network to train: {models.ARCHITECTURES}")
flags.DEFINE_string("arch_options", "{}", 'its options as JSON: {"widths": [8, 16]}')
flags.DEFINE_string("init", None, "checkpoint to go on from, in place of --arch")
flags.DEFINE_enum("adversarial", "none", list(train.OBJECTIVES), "what is trained on: "
    "none (the images), fgsm (one step of 1.25 eps from a random start), pgd, trades")
flags.DEFINE_integer("attack_steps", None, "gradient steps of pgd and trades [10]", 1)
flags.DEFINE_float("step_size", None, "their size [min(1.25, 2.5 / steps) * eps]", 0.0)
flags.DEFINE_float("beta", 6.0, "weight of the divergence in trades", 0.0)
flags.DEFINE_float("noise", 0.0, "standard deviation of noise on the images", 0.0)
flags.DEFINE_string("augment", "auto", "none, or some of crop,flip; auto: both for "
    "colour images, none for grey ones (a mirrored digit is no digit)")
flags.DEFINE_float("label_smoothing", 0.0, "share of the label for all classes", 0.0, 1)
flags.DEFINE_integer("epochs", 30, "passes over the data", 1)
flags.DEFINE_enum("optimizer", "sgd", train.OPTIMIZERS, "sgd: Nesterov momentum 0.9")
flags.DEFINE_float("learning_rate", 0.05, "its highest value", 0.0)
flags.DEFINE_float("weight_decay", 5e-4, "decay of kernels", 0.0)
flags.DEFINE_enum("schedule", "cosine", train.SCHEDULES, "learning rate over the steps")
flags.DEFINE_float("warmup_epochs", 0.5, "epochs of linear warm-up", 0.0)
flags.DEFINE_float("clip", None, "scale gradients down to this l2 norm", 0.0)
flags.DEFINE_float("ema", None, "train an average of the weights: its decay", 0.0, 1.0)
flags.DEFINE_integer("checkpoint_every", None, "steps between checkpoints, besides one "
    "a minute and one at the end", 1)
_PLANNED = (
    "init", "arch", "arch_options", "adversarial", "norm", "attack_steps", "step_size",
    "beta", "noise", "augment", "label_smoothing", "epochs", "batch_size", "optimizer",
    "learning_rate", "weight_decay", "schedule", "warmup_epochs", "clip", "ema", "seed",
)


def main(_) -> int:
    eps = None if FLAGS.eps is None else _flags.parse_eps(FLAGS.eps, FLAGS.norm)
    eps = None if FLAGS.adversarial == "none" else eps
    place = {"data_dir": FLAGS.data_dir}
    sources = train.open_sources(FLAGS.source, limit=FLAGS.limit, **place)
    judged = None
    if FLAGS.eval_source is not None:
        judged, *_ = train.open_sources(
            FLAGS.eval_source, limit=FLAGS.eval_limit, **place
        )
    examples = train.load_examples(sources)
    plan = train.make_plan(
        examples, judged, eps=eps, **{name: FLAGS[name].value for name in _PLANNED}
    )
    identity, first = _identity(plan), jax.process_index() == 0
    run = drive.open_run(
        FLAGS.out, identity, details=_job.details(), wait=_barrier,
        process_index=jax.process_index(), process_count=jax.process_count(),
    )
    if (run.path / "summary.json").exists():
        print(f"finished before: see {run.path / 'summary.json'}")
        return 0
    trained = train.run_plan(
        run.path, plan, examples, checkpoint_every=FLAGS.checkpoint_every,
        hidden=not first,
    )
    unreadable = [] if judged is None else train.final_records(
        plan, trained, judged, run, eps=eps, norm=FLAGS.norm,
        sigma=FLAGS.noise or None, hidden=not first,
    )
    _barrier()
    records = drive.merge_records(run) if first else None
    summary = train.final_summary(run.path, trained, records or [])
    train.save_trained(
        run.path / "model", plan, trained, origin={**identity, "result": summary}
    )
    return _job.finish(_job.Finished(run, records, {}, unreadable), summary)


def _identity(plan: train.Plan) -> dict:
    """What decides the result: here the batch does, the checkpoints do not."""
    start = {"init": plan.start} if isinstance(plan.start, models.Model) else {}
    identity = _job.identity("train_classifier", start)
    identity["flags"].pop("checkpoint_every")
    identity["flags"]["batch_size"] = FLAGS.batch_size
    return identity


# fmt: on
def _barrier() -> None:
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("train_classifier")


if __name__ == "__main__":
    _main.run(main)
