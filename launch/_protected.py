"""What protect and revert share: labels, methods, files, records, sums."""

import functools
import pathlib
from typing import NamedTuple

import jax
import numpy as np
from absl import flags
from jax.tree_util import Partial

from launch import _flags
from launch._passes import images_per_block, images_per_pass
from mspd_jax import data, models, preempt
from mspd_jax.errors import InputError

# Flags defined through this module count as the calling main's own.
flags.disclaim_key_flags()
FLAGS = flags.FLAGS
_LABEL_RULES = ("coupled", "truth")


class Inputs(NamedTuple):
    """What the flags name, loaded and checked against each other.

    eps: radius. surrogate: its `predict`. labeler: a `predict`, "coupled" or "truth".
    used: the models by role. source: the images.
    """

    eps: float
    surrogate: Partial
    labeler: Partial | str
    used: dict[str, models.Model]
    source: data.Source


def define_flags() -> None:
    """The flags of protect and revert; the constants of MCGS are the paper's."""
    _flags.define(
        "source", "data_dir", "limit", "surrogate", "labeler", "norm", "eps", "samples",
        "chunk", "seed", "block", "batch_size", "out",
        required=("source", "surrogate", "eps", "out"), labeler="coupled",
    )  # fmt: skip
    flags.DEFINE_integer("steps", 1, "sign steps per noise draw (K)", lower_bound=1)
    flags.DEFINE_float("learning_rate", 1.0, "how far each epoch moves (r)")
    flags.DEFINE_integer(
        "forward_epochs", 1, "epochs that lower the loss", lower_bound=0
    )
    flags.DEFINE_integer(
        "backward_epochs", 1, "epochs that step away from an attack", lower_bound=0
    )
    flags.DEFINE_bool(
        "antithetic", False, "draw noise in pairs u, -u: --samples=4 then does as well "
        "as 20 independent draws, at a fifth of the cost",
    )  # fmt: skip


def load_inputs() -> Inputs:
    """Loads what the flags name; refuses what does not fit; writes nothing."""
    eps = _flags.parse_eps(FLAGS.eps, FLAGS.norm)
    surrogate = models.load_model(FLAGS.surrogate)
    labeler, used = _load_labeler(FLAGS.labeler, surrogate)
    source = data.open_source(FLAGS.source, data_dir=FLAGS.data_dir, limit=FLAGS.limit)
    check(source, used, truth=FLAGS.labeler == "truth")
    return Inputs(eps, models.predictor(surrogate), labeler, used, source)


def _load_labeler(name: str, surrogate: models.Model):
    """The labeler and all models in use, by role."""
    used = {"surrogate": surrogate}
    if name in _LABEL_RULES:
        return name, used
    try:
        used["labeler"] = models.load_model(name)
    except InputError as error:
        raise InputError(
            f"--labeler={name} is neither 'coupled' nor 'truth' nor a model: {error}"
        ) from None
    return models.predictor(used["labeler"]), used


def check(source: data.Source, used: dict[str, models.Model], *, truth: bool) -> None:
    """Refuses data that one of the models cannot read, before anything is written."""
    judges = {
        role: model.spec
        for role, model in used.items()
        if not models.gives_images(model.spec)
    }
    for spec in judges.values():
        data.check_compatible(
            source, image_shape=spec.image_shape, num_classes=spec.num_classes
        )
    classes = {role: spec.num_classes for role, spec in judges.items()}
    if len(set(classes.values())) > 1:
        raise InputError(f"the models disagree on the number of classes: {classes}")
    if truth and not source.labelled:
        raise InputError(
            f"--labeler=truth needs labels, and --source={source.spec} has none; "
            "use --labeler=coupled or a checkpoint"
        )


def labelled(
    key: jax.Array, predict, image: jax.Array, label: jax.Array, *, eps, defend, labeler
) -> preempt.Protected:
    """A defence that takes its label as given, behind a rule that chooses the label."""
    label = preempt.assumed_label(predict, image, label, labeler)
    return preempt.Protected(defend(key, predict, image, label, eps=eps), label)


def method(function, labeler, *, traced: dict, **static) -> Partial:
    """`function` with its options bound; numbers and labeling models stay traced."""
    if isinstance(labeler, str):
        return Partial(functools.partial(function, labeler=labeler, **static), **traced)
    return Partial(functools.partial(function, **static), labeler=labeler, **traced)


def cascade_method(function, given: Inputs) -> Partial:
    """`function`, which is `protect` or `revert`, with the flags of MCGS bound."""
    return method(
        function, given.labeler, num_samples=FLAGS.samples,
        traced={"eps": given.eps, "learning_rate": FLAGS.learning_rate},
        chunk=chunk(given),
        steps=FLAGS.steps, norm=FLAGS.norm, antithetic=FLAGS.antithetic,
        forward_epochs=FLAGS.forward_epochs, backward_epochs=FLAGS.backward_epochs,
    )  # fmt: skip


def block(given: Inputs) -> int:
    """Images that one program protects at once."""
    draws = FLAGS.samples if FLAGS.method == "mspd" else 1
    return FLAGS.block or images_per_block(given.used["surrogate"], draws=draws)


def chunk(given: Inputs) -> int:
    """Noise draws of an image that are worked on at once."""
    shape = given.used["surrogate"].spec.image_shape
    fit = FLAGS.chunk or images_per_pass(shape, batch_size=block(given))
    return min(fit, FLAGS.samples)


def bilevel_method(defend, labeler, *, eps: float) -> Partial:
    """The bi-level baseline (or its reconstruction) behind a rule for the label."""
    if FLAGS.norm != "linf":
        raise InputError("--method=bilevel is defined for --norm=linf alone")
    return method(labelled, labeler, traced={"eps": eps}, defend=defend)


def describe(
    folder: pathlib.Path, record: data.Record, result, *, eps: float, norm: str
) -> dict:
    """Writes a result as PNG; says its label, its file, its distances as read back.

    The 8-bit image lies in the eps ball around the image of `record`.
    """
    file = pathlib.PurePosixPath("images", record.name)
    pixels = data.quantize(result.image, record.image, eps=eps, norm=norm)
    data.write_png(folder / file, pixels)
    change = data.read_image(folder / file).astype(np.float64) - record.image
    return {
        "used_label": int(result.label),
        "name": record.name,
        "file": str(file),
        "linf": round(float(np.abs(change).max()), 6),
        "l2": round(float(np.sqrt(np.square(change).sum())), 6),
    }


def summarize(records: list[dict] | None, *, labeler: str) -> dict:
    """Accuracy of the labels that were used, and distances over all files."""
    if not records:
        return {}
    known = [r for r in records if r["label"] >= 0]
    right = sum(r["used_label"] == r["label"] for r in known)
    return {
        "labeler": labeler,
        "labeler_accuracy": right / len(known) if known else None,
        "linf_max": max(r["linf"] for r in records),
        "linf_mean": float(np.mean([r["linf"] for r in records])),
        "l2_max": max(r["l2"] for r in records),
        "l2_mean": float(np.mean([r["l2"] for r in records])),
        "warnings": ["the labels are the oracle's (--labeler=truth): no owner has them"]
        if labeler == "truth"
        else [],
    }
