"""Flower's server: carries out the run in the folder that its configuration names."""

from __future__ import annotations

import logging
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Carry out a run, or go on with it."""
    from motet.engine.flower.deployment import carry_out
    from motet.engine.flower.logs import log_to
    from motet.engine.flower.mail import Mail

    folder = Path(str(context.run_config["folder"]))
    log_to(folder / "server.log")
    try:
        carry_out(Mail(grid), folder)
    except Exception:
        logging.getLogger("motet").exception("the run has stopped")
        raise
