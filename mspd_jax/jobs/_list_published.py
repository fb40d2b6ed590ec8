"""Looking published models up."""

import dataclasses
import pathlib
from typing import ClassVar

from mspd_jax import models
from mspd_jax.jobs._machine import FilesMachine
from mspd_jax.jobs._option import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListPublished:
    """Looks models up in the table of those that others have published.

    Example:
      for row in jobs.ListPublished(dataset="cifar10", threat="Linf").run():
          print(row.name, row.clean, row.robust)
    """

    MACHINE: ClassVar[FilesMachine] = FilesMachine()

    dataset: str | None = option(
        None,
        help="only those of this data set",
        choices=("cifar10", "cifar100", "imagenet"),
    )
    threat: str | None = option(
        None,
        help="only those that were made against it",
        choices=("Linf", "L2", "corruptions"),
    )

    def run(
        self, out: str | pathlib.PurePath = "", machine: FilesMachine | None = None
    ) -> tuple[models.Published, ...]:
        """The rows that fit; nothing is written."""
        del out, machine
        wanted = {"dataset": self.dataset, "threat": self.threat}
        return tuple(
            row
            for row in models.published_models()
            if all(v is None or getattr(row, k) == v for k, v in wanted.items())
        )
