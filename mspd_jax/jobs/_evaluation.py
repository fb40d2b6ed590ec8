"""Records and totals of an evaluation, as research code gets them."""

from typing import Any, NamedTuple


class EvaluateRecord(NamedTuple):
    """An image under attack.

    prediction: class of the image as it is, -1 if the logits are not finite. attacks:
    by name what came of each attack that met the image: found, finite, prediction,
    linf, l2, l1, and `file` where images were saved. defense: in front of the model.
    """

    index: int  # type: ignore[assignment]
    label: int
    prediction: int
    correct: bool
    attacks: dict[str, dict[str, Any]]
    defense: str | None = None


class EvaluateSummary(NamedTuple):
    """Totals, the worst case over the attacks first.

    robust_accuracy: share of the images that are right and that no attack of this run
    changed; a model has survived these attacks and no others. claimed_accuracy: under
    the attacks of the setting in which a defense was published. published: what was
    published of the model, in percent. reliable: whether all checks passed, None where
    nothing was checked.
    """

    images: int
    seconds: float
    images_per_second: float | None
    clean_accuracy: float | None
    clean_interval: list[float] | None = None
    robust_accuracy: float | None = None
    robust_interval: list[float] | None = None
    claimed_accuracy: float | None = None
    claimed_interval: list[float] | None = None
    attacks: dict[str, float] = {}
    attack_intervals: dict[str, list[float]] = {}
    attacks_each_alone: bool | None = None
    published: dict[str, Any] | None = None
    defense: str | None = None
    reliable: bool | None = None
    reliability: list[dict[str, Any]] = []
    warnings: list[str] = []
    compile_seconds: float | None = None
