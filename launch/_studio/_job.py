"""The flags of `mspd studio`, and what it begins."""

import dataclasses
import pathlib
from typing import ClassVar

from mspd_jax import jobs
from mspd_jax.errors import InputError

_NEEDS = "the page needs the package gradio: pip install 'mspd_jax[studio]'"
# A machine on which nothing else is to be chosen.
_NOTHING = type(jobs.ProtectPictures.MACHINE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Studio:
    """A page on which people protect their pictures."""

    MACHINE: ClassVar = _NOTHING()

    port: int = jobs.option(
        0, help="where the page answers, 0: any that is free", lower=0, upper=65535
    )
    open: bool = jobs.option(False, help="open the page in the browser")
    max_files: int = jobs.option(50, help="most pictures of one request", lower=1)
    max_megabytes: int = jobs.option(100, help="most megabytes of a picture", lower=1)
    surrogate: str = jobs.option(
        jobs.ProtectPictures.surrogate,  # type: ignore[arg-type]
        help="the model whose gradients are used, as of protect",
    )
    labeler: str = jobs.option(
        jobs.ProtectPictures.labeler,  # type: ignore[arg-type]
        help="who says what a picture shows, as of protect",
    )
    advanced: bool = jobs.option(
        False, help="also ask for what hardly anyone wants to choose"
    )

    def run(self, out: str | pathlib.PurePath = "", machine: object = None) -> None:
        """Serves the page until it is interrupted."""
        del out, machine
        try:
            from launch._studio import _serve
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "gradio":
                raise
            raise InputError(_NEEDS) from error
        _serve.serve(self)


def ended(nothing: None) -> int:
    """The exit code of a server that was asked to end."""
    del nothing
    print("the page is closed")
    return 0
