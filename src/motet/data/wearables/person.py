"""The people of the simulated wearables: what is peculiar to each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from motet.data.wearables.activities import ACTIVITIES
from motet.random import generator

HARMONICS = 4

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Person:
    """The habits of one person.

    Attributes
    ----------
    pace : float32 (activities,)
        Step frequency relative to the average person's, for each activity.
    vigour : float32 (activities,)
        Amplitude of the movement relative to the average person's.
    harmonics : float32 (4,)
        Weight of each harmonic of the step in the vertical acceleration.
    phases : float32 (4,)
        Phase of each harmonic relative to the step, radians.
    limp : float
        Share of the bounce at the stride frequency: the difference between left and right.
    swing : float32 (3,)
        Roll, pitch and yaw of the hip relative to the average person's.
    lean : float32 (2,)
        Habitual forward and sideways lean, degrees.
    mounting : float32 (3, 3)
        Rotation from the body to the sensor.
    acc_bias, gyro_bias : float32 (3,)
        Constant errors of the sensors, g and rad/s.
    resting : float
        Resting heart rate, beats a minute.
    reactivity : float
        Rise of the heart rate with effort relative to the average person's.
    breathing : float
        Swing of the heart rate with the breath at rest, beats a minute.
    """

    pace: Floats
    vigour: Floats
    harmonics: Floats
    phases: Floats
    limp: float
    swing: Floats
    lean: Floats
    mounting: Floats
    acc_bias: Floats
    gyro_bias: Floats
    resting: float
    reactivity: float
    breathing: float


@lru_cache(maxsize=1024)
def habits(seed: int, number: int) -> Person:
    """The habits of person `number`, a pure function of (seed, number)."""
    draw = generator(seed, "wearables person", client=number)
    activities = len(ACTIVITIES)

    def normal(size: int) -> Floats:
        return draw.standard_normal(size).astype(np.float32)

    common, each = normal(2), normal(2 * activities).reshape(2, activities)
    return Person(
        pace=np.exp(0.06 * common[0] + 0.04 * each[0]),
        vigour=np.exp(0.15 * common[1] + 0.08 * each[1]),
        harmonics=np.exp(0.3 * normal(HARMONICS)),
        phases=0.6 * normal(HARMONICS),
        limp=float(0.15 * abs(normal(1)[0])),
        swing=np.exp(0.2 * normal(3)),
        lean=np.array([3.0, 2.0], dtype=np.float32) * normal(2),
        mounting=_rotation(np.radians(np.array([7.0, 7.0, 20.0])) * normal(3)),
        acc_bias=0.015 * normal(3),
        gyro_bias=0.02 * normal(3),
        resting=float(64.0 + 6.0 * normal(1)[0]),
        reactivity=float(np.exp(0.1 * normal(1)[0])),
        breathing=float(3.0 * np.exp(0.4 * normal(1)[0])),
    )


def _rotation(angles: NDArray[np.floating]) -> Floats:
    """The rotation by `angles` (radians) about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[b, a], turn[a, b] = np.sin(angle), -np.sin(angle)
        matrix = turn @ matrix
    return matrix.astype(np.float32)
