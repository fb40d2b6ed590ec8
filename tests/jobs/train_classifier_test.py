"""Plans of classifiers, what they refuse, and what windows in training are worth."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax import data, jobs, models, patch, train
from mspd_jax.errors import InputError
from mspd_jax.jobs._classifier_measure import summarize

SHAPE = (8, 8, 1)
CUT, SIZE = "layer0", 3
RNG = np.random.default_rng(0)
IMAGES = RNG.random((4, *SHAPE), np.float32)
EXAMPLES = train.Examples(
    RNG.random((40, *SHAPE), np.float32), RNG.integers(0, 5, 40), np.arange(40), 5
)
SETTINGS = dict(
    arch="small_cnn",
    arch_options='{"widths": [3, 4]}',
    augment="none",
    epochs=1,
    batch_size=20,
    learning_rate=0.1,
    weight_decay=0.0,
    schedule="constant",
    warmup_epochs=0.0,
)


def plan(examples=None, **changes):
    job = jobs.TrainClassifier(source="digits:train", **SETTINGS | changes)
    return job.plan(EXAMPLES if examples is None else examples)


INNER = dict(occlude=3, occlude_at="layer0", keep=["0.1"])


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(occlude=9), "`occlude`=9: the images have 8 pixels a side"),
        (INNER | dict(occlude=9), "`occlude`=9: the images have 8 pixels a side"),
        (
            dict(occlude=3, occlude_least=4),
            "`occlude_least`=4: windows have `occlude`=3",
        ),
        (dict(occlude_least=1), "`occlude_least`=1: windows have `occlude`=0"),
        (INNER | dict(keep=[]), "`occlude_at`=layer0 needs `occlude`=SIDE"),
        (INNER | dict(occlude=0), "`occlude_at`=layer0 needs `occlude`=SIDE"),
        (dict(keep=["0.1"]), "`keep` goes with `occlude_at`=LAYER"),
        (dict(keep=["0.1"], occlude=3), "`keep` goes with `occlude_at`=LAYER"),
        (dict(select="places", occlude=3), "`select`=places goes with `occlude_at`=LA"),
        (INNER | dict(keep=["0.1", "few"]), "`keep`=few: expected shares"),
        (INNER | dict(keep=["0.1", "0"]), "a share of neurons: expected above 0"),
        (INNER | dict(keep=["1.1"]), "a share of neurons: expected above 0"),
        (INNER | dict(keep=["nan"]), "a share of neurons: expected above 0"),
        (INNER | dict(adversarial="pgd", eps=0.1), "with `adversarial`=pgd"),
        (INNER | dict(occlude_at="stem"), "no layer 'stem': it has layer0, layer1"),
        (INNER | dict(occlude_at="head"), "cannot be split after 'head'"),
        (INNER | dict(arch="dncnn", arch_options="{}"), "is a denoiser"),
    ],
)
def test_what_cannot_be_planned_is_named_in_one_line(changes, words):
    with pytest.raises(InputError, match=words) as refusal:
        plan(**changes)
    assert "\n" not in str(refusal.value)


def test_a_plan_hides_pixels_or_neurons():
    pixels = plan(occlude=8)
    assert pixels.objective.adversary is None
    hidden = pixels.augment(jax.random.key(0), jnp.asarray(IMAGES[0]))
    np.testing.assert_array_equal(hidden, np.full(SHAPE, 0.5))
    inner = plan(**INNER)
    assert inner.augment is None
    options = {"cut": CUT, "size": SIZE, "keep": (0.1,)}
    want = train.occluded_objective(inner.start, **options)
    assert inner.objective.loss.func == want.loss.func
    places = plan(**INNER, select="places", occlude_least=2).objective
    other = train.occluded_objective(inner.start, **options, select="places", least=2)
    assert places.loss.func == other.loss.func != want.loss.func
    assert places.adversary.func == other.adversary.func != want.adversary.func
    sizes = plan(occlude=8, occlude_least=2).augment
    keys = jax.random.split(jax.random.key(0), 20)
    found = np.asarray(jax.vmap(sizes, in_axes=(0, None))(keys, jnp.asarray(IMAGES[0])))
    assert len(np.unique((found == 0.5).sum(axis=(1, 2, 3)))) > 1


@pytest.mark.parametrize(
    ("adversarial", "beta", "weight"),
    [("trades", None, 6.0), ("fgsm_regularized", None, 1.0)]
    + [("fgsm_regularized", 3.0, 3.0)],
)
def test_the_weight_is_that_of_the_objective_by_default(adversarial, beta, weight):
    found = plan(adversarial=adversarial, eps=0.1, beta=beta)
    assert float(found.objective.loss.keywords["beta"]) == weight


def test_a_step_is_given_as_a_radius_is():
    found = plan(adversarial="pgd", eps="8/255", step_size="2.5/255")
    size = found.objective.adversary.keywords["step_size"]
    np.testing.assert_allclose(size, 2.5 / 255, rtol=1e-6)
    with pytest.raises(InputError, match="did you mean `step_size`=6/255"):
        plan(adversarial="pgd", eps="8/255", step_size=6)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    job = jobs.TrainClassifier(
        source="digits:train",
        limit=128,
        eval_source=data.open_source("digits:test", limit=24),
        arch="small_cnn",
        arch_options={"widths": [4]},
        adversarial="none",
        noise=0.1,
        epochs=2,
        batch_size=32,
    )
    return job, job.run(tmp_path_factory.mktemp("runs") / "out")


def test_a_training_returns_typed_records_and_totals(finished):
    job, result = finished
    assert [r.index for r in result.records] == list(job.eval_source.indices)
    model = models.load_model(result.folder)
    predict = models.predictor(model)
    for place, record in enumerate(result.records):
        image = job.eval_source.read(place)
        assert record.label == image.label and record.attacks == {}
        assert record.prediction == int(jnp.argmax(predict(image.image)))
    summary = result.summary
    assert (summary.images, summary.steps, summary.eval_images) == (256, 8, 24)
    assert summary.clean_accuracy == np.mean([r.correct for r in result.records])
    assert summary.noisy_accuracy == np.mean([r.noisy_correct for r in result.records])
    assert model.spec.origin["fields"]["arch_options"] == {"widths": [4]}
    assert model.spec.origin["result"]["steps"] == 8
    # What the stages were noted in is gone: the records hold it all.
    names = {"checkpoints", "metrics.jsonl", "model"}
    names |= {"records.jsonl", "run.json", "summary.json"}
    assert {path.name for path in result.folder.iterdir()} == names


@pytest.mark.parametrize("classes, told", [([0, 0, 0], True), ([0, 0, 1], False)])
def test_a_model_that_sees_one_class_alone_is_told(classes, told):
    records = [
        {"prediction": c, "label": n, "correct": c == n, "attacks": {}}
        for n, c in enumerate(classes)
    ]
    (warning,) = summarize({}, records)["warnings"] or ("",)
    assert ("sees class 0 in all 3 images" in warning) == told


def test_a_finished_training_is_found_and_left_alone(finished):
    job, result = finished
    again = job.run(result.folder)
    assert again == result._replace(finished_before=True)


def test_other_images_under_the_same_name_are_another_run(tmp_path):
    images, labels = data.load_arrays(data.open_source("digits:train", limit=32))
    np.savez(tmp_path / "set.npz", x=images, y=labels)
    job = jobs.TrainClassifier(
        source=f"npz:{tmp_path}/set.npz",
        arch="small_cnn",
        arch_options={"widths": [2]},
        epochs=1,
        batch_size=16,
    )
    job.run(tmp_path / "out")
    np.savez(tmp_path / "set.npz", x=images[::-1], y=labels)
    with pytest.raises(InputError, match="holds the results for other images"):
        job.run(tmp_path / "out")


def test_an_attacked_training_measures_with_pgd(tmp_path):
    result = jobs.TrainClassifier(
        source="digits:train",
        limit=64,
        eval_source="digits:test",
        eval_limit=16,
        arch="small_cnn",
        arch_options={"widths": [4]},
        adversarial="trades",
        attack_steps=2,
        eps="1/10",
        epochs=1,
        batch_size=32,
    ).run(tmp_path / "out")
    for record in result.records:
        assert record.attacks.keys() == {"pgd-10"}
        assert record.attacks["pgd-10"].keys() == {"found", "finite"}
        assert record.correct or record.attacks["pgd-10"]["found"]
    safe = [r.correct and not r.attacks["pgd-10"]["found"] for r in result.records]
    assert result.summary.robust_accuracy == np.mean(safe)
    text = (result.folder / "records.jsonl").read_text().splitlines()
    assert list(json.loads(text[0])) == [
        "index",
        "label",
        "prediction",
        "correct",
        "attacks",
    ]


def test_a_function_is_no_start(tmp_path):
    job = jobs.TrainClassifier(source="digits:train", init=lambda image: image)
    with pytest.raises(InputError, match="`init`: expected a checkpoint"):
        job.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def trained(**changes):
    images, labels = data.load_arrays(data.open_source("digits:train"))
    labels = labels.astype(np.int32)
    examples = train.Examples(images, labels, np.arange(len(labels)), 10)
    options = dict(
        epochs=12,
        batch_size=64,
        arch_options={"widths": [16, 32]},
        learning_rate=0.05,
        schedule="cosine",
        weight_decay=5e-4,
    )
    planned = plan(examples, **options | changes)
    return train.fit(
        planned.key,
        planned.start,
        images,
        labels,
        objective=planned.objective,
        optimizer=planned.optimizer,
        epochs=planned.epochs,
        batch_size=planned.batch_size,
        augment=planned.augment,
    )


@functools.partial(jax.jit, static_argnames="budget")
def certified(detector, images, labels, *, budget=9):
    detect = functools.partial(patch.detect, budget=budget)
    found = jax.vmap(lambda image: detect(detector, image))(images)
    right = (found.windows == labels[:, None]).mean()
    return right, (found.certified & (found.label == labels)).mean()


@pytest.mark.slow
def test_training_under_windows_raises_what_is_certified():
    """Patches of 2x2 on 450 digits, with 9 windows of pixels or of neurons."""
    images, labels = data.load_arrays(data.open_source("digits:test"))
    images, labels = images.astype(np.float32) / 255, labels.astype(np.int32)
    windows = patch.cover(SHAPE, patch=2, per_axis=3)
    side = str(windows.height)
    plain = trained()
    gray = trained(occlude=int(side))
    inner = trained(occlude=int(side), occlude_at="layer0", keep=["0.2"])

    def pixels(model):
        predict = models.predictor(model)
        return certified(patch.minority_reports(predict, windows), images, labels)

    def neurons(model):
        parts = models.split(model, "layer0")
        return certified(patch.scalecert(parts, windows, keep=0.2), images, labels)

    for measure, better in ((pixels, gray), (neurons, inner)):
        before, after = np.asarray(measure(plain)), np.asarray(measure(better))
        assert (after > before + 0.05).all(), (before, after)
