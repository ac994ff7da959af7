# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of the LLaMA family in PyTorch, with the tensor names and the config.json keys of Hugging Face."""
import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 1024, "hidden_size": 128,
    "intermediate_size": 352, "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 32, "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "rope_scaling": None, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True,
    "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.02, "torch_dtype": "float16"}


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(width)), epsilon

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.epsilon) * self.weight


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.groups, self.size = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        width = c["hidden_size"]
        self.q_proj = nn.Linear(width, self.heads * self.size, bias=False)
        self.k_proj = nn.Linear(width, self.groups * self.size, bias=False)
        self.v_proj = nn.Linear(width, self.groups * self.size, bias=False)
        self.o_proj = nn.Linear(self.heads * self.size, width, bias=False)

    def forward(self, x, cosine, sine, mask):
        b, n, _ = x.shape
        q = turn(self.q_proj(x).view(b, n, self.heads, self.size).transpose(1, 2), cosine, sine)
        k = turn(self.k_proj(x).view(b, n, self.groups, self.size).transpose(1, 2), cosine, sine)
        v = self.v_proj(x).view(b, n, self.groups, self.size).transpose(1, 2)
        share = self.heads // self.groups  # query heads g*share .. g*share+share-1 read key-value head g
        q = (q * self.size ** -0.5).reshape(b, self.groups, share * n, self.size)
        scores = torch.matmul(q, k.transpose(2, 3)).view(b, self.groups, share, n, n) + mask
        mixed = torch.matmul(F.softmax(scores, -1).view(b, self.groups, share * n, n), v)
        return self.o_proj(mixed.view(b, self.heads, n, self.size).transpose(1, 2).reshape(b, n, -1))


def turn(x, cosine, sine):
    """Rotary position embedding, halves paired as in Hugging Face's rotate_half."""
    low, high = x.chunk(2, -1)
    return x * cosine + torch.cat((-high, low), -1) * sine


class Feedforward(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = Feedforward(c)

    def forward(self, x, cosine, sine, mask):
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.norm = Norm(c["hidden_size"], c["rms_norm_eps"])


class Llama(nn.Module):
    """forward: ids [b, n] -> logits [b, n, vocabulary]; `outputs` collects the residual stream after each block."""

    def __init__(self, c=None):
        super().__init__()
        self.c = c = c or CONFIG
        self.model = Decoder(c)
        deviation, depth = c["initializer_range"], 2 * c["num_hidden_layers"]
        for name, p in self.named_parameters():
            if p.dim() == 2:
                last = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, 0, deviation * 2 / (depth ** 0.5 if last else 1))
        frequency = c["rope_theta"] ** (-torch.arange(0, c["head_dim"], 2).double() / c["head_dim"])
        angle = torch.outer(torch.arange(c["max_position_embeddings"]).double(), frequency).repeat(1, 2)
        length = c["max_position_embeddings"]
        self.register_buffer("cosine", angle.cos().float(), persistent=False)
        self.register_buffer("sine", angle.sin().float(), persistent=False)
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1), persistent=False)

    def forward(self, ids, outputs=None, stop_after=None):
        n = ids.shape[1]
        x = self.model.embed_tokens(ids)
        for index, block in enumerate(self.model.layers):
            x = block(x, self.cosine[:n], self.sine[:n], self.mask[:n, :n])
            if outputs is not None:
                outputs.append(x)
            if index == stop_after:
                return x
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)
