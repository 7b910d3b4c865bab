"""``python -m motet.engine.flower.child ROLE PARENT ...``: a process that `processes.Process` has started."""

from __future__ import annotations

import runpy
import sys

from motet.engine.flower.processes import end_with


def superlink() -> None:
    """Run a SuperLink behind the guard: Flower imports what makes its application only when it is about to serve it."""
    from flwr.superlink import main as made_by
    from flwr.superlink.cli import flower_superlink

    from motet.engine.flower.guard import guarded

    made_by.create_app = guarded(made_by.create_app)
    flower_superlink()


def supernode() -> None:
    """Run a SuperNode."""
    from flwr.supernode.cli import flower_supernode

    flower_supernode()


def motet() -> None:
    """Run a command of Motet's, as it is typed: what engines may not import they may start."""
    runpy.run_module("motet", run_name="__main__")


ROLES = {"superlink": superlink, "supernode": supernode, "motet": motet}

if __name__ == "__main__":
    role, parent, *arguments = sys.argv[1:]
    end_with(int(parent))
    sys.argv = [role, *arguments]
    ROLES[role]()
