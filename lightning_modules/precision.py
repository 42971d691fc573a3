"""精度 precision: what this machine is really fast at, measured by a timed matrix product.

bf16 without hardware for it is slower than fp32 by a factor of tens (42 on an AVX2 CPU), so it is never assumed.
"""

from __future__ import annotations

import os
import time

import torch

MATMUL_SIDE = {"cpu": 1024, "cuda": 8192}
PROBE_SIDE = {"cpu": 512, "cuda": 4096}  # short enough that some products run undisturbed
PROBES = 40
MIN_GAIN = 1.2  # bf16 must beat fp32 by this to be worth its rounding


def use_cores() -> int:
    """Share the machine's cores between the processes on it, unless OMP_NUM_THREADS says otherwise; threads used."""
    if not os.environ.get("OMP_NUM_THREADS"):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        torch.set_num_threads(max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    return torch.get_num_threads()


def matmul_flops_per_second(device: torch.device, dtype: torch.dtype, seconds: float = 0.15) -> float:
    """The best of several timed square products on `device`: the peak that training is compared with."""
    factor = _square(device, dtype, MATMUL_SIDE)
    end, best = time.perf_counter() + seconds, _one_product(factor)
    while time.perf_counter() < end:
        best = max(best, _one_product(factor))
    return best


def _square(device: torch.device, dtype: torch.dtype, sides: dict[str, int]) -> torch.Tensor:
    side = sides.get(device.type, sides["cpu"])
    return torch.ones(side, side, device=device, dtype=dtype)


@torch.inference_mode()
def _one_product(factor: torch.Tensor) -> float:
    """FLOP/s of one product of a square matrix with itself."""
    _synchronize(factor.device)
    start = time.perf_counter()
    torch.mm(factor, factor)
    _synchronize(factor.device)
    return 2.0 * float(factor.shape[0]) ** 3 / (time.perf_counter() - start)


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def pick_precision(wanted: str, device: torch.device) -> str:
    """`32` or `bf16` for a wish of `auto`, `32` or `bf16`: bf16 only where it is measured to be faster."""
    if wanted != "auto":
        return wanted
    if device.type == "cpu" and not _cpu_has_bf16():
        return "32"  # a timed product would only confirm it, in seconds rather than microseconds
    rivals = [_square(device, dtype, PROBE_SIDE) for dtype in (torch.float32, torch.bfloat16)]
    best = [0.0, 0.0]
    for _ in range(PROBES):  # in turns, and the best of each: on a shared machine single timings mean nothing
        best = [max(seen, _one_product(factor)) for seen, factor in zip(best, rivals, strict=True)]
    return "bf16" if best[1] > MIN_GAIN * best[0] else "32"


def _cpu_has_bf16() -> bool:
    capability = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in capability or "SVE" in capability or "AMX" in capability
