"""What the training mains share: flags, data, and the frame of a run."""

from collections.abc import Callable

import jax
from absl import flags

from launch import _job
from mspd_jax import data, models, train

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
# What the shared flags say to a plan.
PLANNED = (
    "init", "arch_options", "augment", "epochs", "batch_size", "optimizer",
    "learning_rate", "weight_decay", "schedule", "warmup_epochs", "clip", "ema", "seed",
)  # fmt: skip


# fmt: off
def define(*, epochs, optimizer, learning_rate, weight_decay, schedule, warmup_epochs,
           batch_size=128):
    """Defines the flags of a training, with the defaults of the calling main."""
    flags.DEFINE_integer(
        "batch_size", batch_size, "images per step, over all devices", 1
    )
    flags.DEFINE_string("eval_source", None, "measure the trained model on this source")
    flags.DEFINE_integer("eval_limit", None, "its first EVAL_LIMIT images only", 1)
    flags.DEFINE_string("arch_options", "{}", "options of the network as JSON: "
        '{"widths": [8, 16]}')
    flags.DEFINE_string("init", None, "checkpoint to go on from, in place of --arch")
    flags.DEFINE_string("augment", "auto", "none, or some of crop,flip; auto: both for "
        "colour images, none for grey ones (a mirrored digit is no digit)")
    flags.DEFINE_integer("epochs", epochs, "passes over the data", 1)
    flags.DEFINE_enum("optimizer", optimizer, train.OPTIMIZERS,
        "sgd: Nesterov momentum 0.9")
    flags.DEFINE_float("learning_rate", learning_rate, "its highest value", 0.0)
    flags.DEFINE_float("weight_decay", weight_decay, "decay of kernels", 0.0)
    flags.DEFINE_enum("schedule", schedule, train.SCHEDULES,
        "learning rate over the steps; thirds: a tenth and a hundredth after one and "
        "two thirds of them")
    flags.DEFINE_float("warmup_epochs", warmup_epochs, "epochs of linear warm-up", 0.0)
    flags.DEFINE_float("clip", None, "scale gradients down to this l2 norm", 0.0)
    flags.DEFINE_float("ema", None, "train an average of the weights: its decay",
        0.0, 1.0)
    flags.DEFINE_integer("checkpoint_every", None,
        "steps between checkpoints, besides one a minute and one at the end", 1)


# fmt: on
def load(*, labelled: bool = True) -> tuple[train.Examples, data.Source | None]:
    """The examples of --source, and the images of --eval_source if it is given."""
    place = {"data_dir": FLAGS.data_dir, "labelled": labelled}
    sources = train.open_sources(FLAGS.source, limit=FLAGS.limit, **place)
    judged = None
    if FLAGS.eval_source is not None:
        judged, *_ = train.open_sources(
            FLAGS.eval_source, limit=FLAGS.eval_limit, **place
        )
    return train.load_examples(sources, labelled=labelled), judged


def run(
    name: str,
    plan: train.Plan,
    examples: train.Examples,
    judged: data.Source | None,
    *,
    used: dict[str, models.Model],
    measure: Callable[..., list[str]],
    summarize: Callable[..., dict],
    origin: dict | None = None,
    **measuring,
) -> int:
    """Trains, measures on the images of `judged`, saves; returns the exit code.

    used: the models that the training looks at, by role; the one that it starts from is
    added. measure: what appends records of the trained model, with `measuring` as
    further arguments; summarize: what makes totals of them. origin: what the checkpoint
    is to say of itself, besides the identity of the run and its totals.
    """
    start = {"init": plan.start} if isinstance(plan.start, models.Model) else {}
    identity = _identity(name, used | start)
    hidden = jax.process_index() > 0
    folder = _job.open_folder(FLAGS.out, identity)
    done = folder.path / "summary.json"
    if done.exists():
        print(f"finished before: see {done}")
        return 0
    trained = train.run_plan(
        folder.path, plan, examples, checkpoint_every=FLAGS.checkpoint_every,
        hidden=hidden,
    )  # fmt: skip
    unreadable = []
    if judged is not None:
        unreadable = measure(plan, trained, judged, folder, hidden=hidden, **measuring)
    records = _job.merged(folder)
    summary = summarize(folder.path, trained, records or [])
    told = {**(origin or {}), **identity, "result": summary}
    train.save_trained(folder.path / "model", plan, trained, origin=told)
    return _job.finish(_job.Finished(folder, records, {}, unreadable), summary)


def _identity(name: str, used: dict[str, models.Model]) -> dict:
    """What decides the result: here the batch does, the checkpoints do not."""
    found = _job.identity(name, used)
    found["flags"].pop("checkpoint_every")
    found["flags"]["batch_size"] = FLAGS.batch_size
    return found
