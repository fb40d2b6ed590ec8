"""Models that others have published: their files, and what was measured of them."""

import csv
import difflib
import functools
import json
import pathlib
from typing import NamedTuple

from mspd_jax.errors import InputError

_TABLE = pathlib.Path(__file__).with_name("published.csv")


class Published(NamedTuple):
    """A row of the table of published models.

    Attributes:
      identifier: as its publishers name it; `name` is unique.
      dataset: cifar10, cifar100 or imagenet.
      threat: what it was made against, "Linf", "L2" or "corruptions"; empty for none.
      eps: the radius of its published evaluation, as text.
      published_architecture: as its publishers call it.
      definition: its class in PyTorch.
      architecture: ours; empty where it cannot be converted.
      options: of the architecture.
      num_classes: how many logits it has; 0 for a denoiser.
      mean, std: of its normalization, per channel.
      state: under which key of the file its weights stand, where there are several.
      image_size: height and width of what it reads.
      resize: the rule by which its published evaluation comes to that size, as for
        `models.at_size`; empty where images have it.
      clean, robust: published accuracies in percent, None where there is none; robust
        is AutoAttack's, or under a worse attack where one is on record, and against
        corruptions the mean.
      sha256: of the published files, where they are known.
      note: what is unusual.
    """

    identifier: str
    dataset: str
    threat: str
    eps: str
    published_architecture: str
    definition: str
    architecture: str
    options: dict
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    state: str | None
    image_size: int
    resize: str
    clean: float | None
    robust: float | None
    sha256: tuple[str, ...]
    note: str

    @property
    def name(self) -> str:
        """Unique among all: data set, threat, identifier."""
        return "/".join(filter(None, (self.dataset, self.threat, self.identifier)))


@functools.cache
def published_models() -> tuple[Published, ...]:
    """All rows of the table."""
    with _TABLE.open(newline="", encoding="utf-8") as stream:
        return tuple(_row(fields) for fields in csv.DictReader(stream))


def find_published(name: str) -> Published:
    """The row of an identifier, or of a whole `name` where several share it.

    Raises InputError with what is close to a name that is not there.
    """
    rows = [row for row in published_models() if name in (row.identifier, row.name)]
    if len(rows) == 1:
        return rows[0]
    if rows:
        names = ", ".join(row.name for row in rows)
        raise InputError(f"{name!r} is the identifier of several models: use {names}")
    hint = f", did you mean {' or '.join(close)}?" if (close := _close(name)) else ""
    raise InputError(f"no published model {name!r}{hint} (convert --list shows all)")


def _close(name: str) -> list[str]:
    """What a misspelt name may have meant; where several share an identifier, names."""
    known: dict[str, list[str]] = {}
    for row in published_models():
        known.setdefault(row.identifier, []).append(row.name)
    found = []
    for word in difflib.get_close_matches(name, known, n=3, cutoff=0.4):
        found += known[word] if len(known[word]) > 1 else [word]
    names = [full for row in known.values() for full in row]
    return found or difflib.get_close_matches(name, names, n=3, cutoff=0.6)


def _row(fields: dict[str, str]) -> Published:
    mean, std = (tuple(map(float, fields[name].split())) for name in ("mean", "std"))
    known = {
        "options": json.loads(fields["options"] or "{}"),
        "num_classes": int(fields["num_classes"]),
        "mean": mean or (0.0,) * 3,
        "std": std or (1.0,) * 3,
        "state": fields["state"] or None,
        "image_size": int(fields["image_size"]),
        "sha256": tuple(fields["sha256"].split()),
        **{name: _percent(fields[name]) for name in ("clean", "robust")},
    }
    return Published(**{**fields, **known})  # type: ignore[arg-type]


def _percent(text: str) -> float | None:
    return float(text) if text else None
