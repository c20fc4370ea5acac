"""Servers of the suite's own, which nobody else uses: it may stop, kill and spoil them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services.ports import is_listening, own_port

_MAX_STARTING_SECONDS = 90
_MAX_STOPPING_SECONDS = 60


class Server:
    """A server's program, run in a folder of its own, on a port of its own; by a `user`, where we are root."""

    def __init__(self, folder: Path, program: str, user: str | None = None) -> None:
        self.folder, self.program, self.port = folder, program, own_port()
        self.user = user if os.geteuid() == 0 else None
        folder.mkdir(exist_ok=True)
        if self.user:
            shutil.chown(folder, self.user)

    def prepare(self, *command: str) -> None:
        """Do once what the server needs before its first start."""
        done = subprocess.run(command, cwd=self.folder, user=self.user, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, arguments: Sequence[str], environment: Mapping[str, object] | None = None) -> None:
        """Returns when it listens."""
        program = shutil.which(self.program)
        assert program, f"{self.program} is missing"
        with (self.folder / "said.txt").open("ab") as said:
            self._process = subprocess.Popen(
                [program, *arguments],
                cwd=self.folder,
                env={**os.environ, **{name: str(value) for name, value in (environment or {}).items()}},
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
            )
        end = time.monotonic() + _MAX_STARTING_SECONDS
        while not is_listening(self.port):
            assert self._process.poll() is None, f"{self.program} ended: {self._said()}"
            assert time.monotonic() < end, f"{self.program} does not listen: {self._said()}"
            time.sleep(0.1)

    def stop(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            try:
                self._process.wait(timeout=_MAX_STOPPING_SECONDS)
            finally:  # whatever happens, it does not outlive the suite
                self._process.kill()
            self._process = None

    def _said(self) -> str:
        return (self.folder / "said.txt").read_text(errors="replace")[-2000:]
