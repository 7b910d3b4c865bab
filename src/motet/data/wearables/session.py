"""What the sensors of a simulated person record during one session."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from motet.data.wearables.motion import TABLES, TIME, simulate
from motet.data.wearables.person import Person, habits
from motet.data.wearables.schedule import WINDOWS, schedule
from motet.random import generator

INTERVAL = 10.0  # seconds from one window to the next: the device sleeps in between to spare its battery
LAG = 20.0  # seconds in which the heart comes two thirds of the way to a new rate
ACC_NOISE = 0.012  # g
GYRO_NOISE = 0.03  # rad/s
KEPT = 512  # sessions, about 40 MB

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@lru_cache(maxsize=KEPT)
def session(seed: int, number: int, index: int, names: tuple[str, ...]) -> dict[str, Floats]:
    """The windows of one session, a pure function of the arguments.

    Parameters
    ----------
    seed : int
    number, index : int
        Numbers of the person and of the session.
    names : tuple of {"acc", "gyro", "heart"}
        What to generate; the values of one modality do not depend on which others are asked for.

    Returns
    -------
    dict of str to float32 (WINDOWS, channels, LENGTH), read-only
        In g, rad/s and beats a minute.
    """
    who = habits(seed, number)
    activity, start = (drawn[0, 0] for drawn in schedule(seed, np.array([number]), 1, index))
    random = {name: generator(seed, f"wearables {name}", round=index, client=number) for name in (*names, "motion")}
    signals: dict[str, Floats] = {}
    if "acc" in names or "gyro" in names:
        motion = simulate(who, activity, start, random["motion"])
    for name in names:
        if name == "acc":
            signals[name] = _record(motion.force, who.mounting, who.acc_bias, ACC_NOISE, random[name])
        elif name == "gyro":
            signals[name] = _record(motion.rate, who.mounting, who.gyro_bias, GYRO_NOISE, random[name])
        else:
            signals[name] = _heart(who, activity, start, random[name])
        signals[name].flags.writeable = False
    return signals


def _record(body: Floats, mounting: Floats, bias: Floats, noise: float, random: np.random.Generator) -> Floats:
    """Turn a movement in the axes of the body into what the mounted sensor records."""
    recorded: Floats = np.matmul(mounting, body) + bias[:, None]
    return recorded + np.float32(noise) * random.standard_normal(body.shape, dtype=np.float32)


def _heart(who: Person, activity: Integers, start: Integers, random: np.random.Generator) -> Floats:
    """Heart rate, which follows effort with a lag and, at rest, the breath."""
    effort = np.exp(0.08 * random.standard_normal(WINDOWS, dtype=np.float32)[start])
    wander = 2.5 * random.standard_normal((WINDOWS, 1), dtype=np.float32)
    breath = np.float32(2 * np.pi) * (0.25 * TIME + random.random((WINDOWS, 1), dtype=np.float32))
    noise = random.standard_normal((WINDOWS, len(TIME)), dtype=np.float32)

    target = who.reactivity * effort * TABLES["demand"][activity]
    above = _follow(target)
    trend = (target[:, None] - above) / LAG
    rate: Floats = who.resting + wander + above + trend * TIME
    rate += who.breathing * np.exp(-above / 30) * np.sin(breath)
    rate += (1.0 + 0.005 * above) * noise
    return rate[:, None]


def _follow(target: Floats) -> Floats:
    """The rate in each window, (WINDOWS, 1), of a heart that goes after `target` and had settled before the session."""
    kept = np.float32(np.exp(-INTERVAL / LAG))
    above = np.empty((WINDOWS, 1), dtype=np.float32)
    now = target[0]
    for window, aim in enumerate(target):
        now = aim + kept * (now - aim)
        above[window] = now
    return above
