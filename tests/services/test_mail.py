"""The suite's own mail server keeps nobody waiting for what it does to another: they would give up and come again."""

import smtplib
import threading

import pytest

from tests.services.mail import MailServer


@pytest.fixture
def server():
    server = MailServer(seed=1)
    server.start()
    yield server
    server.stop()


def send(server, name):
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
        client.sendmail(
            "school@example.com", [f"{name}@learners.example.com"], f"Message-ID: <{name}>\r\n\r\nHello\r\n"
        )


def test_while_one_client_is_killed_the_others_hear_yes(server):
    was_let_go, is_held = threading.Event(), threading.Event()

    def hold(port):
        is_held.set()
        was_let_go.wait(60)

    server.before_next_yes(hold)
    alice = threading.Thread(target=send, args=(server, "alice"))
    alice.start()
    assert is_held.wait(60)
    send(server, "bob")
    assert [one.message_id for one in server.accepted] == ["<alice>", "<bob>"]
    assert not was_let_go.is_set()
    was_let_go.set()
    alice.join()
