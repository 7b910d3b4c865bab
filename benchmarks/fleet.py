"""What a round costs before anybody learns anything: Flower's own, with nodes that send back as many bytes as they got.

One SuperLink and some SuperNodes on this machine, over TLS, nodes with keys. In a round the ServerApp pushes a message
to each node and asks for the replies every 0.1 s. Each reply says when its process began and when its handler was
called, so that a round can be taken apart; processes on one machine share a clock.

With --motet, rounds of `motet fleet` come between two halves of Flower's own, with as many bytes: what they take more,
less the training, is Motet's.

    python benchmarks/fleet.py
    python benchmarks/fleet.py --motet
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from motet.record.files import write_atomic

ASK_S = 0.1
IDLE_S = 20.0
STATUS_S = 300.0
TICKS = os.sysconf("SC_CLK_TCK")
PARTS = ("pushed", "until its process began", "until its handler was called", "until its reply was there")

client = ClientApp()
server = ServerApp()


@client.query()
def answer(message: Message, context: Context) -> Message:
    """Send back as many bytes, and when this process began."""
    called = time.time()
    sent = next(iter(message.content["arrays"].values())).numpy()
    arrays = ArrayRecord([np.frombuffer(os.urandom(sent.size), np.uint8)])
    times = ConfigRecord({"began": _began(), "called": called})
    return Message(RecordDict({"arrays": arrays, "times": times}), reply_to=message)


def _began() -> float:
    """Return when this process was started, to 10 ms."""
    since_boot = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / TICKS
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


@server.main()
def rounds(grid: Grid, context: Context) -> None:
    """Run rounds, and write down their times."""
    config = context.run_config
    while len(nodes := list(grid.get_node_ids())) < int(config["nodes"]):
        time.sleep(0.2)
    found = [_round(grid, nodes, int(config["bytes"]), number) for number in range(int(config["rounds"]) + 1)]
    write_atomic(Path(str(config["out"])), json.dumps(found))


def _round(grid: Grid, nodes: list[int], size: int, number: int) -> dict[str, Any]:
    messages = [
        Message(
            RecordDict({"arrays": ArrayRecord([np.frombuffer(os.urandom(size), np.uint8)])}),
            node,
            "query",
            group_id=str(number),
        )
        for node in nodes
    ]
    began = time.time()
    missing = set(grid.push_messages(messages))
    pushed = time.time()
    parts = []
    while missing:
        for reply in grid.pull_messages(missing):
            if reply.has_error():
                raise RuntimeError(f"a node did not answer: {reply.error.reason}")
            missing.remove(reply.metadata.reply_to_message_id)
            times = reply.content["times"]
            stamps = [began, pushed, times["began"], times["called"], time.time()]
            parts.append([late - early for early, late in itertools.pairwise(stamps)])
        time.sleep(ASK_S if missing else 0)
    return {"seconds": time.time() - began, "parts": parts}


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--bytes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20, help="after the first, which is not counted")
    parser.add_argument("--poll", type=float, nargs="+", default=[1.0, 0.25, 0.05], help="seconds between looks")
    parser.add_argument("--motet", action="store_true", help="rounds of Motet's between two halves of Flower's own")
    options = parser.parse_args()
    print(f"flwr {version('flwr')}, python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    print(f"{options.nodes} nodes over TLS with keys, {options.bytes:,} bytes each way, {options.rounds} rounds")
    if options.motet:
        compare(options)
        return
    for poll_s in options.poll:
        show(poll_s, *measure(options, poll_s))


def compare(options: argparse.Namespace) -> None:
    """Print Flower's own rounds beside Motet's: half of the former before, and half after."""
    from motet.engine.flower.superlink import POLL_S

    rounds = options.rounds
    options.rounds = rounds // 2
    before, _ = measure(options, POLL_S)
    own, training, counted = motet_rounds(options.nodes, rounds)
    after, _ = measure(options, POLL_S)
    empty = [one["seconds"] for one in before + after]
    beside = [seconds - trained for seconds, trained in zip(own, training, strict=True)]
    print(f"Flower's own round, {len(before)} before and {len(after)} after: {spread(empty)} s")
    print(f"Motet's round: {spread(own)} s, of which the slowest node trains {spread(training)} s")
    print(f"Motet's round without training: {spread(beside)} s")
    print(f"medians: {statistics.median(beside) - statistics.median(empty):+.2f} s beside Flower's own")
    print(counted, f"\nload of the machine: {os.getloadavg()[0]:.1f}", flush=True)


def motet_rounds(nodes: int, rounds: int) -> tuple[list[float], list[float], str]:
    """Return the seconds of each round after the first, those of its slowest training, and what was sent."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        settings = ["--data", "wearables", "--clients", str(nodes), "--recipe", "fedavg", "--rounds", str(rounds + 1)]
        settings += ["--buffer", "100", "--arrivals", "10", "--threads", "1", "--engine", "loop"]
        command = [sys.executable, "-m", "motet", "fleet", "--nodes", str(nodes), *settings]
        subprocess.run([*command, "--out", str(folder), "--quiet"], check=True)
        ends = re.findall(r"^\S+ (\S+) INFO +round \d+ of", (folder / "server.log").read_text(), re.MULTILINE)
        times = [_seconds(end) for end in ends]
        logs = [path.read_text() for path in folder.glob("nodes/*/node.log")]
        trained = [[float(took) for took in re.findall(r"round \d+: .* clients?, (\S+) s,", log)] for log in logs]
        result = json.loads((folder / "result.json").read_text())["bytes"]
        with sqlite3.connect(folder / "flower" / "state.db") as state:
            up, down = state.execute("select sum(bytes_recv), sum(bytes_sent) from run").fetchone()
        each = [size / (rounds + 1) for size in (result["up"], result["down"], up, down)]
        said = "a round's messages: {:,.0f} bytes up, {:,.0f} down; as Flower counts: {:,.0f} up, {:,.0f} down"
        own = [(late - early) % 86400 for early, late in itertools.pairwise(times)]
        return own, [max(each) for each in zip(*trained, strict=True)][1:], said.format(*each)


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def measure(options: argparse.Namespace, poll_s: float) -> tuple[list[dict[str, Any]], float]:
    """Return the rounds of one setting after the first, and the cores that idle processes use."""
    from motet.engine.flower.control import App
    from motet.engine.flower.keys import make_certificates, make_node_key
    from motet.engine.flower.processes import descendants, free_port
    from motet.engine.flower.superlink import SuperLink
    from motet.engine.flower.supernode import SuperNode

    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        made = make_certificates(folder / "keys")
        link = stack.enter_context(SuperLink(folder / "server", port=free_port(), certificates=made, poll_s=poll_s))
        for number in range(options.nodes):
            key = make_node_key(folder / "keys", f"node{number}")
            link.control.register(key.public, f"node{number}")
            node = SuperNode(folder / f"node{number}", link.address, made.ca, key.private, poll_s=poll_s)
            stack.enter_context(node)
        idle = cores_used(descendants(os.getpid()))
        config = {"nodes": options.nodes, "bytes": options.bytes, "rounds": options.rounds, "out": str(folder / "out")}
        run = link.control.submit(App("fleet:server", "fleet:client"), config)
        asked = time.monotonic()
        while not (folder / "out").exists():
            time.sleep(1)
            if time.monotonic() - asked > STATUS_S and (status := link.control.status(run)).over:  # which costs much
                raise SystemExit(f"the run ended as {status.state}: {status.details}\n{link.control.log(run)}")
        return json.loads((folder / "out").read_text())[1:], idle


def cores_used(pids: list[int]) -> float:
    """Return how many cores these processes keep busy while there is nothing to do."""
    before = sum(map(_cpu, pids))
    time.sleep(IDLE_S)
    return (sum(map(_cpu, pids)) - before) / IDLE_S


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def spread(values: list[float]) -> str:
    """Return the median, the quartiles and the range of some figures."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:5.2f}  quartiles {low:.2f} and {high:.2f}, range {min(values):.2f} to {max(values):.2f}"


def show(poll_s: float, found: list[dict[str, Any]], idle: float) -> None:
    """Print medians and ranges."""
    print(f"looks for work every {poll_s:g} s: seconds per round {spread([one['seconds'] for one in found])}")
    for number, part in enumerate(PARTS):
        print(f"  {part:29} {spread([node[number] for one in found for node in one['parts']])}")
    print(
        f"  idle, all processes together, cores: {idle:.2f}; load of the machine: {os.getloadavg()[0]:.1f}", flush=True
    )


if __name__ == "__main__":
    main()
