"""Calls MLA decode without the JVM and checks it against PyTorch.

    python3 decode_from_python.py libsparkmla.so

Needs PyTorch with CUDA on a Hopper GPU. The library lies in the jar, native/linux-x86_64.
"""

import ctypes
import os
import sys

import torch

LATENT, ROPE, PAGE, BY_LENGTH = 512, 64, 64, 1
DIM = LATENT + ROPE


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


def main(path):
    library = ctypes.CDLL(os.path.abspath(path))
    library.spark_mla_status_string.restype = ctypes.c_char_p

    def call(function, *results):
        status = getattr(library, function)(ctypes.byref(a), *map(ctypes.byref, results))
        if status:
            raise RuntimeError(library.spark_mla_status_string(status).decode())

    batch, heads, pages = 4, 128, 32
    q = torch.randn(batch, 1, heads, DIM, device="cuda", dtype=torch.bfloat16)
    cache = torch.randn(batch * pages, PAGE, 1, DIM, device="cuda", dtype=torch.bfloat16)
    table = torch.randperm(batch * pages, device="cuda", dtype=torch.int32).view(batch, pages)
    lengths = torch.tensor([2048, 1, 0, 777], device="cuda", dtype=torch.int32)
    out = torch.empty(batch, 1, heads, LATENT, device="cuda", dtype=torch.bfloat16)
    lse = torch.empty(batch, heads, 1, device="cuda")
    a = Arguments(
        ctypes.sizeof(Arguments), 0, batch, 1, heads, 1, LATENT, ROPE, pages, len(cache), BY_LENGTH,
        0, DIM**-0.5, 0, q.data_ptr(), *q.stride()[:3], cache.data_ptr(), *cache.stride()[:3],
        table.data_ptr(), pages, lengths.data_ptr(), 0, 0, out.data_ptr(), *out.stride()[:3],
        lse.data_ptr())
    a.stream = torch.cuda.current_stream().cuda_stream

    parts, size = ctypes.c_int32(), ctypes.c_size_t()
    call("spark_mla_decode_sm_parts", parts)
    a.num_sm_parts = parts.value
    call("spark_mla_decode_workspace_size", size)
    metadata = torch.empty(parts.value, 8, device="cuda", dtype=torch.int32)
    splits = torch.empty(batch + 1, device="cuda", dtype=torch.int32)
    workspace = torch.empty(size.value, device="cuda", dtype=torch.uint8)
    a.metadata, a.num_splits = metadata.data_ptr(), splits.data_ptr()
    a.workspace, a.workspace_bytes = workspace.data_ptr(), size.value
    call("spark_mla_decode_metadata")  # once a step
    call("spark_mla_decode")           # once a layer

    for sequence, length in enumerate(lengths.tolist()):
        keys = cache[table[sequence].long()].view(-1, DIM)[:length].float()
        scores = q[sequence, 0].float() @ keys.T * DIM**-0.5
        expected = scores.softmax(-1) @ keys[:, :LATENT]
        difference = (out[sequence, 0].float() - expected).abs().max().item()
        print(f"{length} tokens in {splits[sequence + 1] - splits[sequence]} splits: "
              f"largest difference {difference:.2e}")
        assert difference < 0.05


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
