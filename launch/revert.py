"""Tries to undo a protection: Preemptive Reversion, the white-box diagnostic.

    python -m launch.revert --source=folder:PROTECTED --surrogate=CKPT --eps=8/255 \
        --labeler=CKPT2 --original=digits:test --out=OUT

takes the output of protect and writes reverted images to OUT/images. The attacker is
given everything but the key. Three rows belong in every report: an unaware attacker;
reversion with the surrogate that protected; reversion with another surrogate.
"""

from launch import _job, _main, _protected  # isort: skip (prepares JAX)

import numpy as np
from absl import flags

from mspd_jax import data, preempt
from mspd_jax.errors import InputError

FLAGS = flags.FLAGS
_protected.define_flags()
flags.DEFINE_enum(
    "method", "mspd", ["mspd", "bilevel"],
    "which protection is to be undone: the attack is its own",
)  # fmt: skip
flags.DEFINE_string(
    "original", None, "source of the unprotected images, to report how far from them "
    "the reverted ones are (the attacker does not see them)",
)  # fmt: skip


def main(_) -> int:
    given = _protected.load_inputs()
    original = _originals(given.source)

    def describe(folder, record, result):
        fields = _protected.describe(
            folder, record, result, eps=given.eps, norm=FLAGS.norm
        )
        if original is not None:
            reverted = data.read_image(folder / fields["file"])
            change = np.abs(reverted - original(record.index).image).max()
            fields["linf_to_original"] = round(float(change), 6)
        return fields

    job = _job.run_job(
        "revert", predict=given.surrogate, method=_method(given),
        source=given.source, describe=describe, used=given.used,
        block=_protected.block(given), chunk=_protected.chunk(given),
    )  # fmt: skip
    summary = _protected.summarize(job.records, labeler=FLAGS.labeler)
    if job.records and original is not None:
        distances = [r["linf_to_original"] for r in job.records]
        summary["linf_to_original_max"] = max(distances)
        summary["linf_to_original_mean"] = float(np.mean(distances))
    return _job.finish(job, summary)


def _method(given: _protected.Inputs):
    if FLAGS.method == "mspd":
        return _protected.cascade_method(preempt.revert, given)
    return _protected.bilevel_method(
        preempt.bilevel_reconstruct, given.labeler, eps=given.eps
    )


def _originals(source: data.Source):
    """Reads the original of a data-set index, or None where --original is not given."""
    if not FLAGS.original:
        return None
    original = data.open_source(FLAGS.original, data_dir=FLAGS.data_dir)
    missing = np.setdiff1d(source.indices, original.indices)
    if missing.size:
        raise InputError(
            f"--original={FLAGS.original} has no image of index {missing[0]}, which "
            f"--source={FLAGS.source} holds"
        )
    return lambda index: original.read(int(np.searchsorted(original.indices, index)))


if __name__ == "__main__":
    _main.run(main)
