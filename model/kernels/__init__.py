"""Kernels of the mixture of experts, each beside the plain torch that it is held against.

`reference` and `packing` need torch alone. The `triton_*` modules import Triton, which is on Linux with x86-64 only.
"""
