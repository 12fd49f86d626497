"""What every test process has in common: one thread, no network, modules compiled once."""

import os

# two processes of two threads each would fight over two cores; set before torch is imported, and for the processes
# that tests start
os.environ.setdefault("OMP_NUM_THREADS", "1")
# a model that is nowhere is asked for again and again, with pauses, wherever there is no network
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# else each of the many processes that tests start compiles affuse again
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import torch

torch.set_num_threads(1)
