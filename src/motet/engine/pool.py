"""Several runs side by side, each in a process of its own, so that a comparison uses all cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TypeVar

from motet.config import Config
from motet.engine.interrupt import Stop, stop_on_signal
from motet.engine.watch import Watch
from motet.errors import MotetError

Job = tuple[Config, Path]
R = TypeVar("R")
CarryOut = Callable[[Config, Path, Watch], R]
News = tuple[int, str, int, float | None]


def run_all(jobs: list[Job], watch: Watch, carry_out: CarryOut[R]) -> list[R]:
    """Carry out runs, or go on with those that have begun; one thread each unless the configuration says more.

    Parameters
    ----------
    jobs : list of (Config, Path)
    watch : Watch
        Hears of the rounds of all runs together.
    carry_out : function of (Config, Path, Watch)
        What a process does with a job, such as `motet.engine.runs.carry_out`; it is passed to the process.

    Returns
    -------
    list
        What it returns, in the order of the jobs.

    Raises
    ------
    MotetError
        The first failure; the other runs are stopped after a checkpoint.
    """
    jobs = [(config.but(threads=config.run.threads or 1), folder) for config, folder in jobs]
    workers = max(1, (os.cpu_count() or 1) // (jobs[0][0].run.threads or 1))
    context = multiprocessing.get_context("spawn")
    news: SimpleQueue[News] = context.SimpleQueue()
    stop = context.Event()
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _begin, (news, stop, os.getpid()))
    try:
        with watch.run("comparing", sum(config.training.rounds for config, _ in jobs), 0), stop_on_signal() as wish:
            with _ctrl_c_held_back():
                futures = [
                    pool.submit(_work, carry_out, number, config, folder)
                    for number, (config, folder) in enumerate(jobs)
                ]
            _follow(futures, news, watch, wish)
        return [future.result() for future in futures]
    except BaseException as error:
        stop.set()
        if isinstance(error, BrokenProcessPool):
            raise MotetError("a run's process was killed (is the memory full?): go on with `motet resume`") from None
        raise
    finally:
        _let_go(pool)


def _let_go(pool: ProcessPoolExecutor) -> None:
    """Wait until all workers are done, or have stopped after a checkpoint; a second Ctrl-C does not wait."""
    try:
        pool.shutdown(cancel_futures=True)
    except KeyboardInterrupt:
        for worker in multiprocessing.active_children():
            worker.kill()
        raise


def _follow(futures: list[Future[R]], news: SimpleQueue[News], watch: Watch, wish: Stop) -> None:
    """Pass news on until all is done, something fails, or the user stops it."""
    done: dict[int, int] = {}
    waiting = set(futures)
    while waiting:
        finished, waiting = wait(waiting, timeout=0.1)
        while not news.empty():
            number, title, rounds, accuracy = news.get()
            done[number] = rounds
            watch.round(sum(done.values()), accuracy, title)
        for future in finished:
            future.result()
        wish.check()


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Keep Ctrl-C waiting; processes made meanwhile never hear it, as it is this one's business."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Reporter(Watch):
    """Sends progress to the process that shows it."""

    def __init__(self, number: int, title: str) -> None:
        self.number, self.title = number, title

    def round(self, number: int, accuracy: float | None, title: str = "") -> None:
        _NEWS.put((self.number, self.title, number, accuracy))


_NEWS: SimpleQueue[News]
_AT_WORK = threading.Lock()


def _begin(news: SimpleQueue[News], stop: Event, parent: int) -> None:
    """Set a worker up: when the parent wants to stop, or is gone, its run stops after a checkpoint and it ends."""
    global _NEWS
    _NEWS = news

    def unwanted() -> bool:
        return stop.is_set() or os.getppid() != parent

    def end() -> None:
        while not unwanted():
            time.sleep(0.2)
        with _AT_WORK:
            os._exit(1)

    Stop.elsewhere = unwanted
    threading.Thread(target=end, daemon=True).start()


def _work(carry_out: CarryOut[R], number: int, config: Config, folder: Path) -> R:
    with _AT_WORK:
        Stop().check()
        return carry_out(config, folder, _Reporter(number, f"{config.recipe.recipe} (seed {config.run.seed})"))
