"""What protect and revert share: fields, the run, files, totals."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from mspd_jax import data, drive, models, paths, preempt
from mspd_jax.attacks import fixed
from mspd_jax.errors import InputError
from mspd_jax.jobs._foreign import MODEL_NAMES
from mspd_jax.jobs._frame import Kinds
from mspd_jax.jobs._identity import plain
from mspd_jax.jobs._image_files import image_files
from mspd_jax.jobs._images import Shardable
from mspd_jax.jobs._machine import ChunkedMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._precise import precision_option
from mspd_jax.jobs._recipe import RECIPES, USUAL, draws_of, refuse_baseline
from mspd_jax.jobs._values import (
    Loaded,
    ModelInput,
    Radius,
    check_compatible,
    image_shape_of,
    loaded,
    opened,
    radius_of,
    weights_of,
)
from mspd_jax.jobs._work import Work


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preemptive(Shardable):
    """The fields of protect and revert; the constants of MCGS are the paper's."""

    MACHINE: ClassVar[ChunkedMachine] = ChunkedMachine()

    surrogate: ModelInput = option(
        help=f"the model whose gradients are used: {MODEL_NAMES}"
    )
    more_surrogates: tuple[ModelInput, ...] = option(
        (),
        help="further models, separated by commas, that take turns with the surrogate, "
        "draw by draw, at no more gradients: what suits several suits others better",
        later=True,
    )
    labeler: ModelInput = option(
        "coupled",
        help="who says what an image shows: a checkpoint (an accurate classifier), "
        "'coupled' (the surrogate itself) or 'truth' (the label of the source)",
    )
    norm: str = option(
        "linf", help="norm of the perturbation ball", choices=("linf", "l2")
    )
    eps: Radius = option(
        help="radius of the perturbation ball for pixels in [0, 1]: 8/255 or 0.031"
    )
    recipe: str = option(
        USUAL,
        help="how draws are made: antithetic (4, in pairs u and -u: 8 gradients, as "
        "good as the paper's 40), or paper (20 independent ones)",
        choices=tuple(RECIPES),
        later=True,
    )
    samples: int | None = option(
        None, help="noise draws per smoothed gradient [of the recipe]", lower=1
    )
    steps: int = option(1, help="sign steps per noise draw (K)", lower=1)
    learning_rate: float = option(1.0, help="how far each epoch moves (r)")
    forward_epochs: int = option(1, help="epochs that lower the loss", lower=0)
    backward_epochs: int = option(
        1, help="epochs that step away from an attack", lower=0
    )
    antithetic: bool | None = option(
        None, help="whether draws come in pairs u and -u [of the recipe]"
    )
    outer_steps: int = option(100, help="of bilevel: steps", lower=1, later=True)
    inner_steps: int = option(
        20, help="of bilevel: steps of the attack within each", lower=0, later=True
    )
    outer_rate: float = option(0.1, help="of bilevel: rate of RMSprop", later=True)
    precision: str = precision_option()
    format: str = option(
        "png",
        choices=("png", "arrayrecord"),
        help="png: a file for each image; arrayrecord: a few large ones, for hundreds "
        "of thousands of images, which TFDS, Grain and arrayrecord:OUT read",
        later=True,
    )

    def resolved(self) -> Any:
        """The same job with its draws in the place of their recipe's name."""
        return dataclasses.replace(self, recipe=USUAL, **draws_of(self)._asdict())


class ProtectRecord(NamedTuple):
    """What was done to an image, measured on the 8-bit levels that were written.

    used_label: the label that the protection took for true. file: below the folder,
    None where many images lie in one.
    linf, l2: distances to the source image. source_digest: of that, as it was.
    linf_to_original: of a reverted image to the image before its protection, where
    that is known.
    """

    index: int  # type: ignore[assignment]
    label: int
    used_label: int
    name: str
    file: str | None
    linf: float
    l2: float
    linf_to_original: float | None = None
    source_digest: str | None = None


class ProtectSummary(NamedTuple):
    """Totals of a protection or a reversion; distances are those of the files."""

    images: int
    seconds: float
    images_computed: int
    images_per_second: float | None
    labeler: str | None = None
    labeler_accuracy: float | None = None
    linf_max: float | None = None
    linf_mean: float | None = None
    l2_max: float | None = None
    l2_mean: float | None = None
    warnings: list[str] = []
    compile_seconds: float | None = None
    linf_to_original_max: float | None = None
    linf_to_original_mean: float | None = None


def preemptive_work(
    job: Any,
    out: str | pathlib.PurePath,
    machine: ChunkedMachine,
    functions: Mapping[str, Any],
    *,
    measure: Callable[[data.Source], Callable[[data.Record, np.ndarray], dict]]
    | None = None,
) -> Work:
    """What a protection or a reversion comes to.

    out: folder of the images. functions: what is done to an image, by method. measure:
    source -> (image of the source, what was made of it) -> further fields.
    """
    eps = radius_of(job.eps, job.norm)
    surrogate, others = loaded(job.surrogate), _others(job)
    labeler, used = _load_labeler(job.labeler, surrogate)
    used |= {f"surrogate{n}": other for n, other in enumerate(others, 1)}
    source = opened(job.source, data_dir=job.data_dir, limit=job.limit, shard=job.shard)
    check_compatible(source, used)
    if labeler == "truth" and not source.labelled:
        raise InputError(
            f"`labeler`=truth needs labels, and `source`={source.spec} has none; "
            "use `labeler`=coupled or a checkpoint"
        )
    measured = measure(source) if measure else None
    shape = image_shape_of(surrogate, source)
    for model in (surrogate, *others):
        models.check_precision(model.predict, job.precision, image_shape=shape)
    if labeler == "coupled" and job.precision != "float32":
        labeler = models.computed_in(surrogate.predict, "float32")
    samples = draws_of(job).samples
    draws = samples if job.method == "mspd" else 1
    block = machine.block or drive.images_per_block(
        shape, weights=sum(map(weights_of, (surrogate, *others))), draws=draws
    )
    fit = machine.chunk or drive.images_per_pass(shape, batch_size=block)
    chunk = min(fit, samples)
    process = drive.here().process
    files = image_files(job.format, paths.as_path(out), source, process=process)

    def describe(record, result):
        levels = data.quantize(result.image, record.image, eps=eps, norm=job.norm)
        file, made = files.add(record, levels), data.as_float(levels)
        fields = {"used_label": int(result.label), "name": record.name, "file": file}
        fields |= _distances(made, record.image)
        return fields | (measured(record, made) if measured else {})

    return Work(
        predict=models.computed_in(surrogate.predict, job.precision),
        method=_method(job, functions[job.method], eps, labeler, chunk, others),
        source=source,
        image_shape=shape,
        describe=describe,
        files=files,
        summarize=functools.partial(_totals, plain(job.labeler)),
        used=used,
        kinds=Kinds(ProtectSummary, ProtectRecord),
        block=block,
        chunk=chunk,
    )


def _load_labeler(labeler: ModelInput, surrogate: Loaded):
    """The labeler, a `predict` or a word, and all models in use, by role."""
    used = {"surrogate": surrogate}
    if isinstance(labeler, str) and labeler in ("coupled", "truth"):
        return labeler, used
    try:
        used["labeler"] = loaded(labeler)
    except InputError as error:
        raise InputError(
            f"`labeler`={labeler} is neither 'coupled' nor 'truth' nor a model: {error}"
        ) from None
    return models.computed_in(used["labeler"].predict, "float32"), used


def _others(job: Any) -> list[Loaded]:
    """The models that take turns with the surrogate."""
    if job.more_surrogates and job.method != "mspd":
        raise InputError(
            "`more_surrogates` go with `method`=mspd, whose draws are shared among them"
        )
    values = [v.strip() if isinstance(v, str) else v for v in job.more_surrogates]
    return [loaded(value) for value in values]


def _method(
    job: Any, function: Callable, eps: float, labeler, chunk: int, others: list[Loaded]
) -> Partial:
    """The function with the fields bound; numbers and other models stay traced."""
    traced: dict[str, Any] = {"eps": eps}
    static: dict[str, Any] = {}
    if job.method == "mspd":
        refuse_baseline(job)
        draws = draws_of(job)
        traced["learning_rate"] = job.learning_rate
        names = ("steps", "norm", "forward_epochs", "backward_epochs")
        static = {name: getattr(job, name) for name in names} | {"chunk": chunk}
        static |= {"num_samples": draws.samples, "antithetic": draws.antithetic}
        if others:
            predicts = [o.predict for o in others]
            traced["others"] = tuple(
                models.computed_in(predict, job.precision) for predict in predicts
            )
    elif job.norm == "linf":
        steps = {name: getattr(job, name) for name in ("outer_steps", "inner_steps")}
        function = fixed(function, learning_rate=job.outer_rate, **steps)
        function = fixed(_labelled, defend=function)
    else:
        raise InputError("`method`=bilevel is defined for `norm`=linf alone")
    (static if isinstance(labeler, str) else traced)["labeler"] = labeler
    return Partial(fixed(function, **static), **traced)


def _labelled(
    key: jax.Array, predict, image: jax.Array, label: jax.Array, *, eps, defend, labeler
) -> preempt.Protected:
    """A defense that takes a label for granted, behind the rule that chooses it."""
    label = preempt.assumed_label(predict, image, label, labeler)
    return preempt.Protected(defend(key, predict, image, label, eps=eps), label)


def _distances(made: np.ndarray, image: np.ndarray) -> dict[str, float]:
    change = made.astype(np.float64) - image
    return {
        "linf": round(float(np.abs(change).max()), 6),
        "l2": round(float(np.sqrt(np.square(change).sum())), 6),
    }


def _totals(labeler: str, records: Sequence[dict]) -> dict:
    """Accuracy of the labels that were used, and distances over all files."""
    columns = ("label", "used_label", "linf", "l2", "linf_to_original")
    rows = [tuple(record.get(name) for name in columns) for record in records]
    table = np.array(rows, np.float64)  # None is not a number
    label, used, linf, l2, back = table.T
    known = label >= 0
    oracle = "the labels are the oracle's (`labeler`=truth): no owner has them"
    totals = {
        "labeler": labeler,
        "labeler_accuracy": float((used == label)[known].mean())
        if known.any()
        else None,
        "linf_max": float(linf.max()),
        "linf_mean": float(linf.mean()),
        "l2_max": float(l2.max()),
        "l2_mean": float(l2.mean()),
        "warnings": [oracle] if labeler == "truth" else [],
    }
    if not np.isnan(back).any():
        totals["linf_to_original_max"] = float(back.max())
        totals["linf_to_original_mean"] = float(back.mean())
    return totals
