# SPDX-License-Identifier: GPL-3.0-or-later
"""transformers' BERT and RoBERTa with their classification and masked-language heads.

Devlin et al. 2018 (BERT, arXiv 1810.04805); Liu et al. 2019 (RoBERTa, arXiv 1907.11692).
"""
import functools
import math

import torch

from models_common import ACTIVATIONS, HF_COMMON, Variant, attend, labels, split_heads, token_ids


def norm(net, name, x, eps, old):
    """LayerNorm; the first published checkpoints say gamma and beta."""
    return net.layer_norm(name, x, eps, *(("gamma", "beta") if old else ("weight", "bias")))


def encoder(net, config, root, inputs, old=False):
    """Embeddings and post-norm blocks: [n, T, d] and the word table."""
    d, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
    ids, mask, name = inputs["input_ids"], inputs["attention_mask"], root + ".embeddings."
    words = net.tensor(name + "word_embeddings.weight", (config["vocab_size"], d), "embedding")
    places = net.tensor(name + "position_embeddings.weight", (config["max_position_embeddings"], d), "embedding")
    types = net.tensor(name + "token_type_embeddings.weight", (config["type_vocab_size"], d), "embedding")
    if root == "roberta":  # padding keeps the row of the padding index, tokens count on from it
        real = (ids != config["pad_token_id"]).long()
        place = real.cumsum(1) * real + config["pad_token_id"]
    else:
        place = torch.arange(ids.shape[1]).expand_as(ids)
    net.buffer(name + "position_ids", torch.arange(config["max_position_embeddings"]).reshape(1, -1).numpy())
    x = norm(net, name + "LayerNorm", words[ids] + places[place] + types[inputs["token_type_ids"]], eps, old)
    bias = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(mask == 0, -math.inf).reshape(len(mask), 1, 1, -1)
    for i in range(config["num_hidden_layers"]):
        name = f"{root}.encoder.layer.{i}."
        q, k, v = (split_heads(net.linear(f"{name}attention.self.{part}", x, d), heads)
                   for part in ("query", "key", "value"))
        y = attend(net, i, q, k, v, (d // heads) ** -0.5, bias)
        y = net.linear(name + "attention.output.dense", y, d)
        x = norm(net, name + "attention.output.LayerNorm", x + y, eps, old)
        y = ACTIVATIONS[config["hidden_act"]](net.linear(name + "intermediate.dense", x, config["intermediate_size"]))
        y = net.linear(name + "output.dense", y, d)
        x = norm(net, name + "output.LayerNorm", x + y, eps, old)
        net.keep(f"block.{i}", x)
    net.keep("hidden.final", x)
    return x, words


def bert_classifier(net, config, inputs):
    """BertForSequenceClassification: tanh pooler on the first token, then the classifier."""
    x, _ = encoder(net, config, "bert", inputs)
    pooled = torch.tanh(net.linear("bert.pooler.dense", x[:, 0], config["hidden_size"]))
    net.keep("logits", net.linear("classifier", pooled, len(config["id2label"])))


def bert_masked(net, config, inputs, old):
    """BertForMaskedLM: transform, norm, the word table as decoder and a bias of its own."""
    x, words = encoder(net, config, "bert", inputs, old)
    name = "cls.predictions."
    y = ACTIVATIONS[config["hidden_act"]](net.linear(name + "transform.dense", x, config["hidden_size"]))
    y = norm(net, name + "transform.LayerNorm", y, config["layer_norm_eps"], old)
    y = net.linear(name + "decoder", y, config["vocab_size"], bias=False, weight=words)
    net.keep("logits", y + net.tensor(name + "bias", (config["vocab_size"],), "bias"))


def roberta_classifier(net, config, inputs):
    """RobertaForSequenceClassification."""
    x, _ = encoder(net, config, "roberta", inputs)
    y = torch.tanh(net.linear("classifier.dense", x[:, 0], config["hidden_size"]))
    net.keep("logits", net.linear("classifier.out_proj", y, len(config["id2label"])))


def roberta_masked(net, config, inputs):
    """RobertaForMaskedLM: always the exact gelu."""
    x, words = encoder(net, config, "roberta", inputs)
    y = ACTIVATIONS["gelu"](net.linear("lm_head.dense", x, config["hidden_size"]))
    y = net.layer_norm("lm_head.layer_norm", y, config["layer_norm_eps"])
    y = net.linear("lm_head.decoder", y, config["vocab_size"], bias=False, weight=words)
    net.keep("logits", y + net.tensor("lm_head.bias", (config["vocab_size"],), "bias"))


def config(model_type, architecture, **more):
    """config.json; BERT pads with 0 and RoBERTa with 1, whose position table has two rows more than it uses."""
    base = {"architectures": [architecture], "model_type": model_type, "vocab_size": 40, "hidden_size": 16,
            "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 24,
            "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
            "position_embedding_type": "absolute", "use_cache": True, **HF_COMMON}
    if model_type == "roberta":
        base.update({"type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0,
                     "eos_token_id": 2, "max_position_embeddings": 22})
    return {**base, **more}


def text(name, c, length, padded, kinds):
    """Ids whose second sample ends in `padded` padding tokens; the second sentence starts at a third of each sample."""
    inputs = token_ids(name, c["vocab_size"], length, low=3)
    inputs["attention_mask"] = torch.ones(2, length, dtype=torch.int64)
    inputs["token_type_ids"] = torch.zeros(2, length, dtype=torch.int64)
    if kinds > 1:
        inputs["token_type_ids"][:, length // 3:] = 1
    if padded:
        inputs["input_ids"][1, -padded:] = c["pad_token_id"]
        inputs["attention_mask"][1, -padded:] = 0
    return inputs


def variants():
    def make(name, forward, c, length, padded, others=()):
        inputs = text(name, c, length, padded, c["type_vocab_size"])
        return Variant(name, forward, c, inputs, [{**c, **other} for other in others])

    return [
        make("bert_classifier", bert_classifier, config("bert", "BertForSequenceClassification", **labels(4)), 14, 5,
             [{"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-2}]),
        make("bert_masked", functools.partial(bert_masked, old=False),
             config("bert", "BertForMaskedLM", hidden_act="relu"), 12, 4),
        make("bert_masked_gamma_beta", functools.partial(bert_masked, old=True), config("bert", "BertForMaskedLM"),
             10, 0),
        make("roberta_classifier", roberta_classifier,
             config("roberta", "RobertaForSequenceClassification", **labels(4)), 14, 5),
        make("roberta_masked", roberta_masked, config("roberta", "RobertaForMaskedLM"), 12, 4),
    ]
