# SPDX-License-Identifier: GPL-3.0-or-later
"""vit20 in PyTorch: a Vision Transformer with timm's tensor names."""
import torch
import torch.nn.functional as F

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Vit:
    def __init__(self, weights, heads, epsilon=1e-6):
        """weights: name -> float32 array."""
        self.w = {name: torch.from_numpy(array) for name, array in weights.items()}
        self.heads, self.epsilon = heads, epsilon
        self.depth = 1 + max(int(n.split(".")[1]) for n in weights if n.startswith("blocks."))

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.epsilon)

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def block(self, index, x):
        b, n, width = x.shape
        at = f"blocks.{index}."
        q, k, v = self.linear(at + "attn.qkv", self.norm(at + "norm1", x)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.softmax(q @ k.transpose(2, 3) * q.shape[-1] ** -0.5, -1) @ v
        x = x + self.linear(at + "attn.proj", mixed.transpose(1, 2).reshape(b, n, width))
        return x + self.linear(at + "mlp.fc2", F.gelu(self.linear(at + "mlp.fc1", self.norm(at + "norm2", x))))

    @torch.no_grad()
    def outputs(self, images, last):
        """Outputs of the blocks 0..last, [b, tokens, width] each, of normalised images [b, 3, h, w]."""
        patches = F.conv2d(images, self.w["patch_embed.proj.weight"], self.w["patch_embed.proj.bias"],
                           stride=self.w["patch_embed.proj.weight"].shape[-1])
        x = patches.flatten(2).transpose(1, 2)
        x = torch.cat((self.w["cls_token"].expand(len(x), -1, -1), x), 1) + self.w["pos_embed"]
        found = []
        for index in range(last + 1):
            x = self.block(index, x)
            found.append(x)
        return found


def normalised(pixels):
    """[b, h, w, 3] bytes -> [b, 3, h, w] floats as the model wants them."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
