"""Measures a model on images, as they are and under attack.

    python -m launch.evaluate --source=folder:PROTECTED --target=CKPT \
        --attack=pgd-20 --eps=8/255 --out=OUT

The images may be the output of protect: they are read back from disk, and attacks
start from them. summary.json holds the worst case over the attacks first; a defence
has survived these attacks and no others.
"""

from launch import _flags, _job, _main, _protected  # isort: skip (prepares JAX)
from launch._verdicts import describe  # isort: skip

import functools

from absl import flags
from jax.tree_util import Partial

from mspd_jax import attacks, data, models
from mspd_jax.errors import InputError
from mspd_jax.evaluate import accuracies, evaluation

FLAGS = flags.FLAGS
_flags.define(
    "source", "data_dir", "limit", "target", "norm", "eps", "seed", "batch_size", "out",
    required=("source", "target", "out"),
)  # fmt: skip
flags.DEFINE_string(
    "attack", "pgd-20", "none, an attack or a list: "
    + ", ".join(attacks.ATTACKS) + "; pgd-20x5 means 20 steps and 5 restarts",
)  # fmt: skip
flags.DEFINE_bool("save_images", False, "write the attacked images to OUT/adversarial")


def main(_) -> int:
    eps = _radius()
    chosen = attacks.resolve_attacks(FLAGS.attack, eps=eps, norm=FLAGS.norm)
    target = models.load_model(FLAGS.target)
    source = data.open_source(FLAGS.source, data_dir=FLAGS.data_dir, limit=FLAGS.limit)
    if not source.labelled:
        raise InputError(f"--source={FLAGS.source} has no labels to compare with")
    used = {"target": target}
    _protected.check(source, used, truth=True)
    job = _job.run_job(
        "evaluate", predict=models.predictor(target),
        method=Partial(evaluation(FLAGS.norm), attacks=chosen, eps=eps),
        source=source, used=used,
        describe=functools.partial(describe, save_images=FLAGS.save_images),
    )  # fmt: skip
    return _job.finish(job, accuracies(job.records or []))


def _radius() -> float:
    if FLAGS.eps is not None:
        return _flags.parse_eps(FLAGS.eps, FLAGS.norm)
    if FLAGS.attack == "none":
        return 0.0
    raise InputError(f"--attack={FLAGS.attack} needs --eps, for example --eps=8/255")


if __name__ == "__main__":
    _main.run(main)
