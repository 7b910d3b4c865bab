"""Starting a Flower process, reading what it says, and leaving nothing of it behind."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from motet.errors import InputError

PATIENCE_S = 8.0
"""That a process may take to end by itself; a SuperNode needs up to 5 to say goodbye."""

_LOOPBACK = "127.0.0.1,localhost,::1"
_OURS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FORWARDED_ALLOW_IPS": "127.0.0.1",  # nobody else is believed about whose request he hands on
    "PYTHONUNBUFFERED": "1",
}

Started = tuple[int, str]  # a process's id, and when it began: another one may get the same id


class _Row(NamedTuple):
    """A process."""

    pid: int
    parent: int
    group: int
    began: str


def environment(home: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a Flower process: what motet was given, with nothing of Flower's but our own settings.

    Parameters
    ----------
    home : Path
        Flower's folder for its configuration and for apps.
    settings : mapping of str to str, optional
        More variables.

    Notes
    -----
    Variables of Flower's are left out since some open a door: ``FLWR_INTERNAL_GRPC_CONTROL_API=1`` an interface without
    a guard, on all addresses. Flower finds its own commands by PATH, whether motet's environment is activated or not.
    What stays on the machine goes through no proxy.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FLWR_")}
    folders = (sysconfig.get_path("scripts"), str(Path(sys.executable).parent), ours.get("PATH", os.defpath))
    direct = ",".join(filter(None, (ours.get("no_proxy") or ours.get("NO_PROXY"), _LOOPBACK)))
    ours |= {"PATH": os.pathsep.join(folders), "NO_PROXY": direct, "no_proxy": direct}
    return {**ours, **_OURS, "FLWR_HOME": str(home), **(settings or {})}


def find_command(name: str) -> str:
    """Return where one of Flower's commands is.

    Raises
    ------
    InputError
        If Flower is not installed.
    """
    found = shutil.which(name, path=environment(Path())["PATH"])
    if found is None:
        raise InputError(f"{name} is not installed: install Flower with pip install 'motet[flower]'")
    return found


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, where no other machine can listen or speak."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Process:
    """A process of Flower's, or Motet's, that ends when told to, and when whoever started it is gone.

    Parameters
    ----------
    role : str
        What to run; see `motet.engine.flower.child`.
    arguments : sequence of str
        As for Flower's command.
    home : Path
        See `environment`.
    log : Path
        What it and its descendants say is added to this file.
    settings : mapping of str to str, optional
        More environment variables.
    """

    def __init__(
        self, role: str, arguments: Sequence[str], home: Path, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self._from = log.stat().st_size if log.exists() else 0
        command = [sys.executable, "-P", "-m", "motet.engine.flower.child", role, str(os.getpid()), *arguments]
        with open(log, "ab") as out:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment(home, settings),
                process_group=0,  # Ctrl-C in a terminal reaches whoever started it alone, who then stops it in order
            )

    @property
    def status(self) -> int | None:
        """Return how it ended; None as long as it runs."""
        return self._child.poll()

    def said(self) -> str:
        """Return what it has said since it began."""
        with open(self.log, "rb") as file:
            file.seek(self._from)
            return re.sub(r"\x1b\[[0-9;]*m", "", file.read().decode(errors="replace"))  # Flower's colours

    def last_said(self, lines: int = 3) -> str:
        """Return the last that it has said, as part of a sentence."""
        return " | ".join([line.strip() for line in self.said().splitlines() if line.strip()][-lines:]) or "nothing"

    def ask_to_stop(self) -> None:
        """Ask it to end, and do not wait; `stop` must follow."""
        if self.status is None:
            self._child.terminate()

    def stop(self, patience_s: float = PATIENCE_S) -> None:
        """End it and all that it has started: asked first, killed if that does not help.

        Of one that was killed an app may be left that hangs, and takes no notice of it: that is killed too.
        """
        if self.status is None:
            end(self._child.pid, patience_s)
            self._child.wait()
        end_orphans(self._child.pid)


class Service:
    """What is there for as long as its process runs; a context manager that starts and stops it."""

    _process: Process | None = None

    def start(self) -> None:
        """Start the process, and return when it serves."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the process, if there is one."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Return whether its process is there."""
        return self._process is not None and self._process.status is None


def end(pid: int, patience_s: float = PATIENCE_S) -> None:
    """End a process and its descendants: SIGTERM to it, then to those that it leaves behind, then SIGKILL.

    Flower's processes end their children themselves, in order; but not one that hangs, nor one that waits for a server
    which is gone.
    """
    family = started([pid, *descendants(pid)])
    _signal(family[:1], signal.SIGTERM)
    _see_out(family, patience_s)


def _see_out(family: list[Started], patience_s: float, first: int = 1) -> None:
    """Wait for those that were told to end, tell the others, and kill who is left.

    Parameters
    ----------
    family : list of Started
        What they start meanwhile is added.
    patience_s : float
        In all; half of it is for those that were told.
    first : int
        How many were told already.
    """
    began, told = time.monotonic(), family[:first]
    while (family := _living(family)) and time.monotonic() < began + patience_s:
        family += [one for one in started(descendants(*(pid for pid, _ in family))) if one not in family]
        if not set(told) & set(family) or time.monotonic() > began + patience_s / 2:
            _signal([one for one in family if one not in told], signal.SIGTERM)
            told += family
        time.sleep(0.1)
    _signal(family, signal.SIGKILL)


def end_orphans(leader: int) -> None:
    """Kill what is left of the group of a process that is gone, whose number nobody gets as long as there is one."""
    table = _table()
    if leader not in {one.pid for one in table}:
        _signal([(one.pid, one.began) for one in table if one.group == leader], signal.SIGKILL)


def descendants(*ancestors: int) -> list[int]:
    """Return the processes that these have started, and those that these have started, and so on."""
    children: dict[int, list[int]] = {}
    for one in _table():
        children.setdefault(one.parent, []).append(one.pid)
    found: list[int] = []
    waiting = list(ancestors)
    while waiting:
        new = [pid for pid in children.pop(waiting.pop(), ()) if pid not in found and pid not in ancestors]
        found += new
        waiting += new
    return found


def started(pids: Iterable[int]) -> list[Started]:
    """Return processes with the times when they began; those that have ended are left out."""
    times = {one.pid: one.began for one in _table()}
    return [(pid, times[pid]) for pid in pids if pid in times]


def _living(family: list[Started]) -> list[Started]:
    now = started(pid for pid, _ in family)
    return [one for one in family if one in now]


def _signal(family: Iterable[Started], number: int) -> None:
    for pid, _ in family:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _table() -> list[_Row]:
    """Return the processes that run."""
    if not Path("/proc/self/stat").exists():
        return _table_by_ps()
    table = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_text()
            except OSError:  # it has just ended
                continue
            fields = stat.rpartition(")")[2].split()  # the name before may hold anything
            if fields[0] not in "ZX":  # ended, but its parent has not asked how
                table.append(_Row(int(folder.name), int(fields[1]), int(fields[2]), fields[19]))
    return table


def _table_by_ps() -> list[_Row]:
    columns = ["ps", "-A", "-o", "pid=,ppid=,pgid=,state=,lstart="]
    said = subprocess.run(columns, capture_output=True, text=True, check=True).stdout
    rows = (line.split(maxsplit=4) for line in said.splitlines())
    return [
        _Row(int(pid), int(parent), int(group), began)
        for pid, parent, group, state, began in rows
        if not state.startswith("Z")
    ]


def end_with(parent: int) -> None:
    """End this process and its descendants when its parent is gone, however that died.

    A process learns that it has another parent as soon as its own has ended, on any system, from any thread that
    started it (Linux's own signal for it comes when the *thread* ends), and no process id can be mistaken for another.
    The thread that looks is waited for at the interpreter's end, so that it can do its work; SIGTERM must therefore not
    end the process at once, as it does without a handler (which is what uvicorn goes back to when it has stopped).
    """

    main, own = threading.main_thread(), os.getpid()

    def look() -> None:
        while main.is_alive() and os.getppid() == parent:
            time.sleep(0.2)
        if main.is_alive():
            family = started(descendants(own))
            os.kill(own, signal.SIGTERM)
            _see_out(family, PATIENCE_S / 2, first=0)  # Flower breaks off after 5 s, and this thread with it
            main.join(PATIENCE_S / 2)
            if main.is_alive():
                os.kill(own, signal.SIGKILL)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=look, name="parent").start()
