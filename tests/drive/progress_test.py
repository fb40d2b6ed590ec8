"""One line of progress, alone and for several steps."""

import contextlib
import io

import pytest

from mspd_jax import drive


def shown(steps, weights):
    """What is printed where each step is (words, sizes of its updates, total)."""
    text = io.StringIO()
    with contextlib.redirect_stderr(text):
        with drive.shared_line(weights) as begin:
            for words, updates, total in steps:
                begin(words)
                with drive.progress_bar(total=total, description="own") as bar:
                    for images in updates:
                        bar.update(images)
    return text.getvalue()


def test_a_shared_line_shows_all_steps_and_no_bar_of_theirs():
    text = shown([("train", [1] * 4, 4), ("attack", [2, 2], 4)], [1, 3])
    assert text.count("\n") == 1 and "own" not in text and "image" not in text
    states = [state.strip() for state in text.split("\r") if state.strip()]
    assert states[0].startswith("train:   0%")
    assert any(state.startswith("attack:  25%") for state in states)  # 1 of 1 + 3
    assert states[-1].startswith("attack: 100%")


def test_a_step_that_does_less_than_its_total_still_ends():
    text = shown([("train", [1], 4), ("attack", [], 4)], [1, 1])
    assert "attack:  50%" in text and text.rstrip().split("\r")[-1].count("100%") == 1


def test_a_hidden_line_shows_nothing():
    text = io.StringIO()
    with contextlib.redirect_stderr(text):
        with drive.shared_line([1.0], hidden=True) as begin:
            begin("train")
            with drive.progress_bar(total=2) as bar:
                bar.update(2)
    assert not text.getvalue()


def test_bars_are_their_own_again_after_the_line_even_if_it_fails():
    text = io.StringIO()
    with contextlib.redirect_stderr(text):
        with pytest.raises(KeyError), drive.shared_line([1.0]) as begin:
            begin("train")
            raise KeyError
        with drive.progress_bar(total=2, description="own") as bar:
            bar.update(2)
    assert "own: 100%" in text.getvalue()


def test_a_line_of_parts_stands_for_the_bars_within_it():
    text = io.StringIO()
    with contextlib.redirect_stderr(text):
        with drive.line_of_parts(
            total=4_000_000, done=1_000_000, description="protect", unit="pixel"
        ) as advance:
            with drive.progress_bar(total=2, description="own") as bar:
                advance(5e5)
                bar.update(2)
            advance(5e5)
    states = [state.strip() for state in text.getvalue().split("\r") if state.strip()]
    assert "own" not in text.getvalue()
    assert "1.00M/4.00M" in states[0] and "pixel/s" in states[0]
    # What could not be read is not waited for.
    assert states[-1].startswith("protect: 100%") and "4.00M/4.00M" in states[-1]


def test_who_watches_hears_of_bars_and_can_end_the_work():
    shares, text = [], io.StringIO()
    with contextlib.redirect_stderr(text):
        with drive.watched(shares.append):
            with drive.progress_bar(total=4) as bar:
                bar.update(1)
                bar.update(3)
    assert shares == [0.25, 1.0] and not text.getvalue()

    def stop(share):
        raise KeyError

    with pytest.raises(KeyError), drive.watched(stop):
        drive.progress_bar(total=4).update(1)
    with contextlib.redirect_stderr(text):
        drive.progress_bar(total=4).update(1)
    assert text.getvalue()


def test_a_total_that_is_not_known_yet_is_not_shown():
    text = io.StringIO()
    with contextlib.redirect_stderr(text):
        with drive.progress_bar(total=0, description="clean") as bar:
            bar.total = 2
            bar.update(2)
    states = [state for state in text.getvalue().split("\r") if state.strip()]
    assert len(states) == 1 and "2/2" in states[0]
