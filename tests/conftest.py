"""One thread and no progress bars, so that tests are quick and say the same everywhere."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["COMPANION_PROGRESS"] = "off"

import torch  # noqa: E402

torch.set_num_threads(1)
