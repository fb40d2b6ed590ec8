"""What the page of `mspd studio` asks, takes, says and hands out; without Gradio."""

import sys
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from launch import _studio
from launch._studio import _files, _form, _line, _uploads, _words, _work
from mspd_jax import jobs
from mspd_jax.errors import InputError
from tests.jobs.pictures import photo, surrogate
from tests.launch import mains

LIMITS = _uploads.Limits(files=9, megabytes=1)


def test_the_form_is_made_of_the_fields_of_the_job():
    form = {field.name: field for field in _form.form_of(jobs.ProtectPictures)}
    assert list(form) == [
        *("strength", "eps", "samples", "survive", "format", "quality"),
        "strip_metadata",
    ]
    assert form["strength"].widget == "radio"
    assert form["strength"].choices[0] == ("light", "light")
    assert form["strength"].default == "standard"
    quality = form["quality"]
    assert (quality.widget, quality.default) == (
        "text",
        None,
    )  # each format has its own
    assert form["strip_metadata"].widget == "switch"
    assert [value for _, value in form["survive"].choices] == [*jobs.SURVIVE_FORMS]
    assert all(field.help for field in form.values())
    assert form["samples"].widget == "text"  # it may stay empty
    assert form["samples"].rare and not form["survive"].rare


def test_models_are_asked_for_only_among_those_that_the_server_offers():
    offered = {"surrogate": ("mine", "yours"), "labeler": ("coupled", "mine")}
    form = _form.form_of(jobs.ProtectPictures, offered=offered)
    names = [field.name for field in form]
    assert set(names) >= {"surrogate", "labeler", "seed"} and "source" not in names
    answers = [field.default for field in form]
    answers[0] = "yours"
    job = _form.job_of_answers(jobs.ProtectPictures, form, answers, source="x")
    assert job.surrogate == "yours" and job.labeler == "coupled"
    answers[0] = "python:os:system"
    with pytest.raises(InputError, match="surrogate.*mine, yours"):
        _form.job_of_answers(jobs.ProtectPictures, form, answers, source="x")


def test_answers_become_the_job_and_empty_ones_its_defaults():
    form = _form.form_of(jobs.ProtectPictures)
    answers = ["light", "4/255", "6", ["jpeg:75-95"], "jpeg", 80, True]
    job = _form.job_of_answers(jobs.ProtectPictures, form, answers, source="x")
    assert job == jobs.ProtectPictures(
        source="x",
        strength="light",
        eps="4/255",
        samples=6,
        survive=("jpeg:75-95",),
        format="jpeg",
        quality=80,
        strip_metadata=True,
    )
    empty = ["light", "", None, [], "png", "", False]
    job = _form.job_of_answers(jobs.ProtectPictures, form, empty, source="x")
    assert job == jobs.ProtectPictures(source="x", strength="light")


@pytest.mark.parametrize(
    "place, value", [(0, "brutal"), (2, 0), (2, 1.5), (4, "exe"), (5, 101), (6, "?")]
)
def test_answers_that_no_form_gives_are_refused(place, value):
    form = _form.form_of(jobs.ProtectPictures)
    answers = ["light", None, None, None, "png", 80, True]
    answers[place] = value
    with pytest.raises(InputError, match=form[place].name):
        _form.job_of_answers(jobs.ProtectPictures, form, answers, source="x")


@pytest.fixture
def places(tmp_path):
    """The folder of uploads, and the one that files are copied to."""
    for name in ("uploads", "source"):
        (tmp_path / name).mkdir()
    return tmp_path / "uploads", tmp_path / "source"


def test_only_pictures_that_were_uploaded_are_taken(places, tmp_path):
    uploads, source = places
    for number, name in enumerate(("a.png", "A.png", ".hidden.png")):
        photo(uploads / str(number) / name, seed=number)
    photo(tmp_path / "own.png")
    (uploads / "link.png").symlink_to(tmp_path / "own.png")
    (uploads / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 2_000_000)
    (uploads / "larger.png").write_bytes(b"0" * 1_000_001)
    (uploads / "notes.txt").write_text("words")
    (uploads / "raw.dng").write_text("raw")
    paths = [uploads / "0/a.png", uploads / "1/A.png", uploads / "2/.hidden.png"]
    paths += [tmp_path / "own.png", uploads / "link.png", uploads / "../own.png"]
    paths += [uploads / name for name in ("large.png", "larger.png")]
    paths += [uploads / name for name in ("notes.txt", "gone.png")]
    limits = LIMITS._replace(files=10)
    taken = _uploads.take([str(p) for p in paths], source, uploads, limits)
    assert [p.name for p in taken.files] == ["a.png", "A (2).png", "hidden.png"]
    assert taken.files[1].read_bytes() == paths[1].read_bytes()
    reasons = dict(taken.refused)
    assert reasons["own.png"] == reasons["link.png"] == "was not uploaded"
    assert "2.1 megabytes, more than the 1 that" in reasons["large.png"]
    assert "1.1 megabytes, more than the 1 that" in reasons["larger.png"]
    assert reasons["notes.txt"] == "is no picture"
    assert "not there" in reasons["gone.png"]
    (raw,) = _uploads.take([str(uploads / "raw.dng")], source, uploads, LIMITS).refused
    assert "raw photograph" in raw.reason


def test_too_many_files_are_refused_as_a_whole(places):
    uploads, source = places
    with pytest.raises(InputError, match="10 pictures are more than the 9"):
        _uploads.take([str(uploads / "a.png")] * 10, source, uploads, LIMITS)


def test_one_computes_and_the_others_know_their_places():
    line = _line.empty_line()
    tickets = [_line.join(line) for _ in range(4)]
    assert [_line.ahead(line, one) for one in tickets] == [0, 1, 2, 3]
    tickets[1].canceled.set()
    tickets[2].heard[0] -= 1000.0  # its page was closed
    assert _line.ahead(line, tickets[3]) == 1
    tickets[0].canceled.set()  # it computes until it looks
    assert _line.ahead(line, tickets[3]) == 1
    _line.leave(line, tickets[0])
    _line.leave(line, tickets[0])
    assert _line.ahead(line, tickets[3]) == 0


def test_a_request_waits_for_the_one_before_it_even_if_that_page_is_closed():
    line, goes_on, begun = _line.empty_line(), threading.Event(), threading.Event()

    def slow(tell, check):
        begun.set()
        tell(_work.Works(0.5, 1.0, "a.png", 1, 1))
        goes_on.wait(60)
        check()

    first = _work.attended(line, _line.join(line), slow)
    second = _work.attended(line, _line.join(line), lambda *_: _work.Ended((), ()))
    assert isinstance(next(first), _work.Works) and begun.wait(60)
    assert next(second) == _work.Waits(1)
    first.close()
    assert next(second) == _work.Waits(1)
    goes_on.set()
    assert list(second)[-1] == _work.Ended((), ())
    assert not line.tickets


def test_a_request_can_be_canceled_in_line_and_a_failure_ends_its_turn():
    line = _line.empty_line()
    before, ticket = _line.join(line), _line.join(line)
    waiting = _work.attended(line, ticket, lambda *_: pytest.fail("it began"))
    assert next(waiting) == _work.Waits(1)
    ticket.canceled.set()
    assert list(waiting) == [_work.Ended((), (), canceled=True)]
    assert line.tickets == [before]
    _line.leave(line, before)

    def failing(tell, check):
        raise InputError("no")

    with pytest.raises(InputError):
        list(_work.attended(line, _line.join(line), failing))
    assert not line.tickets


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What came of two pictures, one that is damaged, and one that no JPEG holds."""
    folder = tmp_path_factory.mktemp("request")
    photo(folder / "source/sea.jpg", quality=90)
    photo(folder / "source/gray.png", "L", (21, 33), seed=1)
    photo(folder / "source/clear.png", "RGBA", seed=2)
    (folder / "source/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not one")
    files = [folder / "source" / n for n in ("sea.jpg", "broken.png", "clear.png")]
    files.append(folder / "source/gray.png")
    job = jobs.ProtectPictures(
        source="-", surrogate=surrogate(), samples=2, format="jpeg"
    )
    told = []
    found = _work.protect_all(
        job, tuple(files), folder / "runs", told.append, lambda: None
    )
    return found, told


def test_pictures_are_protected_each_by_itself(ended):
    found, told = ended
    assert [one.name for one in found.pictures] == ["sea.jpg", "gray.jpg"]
    (broken, clear) = found.refused
    assert broken.name == "broken.png" and broken.reason.startswith("cannot be read")
    assert clear.name == "clear.png" and "alpha channel" in clear.reason
    assert "/" not in broken.reason + clear.reason
    shares = [news.share for news in told]
    assert shares == sorted(shares) and 0 < shares[0] < shares[-1] <= 1
    assert told[-1].number == told[-1].total == 4 and told[-1].attacked


def test_a_canceled_request_keeps_what_was_done(ended, tmp_path):
    found, _ = ended
    one = found.pictures[0].original
    line = _line.empty_line()
    ticket = _line.join(line)
    job = jobs.ProtectPictures(source="-", surrogate=surrogate(), samples=2)

    def tell(news):
        if news.number == 2:
            ticket.canceled.set()

    done = _work.protect_all(
        job, (one, one), tmp_path, tell, lambda: _work._check(ticket)
    )
    assert done.canceled and len(done.pictures) == 1


def test_the_proof_is_in_words(ended):
    found, _ = ended
    name, size, psnr, ssim, attacked, note = _words.proof_row(found.pictures[0])
    assert name == "sea.jpg" and size == "40 x 30" and note == ""
    assert 10 < float(psnr) < 60 and 0 < float(ssim) < 1
    record = found.pictures[0].record
    assert attacked == (
        f"in {record.robust_before} of 5 views before, in {record.robust_after} now"
    )
    said = _words.summed_up(found)
    assert "2 pictures are protected. 2 files were left out." in said
    assert "Canceled; 2 pictures" in _words.summed_up(found._replace(canceled=True))
    assert all(f"<td>{word}</td>" in _words.proof_table(found) for word in (name, size))
    assert "<td>broken.png</td><td>cannot be read" in _words.refused_table(found)


def test_progress_is_in_words_and_names_are_no_tags():
    works = _work.Works(0.25, 10.0, "<b>.png", 1, 3)
    said = _words.progress(works)
    assert "&lt;b&gt;.png, picture 1 of 3: about 30 s to go" in said
    assert "<b>" not in said + _words.failure("<b>")
    left_out = _work.Ended((), (_uploads.Refused("<b>.png", "a & b"),))
    said = _words.refused_table(left_out)
    assert "<td>&lt;b&gt;.png</td><td>a &amp; b</td>" in said
    assert "2 requests come first" in _words.progress(_work.Waits(2))
    assert "10 min to go" in _words.to_go(0.5, 600.0)


def test_the_zip_holds_the_files_and_previews_what_changed(ended, tmp_path):
    found, _ = ended
    bundle = _files.bundled(found.pictures, tmp_path / "all.zip")
    with zipfile.ZipFile(bundle) as opened:
        assert opened.namelist() == ["sea.jpg", "gray.jpg"]
        assert opened.read("sea.jpg") == found.pictures[0].file.read_bytes()
    for one in found.pictures:
        shown = _files.previews(one, tmp_path / "shown")
        before, after, difference = (
            np.asarray(Image.open(path), np.int64) for path in shown
        )
        wanted = np.clip(127 + 10 * (after - before), 0, 255)
        np.testing.assert_array_equal(difference, wanted)
        assert difference.std() > 0


def test_without_gradio_one_line_says_what_to_install(monkeypatch):
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "")  # they are set before it is looked for
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "launch._studio._serve", raising=False)
    with pytest.raises(InputError, match=r"pip install 'mspd_jax\[studio\]'"):
        _studio.Studio().run()


def test_the_flags_are_read():
    code, _, errors = mains.run("studio", "--max_files=0")
    assert code == 2 and "max_files" in errors and errors.count("\n") == 1


def test_the_last_word(capsys):
    assert _studio.ended(None) == 0
    assert capsys.readouterr().out == "the page is closed\n"
