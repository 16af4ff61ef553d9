"""Times prefill attention beside cuDNN's, through PyTorch, on the same inputs in the same process.

    python3 prefill_beside_cudnn.py native/target/classes/native/linux-x86_64/libsparkmla.so

Needs PyTorch with CUDA on a Hopper GPU; the JVM is not needed. The two take turns, a few runs at a
time with a rest before them, because a GPU at its power limit is slower for whoever comes second.
"""

import ctypes
import statistics
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

ROPE = 64
ROWS = [  # heads, tokens, nope, value
    (16, 4096, 128, 128),
    (16, 16384, 128, 128),
    (16, 32768, 128, 128),
    (128, 4096, 128, 128),
    (128, 16384, 128, 128),
    (20, 4096, 192, 256),
    (20, 16384, 192, 256),
]
TURNS = 8
RUNS = 3  # of a turn, after one that does not count
REST_SECONDS = 0.1
GEMM = 8192


class Arguments(ctypes.Structure):
    """spark_mla_prefill_args of spark_mla.h."""

    _fields_ = (
        [(n, ctypes.c_uint32) for n in ("struct_size", "flags")]
        + [(n, ctypes.c_int32) for n in ("segments", "heads", "total_q", "total_k", "nope_dim",
                                         "rope_dim", "value_dim")]
        + [("softmax_scale", ctypes.c_float)]
        + [(n, ctypes.c_int64) for n in ("q", "q_token", "q_head", "kv", "kv_token", "kv_head",
                                         "k_rope", "k_rope_token", "cu_q", "cu_k", "q_offset",
                                         "out", "out_token", "out_head", "lse", "next_tile",
                                         "stream")]
    )


def random(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def measure(turns):
    """Milliseconds of each of several functions, medians."""
    times = {name: [] for name in turns}
    names = list(turns)
    for turn in range(TURNS):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            time.sleep(REST_SECONDS)
            events = [torch.cuda.Event(enable_timing=True) for _ in range(2 * (RUNS + 1))]
            for begun, done in zip(events[::2], events[1::2]):
                begun.record()
                turns[name]()
                done.record()
            torch.cuda.synchronize()
            times[name] += [b.elapsed_time(d) for b, d in zip(events[2::2], events[3::2])]
    return [statistics.median(times[name]) for name in names]


def main(path):
    library = ctypes.CDLL(path)
    library.spark_mla_status_string.restype = ctypes.c_char_p
    a, b = random(GEMM, GEMM), random(GEMM, GEMM)
    (ms,) = measure({"gemm": lambda: a @ b})
    gemm = 2 * GEMM**3 / ms / 1e9
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, cuDNN "
          f"{torch.backends.cudnn.version()}. Ceiling of this run: GEMM {gemm:.0f} TFLOPS.\n")
    print("| heads | tokens | key | value | ms | TFLOPS | % of GEMM | cuDNN ms | TFLOPS | × |")
    print("|" + "---|" * 10)
    for heads, tokens, nope, value in ROWS:
        q = random(tokens, heads, nope + ROPE)
        kv = random(tokens, heads, nope + value)
        k_rope = random(tokens, ROPE)
        starts = torch.tensor([0, tokens], device="cuda", dtype=torch.int32)
        offset = torch.zeros(1, device="cuda", dtype=torch.int32)
        out = torch.empty(tokens, heads, value, device="cuda", dtype=torch.bfloat16)
        lse = torch.empty(heads, tokens, device="cuda")
        next_tile = torch.zeros(1, device="cuda", dtype=torch.int32)
        arguments = Arguments(
            ctypes.sizeof(Arguments), 0, 1, heads, tokens, tokens, nope, ROPE, value,
            (nope + ROPE) ** -0.5, q.data_ptr(), *q.stride()[:2], kv.data_ptr(), *kv.stride()[:2],
            k_rope.data_ptr(), ROPE, starts.data_ptr(), starts.data_ptr(), offset.data_ptr(),
            out.data_ptr(), *out.stride()[:2], lse.data_ptr(),
            next_tile.data_ptr(), torch.cuda.current_stream().cuda_stream)

        def ours():
            status = library.spark_mla_prefill(ctypes.byref(arguments))
            if status:
                raise RuntimeError(library.spark_mla_status_string(status).decode())

        keys = torch.cat([kv[..., :nope], k_rope[:, None].expand(-1, heads, -1)], -1)
        expanded = [t.transpose(0, 1)[None].contiguous() for t in (q, keys, kv[..., nope:])]
        with sdpa_kernel([SDPBackend.CUDNN_ATTENTION]):
            theirs = lambda: scaled_dot_product_attention(*expanded, is_causal=True)
            ours()
            difference = (out - theirs()[0].transpose(0, 1)).abs().max().item()
            assert difference < 0.05, f"results differ by {difference}"
            our_ms, their_ms = measure({"ours": ours, "theirs": theirs})
        operations = heads * tokens**2 * (nope + ROPE + value)  # half of the unmasked ones
        rate = operations / our_ms / 1e9
        print(f"| {heads} | {tokens} | {nope + ROPE} | {value} | {our_ms:.3f} | {rate:.0f} "
              f"| {100 * rate / gemm:.0f} | {their_ms:.3f} "
              f"| {operations / their_ms / 1e9:.0f} | {their_ms / our_ms:.2f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
