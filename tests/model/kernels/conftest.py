"""The numerics run where Triton can run a kernel: on a GPU, or interpreted, which is decided before Triton is imported.

test_interpreted.py starts a process for that; elsewhere the folder is not collected.
"""

from __future__ import annotations

import os

import torch

collect_ignore = [] if torch.cuda.is_available() or os.environ.get("TRITON_INTERPRET") == "1" else ["numerics"]
