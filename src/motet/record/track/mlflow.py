"""Runs in MLflow: on a server, or in an SQLite file."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from motet.record.result import Result, Round
from motet.record.track.figures import ENDED, WHOLE, of_result, of_round, settings
from motet.record.track.store import Place, Store

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it is looked at while MLflow is imported
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seconds for minutes, in which a run would wait
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

EXPERIMENT = "motet"
"""Where runs stand, unless the user has named another experiment in the way of MLflow ($MLFLOW_EXPERIMENT_NAME)."""
KEY = "motet.key"
MOST = 100
"""Settings that MLflow takes at once."""


class MLflow(Store):
    """A run of an experiment (see `Store`).

    Each call is one transaction, so that MLflow has a round whole or not at all.
    """

    def __init__(self, place: Place, config: Mapping[str, Any]) -> None:
        self._client = _client(place.path)
        experiment = _experiment(self._client)
        found = self._client.search_runs([experiment], f"tags.`{KEY}` = '{place.key}'")
        run = found[0] if found else self._client.create_run(experiment, run_name=place.title, tags={KEY: place.key})
        self._run: str = run.info.run_id
        self._client.update_run(self._run, status="RUNNING")
        params = [Param(key, value) for key, value in settings(config).items()]
        for first in range(0, len(params), MOST):
            self._client.log_batch(self._run, params=params[first : first + MOST])  # the same again is no change
        self.last = max((metric.step for metric in self._client.get_metric_history(self._run, WHOLE)), default=0)
        self._status = "KILLED"

    @staticmethod
    def check(path: str | None) -> None:
        """Make the database and the experiment."""
        _experiment(_client(path))

    @staticmethod
    def begin(place: Place) -> str:
        """Return a mark by which the run is found again; MLflow names runs itself, and hears of it later."""
        return uuid4().hex

    def round(self, line: Round) -> None:
        """Send a round."""
        self._send(of_round(line), line.round)
        self.last = line.round

    def finish(self, result: Result) -> None:
        """Send what the run ends with."""
        if ENDED not in self._client.get_run(self._run).data.metrics:
            self._send(of_result(result), self.last)
        self._status = "FINISHED"

    def close(self) -> None:
        """Say how the run has ended."""
        self._client.set_terminated(self._run, self._status)

    def _send(self, figures: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(self._run, [Metric(name, value, now, step) for name, value in figures.items()])


def _client(path: str | None) -> Any:
    """Return what talks to a server, by its address, or to the database in a file; else to MLflow's own choice."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # a new database is no news
    if path is None or "://" in path:
        return MlflowClient(path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(f"sqlite:///{path}")


def _experiment(client: Any) -> str:
    """Return the experiment's id; it is made if there is none."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    found = client.get_experiment_by_name(name)
    made: str = client.create_experiment(name) if found is None else found.experiment_id
    return made


TOOL = MLflow
