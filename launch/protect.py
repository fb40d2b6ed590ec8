"""Protects images before they are released (MSPD, arXiv 2407.15524).

    python -m launch.protect --source=folder:PHOTOS --surrogate=CKPT --eps=8/255 \
        --labeler=CKPT2 --out=OUT

writes every protected image as an 8-bit PNG into OUT/images, under its own name, and
OUT/records.jsonl with the distances measured on the written files. The surrogate must
be adversarially trained, or nothing transfers; the labeler should be accurate.
Interrupted, the same command goes on where it stopped.
"""

from launch import _flags, _job, _main, _protected  # isort: skip (prepares JAX)

from absl import flags

from mspd_jax import data, models, preempt

FLAGS = flags.FLAGS
_flags.define(
    "source", "data_dir", "limit", "surrogate", "labeler", "norm", "eps", "samples",
    "chunk", "seed", "batch_size", "out",
    required=("source", "surrogate", "eps", "out"), labeler="coupled",
)  # fmt: skip
flags.DEFINE_enum(
    "method", "mspd", ["mspd", "bilevel"],
    "mspd, or the slow bi-level baseline (arXiv 2112.05634) for comparison",
)  # fmt: skip
_protected.define_cascade_flags()


def main(_) -> int:
    eps = _flags.parse_eps(FLAGS.eps, FLAGS.norm)
    surrogate = models.load_model(FLAGS.surrogate)
    labeler, used = _protected.load_labeler(FLAGS.labeler, surrogate)
    source = data.open_source(FLAGS.source, data_dir=FLAGS.data_dir, limit=FLAGS.limit)
    _protected.check(source, used, truth=FLAGS.labeler == "truth")

    def describe(folder, record, result):
        saved = _protected.save_image(
            folder, record, result.image, eps=eps, norm=FLAGS.norm
        )
        return {"used_label": int(result.label), "name": record.name, **saved}

    job = _job.run_job(
        "protect", predict=models.predictor(surrogate), method=_method(labeler, eps),
        source=source, describe=describe, used=used,
    )  # fmt: skip
    return _job.finish(job, _protected.summarize(job.records, labeler=FLAGS.labeler))


def _method(labeler, eps: float):
    if FLAGS.method == "mspd":
        return _protected.cascade_method(preempt.protect, labeler, eps=eps)
    return _protected.bilevel_method(preempt.bilevel, labeler, eps=eps)


if __name__ == "__main__":
    _main.run(main)
