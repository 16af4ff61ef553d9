"""Makes the golden checkpoints: small random models and what transformers computes with them.

Usage: python make_golden.py [NAME...]      (see README.md beside this file)
"""

import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DeepseekV2Config,
    DeepseekV3Config,
    Glm4MoeLiteConfig,
    MiniCPM3Config,
    Mistral4Config,
    Mistral4ForCausalLM,
    PreTrainedTokenizerFast,
    YoutuConfig,
    logging,
)

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = 320
BOS, END, PAD, USER, ASSISTANT = range(5)
MARKERS = ["<|bos|>", "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>"]
LENGTHS = [1, 63, 64, 65, 129, 700, 1500]
NEW_TOKENS = 12
PROMPT_WORDS = [2, 5, 9, 17, 40, 120, 260]
# In standard deviations of the logits: what rounding the cache may change, and the least lead of
# a greedy token in the text prompts.
LARGEST_CACHE_EFFECT = 0.008
LEAST_LEAD = 0.04
# The same for quantized activations, which a backend over 8-bit tensor cores has.
LARGEST_ACTIVATION_EFFECT = 0.2

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '<|user|>' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant may speak here') }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

WORDS = (
    "river stone lantern market winter copper garden letter harbour window silver morning paper "
    "bridge orchard signal mountain candle village thunder ribbon compass meadow engine feather "
    "castle anchor shadow kettle violin the of and in to from near under before without 7 19 403"
).split()

COMMON = dict(
    vocab_size=VOCABULARY,
    hidden_size=48,
    kv_lora_rank=512,
    qk_rope_head_dim=64,
    max_position_embeddings=2048,
    bos_token_id=BOS,
    eos_token_id=END,
    pad_token_id=PAD,
)
EXPERTS = dict(
    intermediate_size=96,
    moe_intermediate_size=32,
    n_routed_experts=8,
    n_shared_experts=1,
    num_experts_per_tok=2,
    first_k_dense_replace=1,
)
SMALL_HEADS = dict(qk_nope_head_dim=128, v_head_dim=128)
SMALL_LATENT = dict(kv_lora_rank=256, qk_nope_head_dim=64, v_head_dim=128)
SMALLEST_LATENT = dict(
    kv_lora_rank=256, qk_rope_head_dim=32, qk_nope_head_dim=64, v_head_dim=64
)
LARGE_HEADS = dict(qk_nope_head_dim=192, v_head_dim=256)
# Sizes that are not multiples of a block of scales.
UNEVEN = dict(
    hidden_size=144, intermediate_size=208, moe_intermediate_size=48, q_lora_rank=144
)
FLOAT8_LARGEST = 448.0
BLOCK = 128


def heads(count):
    return dict(num_attention_heads=count, num_key_value_heads=count)


def yarn(**more):
    return dict(factor=8.0, original_max_position_embeddings=256, beta_fast=32, beta_slow=1, **more)


# quantization_config as the publishers of DeepSeek-V3 and llm-compressor write it.
BLOCKS = dict(
    quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=[128, 128]
)
CHANNELS = dict(
    quant_method="compressed-tensors",
    format="float-quantized",
    quantization_status="compressed",
    ignore=["lm_head"],
    kv_cache_scheme=None,
    config_groups=dict(
        group_0=dict(
            targets=["Linear"],
            weights=dict(
                num_bits=8, type="float", symmetric=True, strategy="channel", dynamic=False
            ),
            input_activations=dict(
                num_bits=8, type="float", symmetric=True, strategy="token", dynamic=True
            ),
            output_activations=None,
        )
    ),
)

# name: (configuration class, its arguments, replacements in the written config.json, save options)
CHECKPOINTS = {
    "deepseek-v2-greedy": (
        DeepseekV2Config,
        COMMON
        | EXPERTS
        | SMALL_HEADS
        | heads(2)
        | dict(
            num_hidden_layers=2,
            hidden_size=40,
            q_lora_rank=None,
            n_shared_experts=2,
            topk_method="greedy",
            routed_scaling_factor=1.3,
        ),
        dict(scoring_func="softmax"),
        {},
    ),
    "deepseek-v2-group-limited": (
        DeepseekV2Config,
        COMMON
        | EXPERTS
        | SMALL_HEADS
        | heads(2)
        | dict(
            num_hidden_layers=2,
            q_lora_rank=24,
            topk_method="group_limited_greedy",
            n_group=4,
            topk_group=2,
            num_experts_per_tok=3,
            routed_scaling_factor=4.0,
        ),
        # The spelling of the published models.
        dict(
            rope_parameters=None,
            rope_theta=10000,
            rope_scaling=yarn(type="yarn", mscale=0.707, mscale_all_dim=0.707),
        ),
        {},
    ),
    "deepseek-v3": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALL_HEADS
        | heads(2)
        | dict(
            num_hidden_layers=2,
            q_lora_rank=24,
            n_group=4,
            topk_group=2,
            num_experts_per_tok=3,
            routed_scaling_factor=2.5,
        ),
        dict(scoring_func="sigmoid", topk_method="noaux_tc"),
        {},
    ),
    "deepseek-v3-latent-256-rope-64": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALL_LATENT
        | heads(2)
        | dict(num_hidden_layers=2, q_lora_rank=24, n_group=2, topk_group=1),
        {},
        {},
    ),
    "deepseek-v3-latent-256-rope-32": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALLEST_LATENT
        | heads(3)
        | dict(num_hidden_layers=2, q_lora_rank=None, n_group=1, topk_group=1),
        {},
        {},
    ),
    "moonlight": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALL_HEADS
        | heads(1)
        | dict(
            num_hidden_layers=3,
            q_lora_rank=None,
            n_group=1,
            topk_group=1,
            n_shared_experts=2,
            routed_scaling_factor=2.446,
        ),
        dict(rope_parameters=None, rope_theta=50000.0, rope_scaling=None),
        dict(max_shard_size="600KB"),
    ),
    "deepseek-v3-yarn-scaling": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALL_HEADS
        | heads(2)
        | dict(num_hidden_layers=2, q_lora_rank=24, n_group=2, topk_group=1),
        dict(
            rope_parameters=None,
            rope_theta=10000,
            rope_scaling=yarn(type="yarn", mscale=1.0, mscale_all_dim=1.0),
        ),
        {},
    ),
    "deepseek-v3-yarn-parameters": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALL_HEADS
        | heads(2)
        | dict(
            num_hidden_layers=2,
            q_lora_rank=24,
            n_group=2,
            topk_group=1,
            attention_bias=True,
            rope_interleave=False,
            rope_parameters=yarn(
                rope_type="yarn", rope_theta=20000.0, mscale=1.0, mscale_all_dim=0.7
            ),
        ),
        {},
        {},
    ),
    "glm4-moe-lite": (
        Glm4MoeLiteConfig,
        COMMON
        | EXPERTS
        | LARGE_HEADS
        | heads(1)
        | dict(num_hidden_layers=2, q_lora_rank=24, rms_norm_eps=1e-5),
        {},
        {},
    ),
    "glm4-moe-lite-two-heads": (
        Glm4MoeLiteConfig,
        COMMON
        | EXPERTS
        | LARGE_HEADS
        | heads(2)
        | dict(num_hidden_layers=1, q_lora_rank=24, mlp_layer_types=["sparse"]),
        {},
        {},
    ),
    "deepseek-v3-fp8-blocks": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALL_HEADS
        | heads(2)
        | dict(num_hidden_layers=2, n_group=2, topk_group=1)
        | UNEVEN,
        dict(quantization_config=BLOCKS),
        {},
    ),
    "deepseek-v3-fp8-channels": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALL_LATENT
        | heads(2)
        | dict(num_hidden_layers=2, n_group=2, topk_group=1)
        | UNEVEN
        | dict(q_lora_rank=None),
        dict(quantization_config=CHANNELS),
        {},
    ),
    "youtu": (
        YoutuConfig,
        COMMON
        | SMALL_HEADS
        | heads(2)
        | dict(num_hidden_layers=2, q_lora_rank=24, intermediate_size=96),
        dict(rope_parameters=None, rope_theta=1600000, rope_scaling=None),
        {},
    ),
    "deepseek-v3-rope-linear": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALLEST_LATENT
        | heads(1)
        | dict(
            num_hidden_layers=1,
            q_lora_rank=None,
            rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0),
        ),
        {},
        {},
    ),
    "minicpm3": (
        MiniCPM3Config,
        COMMON
        | SMALLEST_LATENT
        | heads(2)
        | dict(
            num_hidden_layers=2,
            q_lora_rank=24,
            intermediate_size=96,
            scale_emb=3,
            scale_depth=2.0,
            dim_model_base=32,
            rope_parameters=dict(
                rope_type="longrope",
                rope_theta=10000.0,
                factor=4.0,
                short_factor=[1 + pair / 16 for pair in range(16)],
                long_factor=[2 + pair / 8 for pair in range(16)],
                original_max_position_embeddings=2048,
            ),
        ),
        {},
        {},
    ),
    "kimi-vl": (
        DeepseekV3Config,
        COMMON
        | EXPERTS
        | SMALLEST_LATENT
        | heads(1)
        | dict(num_hidden_layers=2, q_lora_rank=None, n_group=1, topk_group=1),
        dict(rope_parameters=None, rope_theta=800000.0, rope_scaling=None),
        {},
    ),
    "mistral-small-4": (
        Mistral4Config,
        COMMON
        | EXPERTS
        | SMALL_LATENT
        | heads(2)
        | dict(
            num_hidden_layers=2,
            q_lora_rank=24,
            num_experts_per_tok=3,
            first_k_dense_replace=0,
            rope_parameters=yarn(
                type="yarn",
                rope_theta=10000.0,
                mscale=1.0,
                mscale_all_dim=1.0,
                llama_4_scaling_beta=0.3,
            ),
        ),
        {},
        {},
    ),
}

# Text models that are published as a part of a larger one: name: (architecture, model type).
NESTED = {
    "kimi-vl": ("KimiVLForConditionalGeneration", "kimi_vl"),
    "mistral-small-4": ("Mistral3ForConditionalGeneration", "mistral3"),
}


def make_tokenizer(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    generator = torch.Generator().manual_seed(1)
    corpus = [words(60, generator) for _ in range(50)]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=MARKERS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", BOS)]
    )
    # As some published tokenizers have it: a role's marker that is not called special.
    text = json.loads(tokenizer.to_str())
    for token in text["added_tokens"]:
        token["special"] = token["content"] != "<|user|>"
    (folder / "tokenizer.json").write_text(json.dumps(text, ensure_ascii=False, indent=1) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            dict(
                tokenizer_class="PreTrainedTokenizerFast",
                bos_token="<|bos|>",
                eos_token="<|end|>",
                pad_token="<|pad|>",
                clean_up_tokenization_spaces=False,
            ),
            indent=2,
        )
        + "\n"
    )
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def words(count, generator):
    return " ".join(
        WORDS[i] for i in torch.randint(len(WORDS), (count,), generator=generator).tolist()
    )


def draw_weights(model, generator):
    """Gains that keep activations near one, scores spread by 1.5 and logits by 3."""
    for name, weight in list(model.named_parameters()) + list(model.named_buffers()):
        if "inv_freq" in name or name.endswith("embed_scale"):
            continue
        noise = torch.randn(weight.shape, generator=generator)
        if "norm" in name:
            value = 1 + 0.1 * noise
        elif "e_score_correction_bias" in name:
            value = 0.2 * noise
        elif name.endswith("bias"):
            value = 0.1 * noise
        elif "embed_tokens" in name:
            value = noise * (0.45 if model.config.tie_word_embeddings else 1)
            if model.config.tie_word_embeddings:
                value[PAD] = 0  # transformers clears this row when it reads a tied embedding
        else:
            gain = 1.0
            if "lm_head" in name:
                gain = 3.0
            elif "q_proj" in name or "q_b_proj" in name or "kv_" in name:
                gain = 1.2
            elif "gate.weight" in name:
                gain = 1.5
            value = gain * noise / weight.shape[-1] ** 0.5
        weight.data.copy_(value)


def quantize(weight, rows, columns):
    """8-bit floats and a scale for each block of so many rows and columns, and what they stand for.

    A scale is the largest absolute value of its block / 448, as DeepSeek-V3's report says (section
    3.3.2); values are rounded to the nearest.
    """
    weight = weight.float()
    height, width = weight.shape
    blocks = torch.nn.functional.pad(weight, (0, -width % columns, 0, -height % rows))
    blocks = blocks.unflatten(1, (-1, columns)).unflatten(0, (-1, rows))
    scales = blocks.abs().amax((1, 3)) / FLOAT8_LARGEST
    scales[scales == 0] = 1
    every = scales.repeat_interleave(rows, 0).repeat_interleave(columns, 1)[:height, :width]
    values = (weight / every).to(torch.float8_e4m3fn)
    return values, scales, values.float() * every


def quantize_checkpoint(folder, configuration):
    """Quantizes a folder's projections, and returns a folder with what they stand for."""
    reference = folder / "reference"
    reference.mkdir()
    quantized, plain = {}, {}
    for name, weight in load_file(folder / "model.safetensors").items():
        quantized[name] = plain[name] = weight
        if "_proj" not in name or not name.endswith("weight"):
            continue
        if configuration is BLOCKS:
            values, scales, plain[name] = quantize(weight, BLOCK, BLOCK)
            quantized[name + "_scale_inv"] = scales
        else:
            values, scales, plain[name] = quantize(weight, 1, weight.shape[1])
            # The library writes scales in the checkpoint's own type.
            scales = scales.bfloat16()
            plain[name] = values.float() * scales.float()
            quantized[name + "_scale"] = scales
        quantized[name] = values
    save_file(quantized, folder / "model.safetensors", metadata=dict(format="pt"))
    save_file(plain, reference / "model.safetensors", metadata=dict(format="pt"))
    config = json.loads((folder / "config.json").read_text())
    del config["quantization_config"]
    (reference / "config.json").write_text(json.dumps(config))
    return reference


def load(folder):
    mistral = json.loads((folder / "config.json").read_text())["model_type"] == "mistral4"
    # The automatic class of text models knows Mistral 4 as a part of a larger model alone.
    model = (Mistral4ForCausalLM if mistral else AutoModelForCausalLM).from_pretrained(
        folder, dtype=torch.float64, attn_implementation="sdpa", experts_implementation="eager"
    ).eval()
    if mistral:
        # transformers 5.17 multiplies by the square of yarn's temperature, which the published model
        # was not trained with: docs/models.md.
        for layer in model.model.layers:
            layer.self_attn.scaling = model.config.qk_head_dim**-0.5
    return model


def greedy(model, tokens, least_lead=None):
    """Logits after the prompt, then greedy tokens and each one's lead over the second.

    With a least lead (in deviations of the logits): ends with the end token, or with the first
    token that leads by less, whose lead is then the last.
    """
    ids = torch.tensor([tokens])
    first, chosen, leads, cache = None, [], [], None
    while len(chosen) < NEW_TOKENS:
        with torch.no_grad():
            output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits, cache = output.logits[0, -1].double(), output.past_key_values
        first = logits if first is None else first
        best = logits.topk(2)
        chosen.append(int(best.indices[0]))
        leads.append(float(best.values[0] - best.values[1]))
        short = least_lead is not None and leads[-1] < least_lead * float(first.std())
        if short or (least_lead is not None and chosen[-1] == END):
            break
        ids = torch.tensor([chosen[-1:]])
    return first, chosen, leads


def round_cache(module, inputs, output):
    return output.bfloat16().to(output.dtype)


def cache_effect(model, prompts):
    """How far logits move, in their standard deviations, when latents are rounded to bf16."""
    hooks = [
        module.register_forward_hook(round_cache)
        for name, module in model.named_modules()
        if name.endswith("kv_a_layernorm")
    ]
    rounded = [last_logits(model, tokens) for tokens in prompts]
    for hook in hooks:
        hook.remove()
    exact = [last_logits(model, tokens) for tokens in prompts]
    return max(float((a - b).abs().max() / a.std()) for a, b in zip(exact, rounded))


def activation_effect(model, prompts):
    """How far logits move, in their standard deviations, when what projections read is quantized.

    Each row's 128 columns have a scale of their own (DeepSeek-V3, section 3.3.2).
    """
    exact = [last_logits(model, tokens) for tokens in prompts]
    linear = torch.nn.functional.linear

    def quantized(inputs, weight, bias=None):
        if weight.shape[0] in (VOCABULARY, EXPERTS["n_routed_experts"]):
            return linear(inputs, weight, bias)
        flat = inputs.reshape(-1, inputs.shape[-1])
        stands_for = quantize(flat, 1, BLOCK)[2] if len(flat) else flat
        return linear(stands_for.to(inputs.dtype).reshape(inputs.shape), weight, bias)

    torch.nn.functional.linear = quantized
    rounded = [last_logits(model, tokens) for tokens in prompts]
    torch.nn.functional.linear = linear
    return max(float((a - b).abs().max() / a.std()) for a, b in zip(exact, rounded))


def is_steady(model, tokens, chosen):
    """Whether noise as large as bf16 makes it in the cache changes no greedy token.

    A router that is undecided between two experts makes much of little.
    """
    generator = torch.Generator().manual_seed(0)

    def disturb(module, inputs, output):
        noise = torch.rand(output.shape, generator=generator, dtype=output.dtype)
        return output * (1 + (2 * noise - 1) / 256)

    hooks = [
        module.register_forward_hook(disturb)
        for name, module in model.named_modules()
        if name.endswith(("kv_a_layernorm", "kv_a_proj_with_mqa"))
    ]
    ids = torch.tensor([tokens + chosen[:-1]] * 8)
    steady = True
    for _ in range(4):
        with torch.no_grad():
            logits = model(input_ids=ids, logits_to_keep=len(chosen)).logits
        steady = steady and bool((logits.argmax(-1) == torch.tensor(chosen)).all())
    for hook in hooks:
        hook.remove()
    return steady


def last_logits(model, tokens):
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens]), logits_to_keep=1).logits[0, -1]


def write_checkpoint(name, folder, seed):
    """Draws and writes a checkpoint; returns it as it is read back."""
    configuration, arguments, replacements, options = CHECKPOINTS[name]
    if configuration is Glm4MoeLiteConfig:
        arguments = {k: v for k, v in arguments.items() if k != "first_k_dense_replace"}
    drawn = configuration(**arguments)
    if configuration is Mistral4Config:
        model = Mistral4ForCausalLM(drawn)
    else:
        model = AutoModelForCausalLM.from_config(drawn)
    draw_weights(model, torch.Generator().manual_seed(seed))
    bias = {
        key: value.clone() for key, value in model.named_buffers() if "correction_bias" in key
    }
    model.to(torch.bfloat16)
    for key, value in bias.items():
        model.get_submodule(key.rpartition(".")[0]).e_score_correction_bias = value
    model.save_pretrained(folder, **options)
    path = folder / "config.json"
    written = json.loads(path.read_text())
    for key, value in replacements.items():
        written[key] = value
    if replacements.get("rope_parameters", 0) is None:
        del written["rope_parameters"]
    path.write_text(json.dumps(written, indent=2) + "\n")
    # Not GenerationConfig.save_pretrained, which writes defaults too.
    (folder / "generation_config.json").write_text(
        json.dumps(dict(bos_token_id=BOS, eos_token_id=[END], do_sample=False), indent=2) + "\n"
    )
    if "quantization_config" not in replacements:
        return load(folder)
    reference = quantize_checkpoint(folder, replacements["quantization_config"])
    model = load(reference)
    shutil.rmtree(reference)
    return model


def nest(folder, architecture, model_type):
    """Makes the text model a part of a larger one, as it is published."""
    config = json.loads((folder / "config.json").read_text())
    outer = dict(
        architectures=[architecture],
        model_type=model_type,
        text_config=config,
        vision_config=dict(hidden_size=8),
    )
    (folder / "config.json").write_text(json.dumps(outer, indent=2) + "\n")
    file = folder / "model.safetensors"
    tensors = {f"language_model.{name}": value for name, value in load_file(file).items()}
    tensors["vision_tower.patch_embed.proj.weight"] = torch.zeros(8, 3, dtype=torch.bfloat16)
    tensors["multi_modal_projector.linear_1.weight"] = torch.zeros(48, 8, dtype=torch.bfloat16)
    save_file(tensors, file, metadata=dict(format="pt"))


def text_rows(model, tokenizer, generator):
    rows = []
    for count in PROMPT_WORDS:
        while True:
            prompt = words(count, generator) + [" ", "?", ": Grüße, 東京 🙂"][len(rows) % 3]
            row = text_row(model, tokenizer, prompt, tokenizer(prompt)["input_ids"])
            if row:
                rows.append(dict(id=len(rows)) | row)
                break
    return rows


def chat_rows(model, tokenizer, generator):
    rows = []
    while len(rows) < 3:
        turns = 1 + 2 * len(rows)
        messages = [
            dict(role=["user", "assistant"][i % 2], content=words(6 + 4 * i, generator))
            for i in range(turns)
        ]
        tokens = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        row = text_row(model, tokenizer, messages, tokens["input_ids"])
        if row:
            rows.append(dict(id=len(rows)) | row)
    return rows


def text_row(model, tokenizer, prompt, tokens):
    """The expectation for a prompt, unless some token of it hangs on a hair."""
    logits, chosen, leads = greedy(model, tokens, LEAST_LEAD)
    if leads[-1] < LEAST_LEAD * float(logits.std()) or not is_steady(model, tokens, chosen):
        return None
    return dict(
        prompt=prompt,
        expected_text=tokenizer.decode(chosen, skip_special_tokens=True),
        expected_prompt_tokens=tokens,
        expected_tokens=chosen,
        expected_finish_reason="stop" if chosen[-1] == END else "length",
    )


def make(name):
    folder = HERE / name
    generator = torch.Generator().manual_seed(100)
    prompts = [
        torch.randint(len(MARKERS), VOCABULARY, (length,), generator=generator).tolist()
        for length in LENGTHS
    ]
    for seed in range(1, 100):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        model = write_checkpoint(name, folder, seed)
        effect = cache_effect(model, prompts)
        if effect > LARGEST_CACHE_EFFECT:
            continue
        more = {}
        if "quantization_config" in CHECKPOINTS[name][2]:
            more["activation_effect"] = float(f"{activation_effect(model, prompts):.3g}")
        if more.get("activation_effect", 0) <= LARGEST_ACTIVATION_EFFECT:
            break
    else:
        raise RuntimeError(f"{name}: no seed below {LARGEST_CACHE_EFFECT}")
    make_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast) and len(tokenizer) == VOCABULARY
    cases = []
    for tokens in prompts:
        logits, chosen, leads = greedy(model, tokens)
        cases.append(
            dict(
                tokens=tokens,
                logits=[float(f"{value:.7g}") for value in logits.tolist()],
                greedy=chosen,
                margins=[float(f"{value:.4g}") for value in leads],
            )
        )
    (folder / "expected.json").write_text(
        json.dumps(dict(seed=seed, **more, cases=cases), separators=(",", ":")) + "\n"
    )
    for file, rows in [
        ("prompts.jsonl", text_rows(model, tokenizer, generator)),
        ("chat.jsonl", chat_rows(model, tokenizer, generator)),
    ]:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (folder / file).write_text("".join(lines))
    if name in NESTED:
        nest(folder, *NESTED[name])
    size = sum(file.stat().st_size for file in folder.iterdir())
    deviation = torch.tensor(cases[-1]["logits"]).std()
    print(f"{name}: seed {seed}, {size:,} bytes, logits' deviation {deviation:.2f}, "
          f"effect of a rounded cache {effect:.4f}")


def main(names):
    torch.set_num_threads(2)
    logging.disable_progress_bar()
    for name in names or CHECKPOINTS:
        make(name)


if __name__ == "__main__":
    main(sys.argv[1:])
