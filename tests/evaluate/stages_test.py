"""Stages: who is attacked by what, what survives a kill, and what does not matter."""

import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial

from mspd_jax import data
from mspd_jax.attacks import Proposal, Staged, plan_attacks
from mspd_jax.evaluate import Threat, accuracies, run_stages
from mspd_jax.runs import disk_journal, journal_records, memory_journal

IMAGES = 21
KEY = jax.random.key(3)
THREAT = Threat(0.5, "linf")


def predict(image):
    """The class is the tenths of the first pixel: 0.3 -> 3."""
    return -jnp.abs(image[0, 0, 0] * 10.0 - jnp.arange(10.0))


def source(wrong=()):
    """Image i shows the class i % 8; the labels of `wrong` are off."""
    pixels = (np.arange(IMAGES) % 8 / 10).astype(np.float32)
    images = np.full((IMAGES, 2, 2, 1), 0.5, np.float32)
    images[:, 0, 0, 0] = pixels
    labels = np.arange(IMAGES) % 8
    labels[list(wrong)] = 9
    return data.from_arrays(images, labels)


def push(key, predict, image, label, *, victims):
    """Brings down the images whose label is among `victims`, and no others."""
    del key, predict
    hit = jnp.any(label == victims)
    return Proposal(jnp.where(hit, image + 0.2, image), jnp.float32(0.0))


def staged(*victims, scores_only=False):
    parts = (Partial(push, victims=np.array(v, np.int32)) for v in victims)
    return Staged(tuple(parts), scores_only)


def records(attacks, *, journal=None, **options):
    journal = memory_journal() if journal is None else journal
    options = {"source": source(), "block": 4, "predict": predict} | options
    run_stages(
        KEY,
        options.pop("predict"),
        options.pop("source"),
        attacks,
        journal,
        threat=THREAT,
        **options,
    )
    return journal_records(journal, attacks)


class StagesTest(parameterized.TestCase):
    def test_the_fallen_are_dropped_and_the_wrong_are_never_attacked(self):
        attacks = {"a": staged([0, 1]), "b": staged([1, 2])}
        told = records(attacks, source=source(wrong=(3, 4)))
        for record in told:
            label = record["index"] % 8
            if record["index"] in (3, 4):
                self.assertEqual((record["correct"], record["attacks"]), (False, {}))
                continue
            met = {name: v["found"] for name, v in record["attacks"].items()}
            if label in (0, 1):
                self.assertEqual(met, {"a": True})
            else:
                self.assertEqual(met, {"a": False, "b": label == 2})
        found = accuracies(told, list(attacks), each_alone=False)
        # Labels 0 to 4 occur three times, 5 to 7 twice; 3 and 4 are wrong once each.
        self.assertEqual(found["clean_accuracy"], 19 / 21)
        self.assertEqual(found["attacks"], {"a": 13 / 21, "b": 10 / 21})
        self.assertEqual(found["robust_accuracy"], 10 / 21)

    def test_each_alone_meets_every_image_that_was_right(self):
        attacks = {"a": staged([0, 1]), "b": staged([1, 2])}
        told = records(attacks, each_alone=True)
        self.assertTrue(all(set(r["attacks"]) == {"a", "b"} for r in told))
        found = accuracies(told, list(attacks))
        self.assertEqual(found["attacks"], {"a": 15 / 21, "b": 15 / 21})
        self.assertEqual(found["robust_accuracy"], 12 / 21)

    def test_attempts_of_one_attack_drop_the_fallen_too(self):
        asked = []

        def push_and_tell(key, predict, image, label, *, victims):
            jax.debug.callback(lambda i: asked.append(int(i)), image[0, 0, 0] * 10)
            return push(key, predict, image, label, victims=victims)

        first, second = (
            Partial(push_and_tell, victims=np.array([v], np.int32)) for v in (0, 1)
        )
        told = records(
            {"a": Staged((first, second), False)},
            block=1,
            devices=jax.devices()[:1],
        )
        found = {r["label"] for r in told if r["attacks"]["a"]["found"]}
        self.assertEqual(found, {0, 1})
        jax.effects_barrier()
        # The second attempt has the 18 that are left, and never sees a 0.
        self.assertLen(asked, IMAGES + 18)
        self.assertEqual(asked.count(0), 3)

    def test_an_attack_does_not_depend_on_its_company(self):
        key = jax.random.key(0)
        weights = jax.random.normal(key, (4, 10))
        linear = Partial(lambda w, x: x.reshape(-1) @ w, weights)
        images = np.asarray(jax.random.uniform(key, (IMAGES, 2, 2, 1)))
        labels = np.argmax(images.reshape(IMAGES, -1) @ np.asarray(weights), axis=1)
        given = data.from_arrays(images, labels)

        def run(names, **options):
            plan = plan_attacks(names, eps=0.02, norm="linf", num_classes=10)
            options = {"predict": linear, "source": given} | options
            return [r["attacks"].get("pgd-3x2") for r in records(plan, **options)]

        alone = run("pgd-3x2")
        self.assertEqual(alone, run("bim-2,pgd-3x2", each_alone=True))
        self.assertEqual(alone, run("pgd-3x2", batch_size=21))
        self.assertBetween(sum(v["found"] for v in alone), 1, IMAGES - 1)

    def test_keep_adds_what_it_likes(self):
        def keep(name, record, verdict):
            return {"brightest": f"{name} {float(verdict.image.max()):.1f}"}

        told = records({"a": staged([1])}, keep=keep)
        self.assertEqual(told[1]["attacks"]["a"]["brightest"], "a 0.7")

    def test_given_images_are_judged_like_any_other(self):
        given = np.stack([source().read(i).image for i in range(IMAGES)])
        given[[1, 2, 3]] += 0.2  # found
        given[4, 0, 0, 0] = 5.0  # outside: what is left of it, 0.9, is found as well
        given = data.from_arrays(np.clip(given, 0, 1), np.zeros(IMAGES))
        attacks = {"given": Staged((), True, "given", given), "a": staged([0])}
        told = records(attacks)
        found = {r["index"] for r in told if r["attacks"]["given"]["found"]}
        self.assertEqual(found, {1, 2, 3, 4})
        self.assertLessEqual(told[4]["attacks"]["given"]["linf"], 0.5)
        self.assertNotIn("a", told[1]["attacks"])

    def test_randomized_models_are_judged_on_fresh_draws(self):
        def noisy(key, image):
            # Class 0 in 80 % of the draws: nearly sure on average, never in one draw.
            lost = jax.random.uniform(key) < 0.2
            return jnp.where(lost, jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0]))

        given = data.from_arrays(np.zeros((IMAGES, 1, 1, 1), np.float32), np.zeros(21))
        told = records(
            {"a": staged([])}, predict=Partial(noisy, jax.random.key(0)), source=given
        )
        # 20 draws with at least 10 lost: 0.3 % per image; 0.1 % for more than two.
        self.assertLessEqual(sum(not r["correct"] for r in told), 2)


class ResumeTest(parameterized.TestCase):
    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def test_a_killed_run_ends_with_the_same_records(self):
        attacks = {"a": staged([0], [1]), "b": staged([2])}
        want = records(attacks)
        for kill in range(1, 76, 15):
            folder = self.folder()
            with self.assertRaises(KeyboardInterrupt):
                records(attacks, journal=_killed_after(folder, kill))
            self.assertEqual(records(attacks, journal=_journal(folder)), want)

    def test_a_finished_run_asks_nothing(self):
        folder = self.folder()
        attacks = {"a": staged([0])}
        want = records(attacks, journal=_journal(folder))
        broken = data.from_arrays(np.zeros((IMAGES, 1, 1, 1)), np.zeros(IMAGES))
        again = records(
            attacks, journal=_journal(folder), source=broken._replace(read=None)
        )
        self.assertEqual(again, want)

    def test_two_processes_share_what_they_found(self):
        # Notes of another process lie in a file of its own, in any order.
        folder = self.folder()
        attacks = {"a": staged([0], [1])}
        want = records(attacks)
        other = _journal(folder, process_index=1, process_count=2)
        records(attacks, journal=other)
        mine = _journal(folder, process_index=0, process_count=2)
        self.assertEqual(journal_records(mine, attacks), want)


def _journal(folder, **process):
    return disk_journal(pathlib.Path(folder), **process)


def _killed_after(folder, count):
    """A journal whose process dies after writing so many notes."""
    journal = _journal(folder)
    left = [count]

    def write(notes):
        journal.write(notes[: left[0]])
        left[0] -= len(notes)
        if left[0] <= 0:
            raise KeyboardInterrupt

    return journal._replace(write=write)
