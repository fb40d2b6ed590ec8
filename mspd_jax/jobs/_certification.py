"""Records and totals of certifications, as research code gets them."""

from typing import Any, NamedTuple


class NoiseRecord(NamedTuple):
    """The certificate of an image, and the votes that it rests on.

    prediction: class, -1 where it abstains. radius: l2, in pixels; 0 where it abstains.
    selection, estimation: votes by class. drawn: samples of the estimation.
    """

    index: int  # type: ignore[assignment]
    label: int
    prediction: int
    radius: float
    correct: bool
    selection: list[int]
    estimation: list[int]
    drawn: int
    source_digest: str | None = None


class NoiseSummary(NamedTuple):
    """Totals; without labels there are no accuracies. See `evaluate.certified_totals`.

    certified: by radius, the share of images that are right and certified at it.
    """

    images: int
    seconds: float
    images_computed: int
    images_per_second: float | None
    certified_accuracy: float | None = None
    certified: dict[str, float] = {}
    certified_interval: dict[str, list[float]] = {}
    abstained: float | None = None
    mean_radius: float | None = None
    wrong_certificates: dict[str, float] = {}
    samples_drawn: float | None = None
    warnings: list[str] = []


class PatchRecord(NamedTuple):
    """What a detector answers, and the votes of the windows that were asked.

    certified: no patch brings about another class without an alert. correct: right and
    without an alert. predictions: all that were asked for. attacks: by name, the
    prediction and the alert after each attack.
    """

    index: int  # type: ignore[assignment]
    label: int
    prediction: int
    alert: bool
    certified: bool
    correct: bool
    asked: list[int]
    votes: list[int]
    predictions: int
    attacks: dict[str, dict[str, Any]] = {}
    source_digest: str | None = None


class PatchSummary(NamedTuple):
    """Totals; without labels there are no accuracies. See `evaluate.detected_totals`.

    patch: side, in pixels. windows: how many there are.
    """

    images: int
    seconds: float
    images_computed: int
    images_per_second: float | None
    patch: int | None = None
    windows: int | None = None
    certified_accuracy: float | None = None
    certified_interval: list[float] | None = None
    clean_accuracy: float | None = None
    clean_interval: list[float] | None = None
    unguarded_accuracy: float | None = None
    alert_rate: float | None = None
    mean_predictions: float | None = None
    robust_accuracy: float | None = None
    robust_interval: list[float] | None = None
    attacks: dict[str, float] = {}
    undetected: dict[str, float] = {}
    broken_certificates: int | None = None
    warnings: list[str] = []
