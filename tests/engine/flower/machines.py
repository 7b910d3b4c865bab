"""Machines on a network of their own, within this one: network namespaces with a cable from each node to the server.

Nobody outside sees them, they see nothing outside, and all that runs on them ends with whoever made them.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import motet

SERVER = "10.20.0.1"
TOOLS = ("unshare", "nsenter", "ip", "mount")
ISOLATED = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

SCP = """#!/bin/sh
# as ssh's: the last argument is machine:path, and a private file stays private
for last; do :; done
machine=${last%%:*}
while [ $# -gt 1 ]; do cp "$1" "$MACHINES/$machine/${last#*:}"; shift; done
"""


@dataclass
class Running:
    """A command that goes on."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """Return what it has said."""
        return self.log.read_text(errors="replace")

    def wait_for(self, words: str, within_s: float = 120) -> None:
        """Wait until it has said some words."""
        until = time.monotonic() + within_s
        while words not in self.said:
            assert self.process.poll() is None, f"it has ended, and said:\n{self.said}"
            assert time.monotonic() < until, f"it has not said {words!r}, but:\n{self.said}"
            time.sleep(0.2)

    def signal(self, number: int) -> None:
        """Send a signal to it, as a terminal does: to all processes of its group, but to what brought it in there."""
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and int(folder.name) != self.process.pid:
                try:
                    group = (folder / "stat").read_text().rpartition(")")[2].split()[2]
                except OSError:  # it has just ended
                    continue
                if int(group) == self.process.pid:
                    os.kill(int(folder.name), number)

    def end(self, within_s: float = 120) -> int:
        """Wait until it has ended, and return its status."""
        return self.process.wait(within_s)


@dataclass
class Machine:
    """A machine: a home, and a network.

    Attributes
    ----------
    name : str
    home : Path
        Where commands run.
    holder : int
        The process whose namespaces these are.
    environment : dict
    """

    name: str
    home: Path
    holder: int
    environment: dict[str, str]
    started: list[Running] = field(default_factory=list)

    def start(self, script: str) -> Running:
        """Start a command."""
        log = self.home.parent / f"{self.name}-{len(self.started)}.log"
        inside = ["--net", "--mount", "--pid", *(["--user", "--preserve-credentials"] if os.geteuid() else [])]
        command = ["nsenter", "--target", str(self.holder), *inside, "--wd=" + str(self.home)]
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [*command, "ip", "netns", "exec", self.name, "bash", "-euo", "pipefail", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
                process_group=0,
            )
        self.started.append(Running(process, log))
        return self.started[-1]

    def run(self, script: str, within_s: float = 120, status: int = 0) -> str:
        """Run a command to its end, and return what it said."""
        running = self.start(script)
        found = running.end(within_s)
        assert found == status, f"{self.name}: status {found} of\n{script}\nwhich said:\n{running.said}"
        return running.said


def why_not() -> str | None:
    """Return why there can be none here; None where there can."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    tried = subprocess.run(
        ["unshare", *_user(), *ISOLATED, "sh", "-ec", "mount -t tmpfs none /run; mkdir /run/netns; ip netns add one"],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if tried.returncode == 0 else f"network namespaces cannot be made here ({tried.stderr.strip()})"


@contextmanager
def machines(folder: Path, server: str, host: str, nodes: Sequence[str]) -> Iterator[dict[str, Machine]]:
    """Make a server that nodes reach by the name `host`, and nodes that reach nobody else."""
    setup, names = folder / "setup.sh", (server, *nodes)
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{SERVER} {host}\n")
    setup.write_text(_setup(folder / "hosts", server, nodes))
    tools = folder / "tools"
    tools.mkdir()
    _script(tools / "motet", f'#!/bin/sh\nexec {sys.executable} -P -m motet "$@"\n')
    _script(tools / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    _script(tools / "scp", SCP)
    environment = {
        "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
        "PYTHONPATH": str(Path(motet.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MACHINES": str(folder),
        "COLUMNS": "100",
        "LANG": "C.UTF-8",
    }
    holder = subprocess.Popen(
        ["unshare", *_user(), *ISOLATED, "sh", "-e", setup], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        (inside,) = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        for name in names:
            (folder / name).mkdir()
        yield {
            name: Machine(name, folder / name, int(inside), {**environment, "HOME": str(folder / name)})
            for name in names
        }
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()


def _user() -> list[str]:
    return ["--map-root-user"] if os.geteuid() else []


def _setup(hosts: Path, server: str, nodes: Sequence[str]) -> str:
    lines = ["mount -t tmpfs none /run", "mkdir /run/netns", f"mount --bind {hosts} /etc/hosts"]
    for name in (server, *nodes):
        lines += [f"ip netns add {name}", f"ip -n {name} link set lo up"]
    lines.append(f"ip -n {server} address add {SERVER}/32 dev lo")
    for number, name in enumerate(nodes, start=1):
        lines += [
            f"ip link add cable{number} netns {server} type veth peer name eth0 netns {name}",
            f"ip -n {server} address add 10.20.{number}.1/24 dev cable{number}",
            f"ip -n {server} link set cable{number} up",
            f"ip -n {name} address add 10.20.{number}.2/24 dev eth0",
            f"ip -n {name} link set eth0 up",
            f"ip -n {name} route add default via 10.20.{number}.1",
        ]
    return "\n".join([*lines, "echo ready", "exec cat", ""])


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
