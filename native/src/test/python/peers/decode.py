"""MLA decode beside FlashMLA's dense kernel and FlashAttention-3's MLA, both as vLLM ships them."""

import ctypes
import glob
import math
import os
import random

import torch

from peers import timing
from peers.library import DecodeArguments

PAGE, LATENT, ROPE = 64, 512, 64
DIM = LATENT + ROPE
BALANCED, BY_LENGTH = 0, 1
VARIED = [(128, s_q, 128, s_k, True, causal)
          for s_q, causal in ((1, False), (2, False), (2, True))
          for s_k in (4096, 8192, 16384, 32768)]
EQUAL = [(b, 1, h_q, s_k, False, False) for b, h_q, s_k in (
    (64, 16, 1024), (256, 16, 1024), (16, 16, 1024), (64, 20, 4096), (32, 20, 8192),
    (128, 16, 4096), (128, 16, 16384), (32, 16, 32768), (8, 16, 131072), (1, 16, 131072),
    (128, 32, 4096), (128, 32, 16384), (128, 64, 4096), (128, 64, 16384), (32, 64, 32768),
    (8, 128, 131072), (4, 128, 32768), (1, 128, 131072))]
ROWS = VARIED + EQUAL  # b, s_q, h_q, s_k, lengths drawn, causal
RUNS = 8
LEAST_BYTES = 400 << 20  # of pages that calls rotate over, more than the second-level cache holds
TOLERANCE = 4e-3


class Ours:
    """Calls of libsparkmla.so, one for each set of pages."""

    def __init__(self, library, policy, queries, cache, tables, lengths, causal):
        self.library = library
        b, s_q, h_q, _ = queries[0].shape
        self.out = torch.empty(b, s_q, h_q, LATENT, device="cuda", dtype=torch.bfloat16)
        self.lse = torch.empty(b, h_q, s_q, device="cuda")
        a = DecodeArguments(
            ctypes.sizeof(DecodeArguments), int(causal), b, s_q, h_q, 1, LATENT, ROPE,
            tables[0].shape[1], cache.shape[0], policy, 0, DIM ** -0.5, 0,
            queries[0].data_ptr(), *queries[0].stride()[:3], cache.data_ptr(), *cache.stride()[:3],
            tables[0].data_ptr(), tables[0].stride(0), lengths.data_ptr(), 0, 0,
            self.out.data_ptr(), *self.out.stride()[:3], self.lse.data_ptr())
        a.stream = torch.cuda.current_stream().cuda_stream
        parts, size = ctypes.c_int32(), ctypes.c_size_t()
        library.call("spark_mla_decode_sm_parts", a, parts)
        a.num_sm_parts = parts.value
        library.call("spark_mla_decode_workspace_size", a, size)
        self.buffers = [torch.empty(parts.value, 8, device="cuda", dtype=torch.int32),
                        torch.empty(b + 1, device="cuda", dtype=torch.int32),
                        torch.empty(max(size.value, 1), device="cuda", dtype=torch.uint8)]
        a.metadata, a.num_splits, a.workspace = (t.data_ptr() for t in self.buffers)
        a.workspace_bytes = size.value
        library.call("spark_mla_decode_metadata", a)
        self.calls = []
        for q, table in zip(queries, tables):
            call = DecodeArguments.from_buffer_copy(a)
            call.q, call.block_table = q.data_ptr(), table.data_ptr()
            self.calls.append(call)

    def __call__(self, i):
        self.library.call("spark_mla_decode", self.calls[i % len(self.calls)])
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


class FlashAttention3:
    """Calls of FlashAttention-3 with the latent as the value, as vLLM decodes on Hopper."""

    def __init__(self, queries, cache, tables, lengths, causal):
        from vllm.vllm_flash_attn.flash_attn_interface import (flash_attn_varlen_func,
                                                               get_scheduler_metadata)

        b, s_q, h_q, _ = queries[0].shape
        self.shape = (b, s_q, h_q, LATENT)
        self.function = flash_attn_varlen_func
        self.queries = [tuple(part.reshape(b * s_q, h_q, -1).contiguous()
                              for part in (q[..., LATENT:], q[..., :LATENT])) for q in queries]
        # It reads a table's unused columns too.
        self.tables = [t.clamp(max=cache.shape[0] - 1) for t in tables]
        starts = torch.arange(0, b * s_q + 1, s_q, device="cuda", dtype=torch.int32)
        longest = int(lengths.max())
        metadata = get_scheduler_metadata(
            batch_size=b, max_seqlen_q=s_q, max_seqlen_k=longest, num_heads_q=h_q, num_heads_kv=1,
            headdim=ROPE, cache_seqlens=lengths, qkv_dtype=torch.bfloat16, headdim_v=LATENT,
            page_size=PAGE, cu_seqlens_q=starts, causal=True, num_splits=0)
        self.arguments = dict(
            k=cache[..., LATENT:], v=cache[..., :LATENT], max_seqlen_q=s_q, cu_seqlens_q=starts,
            max_seqlen_k=longest, seqused_k=lengths, softmax_scale=DIM ** -0.5, causal=True,
            fa_version=3, scheduler_metadata=metadata, num_splits=0)

    def __call__(self, i):
        rope, latent = self.queries[i % len(self.queries)]
        return self.function(q=rope, q_v=latent, block_table=self.tables[i % len(self.tables)],
                             **self.arguments).view(self.shape)


def inputs_of(b, s_q, h_q, s_k, drawn, causal):
    random.seed(0)
    sizes = [max(int(random.normalvariate(s_k, s_k / 2)), s_q) if drawn else s_k for _ in range(b)]
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
    return queries, cache, tables, lengths, causal


def flash_mla_library():
    import vllm

    (path,) = glob.glob(os.path.join(os.path.dirname(vllm.__file__), "_flashmla_C*.so"))
    return path


def run(library, picked):
    """Prints a table of the rows whose numbers are picked."""
    torch.ops.load_library(flash_mla_library())
    timing.heading()
    print("Microseconds, medians; by length: splits that the engine uses. × is a peer's time over "
          "ours, balanced.\n")
    print("| b | s_q | h_q | s_k | causal | ours | by length | FlashMLA | × | FA3 | × "
          "| sustained: ours | FlashMLA | × | FA3 | × |")
    print("|" + "---|" * 16)
    logs = {"FlashMLA": [], "FA3": []}
    for row in picked(len(ROWS)):
        b, s_q, h_q, s_k, drawn, causal = ROWS[row]
        inputs = inputs_of(*ROWS[row])
        calls = [Ours(library, BALANCED, *inputs), Ours(library, BY_LENGTH, *inputs),
                 FlashMla(*inputs)]
        # FlashAttention-3 aligns several queries with the end, which is the causal form alone.
        beside = s_q == 1 or causal
        if beside:
            calls.append(FlashAttention3(*inputs))
        expected = calls[0](0).float()
        for call in calls[1:]:
            difference = (call(0).float() - expected).abs().max().item()
            if not difference < TOLERANCE:
                raise RuntimeError(f"row {row}: {type(call).__name__} differs by {difference}")
        line = f"| {b} | {s_q} | {h_q} | {'~' if drawn else ''}{s_k} | {'yes' if causal else 'no'} |"
        for heat in (0, timing.HEAT_SECONDS):
            times = timing.medians(calls, RUNS, heat)
            ours, by_length, *theirs = [1000 * t for t in times]
            line += f" {ours:.1f} |" + ("" if heat else f" {by_length:.1f} |")
            for name, time_of in zip(logs, theirs):
                line += f" {time_of:.1f} | {time_of / ours:.3f} |"
                if not heat:
                    logs[name].append(math.log(time_of / ours))
            line += "" if beside else " | |"
        print(line, flush=True)
        del calls, inputs
    print()
    for name, ratios in logs.items():
        if ratios:
            print(f"{name}'s time over ours, rested: geometric mean "
                  f"{math.exp(sum(ratios) / len(ratios)):.3f}, least "
                  f"{math.exp(min(ratios)):.3f}, of {len(ratios)} rows")
