"""Flower's simulation, the Message API: a ClientApp on Ray actors, FedAvg in the ServerApp.

python benchmarks/rivals/flower_simulation.py --clients 30 --samples 20
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from importlib.metadata import version

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default, which on a machine that is not idle starves actors

import torch
import work
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

app = ClientApp()


@functools.cache
def everything(clients: int, samples: int) -> tuple[work.Network, list[work.Client]]:
    """Return a network and all clients' data, made once in a process.

    A client may come to another actor in every round, so data that were made one client at a time would still be being
    made in rounds that are timed.
    """
    torch.set_num_threads(1)  # actors share the cores among themselves
    return work.Network(), [work.client(number, samples) for number in range(clients)]


@app.train()
def train(message: Message, context: Context) -> Message:
    """Take a client's step from the global model."""
    samples = int(message.content["config"]["samples"])
    network, data = everything(int(context.node_config["num-partitions"]), samples)
    network.load_state_dict(message.content["arrays"].to_torch_state_dict())
    work.step(network, data[int(context.node_config["partition-id"])])
    arrays, metrics = ArrayRecord(network.state_dict()), MetricRecord({"num-examples": samples})
    return Message(content=RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


def main() -> int:
    """Run; print a line of results."""
    parser = work.parser(__doc__)
    parser.add_argument("--client-cpus", type=float, default=1.0, help="cores of an actor; 0.5 makes two on each core")
    options = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    rounds = work.CHECKED_ROUNDS if options.check else options.rounds + 1
    stamps: list[float] = []
    arrays: list[ArrayRecord] = []

    def stamp(after_round: int, _: ArrayRecord) -> None:
        """Note the end of a round: the strategy calls its evaluation last. The call before the first is not one."""
        if after_round > 0:
            stamps.append(time.perf_counter())

    server = ServerApp()

    @server.main()
    def serve(grid: Grid, context: Context) -> None:
        strategy = FedAvg(
            fraction_train=1.0,
            fraction_evaluate=0.0,
            min_train_nodes=options.clients,
            min_available_nodes=options.clients,
        )
        result = strategy.start(
            grid=grid,
            initial_arrays=ArrayRecord(work.initial_network().state_dict()),
            num_rounds=rounds,
            train_config=ConfigRecord({"samples": options.samples}),
            evaluate_fn=stamp,
        )
        arrays.append(result.arrays)

    run_simulation(
        server_app=server,
        client_app=app,
        num_supernodes=options.clients,
        backend_config={
            "init_args": {"num_cpus": options.threads, "num_gpus": 0},
            "client_resources": {"num_cpus": options.client_cpus, "num_gpus": 0.0},
        },
    )
    if len(stamps) != rounds or not arrays:
        raise SystemExit(f"the simulation ended after {len(stamps)} of {rounds} rounds")
    if options.check:
        return work.check("flower", options, arrays[0].to_torch_state_dict())
    work.report("flower", version("flwr"), options, stamps)
    return 0


if __name__ == "__main__":
    # By its name, not as __main__: Ray then sends the functions as references, and what they cache stays in the actor.
    import flower_simulation

    sys.exit(flower_simulation.main())
