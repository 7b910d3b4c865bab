"""Apple's pfl: FederatedAveraging on the simulated backend, PyTorch models.

    python benchmarks/rivals/pfl_research.py --clients 30 --samples 20

With --processes 2 the cohort is shared among processes that pfl joins by torch.distributed, each with its share of the
threads.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version

import torch
import work
from torch import Tensor
from torch.nn import functional as F

RANK, ADDRESSES = "PFL_WORKER_RANK", "PFL_WORKER_ADDRESSES"


class Network(work.Network):
    """The network with the two methods that pfl calls."""

    def loss(self, acc: Tensor, gyro: Tensor, labels: Tensor) -> Tensor:
        """Return what a step minimises."""
        return F.cross_entropy(self(acc, gyro), labels)

    def metrics(self, acc: Tensor, gyro: Tensor, labels: Tensor) -> dict[str, object]:
        """Return a mean; pfl asks for it in iteration 0 and no more."""
        from pfl.metrics import Weighted

        with torch.no_grad():
            return {"loss": Weighted(float(self.loss(acc, gyro, labels)) * len(labels), len(labels))}


def train(options: argparse.Namespace, rounds: int) -> tuple[list[float], work.State]:
    """Train; return the ends of rounds and the global model."""
    # pfl joins its processes when it is imported, so this is late.
    from pfl.aggregate.simulate import SimulatedBackend
    from pfl.algorithm.base import NNAlgorithmParams
    from pfl.algorithm.federated_averaging import FederatedAveraging
    from pfl.callback.base import TrainingProcessCallback
    from pfl.data.federated_dataset import FederatedDataset
    from pfl.data.pytorch import PyTorchTensorDataset
    from pfl.data.sampling import get_user_sampler
    from pfl.hyperparam import NNEvalHyperParams, NNTrainHyperParams
    from pfl.metrics import Metrics
    from pfl.model.pytorch import PyTorchModel

    stamps: list[float] = []

    class Stamp(TrainingProcessCallback):
        def after_central_iteration(self, *_: object, **__: object) -> tuple[bool, Metrics]:
            stamps.append(time.perf_counter())
            return False, Metrics()

    network = Network()
    network.load_state_dict(work.initial_network().state_dict())
    model = PyTorchModel(
        network,
        local_optimizer_create=torch.optim.SGD,
        central_optimizer=torch.optim.SGD(network.parameters(), lr=1.0),
    )
    numbers = range(options.clients)
    data = [PyTorchTensorDataset(work.client(k, options.samples), user_id=str(k)) for k in numbers]
    # In turn, so that a cohort of K holds every client once. Every user weighs 1 where no weighting is named.
    clients = FederatedDataset(data.__getitem__, get_user_sampler("minimize_reuse", list(numbers)))
    FederatedAveraging().run(
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=rounds,
            evaluation_frequency=rounds + 1,
            train_cohort_size=options.clients,
            val_cohort_size=0,
        ),
        backend=SimulatedBackend(training_data=clients, val_data=clients),
        model=model,
        model_train_params=NNTrainHyperParams(
            local_num_epochs=1, local_learning_rate=work.LR, local_batch_size=options.samples
        ),
        model_eval_params=NNEvalHyperParams(local_batch_size=options.samples),
        callbacks=[Stamp()],
        send_metrics_to_platform=False,
    )
    return stamps, model.pytorch_model.state_dict()


def launch(processes: int) -> int:
    """Start this script once for each rank; return the first exit code that is not 0."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, ADDRESSES: ",".join(f"localhost:{port + k}" for k in range(processes))}
    # Only the first address is listened on.
    children = [
        subprocess.Popen([sys.executable, *sys.argv], env={**environment, RANK: str(rank)}) for rank in range(processes)
    ]
    try:
        while True:
            codes = [child.poll() for child in children]
            if any(codes) or None not in codes:
                return next((code for code in codes if code), 0)
            time.sleep(0.05)
    finally:
        for child in children:
            child.terminate()
            child.wait()


def main() -> int:
    """Run; print a line of results."""
    parser = work.parser(__doc__)
    parser.add_argument("--processes", type=int, default=2, help="processes to share the cohort and the threads")
    options = parser.parse_args()
    if options.clients % options.processes:
        # pfl deals users out in turn; one that is left over would put the processes out of step from then on.
        parser.error(f"--clients has to be a multiple of --processes, {options.processes}")
    if options.processes > 1 and RANK not in os.environ:
        return launch(options.processes)
    os.environ.setdefault("PFL_PYTORCH_DEVICE", "cpu")
    torch.set_num_threads(max(1, options.threads // options.processes))
    stamps, model = train(options, work.CHECKED_ROUNDS if options.check else options.rounds + 1)
    if os.environ.get(RANK, "0") != "0":
        return 0
    if options.check:
        return work.check("pfl", options, model)
    work.report("pfl", version("pfl"), options, stamps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
