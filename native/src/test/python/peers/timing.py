"""Times of calls that take turns.

A GPU at its power limit is slower for whoever comes second, so each call is timed in several turns,
in another order each time. Rested: a few calls after a rest. Sustained: after so many calls that
the GPU is at that limit.
"""

import random
import statistics
import time

import torch

ROUNDS = 4
WARM_UP = 3
REST_SECONDS = 0.05
HEAT_SECONDS = 0.04
GEMM = 8192


def medians(calls, runs, heat_seconds=0.0):
    """Milliseconds of each call, medians; a call gets the number of its run."""
    times = [[] for _ in calls]
    for _ in range(ROUNDS):
        for k in random.sample(range(len(calls)), len(calls)):
            times[k] += _turn(calls[k], runs, heat_seconds)
    return [statistics.median(t) for t in times]


def _turn(call, runs, heat_seconds):
    """Milliseconds of runs; the stream is never empty meanwhile."""
    if heat_seconds:
        begun, i = time.monotonic(), 0
        while time.monotonic() - begun < heat_seconds:
            call(i)
            i += 1
            if i % 16 == 0:
                torch.cuda.synchronize()
    else:
        time.sleep(REST_SECONDS)
        torch.cuda._sleep(1_000_000)
        for i in range(WARM_UP):
            call(i)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(2 * runs)]
    for i, (begun, done) in enumerate(zip(events[::2], events[1::2])):
        begun.record()
        call(i + WARM_UP)
        done.record()
    torch.cuda.synchronize()
    return [b.elapsed_time(d) for b, d in zip(events[::2], events[1::2])]


def ceilings():
    """The run's copy rate in GB/s, bytes read plus written, and its bf16 GEMM rate in TFLOPS."""
    source = torch.empty(1 << 31, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    (copy,) = medians([lambda i: target.copy_(source)], 3)
    bytes_moved = 2 * source.numel()
    del source, target
    a, b = (torch.randn(GEMM, GEMM, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    (gemm,) = medians([lambda i: a @ b], 3)
    return bytes_moved / copy / 1e6, 2 * GEMM**3 / gemm / 1e9


def heading():
    copy, gemm = ceilings()
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}. "
          f"Ceilings of this run: copy {copy:.0f} GB/s, GEMM {gemm:.0f} TFLOPS.\n")
