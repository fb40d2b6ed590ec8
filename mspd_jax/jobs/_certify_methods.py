"""How a classifier is certified: under noise, or against patches."""

import dataclasses
import os

from mspd_jax import patch
from mspd_jax.jobs._machine import ChunkedMachine
from mspd_jax.jobs._option import option
from mspd_jax.jobs._values import ModelInput
from mspd_jax.query import Classifier


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asking:
    """A classifier that is asked: over a network, as a program, as a function.

    Its answers are kept in OUT/queries.jsonl, so that none is paid for twice.
    """

    query: str | Classifier = option(
        help="a classifier to ask: http(s)://host/path, python:module:function, or "
        "command:program --option"
    )
    num_classes: int | None = option(None, help="number of its classes", lower=2)
    class_names: tuple[str, ...] | None = option(
        None, help="their names, where it answers with names"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Smoothing:
    """The classifier under Gaussian noise, as it is (Cohen et al. 2019)."""

    sigma: float = option(
        help="standard deviation of Gaussian noise on pixels in [0, 1], as in 0.25",
        lower=1e-6,
        example="0.25",
    )
    samples: int = option(10_000, help="noise draws that bound the radius (n)", lower=1)
    selection: int = option(100, help="noise draws that choose the class (n0)", lower=1)
    alpha: float = option(
        0.001, help="probability that the certificate of an image may be wrong"
    )
    early_stop: str = option(
        "exact",
        help="none: draw all samples; exact: give an image up when no claim about it "
        "can come any more, which changes no claim; fast: also when that is very "
        "likely, or when its class is not its label",
        choices=("none", "exact", "fast"),
    )
    radius: float | None = option(
        None,
        help="ask of each image only whether it can be certified at this l2 radius, "
        "and stop when that is known",
        lower=0.0,
    )
    eight_bit: bool = option(False, help="the classifier sees images rounded to 8 bits")
    split: str = option(
        "images",
        help="what the devices share out: the images, or the samples of each image, "
        "which may then depend on the number of devices, by rounding",
        choices=("samples", "images"),
    )
    asking: Asking | None = option(
        None, help="a classifier that is asked, in place of a target"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Denoised(Smoothing):
    """The classifier under noise and behind a denoiser (Salman et al. 2020).

    A diffusion model is a denoiser for every sigma (Carlini et al. 2023).
    """

    denoiser: ModelInput = option(
        help="checkpoint of train_denoiser, for denoised", example="CKPT"
    )
    force_sigma: bool = option(
        False, help="use a denoiser that was trained on noise of another sigma"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatchAttacks:
    """Attacks with patches: no certificate may fall."""

    attack: tuple[str, ...] = option(
        (),
        help="attack every image as well: pgd (makes the class wrong), aware (and all "
        "windows agree on it), or both; no certificate may fall",
    )
    attack_steps: int = option(100, help="steps of an attack at a position", lower=1)
    attack_positions: int = option(
        5,
        help="places that it tries: the corners of the image, then those farthest from "
        "them; 0 for every place",
        lower=0,
    )
    attack_sample: int = option(
        8,
        help="windows that aware asks in a step: so many at random, and so many of "
        "those that contradict it; 0 for all",
        lower=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Windowed:
    """The fields of all methods against patches."""

    patch: str | int = option(
        help="side of the patch in pixels, as 5, or its share of the image, as 2.4%, "
        "rounded up to whole pixels",
        example="5",
    )
    windows: int = option(
        6,
        help="windows along an axis; 0 for one at each place of the patch",
        lower=0,
    )
    attacks: PatchAttacks | None = option(None, help="attacks with patches")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Minority(_Windowed):
    """Windows over pixels (Minority Reports, McCoyd et al. 2020)."""

    confidence: float = option(
        0.0,
        help="probability that a window's class must have to raise an alert, and to be "
        "certified",
        lower=0.0,
        upper=1.0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleCert(Minority):
    """Windows over the important neurons of a layer (ScaleCert, Han et al. 2021)."""

    keep: float = option(
        0.05,
        help="share of the layer's neurons that scalecert selects; with 1 it hides "
        "features and selects none (PatchGuard++)",
        lower=0.0,
        upper=1.0,
    )
    cut: str = option("stem", help="layer behind which scalecert selects neurons")
    select: str = option(
        "neurons",
        help="what scalecert selects: single neurons, or places with all of theirs, "
        "which lie together, so that more windows need no prediction",
        choices=patch.SELECTIONS,
        later=True,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatchCleanser(_Windowed):
    """Pairs of windows, which recover the class (PatchCleanser, Xiang et al. 2022)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CertifyMachine(ChunkedMachine):
    """A machine for certificates, and how a classifier is asked, if one is."""

    offline: bool = option(False, help="use answers that are known; ask nothing")
    query_log: str | os.PathLike | None = option(
        None,
        help="an earlier run folder whose answers may be used: those of the same "
        "classifier, which is known by its address or name alone",
    )
    query_batch: int = option(32, help="the most images of one query", lower=1)
    query_retries: int = option(5, help="tries after a failure that may pass", lower=0)
    query_timeout: float = option(
        30.0, help="seconds to wait for an answer", lower=0.001, upper=1e6
    )
    query_rate: float | None = option(
        None, help="the most images per second", lower=0.0
    )
    token_variable: str | None = option(
        None, help="environment variable that holds the service's token"
    )
