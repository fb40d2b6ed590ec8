"""What the protection of pictures is worth, asked of the files themselves."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from PIL import Image

from mspd_jax import attacks, data, paths, pictures, preempt, runs
from mspd_jax.errors import InputError
from mspd_jax.jobs._foreign import MODEL_NAMES
from mspd_jax.jobs._hold import ATTACK, ATTACK_EPS, VIEWS, Held, held
from mspd_jax.jobs._machine import FilesMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._survive import jpeg_copy
from mspd_jax.jobs._values import ModelInput, Radius, loaded, radius_of, size_of
from mspd_jax.streams import stream

_FATES = "jpeg:85, resize:0.5 (made smaller and large again), crop:0.9"


class Verified(NamedTuple):
    """What a model still sees in a picture, of `views` views each.

    fate: what happened to the file before it was looked at, "as it is" or one of those
    asked for. label: the class that the model sees in the original, or in the picture
    where there is no original. before: of the original, None without one.
    """

    name: str
    fate: str
    label: int
    before: Held | None
    after: Held
    views: int = VIEWS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verify:
    """Attacks pictures, and their originals, as those may who get hold of them.

    Example:
      for row in jobs.Verify(source="OUT/images", original="photos/").run():
          print(row.name, row.before, row.after)
    """

    MACHINE: ClassVar[FilesMachine] = FilesMachine()

    source: str = option(
        help="the protected pictures: a file, a folder, a pattern, or a run of protect"
    )
    original: str | None = option(
        None, help="the originals, under the same names; what protect wrote knows them"
    )
    model: ModelInput = option(
        "cifar10_resnet20_robust", help=f"the model that is attacked: {MODEL_NAMES}"
    )
    attack: str = option(ATTACK, help="how: any attack that evaluate knows")
    eps: Radius = option(ATTACK_EPS, help="largest change that the attacker may make")
    survive: tuple[str, ...] | None = option(
        None, help=f"what happens to the files first, any of: {_FATES}"
    )
    seed: int = option(0, help="seed of all randomness")

    def run(
        self, out: str | pathlib.PurePath = "", machine: FilesMachine | None = None
    ) -> list[Verified]:
        """A row for each picture and fate; nothing is written."""
        del out, machine
        model, eps = loaded(self.model), radius_of(self.eps, "linf")
        size = size_of(model, "model")
        attack = attacks.resolve_attack(self.attack, eps=eps, norm="linf")
        fates = {"as it is": _unchanged} | {f: fate_of(f) for f in self.survive or ()}
        key = stream(self.seed, "evaluate")

        def hold(levels, label):
            image = data.as_float(levels)
            return held(key, model.predict, attack, image, label, eps=eps, size=size)

        rows = []
        for name, path, original in _pairs(self.source, self.original):
            protected = pictures.read_picture(path).levels
            before = original and pictures.read_picture(original).levels
            first = protected if before is None else before
            label = preempt.view_label(model.predict, data.as_float(first), size)
            for fate, change in fates.items():
                of_original = None if before is None else hold(change(before), label)
                of_picture = hold(change(protected), label)
                rows.append(Verified(name, fate, label, of_original, of_picture))
        return rows


def _pairs(source: str, original: str | None) -> Sequence[tuple]:
    """(name, picture, its original or None) of all pictures."""
    folder, told = paths.as_path(source), original
    kind: dict[str, Any] = {}
    if runs.is_run_folder(folder):
        fields = runs.read_info(folder)["fields"]
        original = original or fields["source"]
        kind = {"format": fields.get("format", "png"), "out": folder}
        named = {r["name"]: folder / r["file"] for r in runs.read_records(folder)}
    else:
        named = {name: path for path, name in pictures.list_pictures(source).files}
    if original is None:
        return [(name, path, None) for name, path in named.items()]
    listed = pictures.list_pictures(original, **kind).files
    originals = {name: path for path, name in listed}
    if len(named) == len(originals) == 1:
        originals = dict.fromkeys(named, *originals.values())
    missing = sorted(named.keys() - originals.keys())
    if missing and told is None:
        raise InputError(
            f"`source`={source} was made from {original}, which has no {missing[0]} "
            "here; verify where protect was started, or name the originals by "
            "`original`"
        )
    if missing:
        raise InputError(
            f"`original`={original} has no {missing[0]}, which is in {source}; wanted "
            "originals under the same names"
        )
    return [(name, path, originals[name]) for name, path in named.items()]


def _unchanged(levels: np.ndarray) -> np.ndarray:
    return levels


def fate_of(text: str) -> Callable[[np.ndarray], np.ndarray]:
    """levels -> levels after what `text` says; InputError for what says nothing."""
    kind, _, amount = text.partition(":")
    try:
        number = float(amount)
    except ValueError:
        number = 0.0
    if kind == "jpeg" and 1 <= number <= 100:
        copied = jpeg_copy(int(number))
        return lambda levels: np.rint(255 * copied(data.as_float(levels))).astype(
            np.uint8
        )
    if kind == "resize" and 0 < number <= 1:
        return lambda levels: _resized(levels, number)
    if kind == "crop" and 0 < number <= 1:
        return lambda levels: _cropped(levels, number)
    raise InputError(f"`survive`={text}: accepted are {_FATES}")


def _cropped(levels: np.ndarray, share: float) -> np.ndarray:
    height, width = (max(round(share * side), 1) for side in levels.shape[:2])
    top, left = (levels.shape[0] - height) // 2, (levels.shape[1] - width) // 2
    return levels[top : top + height, left : left + width]


def _resized(levels: np.ndarray, share: float) -> np.ndarray:
    """Smaller and large again, each plane by Pillow."""
    height, width = levels.shape[:2]
    small = max(round(share * width), 1), max(round(share * height), 1)
    planes = []
    for plane in np.moveaxis(levels, 2, 0):
        picture = Image.fromarray(plane.astype(np.float32))
        picture = picture.resize(small, Image.Resampling.BILINEAR)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        planes.append(np.rint(np.asarray(picture)))
    return np.stack(planes, 2).astype(levels.dtype)
