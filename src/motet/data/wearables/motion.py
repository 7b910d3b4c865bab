"""How the hip of a simulated person moves during the windows of one session."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from motet.data.wearables.activities import Activity, table
from motet.data.wearables.person import HARMONICS, Person
from motet.data.wearables.schedule import WINDOWS

RATE_HZ = 32.0
LENGTH = 64
CAUGHT = 0.4  # chance that the first window of a bout still holds the end of the bout before

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

TIME: Floats = np.arange(LENGTH, dtype=np.float32) / np.float32(RATE_HZ)
TABLES = {column.name: table(column.name) for column in fields(Activity) if column.name != "name"}
_TURN = np.float32(2 * np.pi)


@dataclass(frozen=True)
class Motion:
    """Movement of the hip in the axes of the body: x forward, y to the left, z up.

    Attributes
    ----------
    force : float32 (windows, 3, LENGTH)
        What an accelerometer there feels, g.
    rate : float32 (windows, 3, LENGTH)
        Angular rate, rad/s.
    """

    force: Floats
    rate: Floats


@dataclass(frozen=True)
class Draws:
    """Random numbers for windows: normal ones that a bout shares, normal ones, uniform ones and a normal signal."""

    bout: Floats
    window: Floats
    chance: Floats
    signal: Floats

    def of(self, windows: Integers, bouts: Integers) -> Draws:
        """Draws of some windows, with the bouts' numbers from other windows."""
        return Draws(self.bout[bouts], self.window[windows], self.chance[windows], self.signal[windows])


def simulate(who: Person, activity: Integers, start: Integers, random: np.random.Generator) -> Motion:
    """Movement in each window of a session.

    Parameters
    ----------
    who : Person
    activity, start : int64 (WINDOWS,)
        What the person does in each window, and the window in which that bout began.
    random : numpy.random.Generator

    Returns
    -------
    Motion
    """
    draws = Draws(
        random.standard_normal((WINDOWS, 4), dtype=np.float32)[start],
        random.standard_normal((WINDOWS, 4), dtype=np.float32),
        random.random((WINDOWS, 10), dtype=np.float32),
        random.standard_normal((WINDOWS, 3, LENGTH), dtype=np.float32),
    )
    motion = _move(who, activity, draws)
    window = np.arange(WINDOWS)
    caught = np.flatnonzero((start == window) & (window > 0) & (draws.chance[:, 0] < CAUGHT))
    old = _move(who, activity[caught - 1], draws.of(caught, caught - 1))
    change = np.float32(1.4) * draws.chance[caught, 1:2] - np.float32(0.8)  # seconds after the window begins
    new = np.clip((TIME - change) / np.float32(0.6), 0.0, 1.0)[:, None, :]
    motion.force[caught] = new * motion.force[caught] + (1 - new) * old.force
    motion.rate[caught] = new * motion.rate[caught] + (1 - new) * old.rate
    return motion


def _move(who: Person, activity: Integers, draws: Draws) -> Motion:
    """Movement in windows that each hold one activity."""
    of = {name: values[activity] for name, values in TABLES.items()}
    bout, window = draws.bout, draws.window
    hz = of["step_hz"] * who.pace[activity] * np.exp(0.04 * bout[:, 0] + 0.03 * window[:, 0])
    vigour = who.vigour[activity] * np.exp(0.12 * bout[:, 1] + 0.1 * window[:, 1])
    # The stride is two steps long: two turns of the step's phase leave the stride's anywhere on its circle.
    step = _TURN * (hz[:, None] * TIME + 2 * draws.chance[:, 2:3])

    angle, rate = _swing(who, vigour[:, None] * of["swing"], hz, step)
    roll = who.lean[1] + of["roll_spread"] * bout[:, 3] + window[:, 3]
    pitch = of["pitch"] + who.lean[0] + of["pitch_spread"] * bout[:, 2] + window[:, 2]
    force = _gravity(np.radians(roll)[:, None] + angle[:, 0], np.radians(pitch)[:, None] + angle[:, 1])
    force += vigour[:, None, None] * _steps(who, of["bounce"], of["surge"], of["sway"], step)

    shake = (vigour * of["shake"])[:, None, None] * _smooth(draws.signal)
    force += shake
    rate += np.float32(2.0) * np.roll(shake, 1, axis=1)
    _fidget(force, rate, of["fidget"], draws.chance)
    return Motion(force, rate)


def _swing(who: Person, degrees: Floats, hz: Floats, step: Floats) -> tuple[Floats, Floats]:
    """Angles (radians) and angular rates (rad/s) of the hip about x, y and z."""
    size = np.radians(degrees * who.swing)
    angle, rate = np.empty((2, len(step), 3, LENGTH), dtype=np.float32)
    for axis, multiple in enumerate((0.5, 1.0, 0.5)):
        phase = np.float32(multiple) * step + who.phases[axis] + np.float32(axis)
        angle[:, axis] = size[:, axis, None] * np.cos(phase)
        rate[:, axis] = -(np.float32(multiple) * _TURN * hz * size[:, axis])[:, None] * np.sin(phase)
    return angle, rate


def _gravity(roll: Floats, pitch: Floats) -> Floats:
    """What an accelerometer at rest feels, 1 g upwards, in the axes of a body that leans."""
    return np.stack([-np.sin(pitch) * np.cos(roll), np.sin(roll), np.cos(pitch) * np.cos(roll)], axis=1)


def _steps(who: Person, bounce: Floats, surge: Floats, sway: Floats, step: Floats) -> Floats:
    """Acceleration of an average vigour by steps, g."""
    force = np.zeros((len(step), 3, LENGTH), dtype=np.float32)
    size = bounce * who.harmonics
    force[:, 0] = surge[:, None] * np.sin(step + who.phases[2])
    force[:, 1] = sway[:, None] * np.cos(step / 2 + who.phases[3])
    force[:, 2] = np.float32(who.limp) * size[:, :1] * np.cos(step / 2 + who.phases[1])
    for h in range(HARMONICS):
        force[:, 2] += size[:, h, None] * np.cos((h + 1) * step + who.phases[h])
    return force


def _smooth(noise: Floats) -> Floats:
    """White noise of unit variance with its upper frequencies weakened."""
    smoothed = noise.copy()
    smoothed[..., 1:] += noise[..., :-1]
    return smoothed * np.float32(np.sqrt(0.5))


def _fidget(force: Floats, rate: Floats, likely: Floats, chance: Floats) -> None:
    """Add a short swing in an arbitrary direction to some windows, in place."""
    moved = np.flatnonzero(chance[:, 3] < likely)
    moment, width, hz, direction = np.split(chance[moved, 4:], [1, 2, 3], axis=1)
    since = TIME - 2 * moment
    wave = np.exp(-(since**2) / (2 * (0.15 + 0.3 * width) ** 2)) * np.sin(_TURN * (0.6 + 1.6 * hz) * since)
    swing = (2 * direction - 1)[:, :, None] * wave[:, None]
    force[moved] += np.float32(0.2) * swing
    rate[moved] += np.float32(1.2) * np.roll(swing, 1, axis=1)
