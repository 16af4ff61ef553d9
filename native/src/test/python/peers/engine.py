"""vLLM on the work that `bin/bench generate --json FILE` has timed."""

import importlib.util
import json
import os
import random
import tempfile
import time

LONG_SECONDS = 30
DECODE_STEPS = 128
DEVIATION = 0.02  # of weights
SHAPES = os.path.join(os.path.dirname(__file__),
                      "../../../../../spark-plugin/src/test/resources/shapes")
FLOAT8 = "-fp8"
BLOCK = 128  # rows and columns that share a scale
# Nothing is fetched and nothing reported. Set before vLLM is imported, which reads some of it then.
ENVIRONMENT = dict(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", VLLM_NO_USAGE_STATS="1",
                   DO_NOT_TRACK="1")
# vLLM asks for FlashInfer's sampler without looking whether FlashInfer is installed.
WITHOUT_FLASHINFER = dict(VLLM_USE_FLASHINFER_SAMPLER="0")


def _of_no_whole_blocks(config):
    """Modules that vLLM refuses in blocks: it joins gate and up, of which each must be whole blocks.

    Ours computes them in 8 bits.
    """
    if config["intermediate_size"] % BLOCK == 0:
        return []
    return [f"model.layers.{layer}.mlp.{part}_proj"
            for layer in range(config["first_k_dense_replace"]) for part in ("gate", "up", "down")]


def _folder(name):
    """A folder with a config.json: of shapes (with -fp8, of weights in 8 bits), or the one named."""
    if os.path.isdir(name):
        with open(os.path.join(name, "config.json")) as file:
            return name, json.load(file)["vocab_size"]
    with open(os.path.join(SHAPES, name.removesuffix(FLOAT8), "config.json")) as file:
        config = json.load(file)
    if name.endswith(FLOAT8):
        config["quantization_config"] = dict(
            quant_method="fp8", activation_scheme="dynamic", fmt="e4m3",
            weight_block_size=[BLOCK, BLOCK], modules_to_not_convert=_of_no_whole_blocks(config))
    folder = tempfile.mkdtemp(prefix="shapes-")
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    return folder, config["vocab_size"]


def _draw_weights_normally():
    """vLLM's dummy weights send all tokens to the same experts, of which fewer are read then.

    The process in which vLLM loads its model is forked from this one, and so has what is set here.
    """
    import torch
    from vllm.model_executor.model_loader import dummy_loader

    @torch.no_grad()
    def draw(model, *ignored):
        for name, param in model.state_dict().items():
            if param.device.type == "meta" or not torch.is_floating_point(param):
                continue
            if "scale" in name:
                param.fill_(DEVIATION)
            elif param.dim() <= 1:
                param.fill_(1)
            elif param.element_size() == 1:
                param.copy_(torch.randn(param.shape, device=param.device, dtype=torch.float16))
            else:
                param.normal_(0, DEVIATION)

    dummy_loader.initialize_dummy_weights = draw


class Vllm:
    """vLLM offline, as it is by default but for the prefix cache: prompts share nothing."""

    def __init__(self, model, longest, batches):
        """A model for sequences of at most this length, with CUDA graphs of these batch sizes.

        Without sizes, vLLM records those it does by default.
        """
        from vllm import LLM, SamplingParams

        _draw_weights_normally()
        folder, self.vocabulary = _folder(model)
        self.parameters = SamplingParams
        self.llm = LLM(model=folder, load_format="dummy", skip_tokenizer_init=True,
                       enable_prefix_caching=False, max_model_len=max(longest, 8192),
                       gpu_memory_utilization=0.92, disable_log_stats=True,
                       compilation_config=dict(cudagraph_capture_sizes=batches) if batches else {})
        self.seconds([512] * 4, [8] * 4)

    def seconds(self, prompts, new_tokens):
        """The least time of two runs, of new random prompts each; of long work, one run's.

        The first run of a kind compiles kernels, for up to some seconds.
        """
        first = self._once(prompts, new_tokens)
        return first if first > LONG_SECONDS else min(first, self._once(prompts, new_tokens))

    def _once(self, prompts, new_tokens):
        ids = range(10, self.vocabulary - 10)
        requests = [{"prompt_token_ids": random.choices(ids, k=length)} for length in prompts]
        # At temperature 1: the greedy text of random weights falls into loops.
        parameters = [self.parameters(temperature=1.0, max_tokens=count, ignore_eos=True,
                                      detokenize=False) for count in new_tokens]
        begun = time.perf_counter()
        outputs = self.llm.generate(requests, parameters, use_tqdm=False)
        seconds = time.perf_counter() - begun
        counts = [len(output.outputs[0].token_ids) for output in outputs]
        if counts != list(new_tokens):
            raise RuntimeError(f"vLLM generated {sum(counts)} tokens instead of {sum(new_tokens)}")
        return seconds

    def step_seconds(self, contexts):
        """A decode step over contexts of these lengths on average, from two runs' difference."""
        prompts = [max(1, n - DECODE_STEPS) for n in contexts]
        few, many = DECODE_STEPS // 2, DECODE_STEPS // 2 + DECODE_STEPS
        # Compiling for these prompts may take longer than all else, and would be of one run alone.
        self._once(prompts, [few] * len(prompts))
        short, long = (self.seconds(prompts, [count] * len(prompts)) for count in (few, many))
        return (long - short) / (many - few)


def _graph_batches(rows):
    """The decode steps' batch sizes; None for all, as batches of a workload take many sizes.

    vLLM takes minutes to record its 51 sizes in 8 bits, as it compiles GEMMs for each.
    """
    if any(row["part"] == "WORKLOAD" for row in rows):
        return None
    return sorted({len(row["prompts"]) for row in rows if row["part"] == "DECODE"}) or None


def run(report):
    """Prints ours beside vLLM for each row of a report."""
    os.environ.update(ENVIRONMENT)
    if importlib.util.find_spec("flashinfer") is None:
        os.environ.update(WITHOUT_FLASHINFER)
    import vllm

    random.seed(1)
    rows = report["rows"]
    peer = Vllm(report["model"], 64 + max(
        p + n + 2 * DECODE_STEPS for row in rows for p, n in zip(row["prompts"], row["newTokens"])),
        _graph_batches(rows))
    print(f"\n{report['model']}, ours on {report['device']}, vLLM {vllm.__version__}.\n")
    print(f"| Work | ours | vLLM {vllm.__version__} | vLLM's time over ours |")
    print("|---|---|---|---|")
    for row in rows:
        ours = row["seconds"]
        if row["part"] == "DECODE":
            theirs = peer.step_seconds(row["prompts"])
            print(f"| decode step {row['name']} | {1000 * ours:.2f} ms | {1000 * theirs:.2f} ms "
                  f"| {theirs / ours:.2f} |", flush=True)
            continue
        theirs = peer.seconds(row["prompts"], row["newTokens"])
        if row["part"] == "PREFILL":
            tokens = sum(row["prompts"])
            print(f"| prefill {row['name']} | {tokens / ours:.0f} tokens/s "
                  f"| {tokens / theirs:.0f} tokens/s | {theirs / ours:.2f} |", flush=True)
        else:
            print(f"| {row['name']} | {ours:.2f} s | {theirs:.2f} s | {theirs / ours:.2f} |",
                  flush=True)
