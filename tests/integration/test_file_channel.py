"""The channel `schedules_file_email`: one file per message, an index that is true, and nothing printed."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from threading import Barrier
from urllib.parse import unquote

import pytest
from django.db import connection
from edx_ace.message import Message
from edx_ace.recipient import Recipient
from edx_ace.renderers import RenderedEmail

from schedules.channels import file_index
from schedules.channels.file_index import Letter
from schedules.channels.files import FileChannel
from schedules.previewing import sample_message
from schedules.sending import override
from tests.world import TODAY, enroll, make_course, make_learner, open_site, send_nudges

LISTED = re.compile(r'<tr><th scope="row"><a href="([^"]+)" dir="auto">(.*?)</a></th><td dir="auto">(.*?)</td>')


def rows_of(folder):
    """(file, subject, courses) of each row, in the order of the page."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.endswith("</html>\n")
    return [(unquote(file), unescape(subject), unescape(courses)) for file, subject, courses in LISTED.findall(page)]


def listed(folder):
    return sorted(file for file, _, _ in rows_of(folder))


def written(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "index.html")


def add(folder, number=1, **fields):
    letter = Letter(file=f"2026-03-09_courseupdate_{number}_0a1b.html", **fields)
    file_index.add(folder, letter, "<!DOCTYPE html><html></html>")
    return folder / letter.file


def deliver(**fields):
    """A message of another app, which does not say where its file is to be."""
    message = Message(
        app_label="other",
        name="welcome",
        recipient=Recipient(lms_user_id=7, email_address="alice@example.com"),
        context={"course_links": "not ours"},
    )
    parts = {"subject": "Hello", "from_name": "School", "body": "Text", "head_html": "", "body_html": "<p>Hi</p>"}
    FileChannel().deliver(message, RenderedEmail(**{**parts, **fields}))
    return message


@pytest.mark.django_db
def test_threads_that_send_at_once_print_nothing_and_leave_standard_output_alone(mailbox, capsys):
    before = sys.stdout
    together = Barrier(4)
    messages = [sample_message("recurringnudge_day3", "en") for _ in range(4)]

    def send(message):
        together.wait()
        try:
            override.send_sample(message, site_id=1)
        finally:
            connection.connection.close()  # the thread's own; Django keeps one that is in memory

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, messages))
    assert sys.stdout is before
    assert capsys.readouterr().out == ""
    assert listed(mailbox) == written(mailbox)
    assert len(written(mailbox)) == 4


@pytest.mark.django_db
def test_each_run_is_listed_with_its_course_test_runs_too(mailbox):
    open_site()
    alice = make_learner()
    enroll(alice, make_course("Bees & Wasps"))
    enroll(alice, make_course("A Garden in a Year"))
    enroll(make_learner("bob"), make_course("<b>Clean Water</b>"))
    send_nudges()
    assert sorted(courses for _, _, courses in rows_of(mailbox)) == ["<b>Clean Water</b>", "A Garden in a Year + 1"]
    send_nudges(override_recipient_email="me@example.org")
    assert listed(mailbox) == written(mailbox)
    assert len(written(mailbox)) == 4
    newest = [courses for _, _, courses in rows_of(mailbox)[2:]]
    assert sorted(newest) == ["<b>Clean Water</b>", "A Garden in a Year + 1"]


@pytest.mark.django_db
def test_nothing_of_a_message_becomes_markup_in_the_index_or_ends_the_comment_in_its_file(mailbox):
    subject = 'a --> <script>alert("x")</script> --!> b'
    deliver(subject=subject, body="--> <script>1</script>", from_name="<i>x</i>")
    assert rows_of(mailbox)[0][1] == subject
    page = (mailbox / "index.html").read_text(encoding="utf-8")
    assert "alert(" not in page.replace("alert(&quot;", "")
    (path,) = mailbox.glob("*_welcome_7_*.html")
    html = path.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<i>" not in html
    assert html.count("-->") == 1
    assert html.index("-->") > html.index("</html>")


def test_a_file_has_the_message_as_it_is_sent_and_its_text_part(mailbox):
    deliver(body="Line one\n\nשלום & you")
    ((file, _, _),) = rows_of(mailbox)
    html = (mailbox / file).read_text(encoding="utf-8")
    assert html.startswith('<!DOCTYPE html>\n<html lang="en" dir="ltr">')
    for part in ("<p>Hi</p>", "To: alice@example.com", "From: School", "Line one\n\nשלום &amp; you"):
        assert part in html


def test_a_message_that_is_delivered_again_replaces_its_file_and_its_row(tmp_path):
    add(tmp_path, 1, subject="First")
    add(tmp_path, 2, subject="Other")
    add(tmp_path, 1, subject="Second")
    assert sorted(subject for _, subject, _ in rows_of(tmp_path)) == ["Other", "Second"]


def test_what_other_hands_do_to_the_folder_is_seen_at_the_next_message(tmp_path):
    gone = add(tmp_path, 1)
    add(tmp_path, 2)
    gone.unlink()
    (tmp_path / "2026-03-01_upgradereminder_9_ff.html").write_text("of a channel that leaves no note")
    add(tmp_path, 3)
    assert listed(tmp_path) == written(tmp_path)
    assert len(written(tmp_path)) == 3


def test_what_cannot_be_read_is_listed_by_its_name_and_a_folder_is_no_message(tmp_path, monkeypatch):
    unreadable = add(tmp_path, 1, subject="Another user's")
    (tmp_path / "saved.html").mkdir()
    open_path = file_index.Path.open

    def refuse(path, *args, **kwargs):
        if path == unreadable:
            raise PermissionError
        return open_path(path, *args, **kwargs)

    monkeypatch.setattr(file_index.Path, "open", refuse)
    add(tmp_path, 2, subject="Mine")
    assert {subject for _, subject, _ in rows_of(tmp_path)} == {unreadable.name, "Mine"}


@pytest.mark.parametrize("damage", ["missing", "torn", "another page", "empty"])
def test_an_index_that_is_damaged_is_made_anew(tmp_path, damage):
    add(tmp_path, 1, subject="First")
    index = tmp_path / "index.html"
    whole = index.read_bytes()
    damaged = {"torn": whole[:-40], "another page": b"<h1>Mine</h1>", "empty": b""}
    if damage == "missing":
        index.unlink()
    else:
        index.write_bytes(damaged[damage])
    add(tmp_path, 2, subject="Second")
    assert [subject for _, subject, _ in rows_of(tmp_path)] == ["First", "Second"]


def test_a_message_reads_none_of_the_others_however_many_there_are(tmp_path):
    """What stands in the other files is not looked at again: a change within one goes unnoticed."""
    for number in range(20):
        path = add(tmp_path, number, subject=f"Subject {number}")
        path.write_text("changed in its place, so that the folder's own time stays")
    assert [subject for _, subject, _ in rows_of(tmp_path)] == [f"Subject {number}" for number in range(20)]


ADD_FORTY = """
import sys
from pathlib import Path
import django
django.setup()
from schedules.channels import file_index
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    letter = file_index.Letter(file=f"2026-03-09_courseupdate_{number}_{sys.argv[2]}.html")
    file_index.add(Path(sys.argv[1]), letter, "<html></html>")
"""


@pytest.mark.slow
def test_processes_that_write_at_once_lose_no_row(tmp_path):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    writers = [
        subprocess.Popen(  # noqa: S603 - code of this test
            [sys.executable, "-c", ADD_FORTY, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for name in ("aa", "bb")
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert listed(tmp_path) == written(tmp_path)
    assert len(written(tmp_path)) == 80


@pytest.mark.django_db
def test_the_name_of_a_file_sorts_by_day_and_tells_message_and_learner(mailbox):
    open_site()
    alice = make_learner()
    enroll(alice, make_course())
    send_nudges()
    (name,) = written(mailbox)
    assert re.fullmatch(rf"{TODAY}_recurringnudge_day3_{alice.pk}_[0-9a-f]{{12}}\.html", name)
