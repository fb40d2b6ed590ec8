"""Attacks in stages over a data set: each meets the images that still stand.

The per-example attacks know nothing of each other. Here they are run attempt by attempt
over the images that no earlier attempt has brought down, packed anew into blocks, so
that the cost falls with the images.
"""

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mspd_jax import drive
from mspd_jax.attacks import Staged, eot, fixed, is_random, reseed
from mspd_jax.data import Record, Source, paired, select
from mspd_jax.evaluate._judge import Verdict, decision, judge
from mspd_jax.models import passes_in
from mspd_jax.runs import Journal, done_in, note, share, still_right

# Draws of a randomized model that one decision averages.
JUDGE_DRAWS = 20
_CLEAN = "clean"


class Threat(NamedTuple):
    """eps: radius in pixels. norm: of the ball. eight_bit: judge attacked images as
    8-bit files would hold them. precision: that attacks compute in, see
    `models.passes_in`; what they found is decided in float32."""

    eps: float
    norm: str
    eight_bit: bool = False
    precision: str = "float32"


def run_stages(
    key: jax.Array,
    predict: Callable,
    source: Source,
    attacks: dict[str, Staged],
    journal: Journal,
    *,
    threat: Threat,
    block: int,
    batch_size: int | None = None,
    each_alone: bool = False,
    keep: Callable[[str, Record, Verdict], dict] | None = None,
    progress: bool = False,
    devices: list[jax.Device] | None = None,
) -> list[str]:
    """Predicts all images, then runs the attacks; the journal holds what came of it.

    attacks: by name, as `attacks.plan_attacks` gives them, or with `given` images, that
    are decided alike. An image that the model gets wrong is not attacked. Between the
    attempts of one attack, and between attacks, the images that have fallen are
    dropped; with `each_alone` every attack meets every image that was right. keep: what
    else to note of an attacked image, by (attack, record, verdict). The key of an image
    is fold_in(key, its index), that of an attack on it depends on the attack's name:
    the outcome does not depend on batches, devices, processes, on the other images, or
    on what the journal already holds. block, batch_size: see `drive.drive`.

    Returns what was said of each image that could not be read.
    """
    # Of images attacked elsewhere there is one part, which is none.
    parts = {name: attack.parts or (None,) for name, attack in attacks.items()}
    to_come = sum(len(attempts) for attempts in parts.values())
    unreadable: list[str] = []
    with drive.progress_bar(total=0, description=_CLEAN, hidden=not progress) as bar:

        def run(stage, number, method, indices, describe, *, to_come, given=None):
            """One method over the images of `indices`.

            to_come: how many stages follow, which meet no more images than this one.
            """
            done = done_in(journal, stage, number) & indices
            if len(done) == len(indices):
                return
            part = f" {number + 1}" if number else ""
            bar.set_description(f"{stage}{part}, {len(indices)} images", refresh=False)
            left = len(indices) * (1 + to_come) - len(done)
            bar.total = bar.n + -(-left // drive.here().processes)
            chosen = select(source, indices)
            outcomes = drive.drive(
                key,
                predict,
                method,
                chosen if given is None else paired(chosen, given),
                skip=done,
                devices=devices,
                block=block,
                batch_size=batch_size,
            )
            write = functools.partial(note, journal, stage, number)
            finished = drive.run(outcomes, describe, write, advance=bar.update)
            unreadable.extend(finished.unreadable)

        everything = frozenset(int(index) for index in source.indices)
        run(_CLEAN, 0, _predicted, everything, _prediction_note, to_come=to_come)
        share(journal)
        for place, (name, attack) in enumerate(attacks.items()):
            earlier = () if each_alone else list(attacks)[:place]
            for number, part in enumerate(parts[name]):
                to_come -= 1
                run(
                    name,
                    number,
                    _method(name, part, threat, with_image=keep is not None),
                    still_right(journal, earlier=earlier, attack=name, part=number),
                    functools.partial(_verdict_note, name, keep=keep),
                    to_come=to_come,
                    given=attack.given,
                )
                share(journal)
    return unreadable


def stage_programs(
    key: jax.Array,
    predict: Callable,
    attacks: dict[str, Staged],
    *,
    image_shape: Sequence[int],
    threat: Threat,
    block: int,
    with_image: bool = False,
) -> list[drive.Program]:
    """The programs that `run_stages` has compiled, for images of this shape.

    with_image: whether attacked images are kept. All else as in `run_stages`.
    """
    made = functools.partial(drive.image_program, key, predict, block=block)
    programs = [made(_predicted, name=_CLEAN, image_shape=image_shape)]
    for name, attack in attacks.items():
        part = attack.parts[0] if attack.parts else None  # all are alike
        method = _method(name, part, threat, with_image=with_image)
        shape = tuple(image_shape) if attack.given is None else (2, *image_shape)
        programs.append(made(method, name=name, image_shape=shape))
    return programs


def _method(name, part, threat: Threat, *, with_image):
    """What a stage does with an image; part: of the attack, None for `given` images."""
    rules = {"norm": threat.norm, "eight_bit": threat.eight_bit}
    rules |= {"precision": threat.precision, "with_image": with_image}
    return Partial(
        fixed(_attacked, **rules),
        attack=part,
        eps=np.float32(threat.eps),
        stream=np.uint32(zlib.crc32(name.encode())),
    )


def _predicted(key, predict, image, label):
    """The class of the image as it is; -1 if the logits hold a NaN."""
    del label
    with passes_in("float32"):
        return decision(_deciding(key, predict)(image))


def _attacked(
    key,
    predict,
    image,
    label,
    *,
    attack,
    eps,
    stream,
    precision,
    with_image,
    **rules,
):
    attack_key, judge_key = jax.random.split(jax.random.fold_in(key, stream))
    attacked = reseed(predict, attack_key) if is_random(predict) else predict
    if attack is None:  # the image and what is proposed for it
        image, proposed = image[0], image[1]
    else:
        with passes_in(precision):
            proposed = attack(attack_key, attacked, image, label).image
    with passes_in("float32"):
        verdict = judge(
            _deciding(judge_key, predict), image, proposed, label, eps=eps, **rules
        )
    # Images are large: they leave the device only where somebody wants them.
    return verdict if with_image else verdict._replace(image=jnp.zeros(()))


def _deciding(key, predict):
    """The model that decides: a randomized one averages draws of its own."""
    if not is_random(predict):
        return predict
    return eot(reseed(predict, key), draws=JUDGE_DRAWS)


def _prediction_note(record: Record, prediction) -> dict:
    return {"label": record.label, "prediction": int(prediction)}


def _verdict_note(name: str, record: Record, verdict: Verdict, *, keep) -> dict:
    return {
        "found": bool(verdict.found),
        "finite": bool(verdict.finite),
        "prediction": int(verdict.prediction),
        "linf": round(float(verdict.linf), 6),
        "l2": round(float(verdict.l2), 6),
        "l1": round(float(verdict.l1), 5),
        **(keep(name, record, verdict) if keep else {}),
    }
