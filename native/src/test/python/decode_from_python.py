"""Calls MLA decode without the JVM and checks it against PyTorch.

    python3 decode_from_python.py libsparkmla.so

Needs PyTorch with CUDA on a Hopper GPU. The library lies in the jar, native/linux-x86_64.
"""

import ctypes
import sys

import torch

from peers.library import DecodeArguments, Library

LATENT, ROPE, PAGE, BY_LENGTH = 512, 64, 64, 1
DIM = LATENT + ROPE


def main(path):
    library = Library(path)
    batch, heads, pages = 4, 128, 32
    q = torch.randn(batch, 1, heads, DIM, device="cuda", dtype=torch.bfloat16)
    cache = torch.randn(batch * pages, PAGE, 1, DIM, device="cuda", dtype=torch.bfloat16)
    table = torch.randperm(batch * pages, device="cuda", dtype=torch.int32).view(batch, pages)
    lengths = torch.tensor([2048, 1, 0, 777], device="cuda", dtype=torch.int32)
    out = torch.empty(batch, 1, heads, LATENT, device="cuda", dtype=torch.bfloat16)
    lse = torch.empty(batch, heads, 1, device="cuda")
    a = DecodeArguments(
        ctypes.sizeof(DecodeArguments), 0, batch, 1, heads, 1, LATENT, ROPE, pages, len(cache),
        BY_LENGTH, 0, DIM**-0.5, 0, q.data_ptr(), *q.stride()[:3], cache.data_ptr(), *cache.stride()[:3],
        table.data_ptr(), pages, lengths.data_ptr(), 0, 0, out.data_ptr(), *out.stride()[:3],
        lse.data_ptr())
    a.stream = torch.cuda.current_stream().cuda_stream

    parts, size = ctypes.c_int32(), ctypes.c_size_t()
    library.call("spark_mla_decode_sm_parts", a, parts)
    a.num_sm_parts = parts.value
    library.call("spark_mla_decode_workspace_size", a, size)
    metadata = torch.empty(parts.value, 8, device="cuda", dtype=torch.int32)
    splits = torch.empty(batch + 1, device="cuda", dtype=torch.int32)
    workspace = torch.empty(size.value, device="cuda", dtype=torch.uint8)
    a.metadata, a.num_splits = metadata.data_ptr(), splits.data_ptr()
    a.workspace, a.workspace_bytes = workspace.data_ptr(), size.value
    library.call("spark_mla_decode_metadata", a)  # once a step
    library.call("spark_mla_decode", a)           # once a layer

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
