"""The page of `mspd studio` with no network, and with one that fails in the middle."""

import shutil
import signal
import subprocess
import sys

import pytest

from tests.launch import mains, studio
from tests.launch.studio import drop, wait_for

pytestmark = pytest.mark.browser
LOST = "Connection to the server was lost"
# A network of its own, in which there is nothing but this machine.
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c"]
LOOPBACK = 'ip link set lo up && test -z "$(ip route)" && '


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return studio.save_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def browser():
    with studio.chromium() as browser:
        yield browser


def begin(page, files):
    """Asks for a photo that takes long."""
    drop(page, files / "large.png")
    page.click("label:has-text('strong')")
    page.click("#protect")
    wait_for(page, "large.png, picture 1 of 1")


def protect_small(page, files):
    drop(page, files / "sea.png")
    page.click("#protect")
    wait_for(page, "1 picture is protected.")
    page.wait_for_selector("#slider img")


def test_all_works_in_a_network_of_this_machine_alone():
    pytest.importorskip("gradio", reason="needs .[studio]")
    if not all(map(shutil.which, ("unshare", "ip"))):
        pytest.skip("needs unshare and ip")
    tried = subprocess.run([*ALONE, LOOPBACK + "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no network of its own may be made here: {tried.stderr.strip()}")
    name = "test_a_photo_is_protected_and_what_is_none_is_named"
    command = f"tests/launch/studio_page_test.py::{name} -m browser -n 0 -q"
    done = subprocess.run(
        [*ALONE, f'{LOOPBACK}exec "$0" -m pytest {command}', sys.executable],
        cwd=mains.ROOT,
        env=mains.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_connection_that_is_lost_is_told_of_and_taken_up_again(browser, files):
    with (
        studio.served(files) as page,
        studio.visits(browser, page.address, cut=True) as visit,
    ):
        cut, other = visit(), visit()
        begin(cut, files)
        cut.context.set_offline(True)
        cut.wait_for_selector(f"text={LOST}")
        # The server goes on for those who are there.
        protect_small(other, files)
        cut.context.set_offline(False)
        cut.wait_for_selector(f"text={LOST}", state="detached")
        protect_small(cut, files)


def test_a_server_that_is_killed_is_told_of_and_another_takes_its_place(browser, files):
    with (
        studio.served(files) as first,
        studio.visits(browser, first.address, cut=True) as visit,
    ):
        page = visit()
        begin(page, files)
        first.process.send_signal(signal.SIGKILL)
        page.wait_for_selector(f"text={LOST}")
        port = first.address.rpartition(":")[2]
        with studio.served(files, f"--port={port}"):
            page.wait_for_selector(f"text={LOST}", state="detached")
            protect_small(page, files)
