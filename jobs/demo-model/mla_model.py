"""The demo model as training wants it: DeepSeek-V3's architecture on whole batches of equal rows.

The parameters carry the names of a published DeepSeek-V3 checkpoint, apart from the experts, which
lie in one tensor a projection until `export` parts them. All experts are computed for every token
and weighted with what the router says, zero for most: with eight small ones that is faster than
sorting.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import DeepseekV3Config, GenerationConfig


def configuration(vocabulary_size: int, bos: int, eos: int, pad: int) -> DeepseekV3Config:
    """The demo model's shape."""
    return DeepseekV3Config(
        architectures=["DeepseekV3ForCausalLM"],
        dtype="bfloat16",
        vocab_size=vocabulary_size,
        hidden_size=256,
        intermediate_size=768,
        moe_intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        n_routed_experts=8,
        n_shared_experts=1,
        num_experts_per_tok=2,
        n_group=1,
        topk_group=1,
        norm_topk_prob=True,
        routed_scaling_factor=1.5,
        scoring_func="sigmoid",
        topk_method="noaux_tc",
        first_k_dense_replace=1,
        moe_layer_freq=1,
        kv_lora_rank=512,
        q_lora_rank=None,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        max_position_embeddings=32768,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        rms_norm_eps=1e-6,
        num_nextn_predict_layers=0,
        tie_word_embeddings=False,
        attention_bias=False,
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=pad,
    )


def _linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return F.linear(x, weight.to(x.dtype))


class RmsNorm(nn.Module):
    """Root mean square norm in float32, result in `dtype`."""

    def __init__(self, size: int, eps: float, dtype: torch.dtype):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps, self.dtype = eps, dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.float()
        return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight).to(
            self.dtype
        )


class Projection(nn.Module):
    """A weight without bias, named as in a checkpoint."""

    def __init__(self, rows: int, columns: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, columns) * columns**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _linear(x, self.weight)


class Attention(nn.Module):
    """Projections of multi-head latent attention, expanded form; `attend` is called between."""

    def __init__(self, config: DeepseekV3Config, dtype: torch.dtype):
        super().__init__()
        self.heads, self.nope, self.rope = (
            config.num_attention_heads,
            config.qk_nope_head_dim,
            config.qk_rope_head_dim,
        )
        self.latent, self.value = config.kv_lora_rank, config.v_head_dim
        hidden = config.hidden_size
        self.q_proj = Projection(self.heads * (self.nope + self.rope), hidden)
        self.kv_a_proj_with_mqa = Projection(self.latent + self.rope, hidden)
        self.kv_a_layernorm = RmsNorm(self.latent, 1e-6, dtype)
        self.kv_b_proj = Projection(self.heads * (self.nope + self.value), self.latent)
        self.o_proj = Projection(hidden, self.heads * self.value)

    def expand(self, x, cosine, sine):
        """x [n, hidden], cosine and sine [n, rope / 2] → q, k [n, heads, nope + rope], and
        v [n, heads, value]."""
        n = x.shape[0]
        q = self.q_proj(x).view(n, self.heads, self.nope + self.rope)
        latent, k_rope = self.kv_a_proj_with_mqa(x).split([self.latent, self.rope], -1)
        kv = self.kv_b_proj(self.kv_a_layernorm(latent)).view(n, self.heads, self.nope + self.value)
        q_nope, q_rope = q.split([self.nope, self.rope], -1)
        q_rope = _rotate(q_rope, cosine[:, None], sine[:, None])
        k_rope = _rotate(k_rope, cosine, sine)[:, None].expand(n, self.heads, self.rope)
        q = torch.cat([q_nope, q_rope], -1)
        k = torch.cat([kv[..., : self.nope], k_rope], -1)
        return q, k, kv[..., self.nope :].contiguous()


def _rotate(x, cosine, sine):
    """Rotary embedding over neighbouring pairs: first elements, then second ones, as DeepSeek."""
    first, second = x[..., 0::2].float(), x[..., 1::2].float()
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1).to(
        x.dtype
    )


class GatedMlp(nn.Module):
    """down(silu(gate) * up)."""

    def __init__(self, hidden: int, inner: int):
        super().__init__()
        self.gate_proj, self.up_proj = Projection(inner, hidden), Projection(inner, hidden)
        self.down_proj = Projection(hidden, inner)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x)), None


class Router(nn.Module):
    """Sigmoid router whose correction bias serves the choice alone (noaux_tc, one group)."""

    def __init__(self, config: DeepseekV3Config):
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(config.n_routed_experts, config.hidden_size) * config.hidden_size**-0.5
        )
        self.register_buffer("e_score_correction_bias", torch.zeros(config.n_routed_experts))
        self.chosen, self.scale = config.num_experts_per_tok, config.routed_scaling_factor

    def forward(self, x):
        """x [n, hidden] → weights [n, experts] float32, zero where an expert was not chosen;
        and the tokens of each expert."""
        scores = F.linear(x.float(), self.weight).sigmoid()
        choice = (scores + self.e_score_correction_bias).topk(self.chosen, -1, sorted=False).indices
        mask = torch.zeros_like(scores).scatter(1, choice, 1.0)
        weights = scores * mask
        weights = weights * (self.scale / (weights.sum(-1, keepdim=True) + 1e-20))
        return weights, mask.detach().sum(0)


class Experts(nn.Module):
    """Routed experts and the shared one."""

    def __init__(self, config: DeepseekV3Config):
        super().__init__()
        hidden, inner, count = (
            config.hidden_size,
            config.moe_intermediate_size,
            config.n_routed_experts,
        )
        self.gate = Router(config)
        self.shared_experts = GatedMlp(hidden, inner * config.n_shared_experts)
        self.gate_proj = nn.Parameter(torch.randn(count, inner, hidden) * hidden**-0.5)
        self.up_proj = nn.Parameter(torch.randn(count, inner, hidden) * hidden**-0.5)
        self.down_proj = nn.Parameter(torch.randn(count, hidden, inner) * inner**-0.5)

    def forward(self, x):
        weights, load = self.gate(x)
        count, inner, hidden = self.gate_proj.shape
        inside = F.silu(_linear(x, self.gate_proj.view(-1, hidden))) * _linear(
            x, self.up_proj.view(-1, hidden)
        )
        inside = inside.view(-1, count, inner) * weights.to(x.dtype)[..., None]
        routed = _linear(
            inside.view(-1, count * inner),
            self.down_proj.transpose(0, 1).reshape(hidden, count * inner),
        )
        return routed + self.shared_experts(x)[0], load


class Layer(nn.Module):
    """One decoder layer, in two halves around the attention: both work on tokens of any row."""

    def __init__(self, config: DeepseekV3Config, index: int, dtype: torch.dtype):
        super().__init__()
        self.input_layernorm = RmsNorm(config.hidden_size, config.rms_norm_eps, dtype)
        self.self_attn = Attention(config, dtype)
        self.post_attention_layernorm = RmsNorm(config.hidden_size, config.rms_norm_eps, dtype)
        dense = index < config.first_k_dense_replace
        self.mlp = (
            GatedMlp(config.hidden_size, config.intermediate_size) if dense else Experts(config)
        )

    def before(self, x, cosine, sine):
        return self.self_attn.expand(self.input_layernorm(x), cosine, sine)

    def after(self, x, attended):
        x = x + self.self_attn.o_proj(attended)
        y, load = self.mlp(self.post_attention_layernorm(x))
        return x + y, load


def attend(q, k, v, backends: list[SDPBackend]) -> torch.Tensor:
    """Causal attention of [rows, heads, length, size] with the first backend that can."""
    with sdpa_kernel(backends, set_priority=True):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class MlaModel(nn.Module):
    """The whole model. GEMMs are in `dtype`, the residual and the weights in float32."""

    def __init__(self, config: DeepseekV3Config, dtype: torch.dtype = torch.bfloat16):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        nn.init.normal_(self.embed_tokens.weight, std=0.5)
        self.layers = nn.ModuleList(
            Layer(config, index, dtype) for index in range(config.num_hidden_layers)
        )
        self.norm = RmsNorm(config.hidden_size, config.rms_norm_eps, dtype)
        self.lm_head = Projection(config.vocab_size, config.hidden_size)
        for layer in self.layers:  # A residual stream that grows slowly.
            layer.self_attn.o_proj.weight.data *= 0.35
            mlp = layer.mlp
            for down in (
                (mlp.down_proj.weight,)
                if isinstance(mlp, GatedMlp)
                else (mlp.down_proj, mlp.shared_experts.down_proj.weight)
            ):
                down.data *= 0.35
        # cuDNN's attention takes values narrower than keys; on an H200 it is 2.3 times as fast as
        # flash attention on padded values.
        self.backends = [SDPBackend.CUDNN_ATTENTION, SDPBackend.MATH]
        self._tables: dict[tuple, tuple[torch.Tensor, torch.Tensor]] = {}

    def compile(self):
        """Compiles the halves of the layers: once, if every step has the same number of tokens."""
        before, after = torch.compile(Layer.before, dynamic=False), torch.compile(
            Layer.after, dynamic=False
        )
        for layer in self.layers:
            layer.before = before.__get__(layer)
            layer.after = after.__get__(layer)

    def _angles(self, rows: int, length: int, device) -> tuple[torch.Tensor, torch.Tensor]:
        if (rows, length) not in self._tables:
            size = self.config.qk_rope_head_dim
            theta = self.config.rope_parameters["rope_theta"]
            frequencies = 1.0 / theta ** (
                torch.arange(0, size, 2, dtype=torch.float32, device=device) / size
            )
            angles = torch.arange(length, dtype=torch.float32, device=device)[:, None] * frequencies
            self._tables[rows, length] = angles.cos().repeat(rows, 1), angles.sin().repeat(rows, 1)
        return self._tables[rows, length]

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """ids [rows, length] → normed hidden states [rows * length, hidden], each router's load."""
        rows, length = ids.shape
        cosine, sine = self._angles(rows, length, ids.device)
        x, loads = self.embed_tokens(ids.reshape(-1)), []
        for layer in self.layers:
            q, k, v = (
                t.view(rows, length, *t.shape[1:]).transpose(1, 2)
                for t in layer.before(x, cosine, sine)
            )
            attended = attend(q, k, v, self.backends)
            x, load = layer.after(x, attended.transpose(1, 2).reshape(rows * length, -1))
            if load is not None:
                loads.append(load)
        return self.norm(x), loads

    @torch.no_grad()
    def balance(self, loads: list[torch.Tensor], speed: float = 1e-3):
        """Moves each router's correction bias towards experts with fewer tokens than the mean."""
        routers = [layer.mlp.gate for layer in self.layers if isinstance(layer.mlp, Experts)]
        for router, load in zip(routers, loads):
            router.e_score_correction_bias += speed * torch.sign(load.mean() - load)

    def export(self, folder: pathlib.Path):
        """Writes the checkpoint as published ones are: bfloat16, a tensor an expert."""
        tensors = {}
        for name, tensor in self.state_dict().items():
            name = name if name.startswith("lm_head") else f"model.{name}"
            tensor = tensor.detach().cpu()
            if tensor.dim() == 3:
                prefix, projection = name.rsplit(".", 1)
                for index, expert in enumerate(tensor):
                    tensors[f"{prefix}.experts.{index}.{projection}.weight"] = (
                        expert.bfloat16().contiguous()
                    )
            elif name.endswith("e_score_correction_bias"):
                tensors[name] = tensor.float().contiguous()
            else:
                tensors[name] = tensor.bfloat16().contiguous()
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        self.config.save_pretrained(folder)
        GenerationConfig(
            bos_token_id=self.config.bos_token_id,
            eos_token_id=self.config.eos_token_id,
            pad_token_id=self.config.pad_token_id,
            do_sample=False,
        ).save_pretrained(folder)

    def restore(self, folder: pathlib.Path):
        """Takes the weights of an exported checkpoint."""
        tensors = {
            name.removeprefix("model."): tensor.float()
            for name, tensor in load_file(folder / "model.safetensors").items()
        }
        for name, tensor in self.state_dict().items():
            if tensor.dim() == 3:
                prefix, projection = name.rsplit(".", 1)
                tensors[name] = torch.stack(
                    [
                        tensors.pop(f"{prefix}.experts.{index}.{projection}.weight")
                        for index in range(len(tensor))
                    ]
                )
        self.load_state_dict(tensors)


def parameter_count(model: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in model.parameters())
