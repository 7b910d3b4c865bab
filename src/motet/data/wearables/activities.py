"""The activities of the simulated wearables: how each one moves the hip and drives the heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Activity:
    """What an average person's hip and heart do in one activity.

    Attributes
    ----------
    name : str
    demand : float
        Heart rate above the resting rate once the heart has settled, in beats a minute.
    pitch, pitch_spread, roll_spread : float
        Lean of the hip, degrees: forward lean, and how much it differs from one bout to the next.
    step_hz : float
        Steps (for cycling: pedal strokes) a second; 0 for the still activities.
    bounce : four floats
        Vertical acceleration at the step frequency and its next three harmonics, g.
    surge, sway : float
        Forward acceleration at the step frequency and sideways acceleration at the stride frequency (half of it), g.
    swing : three floats
        How far the hip rolls (at the stride frequency), pitches (step frequency) and yaws (stride frequency), degrees.
    shake : float
        Unrhythmic acceleration from impacts, soft tissue and the road, g.
    fidget : float
        Chance that a window holds a short unrelated movement.
    """

    name: str
    demand: float
    pitch: float = 0.0
    pitch_spread: float = 4.0
    roll_spread: float = 4.0
    step_hz: float = 0.0
    bounce: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    surge: float = 0.0
    sway: float = 0.0
    swing: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shake: float = 0.004
    fidget: float = 0.0


ACTIVITIES: tuple[Activity, ...] = (
    Activity("lying", 0.0, pitch=-76.0, pitch_spread=11.0, roll_spread=22.0, fidget=0.15),
    Activity("sitting", 7.0, pitch=-23.0, pitch_spread=8.0, roll_spread=5.0, fidget=0.3),
    Activity("standing", 18.0, 1.0, 4.0, 3.0, step_hz=0.5, swing=(0.6, 0.8, 0.8), shake=0.006, fidget=0.35),
    Activity("walking", 34.0, 2.0, 4.0, 3.0, 1.85, (0.22, 0.10, 0.06, 0.03), 0.13, 0.09, (4.0, 2.0, 7.0), 0.05),
    Activity("stairs_up", 66.0, 9.0, 4.0, 3.0, 1.6, (0.20, 0.07, 0.03, 0.02), 0.16, 0.10, (6.0, 3.2, 5.0), 0.05),
    Activity("stairs_down", 36.0, 0.0, 4.0, 3.0, 1.9, (0.28, 0.16, 0.12, 0.08), 0.11, 0.12, (5.0, 2.4, 5.0), 0.08),
    Activity("running", 92.0, 7.0, 4.0, 3.0, 2.65, (0.85, 0.30, 0.16, 0.08), 0.28, 0.20, (6.0, 4.0, 9.0), 0.14),
    Activity("cycling", 60.0, 20.0, 8.0, 4.0, 2.3, (0.06, 0.03, 0.02, 0.01), 0.05, 0.06, (4.0, 1.5, 3.0), 0.07),
)
CLASSES: tuple[str, ...] = tuple(activity.name for activity in ACTIVITIES)


def table(quantity: str) -> NDArray[np.float32]:
    """One quantity of every activity.

    Parameters
    ----------
    quantity : str
        A numeric attribute of `Activity`.

    Returns
    -------
    float32 (activities,) or (activities, values)
    """
    return np.array([getattr(activity, quantity) for activity in ACTIVITIES], dtype=np.float32)
