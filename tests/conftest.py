"""One thread per test process: two processes of two threads each would fight over two cores."""

import os

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch is imported, and for the processes of the CLI tests

import torch

torch.set_num_threads(1)
