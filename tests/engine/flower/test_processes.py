"""Nothing is left behind: neither by who does not listen, nor where the one who started it was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from motet.engine.flower.processes import descendants, end, end_orphans, environment, is_loopback, started

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
SLEEPS = "time.sleep(300)"


def script(text: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(text)], stdout=subprocess.PIPE, text=True)


def eventually_gone(pids: list[int], within_s: float = 20.0) -> bool:
    until = time.monotonic() + within_s
    while started(pids) and time.monotonic() < until:
        time.sleep(0.1)
    return not started(pids)


def two_below(pid: int) -> list[int]:
    """Return its descendants, when there are two."""
    until = time.monotonic() + 30
    while len(found := descendants(pid)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_a_family_that_does_not_listen_is_killed() -> None:
    """A grandchild in a session of its own, and nobody ends when asked."""
    youngest = f"subprocess.Popen([sys.executable, '-c', {DEAF + SLEEPS!r}], start_new_session=True)"
    middle = f"{DEAF} import subprocess, sys; {youngest}; {SLEEPS}"
    eldest = script(f"{DEAF} import subprocess, sys; subprocess.Popen([sys.executable, '-c', {middle!r}]); {SLEEPS}")
    family = [eldest.pid, *two_below(eldest.pid)]
    time.sleep(0.5)  # until the last of them is deaf
    began = time.monotonic()
    end(eldest.pid, patience_s=1.0)
    assert eldest.wait(10) == -signal.SIGKILL
    assert time.monotonic() - began >= 1.0
    assert eventually_gone(family)


def test_who_listens_is_not_killed() -> None:
    eldest = script(
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        print("ready", flush=True)
        time.sleep(300)
        """
    )
    assert eldest.stdout is not None
    assert eldest.stdout.readline() == "ready\n"
    end(eldest.pid)
    assert eldest.wait(10) == 7


def test_children_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """The child catches nothing, the grandchild does not listen, the parent had no chance to tell them."""
    child = tmp_path / "child.py"
    child.write_text(
        "import os, subprocess, sys, time\n"
        "from motet.engine.flower.processes import end_with\n"
        "end_with(int(sys.argv[1]))\n"
        f"subprocess.Popen([sys.executable, '-c', {DEAF + SLEEPS!r}])\n{SLEEPS}\n"
    )
    parent = script(f"import os, subprocess, sys; subprocess.run([sys.executable, {str(child)!r}, str(os.getpid())])")
    family = two_below(parent.pid)
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    assert eventually_gone(family)


def test_what_a_killed_process_leaves_is_killed() -> None:
    """An app that hangs does not notice that those above it are gone."""
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {DEAF + SLEEPS!r}]); {SLEEPS}"
    leader = subprocess.Popen([sys.executable, "-c", code], process_group=0)
    until = time.monotonic() + 30
    while not (family := descendants(leader.pid)):
        assert time.monotonic() < until
    leader.kill()
    leader.wait()
    assert started(family)
    end_orphans(leader.pid)
    assert eventually_gone(family)


def test_the_ps_command_tells_the_same() -> None:
    """What stands in for /proc where there is none."""
    from motet.engine.flower import processes

    if shutil.which("ps") is None:
        pytest.skip("there is no ps command")
    own = [(row.pid, row.parent, row.group) for row in processes._table() if row.pid == os.getpid()]
    assert own == [(row.pid, row.parent, row.group) for row in processes._table_by_ps() if row.pid == os.getpid()]
    assert len(own) == 1


def test_a_process_that_ends_by_itself_does_not_linger() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import os; from motet.engine.flower.processes import end_with; end_with(os.getppid())"],
        timeout=30,
        check=False,
    )
    assert done.returncode == 0


def test_another_process_of_the_same_number_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of one that has ended may be given to another, which began later."""
    from motet.engine.flower import processes

    times = iter(["1", "1", "2", "2"])
    killed: list[int] = []
    monkeypatch.setattr(processes, "_table", lambda: [processes._Row(77, 1, 77, next(times, "2"))])
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(number))
    end(77, 0.5)
    assert killed == [signal.SIGTERM]


def test_the_environment_opens_no_door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLWR_INTERNAL_GRPC_CONTROL_API", "1")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    monkeypatch.setenv("NO_PROXY", "intranet")
    found = environment(tmp_path, {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1"})
    assert {name for name in found if name.startswith("FLWR_")} == {
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION",
        "FLWR_DISABLE_UPDATE_CHECK",
        "FLWR_HOME",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL",
        "FLWR_TELEMETRY_ENABLED",
    }
    assert found["FLWR_TELEMETRY_ENABLED"] == "0"
    assert found["FORWARDED_ALLOW_IPS"] == "127.0.0.1"
    assert found["NO_PROXY"].startswith("intranet,127.0.0.1")


@pytest.mark.parametrize(
    ("host", "so"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.org", False)]
)
def test_loopback(host: str, so: bool) -> None:
    assert is_loopback(host) is so
