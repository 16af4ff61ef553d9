"""Prefill attention beside FlashAttention-3, as vLLM ships it, and cuDNN's, through PyTorch."""

import ctypes
import random

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from peers import timing
from peers.library import PrefillArguments

ROPE = 64
RUNS = 3
TOLERANCE = 0.05


def _mixed():
    random.seed(1)
    return [(n, n) for n in
            (random.choice([130, 333, 700, 1024, 1500, 2100, 3000, 5000]) for _ in range(16))]


ROWS = [  # heads, nope, value, (rows, keys) of each segment
    (16, 128, 128, [(4096, 4096)]),
    (16, 128, 128, [(16384, 16384)]),
    (16, 128, 128, [(32768, 32768)]),
    (128, 128, 128, [(4096, 4096)]),
    (128, 128, 128, [(16384, 16384)]),
    (16, 128, 128, [(2048, 32768)]),
    (16, 128, 128, _mixed()),
    (20, 192, 256, [(4096, 4096)]),
    (20, 192, 256, [(16384, 16384)]),
    (20, 192, 256, [(2048, 32768)]),
    (20, 192, 256, _mixed()),
]


def _random(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def _starts(sizes):
    return torch.tensor([0] + sizes, device="cuda", dtype=torch.int32).cumsum(0, dtype=torch.int32)


def _calls(library, heads, nope, value, segments):
    """Ours, FlashAttention-3 and, where there is one whole sequence, cuDNN."""
    from vllm.vllm_flash_attn.flash_attn_interface import flash_attn_varlen_func

    rows, keys = ([s[i] for s in segments] for i in (0, 1))
    scale = (nope + ROPE) ** -0.5
    q = _random(sum(rows), heads, nope + ROPE)
    kv = _random(sum(keys), heads, nope + value)
    k_rope = _random(sum(keys), ROPE)
    cu_q, cu_k = _starts(rows), _starts(keys)
    offset = torch.tensor([k - n for n, k in segments], device="cuda", dtype=torch.int32)
    out = torch.empty(sum(rows), heads, value, device="cuda", dtype=torch.bfloat16)
    lse = torch.empty(heads, sum(rows), device="cuda")
    next_tile = torch.zeros(1, device="cuda", dtype=torch.int32)
    arguments = PrefillArguments(
        ctypes.sizeof(PrefillArguments), 0, len(segments), heads, sum(rows), sum(keys), nope, ROPE,
        value, scale, q.data_ptr(), *q.stride()[:2], kv.data_ptr(), *kv.stride()[:2],
        k_rope.data_ptr(), ROPE, cu_q.data_ptr(), cu_k.data_ptr(), offset.data_ptr(),
        out.data_ptr(), *out.stride()[:2], lse.data_ptr(), next_tile.data_ptr(),
        torch.cuda.current_stream().cuda_stream)
    buffers = (cu_q, cu_k, offset, lse, next_tile, k_rope, kv)

    def ours(i, held=buffers):
        library.call("spark_mla_prefill", arguments)
        return out

    k = torch.cat([kv[..., :nope], k_rope[:, None].expand(-1, heads, -1)], -1).contiguous()
    v = kv[..., nope:].contiguous()

    def flash_attention_3(i):
        return flash_attn_varlen_func(q, k, v, max(rows), cu_q, max(keys), cu_k,
                                      softmax_scale=scale, causal=True, fa_version=3)

    calls = [ours, flash_attention_3]
    if len(segments) == 1 and rows == keys:
        expanded = [t.transpose(0, 1)[None].contiguous() for t in (q, k, v)]

        def cudnn(i):
            with sdpa_kernel([SDPBackend.CUDNN_ATTENTION]):
                return scaled_dot_product_attention(
                    *expanded, is_causal=True, scale=scale)[0].transpose(0, 1)

        calls.append(cudnn)
    return calls


def run(library, picked):
    """Prints a table of the rows whose numbers are picked."""
    timing.heading()
    print("TFLOPS of causal attention, counted exactly, medians. × is a peer's time over ours.\n")
    print("| heads | rows | keys | key | value | ours | FA3 | × | cuDNN | × |")
    print("|" + "---|" * 10)
    for row in picked(len(ROWS)):
        heads, nope, value, segments = ROWS[row]
        calls = _calls(library, heads, nope, value, segments)
        expected = calls[1](0).float()
        for call in calls:
            difference = (call(0).float() - expected).abs().max().item()
            if not difference < TOLERANCE:
                raise RuntimeError(f"row {row}: {call.__name__} differs by {difference}")
        del expected
        pairs = sum(n * (k - n) + n * (n + 1) / 2 for n, k in segments)
        operations = 2 * heads * pairs * (nope + ROPE + value)
        ours, *theirs = timing.medians(calls, RUNS)
        sizes = [str(segments[0][i]) if len(segments) == 1 else "mixed" for i in (0, 1)]
        line = (f"| {heads} | {sizes[0]} | {sizes[1]} | {nope + ROPE} | {value} "
                f"| {operations / ours / 1e9:.0f} |")
        for time_of in theirs:
            line += f" {operations / time_of / 1e9:.0f} | {time_of / ours:.2f} |"
        print(line + ("" if len(theirs) > 1 else " | |"), flush=True)
        del calls
        torch.cuda.empty_cache()
