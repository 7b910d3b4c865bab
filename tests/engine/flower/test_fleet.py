"""A server and a device, as processes, over TLS with keys: who may join, a question, and an end without a trace."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="needs the extra flower")

from motet.engine.flower.control import App
from motet.engine.flower.keys import make_certificates, make_node_key
from motet.engine.flower.processes import descendants, free_port, started
from motet.engine.flower.superlink import SuperLink
from motet.engine.flower.supernode import SuperNode
from motet.errors import InputError, MotetError

APP = App("echoing:server", "echoing:client")
AHEAD = """
import datetime
import flwr.supercore.date as date
now = date.now
date.now = lambda: now() + datetime.timedelta(minutes=1)
"""
"""A device's clock, as Python's start-up hook."""


def see(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let Flower's processes import what is in a folder."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))


def test_a_question_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see(monkeypatch, Path(__file__).parent)
    others = descendants(os.getpid())  # of earlier tests, such as what looks after processes in a pool
    made = make_certificates(tmp_path / "keys")
    key = make_node_key(tmp_path / "keys", "first")
    with SuperLink(tmp_path / "server", port=free_port(), certificates=made) as link:
        link.control.register(key.public, "first")
        with SuperNode(tmp_path / "node", link.address, made.ca, key.private, {"name": 'the "1st"'}) as node:
            out = tmp_path / "answer.json"
            run = link.control.submit(APP, {"question": "Ça va?", "out": str(out)})
            until = time.monotonic() + 50
            while not (status := link.control.status(run)).over:
                assert time.monotonic() < until, (link.log_tail(), node.why())
                time.sleep(0.5)
            assert status.state == "finished:completed", (status.details, link.control.log(run))
            assert json.loads(out.read_text()) == {"name": 'the "1st"', "asked": "Ça va?"}
            family = [pid for pid in descendants(os.getpid()) if pid not in others]
            assert len(started(family)) >= 4  # two servers, and beside each one that starts apps
    assert not started(family)


@pytest.mark.slow
def test_who_may_not_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_certificates(tmp_path / "keys")
    other = make_certificates(tmp_path / "others")
    known, unknown = (make_node_key(tmp_path / "keys", name) for name in ("known", "unknown"))
    with SuperLink(tmp_path / "server", port=free_port(), certificates=made) as link:
        for _ in range(2):  # the second time changes nothing
            link.control.register(known.public, "known")
        with pytest.raises(InputError, match=r"does not know the key .*unknown\.key"):
            SuperNode(tmp_path / "a", link.address, made.ca, unknown.private).start()
        with pytest.raises(InputError, match="give this one its key"):
            SuperNode(tmp_path / "b", link.address, made.ca).start()
        with pytest.raises(InputError, match=r"no certificate for this address that .*others/ca\.crt has signed"):
            SuperNode(tmp_path / "c", link.address, other.ca, known.private).start()
        (tmp_path / "sitecustomize.py").write_text(AHEAD)
        see(monkeypatch, tmp_path)
        with pytest.raises(InputError, match="set this device's clock"):
            SuperNode(tmp_path / "d", link.address, made.ca, known.private).start()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(MotetError, match="nobody answers at 127"):
        SuperNode(tmp_path / "node", f"127.0.0.1:{free_port()}").start(within_s=2)
