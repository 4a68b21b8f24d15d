"""`segint serve` with its real core and gateway: what dies comes back where it was."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.acceptance.serving import Server, serving

READY_S = 60.0


def becomes_ready(server: Server) -> bool:
    """Ask until a job could run; nothing but asking tells."""
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        try:
            urllib.request.urlopen(f"{server.url}/readyz", timeout=10).close()
        except urllib.error.HTTPError as answer:
            answer.close()
        except OSError:
            pass
        else:
            return True
        time.sleep(0.05)
    return False


def test_it_is_ready_within_a_minute_and_again_when_core_or_gateway_was_killed(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        assert becomes_ready(server)
        for words in ("-m http_gateway", "-m segint_grpc"):
            victim = server.find(words)
            victim.send_signal(signal.SIGKILL)
            victim.wait(timeout=5)
            assert becomes_ready(server)
            assert server.find(words).pid != victim.pid
