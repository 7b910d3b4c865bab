"""An archive of a node's own, to try a fleet with: some simulated people, with all sensors or without one.

    python examples/fleet/own_archive.py kitchen.npz --people 1 2 3
    python examples/fleet/own_archive.py garden.npz --people 4 5 --without heart

Real samples are written in the same way: arrays, and `motet.save`. docs/archive.md has the format.
"""

from __future__ import annotations

import argparse

import numpy as np

import motet
from motet.data.dataset import TEST

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("archive", help="file to write")
parser.add_argument("--people", type=int, nargs="+", default=[0], help="who wore the sensors")
parser.add_argument("--without", nargs="+", default=[], help="sensors that were not there: acc, gyro, heart")
options = parser.parse_args()

everybody = motet.wearables(clients=max(options.people) + 1)
people = everybody.only([m for m in everybody.modalities if m not in options.without])
chosen = np.flatnonzero(np.isin(people.client, options.people) | (people.split == TEST))
own = motet.ArrayDataset(
    name="own",
    modalities=people.modalities,
    classes=people.classes,
    y=people.y[chosen],
    split=people.split[chosen],  # the test split is of other people; a server evaluates on its own
    x=people.take(chosen),
    client=people.client[chosen],
    time=people.time[chosen],
)
motet.save(own, options.archive)
print(f"{options.archive}: {', '.join(people.modalities)} of {len(options.people)} people")
