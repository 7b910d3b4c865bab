"""The guide of a fleet (docs/fleet.md), carried out as it is printed, on machines of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'flower' is not installed")

from machines import Machine, machines, why_not

ROOT = Path(__file__).resolve().parents[3]
UNITS = sorted((ROOT / "examples" / "fleet").glob("*.service"))
HOST = "fleet.example.org"
NOT_CARRIED_OUT = {
    "git clone": "this checkout is used",
    "systemctl": "there is no systemd in a network namespace; the units' commands are run",
    "podman": "an image is downloaded",
}


class Guide:
    """The commands of the guide; each begins with a line that says where it is typed."""

    def __init__(self) -> None:
        found = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "fleet.md").read_text(), re.DOTALL)
        self.waiting = [block for block in found if not any(word in block for word in NOT_CARRIED_OUT)]

    def take(self, where: str, words: str) -> str:
        """Return the first command that has not been taken yet of those typed somewhere, with these words."""
        for block in self.waiting:
            if block.startswith(f"# {where}\n") and words in block:
                self.waiting.remove(block)
                return block
        raise AssertionError(f"the guide has no (other) command {where} with {words!r}")


def listening(machine: Machine) -> set[str]:
    """Return at which addresses a machine listens, as the kernel writes them."""
    rows = machine.run("cat /proc/net/tcp /proc/net/tcp6").splitlines()
    return {fields[1] for row in rows if (fields := row.split())[3] == "0A"}


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def rounds(folder: Path) -> list[int]:
    """Return the rounds that a run has done."""
    return [json.loads(line)["round"] for line in (folder / "history.jsonl").read_text().splitlines()]


def run_of(unit: str) -> str:
    """Return what a unit starts."""
    (command,) = re.findall(r"^ExecStart=(.*)$", (ROOT / "examples" / "fleet" / unit).read_text(), re.MULTILINE)
    return str(command).replace("/opt/motet/bin/", "")


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_guide_as_it_is_printed(tmp_path: Path) -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    guide = Guide()
    with machines(tmp_path, "server", HOST, ["kitchen", "garden", "cellar"]) as every:
        server, kitchen, garden, cellar = every.values()
        for machine in every.values():
            (machine.home / "motet").symlink_to(ROOT)
        for machine in (server, kitchen, garden):
            where = "on the server" if machine is server else f"on {machine.name}"
            machine.run(guide.take(where, "own_archive.py"))
        server.run(guide.take("on the server", "--node kitchen --node garden"))
        for path in (
            server.home / "keys" / "ca.key",
            server.home / "keys" / "server.key",
            kitchen.home / "kitchen.key",
        ):
            assert mode(path) == 0o600
        assert not (kitchen.home / "garden.key").exists()

        # nodes first, then the server, which is killed, and goes on
        at_work = {
            machine.name: machine.start(guide.take(f"on {machine.name}", "motet join")) for machine in (kitchen, garden)
        }
        assert guide_join(kitchen) == run_of("motet-join.service")
        at_work["kitchen"].wait_for(f"looks for the server at {HOST}:8000")
        first = server.home / "runs" / "first"
        serving = server.start(guide.take("on the server", "motet serve"))
        serving.wait_for("round 1 of 4", 400)
        server.run(guide.take("on the server", "--node cellar"))
        at_work["cellar"] = cellar.start(guide.take("on cellar", "motet join"))
        said = kitchen.run(guide.take("on kitchen", "curl"))
        assert said == "this is answered to the server's own machine alone"
        assert listening(server) == {"00000000:1F40"}
        assert all(address.startswith("0100007F:") for address in listening(kitchen))
        serving.wait_for("round 2 of 4")
        serving.signal(signal.SIGKILL)
        assert serving.end() == -signal.SIGKILL
        resumed = server.start(guide.take("on the server", "motet resume"))
        assert resumed.end(400) == 0, resumed.said
        assert rounds(first) == [1, 2, 3, 4]
        found = json.loads((first / "result.json").read_text())
        assert found["data"]["owners"] == {"acc": 5, "gyro": 5, "heart": 3}
        assert found["data"]["nodes"] == {"garden": [0, 1], "kitchen": [2, 3, 4]}
        assert "cellar may join" in (first / "serve.log").read_text()
        print(cost(kitchen, first))

        # the next run, as a service: the nodes have stayed, and the one that came later takes part
        service = run_of("motet-serve.service").replace("--rounds 50", "--rounds 3")
        serving = server.start(service)
        serving.wait_for("round 1 of 3", 400)
        serving.signal(signal.SIGTERM)
        assert serving.end() == 3, serving.said
        assert "go on with `motet resume run`" in serving.said
        server.run(service, 400)
        assert rounds(server.home / "run") == [1, 2, 3]
        found = json.loads((server.home / "run" / "result.json").read_text())
        assert set(found["data"]["nodes"]) == {"cellar", "garden", "kitchen"}
        assert "finished already" in server.run(service)

        # a new certificate of the same authority, and one archive for all
        for running in at_work.values():
            running.signal(signal.SIGINT)
        for running in at_work.values():
            assert running.end() == 3, running.said
        if shutil.which("openssl"):
            assert "notAfter" in server.run(guide.take("on the server", "openssl"))
        else:
            guide.take("on the server", "openssl")
        server.run(guide.take("on the server", "rm keys/server.crt"))
        for machine in (kitchen, garden):
            machine.start(guide.take(f"on {machine.name}", "--share"))
        server.run(guide.take("on the server", "--data wearables"), 400)
        found = json.loads((server.home / "runs" / "shared" / "result.json").read_text())
        assert found["data"]["nodes"] == {"garden": [2, 3], "kitchen": [0, 1]}

        server.run(guide.take("on any machine", "motet fleet"), 400)
        assert rounds(server.home / "runs" / "trial") == [1, 2, 3]
    assert not guide.waiting


def guide_join(machine: Machine) -> str:
    """Return the command that the guide has for a node's archive of its own."""
    text = (ROOT / "docs" / "fleet.md").read_text()
    return re.findall(rf"# on {machine.name}\n(motet join .*)\n", text)[0]


def cost(node: Machine, run: Path) -> str:
    """Return how many bytes a node's cable carried, beside those that the run counted for it."""
    up, down = (int(node.run(f"cat /sys/class/net/eth0/statistics/{way}_bytes")) for way in ("tx", "rx"))
    counted = json.loads((run / "fleet.json").read_text())["nodes"][node.name]
    return (
        f"{node.name}: cable {up} up, {down} down; since the last start counted {counted['up']} and {counted['down']}"
    )


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_are_what_systemd_takes(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/motet/bin/motet", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
