"""Protects images before they are released (MSPD, arXiv 2407.15524).

    python -m launch.protect --source=folder:PHOTOS --surrogate=CKPT --eps=8/255 \
        --labeler=CKPT2 --out=OUT

writes every protected image as an 8-bit PNG into OUT/images, under its own name, and
OUT/records.jsonl with the distances measured on the written files. The surrogate must
be adversarially trained, or nothing transfers; the labeler should be accurate.
Interrupted, the same command goes on where it stopped.
"""

from launch import _job, _main, _protected  # isort: skip (prepares JAX)

import functools

from absl import flags

from mspd_jax import preempt

FLAGS = flags.FLAGS
_protected.define_flags()
flags.DEFINE_enum(
    "method", "mspd", ["mspd", "bilevel"],
    "mspd, or the slow bi-level baseline (arXiv 2112.05634) for comparison",
)  # fmt: skip


def main(_) -> int:
    given = _protected.load_inputs()
    describe = functools.partial(_protected.describe, eps=given.eps, norm=FLAGS.norm)
    job = _job.run_job(
        "protect", predict=given.surrogate, method=_method(given),
        source=given.source, describe=describe, used=given.used,
        block=_protected.block(given), chunk=_protected.chunk(given),
    )  # fmt: skip
    return _job.finish(job, _protected.summarize(job.records, labeler=FLAGS.labeler))


def _method(given: _protected.Inputs):
    if FLAGS.method == "mspd":
        return _protected.cascade_method(preempt.protect, given)
    return _protected.bilevel_method(preempt.bilevel, given.labeler, eps=given.eps)


if __name__ == "__main__":
    _main.run(main)
