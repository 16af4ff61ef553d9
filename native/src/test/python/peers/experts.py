"""The routed experts of a layer in bf16 beside vLLM's Triton kernels, each call in a CUDA graph."""

import ctypes

import torch

from peers import timing
from peers.library import ExpertsArguments

EXPERTS = 64
HIDDEN = 2048
SHAPES = [(6, 1408), (4, 1536)]  # experts of a token, width: DeepSeek-V2-Lite, GLM-4.7-Flash
TOKENS = [1, 4, 16, 64, 256, 1024, 2048, 4096, 8192, 16384]
ROWS = [(top, width, tokens) for top, width in SHAPES for tokens in TOKENS]
RUNS = 8
DEVIATION = 0.02  # of weights
TOLERANCE = 0.02  # of the largest result


def _graph(call):
    """The call as a CUDA graph: vLLM's starts from Python would otherwise be timed."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        result = call()
    return graph, result


def _calls(library, top, tokens, gate_up, down):
    from vllm.model_executor.layers.fused_moe import fused_experts

    width = down.shape[2]
    x = torch.randn(tokens, HIDDEN, device="cuda", dtype=torch.bfloat16)
    ids = torch.rand(tokens, EXPERTS, device="cuda").topk(top).indices.to(torch.int32)
    weights = torch.rand(tokens, top, device="cuda")
    out = torch.zeros(tokens, HIDDEN, device="cuda")

    def arguments():
        a = ExpertsArguments(struct_size=ctypes.sizeof(ExpertsArguments), rows=tokens,
                             experts=EXPERTS, per_token=top, hidden=HIDDEN, width=width)
        a.x, a.x_stride = x.data_ptr(), HIDDEN
        a.ids, a.weights = ids.data_ptr(), weights.data_ptr()
        a.gate_up, a.down = gate_up.data_ptr(), down.data_ptr()
        a.out, a.out_stride = out.data_ptr(), HIDDEN
        return a

    size = ctypes.c_size_t()
    library.call("spark_mla_experts_workspace_size", arguments(), size)
    workspace = torch.empty(size.value, device="cuda", dtype=torch.uint8)

    def ours():
        a = arguments()
        a.workspace, a.workspace_bytes = workspace.data_ptr(), size.value
        a.stream = torch.cuda.current_stream().cuda_stream
        library.call("spark_mla_experts_sort", a)
        library.call("spark_mla_experts_add", a)
        return out

    def theirs():
        return fused_experts(x, gate_up, down, weights, ids)

    ours_graph, _ = _graph(ours)
    theirs_graph, expected = _graph(theirs)
    out.zero_()
    ours_graph.replay()
    theirs_graph.replay()
    difference = (out - expected.float()).abs().max() / expected.float().abs().max()
    if not difference.item() < TOLERANCE:
        raise RuntimeError(f"{tokens} tokens: results differ by {difference.item()}")
    used = ids.unique().numel()
    return [lambda i: ours_graph.replay(), lambda i: theirs_graph.replay()], used


def run(library, picked):
    """Prints a table of the rows whose numbers are picked."""
    timing.heading()
    print("Each token's experts are drawn evenly; × is vLLM's time over ours, of medians.\n")
    print("| experts | top | hidden | width | tokens | used | ours µs | weights GB/s | TFLOPS "
          "| vLLM µs | × |")
    print("|" + "---|" * 11)
    matrices = None
    for row in picked(len(ROWS)):
        top, width, tokens = ROWS[row]
        if matrices is None or matrices[1].shape[2] != width:
            matrices = None
            matrices = [torch.empty(shape, device="cuda", dtype=torch.bfloat16)
                        .normal_(0, DEVIATION)
                        for shape in ((EXPERTS, 2 * width, HIDDEN), (EXPERTS, HIDDEN, width))]
        calls, used = _calls(library, top, tokens, *matrices)
        ours, theirs = timing.medians(calls, RUNS)
        size, operations = 6 * used * HIDDEN * width, 6 * tokens * top * HIDDEN * width
        print(f"| {EXPERTS} | {top} | {HIDDEN} | {width} | {tokens} | {used} | {1e3 * ours:.1f} "
              f"| {size / ours / 1e6:.0f} | {operations / ours / 1e9:.0f} "
              f"| {1e3 * theirs:.1f} | {theirs / ours:.2f} |", flush=True)
        del calls
        torch.cuda.empty_cache()
