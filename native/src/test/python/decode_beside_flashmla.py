"""Times MLA decode beside FlashMLA's dense decode kernel, on the same inputs in the same process.

    python3 decode_beside_flashmla.py FLASHMLA.so libsparkmla.so [libsparkmla.so ...]

FLASHMLA.so is FlashMLA's library of PyTorch operators as vLLM's wheels hold it
(vllm/_flashmla_C.abi3.so, of a version that names the PyTorch in use). Needs PyTorch with CUDA on
a Hopper GPU; the JVM is not needed. The kernels take turns, because a GPU at its power limit is
slower for whoever comes second, and are timed twice: rested, a few calls after a rest, and
sustained, after so many calls that the GPU is at that limit.

ROWS=0,3-5 picks rows.
"""

import ctypes
import math
import os
import random
import statistics
import sys
import time

import torch

PAGE, LATENT, ROPE = 64, 512, 64
DIM = LATENT + ROPE
VARIED = [(128, s_q, 128, s_k, True, causal)
          for s_q, causal in ((1, False), (2, False), (2, True))
          for s_k in (4096, 8192, 16384, 32768)]
EQUAL = [(b, 1, h_q, s_k, False, False) for b, h_q, s_k in (
    (128, 16, 4096), (128, 16, 16384), (32, 16, 32768), (8, 16, 131072), (1, 16, 131072),
    (128, 32, 4096), (128, 32, 16384), (128, 64, 4096), (128, 64, 16384), (32, 64, 32768),
    (8, 128, 131072), (4, 128, 32768), (1, 128, 131072))]
ROWS = VARIED + EQUAL  # b, s_q, h_q, s_k, lengths drawn, causal
ROUNDS = 4
RUNS = 8           # timed calls of a turn
WARM_UP = 3        # calls before them, rested
REST_SECONDS = 0.05
HEAT_SECONDS = 0.04  # of calls before them, sustained
LEAST_BYTES = 400 << 20  # of pages that calls rotate over


class Arguments(ctypes.Structure):
    """spark_mla_decode_args of spark_mla.h."""

    _fields_ = (
        [(n, ctypes.c_uint32) for n in ("struct_size", "flags")]
        + [(n, ctypes.c_int32) for n in ("batch", "s_q", "h_q", "h_kv", "latent_dim", "rope_dim",
                                         "max_blocks", "cache_blocks", "split_policy",
                                         "num_sm_parts")]
        + [("softmax_scale", ctypes.c_float), ("reserved", ctypes.c_int32)]
        + [(n, ctypes.c_int64) for n in ("q", "q_batch", "q_token", "q_head", "k_cache", "k_block",
                                         "k_token", "k_head", "block_table", "table_row",
                                         "cache_seqlens", "metadata", "num_splits", "out",
                                         "out_batch", "out_token", "out_head", "lse", "workspace",
                                         "workspace_bytes", "stream")]
    )


class Ours:
    """Calls of one libsparkmla.so, one for each set of pages."""

    def __init__(self, library, queries, cache, tables, lengths, causal):
        self.decode = library.spark_mla_decode
        b, s_q, h_q, _ = queries[0].shape
        self.out = torch.empty(b, s_q, h_q, LATENT, device="cuda", dtype=torch.bfloat16)
        self.lse = torch.empty(b, h_q, s_q, device="cuda")
        a = Arguments(
            ctypes.sizeof(Arguments), int(causal), b, s_q, h_q, 1, LATENT, ROPE,
            tables[0].shape[1], cache.shape[0], 0, 0, DIM ** -0.5, 0,
            queries[0].data_ptr(), *queries[0].stride()[:3], cache.data_ptr(), *cache.stride()[:3],
            tables[0].data_ptr(), tables[0].stride(0), lengths.data_ptr(), 0, 0,
            self.out.data_ptr(), *self.out.stride()[:3], self.lse.data_ptr())
        a.stream = torch.cuda.current_stream().cuda_stream
        parts, size = ctypes.c_int32(), ctypes.c_size_t()
        check(library, library.spark_mla_decode_sm_parts(ctypes.byref(a), ctypes.byref(parts)))
        a.num_sm_parts = parts.value
        check(library, library.spark_mla_decode_workspace_size(ctypes.byref(a), ctypes.byref(size)))
        self.buffers = [torch.empty(parts.value, 8, device="cuda", dtype=torch.int32),
                        torch.empty(b + 1, device="cuda", dtype=torch.int32),
                        torch.empty(max(size.value, 1), device="cuda", dtype=torch.uint8)]
        a.metadata, a.num_splits, a.workspace = (t.data_ptr() for t in self.buffers)
        a.workspace_bytes = size.value
        check(library, library.spark_mla_decode_metadata(ctypes.byref(a)))
        self.calls = []
        for q, table in zip(queries, tables):
            call = Arguments.from_buffer_copy(a)
            call.q, call.block_table = q.data_ptr(), table.data_ptr()
            self.calls.append(call)
        check(library, library.spark_mla_decode(ctypes.byref(self.calls[0])))

    def __call__(self, i):
        self.decode(ctypes.byref(self.calls[i % len(self.calls)]))
        return self.out


class FlashMla:
    """Calls of FlashMLA's operator, its scheduling made in the first."""

    def __init__(self, queries, cache, tables, lengths, causal):
        self.inputs = (queries, cache, tables, lengths, causal)
        self.schedule = (None, None)
        self(0)

    def __call__(self, i):
        queries, cache, tables, lengths, causal = self.inputs
        out, _, *self.schedule = torch.ops._flashmla_C.dense_decode_fwd(
            queries[i % len(queries)], cache, LATENT, lengths, tables[i % len(tables)], DIM ** -0.5,
            causal, *self.schedule, None)
        return out


def check(library, status):
    if status:
        raise RuntimeError(library.spark_mla_status_string(status).decode())


def turn(call, heat_seconds):
    """Milliseconds of RUNS calls; the stream is never empty meanwhile."""
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
    events = [torch.cuda.Event(enable_timing=True) for _ in range(2 * RUNS)]
    for i, (begun, done) in enumerate(zip(events[::2], events[1::2])):
        begun.record()
        call(i + WARM_UP)
        done.record()
    torch.cuda.synchronize()
    return [b.elapsed_time(d) for b, d in zip(events[::2], events[1::2])]


def measure(calls, heat_seconds):
    times = [[] for _ in calls]
    for _ in range(ROUNDS):
        order = random.sample(range(len(calls)), len(calls))
        for k in order:
            times[k] += turn(calls[k], heat_seconds)
    return [statistics.median(t) for t in times]


def picked():
    rows = []
    for part in os.environ.get("ROWS", f"0-{len(ROWS) - 1}").split(","):
        first, _, last = part.partition("-")
        rows += range(int(first), int(last or first) + 1)
    return rows


def main(flash_mla, paths):
    torch.ops.load_library(flash_mla)
    libraries = [ctypes.CDLL(os.path.abspath(path)) for path in paths]
    for library in libraries:
        library.spark_mla_status_string.restype = ctypes.c_char_p
    names = [os.path.basename(path).removesuffix(".so") for path in paths]
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}. Microseconds: FlashMLA, "
          f"then {', '.join(names)}, each with FlashMLA's time over it.\n")
    print("| b | s_q | h_q | s_k | causal | rested " + "|" * (len(names) + 1) + " sustained "
          + "|" * (len(names) + 1))
    print("|" + "---|" * (7 + 2 * len(names)))
    logs = [[0.0] * len(names) for _ in range(2)]
    count = 0
    for row in picked():
        b, s_q, h_q, s_k, drawn, causal = ROWS[row]
        random.seed(0)
        sizes = [max(int(random.normalvariate(s_k, s_k / 2)), s_q) if drawn else s_k
                 for _ in range(b)]
        pages = [math.ceil(n / PAGE) for n in sizes]
        sets = max(1, min(4, math.ceil(LEAST_BYTES / (sum(pages) * PAGE * DIM * 2))))
        cache = torch.empty(sum(pages) * sets, PAGE, 1, DIM, device="cuda", dtype=torch.bfloat16)
        for some in cache.split(4096):
            some.copy_((torch.randn_like(some) / 10).clamp_(-1, 1))
        free = torch.randperm(len(cache), dtype=torch.int32)
        tables, at = [], 0
        for _ in range(sets):
            table = torch.full((b, max(pages)), 2147480000, dtype=torch.int32)
            for sequence, n in enumerate(pages):
                table[sequence, :n] = free[at:at + n]
                at += n
            tables.append(table.cuda())
        queries = [torch.randn(b, s_q, h_q, DIM, device="cuda", dtype=torch.bfloat16)
                   .div_(10).clamp_(-1, 1) for _ in range(sets)]
        lengths = torch.tensor(sizes, device="cuda", dtype=torch.int32)
        inputs = (queries, cache, tables, lengths, causal)
        calls = [FlashMla(*inputs)] + [Ours(library, *inputs) for library in libraries]
        expected = calls[0](0).float()
        for name, call in zip(names, calls[1:]):
            difference = (call(0).float() - expected).abs().max().item()
            if not difference < 4e-3:
                print(f"{name} differs by {difference}")
        line = f"| {b} | {s_q} | {h_q} | {'~' if drawn else ''}{s_k} | {'yes' if causal else 'no'} |"
        for regime, heat in enumerate((0, HEAT_SECONDS)):
            theirs, *ours = measure(calls, heat)
            line += f" {theirs * 1000:.1f} |"
            for k, time_of in enumerate(ours):
                line += f" {time_of * 1000:.1f} × {theirs / time_of:.3f} |"
                if drawn:
                    logs[regime][k] += math.log(theirs / time_of)
        count += drawn
        print(line, flush=True)
        del calls, cache, tables, queries, inputs
    if count:
        for regime, title in enumerate(("rested", "sustained")):
            print(f"geometric mean of the {count} rows with drawn lengths, {title}: "
                  + ", ".join(f"{n} {math.exp(x / count):.3f}" for n, x in zip(names, logs[regime])))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
