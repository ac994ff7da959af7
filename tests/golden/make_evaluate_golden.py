#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch's answers of vit20 on the 1,000 validation photos of its 20 classes: tests/golden/evaluate_vit20.json.

    /usr/bin/python3 tests/golden/make_evaluate_golden.py FOLDER

FOLDER holds classes.tsv, val.tsv and val.tar (../shared/data/tiny-imagenet). Photos are decoded by PIL; they have the
model's size, so nothing is resized. Kept: counts, and the SHA-256 of the lines "file<TAB>predicted class", in the order of
val.tsv: enough to compare every prediction, nothing of the photos.
"""
import hashlib
import io
import json
import pathlib
import struct
import sys
import tarfile

import numpy as np
import torch
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "datasets/vit20"


def read_weights(path):
    """Float32 tensors by name."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    weights = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            assert entry["dtype"] == "F32"
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[8 + length + begin:8 + length + end], "<f4").reshape(entry["shape"])
            weights[name] = torch.from_numpy(values.copy())
    return weights


def labelled(folder):
    """(file, class index) of the photos of vit20's classes: the first 20 lines of classes.tsv, in the order of labels.txt."""
    classes = [line.split("\t")[0] for line in (folder / "classes.tsv").read_text().splitlines()[:20]]
    index = {name: i for i, name in enumerate(classes)}
    pairs = [line.split("\t")[:2] for line in (folder / "val.tsv").read_text().splitlines()]
    return [(file, index[name]) for file, name in pairs if name in index]


def pixels(data, config):
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert list(image.size) == config["image_size"]
    values = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(config["pretrained_cfg"][key]).reshape(3, 1, 1) for key in ("mean", "std"))
    return (values - mean) / std


def forward(weights, config, x):
    """timm's VisionTransformer: pre-norm blocks, class token, fused qkv, exact GELU."""
    heads, epsilon = config["num_heads"], config["layer_norm_eps"]

    def linear(name, x):
        return torch.nn.functional.linear(x, weights[name + ".weight"], weights[name + ".bias"])

    def norm(name, x):
        return torch.nn.functional.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"], epsilon)

    x = torch.nn.functional.conv2d(x, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=config["patch_size"])
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([weights["cls_token"].expand(len(x), -1, -1), x], 1) + weights["pos_embed"]
    for i in range(config["depth"]):
        name = f"blocks.{i}."
        qkv = linear(name + "attn.qkv", norm(name + "norm1", x)).reshape(len(x), x.shape[1], 3, heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = ((q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5).softmax(-1) @ v
        x = x + linear(name + "attn.proj", mixed.transpose(1, 2).flatten(2))
        hidden = torch.nn.functional.gelu(linear(name + "mlp.fc1", norm(name + "norm2", x)))
        x = x + linear(name + "mlp.fc2", hidden)
    return linear("head", norm("norm", x)[:, 0])


def main():
    folder = pathlib.Path(sys.argv[1])
    config = json.loads((MODEL / "config.json").read_text())
    weights = read_weights(MODEL / "model.safetensors")
    wanted = labelled(folder)
    with tarfile.open(folder / "val.tar") as archive:
        members = {pathlib.PurePosixPath(member.name).name: member for member in archive.getmembers() if member.isfile()}
        images = torch.stack([pixels(archive.extractfile(members[file]).read(), config) for file, _ in wanted])
    with torch.no_grad():
        logits = torch.cat([forward(weights, config, batch) for batch in images.split(50)])
    labels = torch.tensor([label for _, label in wanted])
    best = logits.topk(5, dim=1)
    lines = "".join(f"{file}\t{int(row[0])}\n" for (file, _), row in zip(wanted, best.indices))
    result = {
        "photos": len(wanted),
        "top1": int((best.indices[:, 0] == labels).sum()),
        "top5": int((best.indices == labels[:, None]).any(1).sum()),
        "predictionsSha256": hashlib.sha256(lines.encode()).hexdigest(),
        # how far rounding is from changing an answer: logits of two programs differ by about 1e-5
        "leastMargin": round(float((best.values[:, 0] - best.values[:, 1]).min()), 6),
        "crossEntropy": round(float(torch.nn.functional.cross_entropy(logits.double(), labels)), 9),
        "torch": torch.__version__,
    }
    (pathlib.Path(__file__).parent / "evaluate_vit20.json").write_text(json.dumps(result, indent=1) + "\n")
    print(result)


if __name__ == "__main__":
    main()
