"""One thread per test process: the tests are many and small, and run side by side."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("motet", deadline=None)  # how long an example takes says more of the machine than of the code
settings.load_profile("motet")
