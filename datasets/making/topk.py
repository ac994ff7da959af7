# SPDX-License-Identifier: GPL-3.0-or-later
"""A top-k sparse autoencoder (Gao et al. 2024): training, the two layouts on disk, and its figures.

z = topk(relu(W_enc (x - b_dec) + b_enc)), reconstruction = z W_dec + b_dec, decoder rows of unit length. Decoder rows
begin as centred and normalised samples and the encoder as their copy; latents that have not fired for a while are
trained on the residual (auxiliary k).
"""
import json
import time

import numpy as np
import torch
import torch.nn.functional as F

import tensors

AUXILIARY, AUXILIARY_WEIGHT, SILENT_STEPS = 64, 1 / 32, 60


class TopK:
    """Parameters as float32 tensors: encoder [M, D], encoder_bias [M], decoder [M, D], decoder_bias [D]."""

    def __init__(self, encoder, encoder_bias, decoder, decoder_bias, k):
        self.encoder, self.encoder_bias, self.decoder, self.decoder_bias = encoder, encoder_bias, decoder, decoder_bias
        self.k = k

    def parameters(self):
        return [self.encoder, self.encoder_bias, self.decoder, self.decoder_bias]

    def before(self, x):
        return F.linear(x - self.decoder_bias, self.encoder, self.encoder_bias)

    def encode(self, x):
        """(values [n, k], descending; indices [n, k]); a value of 0 is no activation."""
        return torch.topk(F.relu(self.before(x)), self.k, -1)

    def decode(self, values, indices):
        dense = torch.zeros(len(values), len(self.encoder)).scatter(1, indices, values)
        return dense @ self.decoder + self.decoder_bias


def train(x, latents, k, steps, batch, rate, seed):
    """x: [n, D] activations. Trained on x / (its root mean square), then scaled back."""
    draw = torch.Generator().manual_seed(seed)
    centre = x.mean(0)
    scale = (x - centre).pow(2).mean().sqrt().item()
    data, centre = x / scale, centre / scale
    rows = F.normalize(data[torch.randint(len(data), (latents,), generator=draw)] - centre, dim=1)
    sae = TopK(rows.clone(), torch.zeros(latents), rows.clone(), centre.clone(), k)
    some = data[torch.randint(len(data), (4096,), generator=draw)] - centre
    first = sae.decode(*sae.encode(some + centre)) - centre
    # The rows overlap, so that their sum overshoots. The best factor for the sum leaves a third of the latents silent from the
    # start; its square root keeps all of them alive and is soon as good.
    sae.encoder *= ((some * first).sum() / (first * first).sum()).sqrt()
    for p in sae.parameters():
        p.requires_grad_()
    optimiser = torch.optim.Adam(sae.parameters(), lr=rate, betas=(0.9, 0.999), eps=1e-8)
    fired = torch.zeros(latents, dtype=torch.long)
    began = time.time()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min((step + 1) / 50, 1.25 * (1 - step / steps), 1)
        part = data[torch.randint(len(data), (batch,), generator=draw)]
        loss, used = step_loss(sae, part, step - fired > SILENT_STEPS)
        fired[used] = step
        optimiser.zero_grad()
        loss.backward()
        with torch.no_grad():  # the gradient along a row would only change its length
            g = sae.decoder.grad
            g -= (g * sae.decoder).sum(1, keepdim=True) * sae.decoder
            optimiser.step()
            sae.decoder /= sae.decoder.norm(dim=1, keepdim=True)
        if step % 200 == 199:
            silent = (step - fired > SILENT_STEPS).sum().item()
            print(f"  step {step + 1}/{steps} loss {loss.item():.4f} silent {silent} {time.time() - began:.0f} s", flush=True)
    with torch.no_grad():
        return TopK(sae.encoder.detach(), sae.encoder_bias * scale, sae.decoder.detach(), sae.decoder_bias * scale, k)


def step_loss(sae, x, silent):
    """Fraction of variance unexplained plus the auxiliary term; and which latents fired."""
    before = sae.before(x)
    values, indices = torch.topk(F.relu(before), sae.k, -1, sorted=False)
    error = x - sae.decode(values, indices)
    loss = error.pow(2).sum() / (x - x.mean(0)).pow(2).sum()
    if silent.any():
        revived = torch.where(silent, before, torch.tensor(float("-inf")))
        extra, places = torch.topk(revived, min(AUXILIARY, int(silent.sum())), -1, sorted=False)
        dense = torch.zeros_like(before).scatter(1, places, F.relu(extra))
        residual = error.detach()
        loss = loss + AUXILIARY_WEIGHT * (residual - dense @ sae.decoder).pow(2).sum() / residual.pow(2).sum()
    return loss, indices[values > 0].unique()


@torch.no_grad()
def figures(sae, x):
    """Explained variance (ratio of sums, mean over all tokens), mean number of active latents, share never active."""
    error, active, fired = 0.0, 0, torch.zeros(len(sae.encoder), dtype=torch.bool)
    for part in x.split(4096):
        values, indices = sae.encode(part)
        error += (part - sae.decode(values, indices)).double().pow(2).sum().item()
        active += (values > 0).sum().item()
        fired[indices[values > 0]] = True
    total = (x.double() - x.double().mean(0)).pow(2).sum().item()
    return {"explained variance": 1 - error / total, "L0": active / len(x), "dead share": 1 - fired.float().mean().item()}


def rounded(sae):
    """With the parameters that a float16 file holds."""
    return TopK(*[p.half().float() for p in sae.parameters()], sae.k)


def write_sparsify(folder, sae):
    """EleutherAI sparsify: encoder.weight [M, D], W_dec [M, D]."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder, encoder_bias, decoder, decoder_bias = [p.numpy().astype(np.float16) for p in sae.parameters()]
    tensors.write(folder / "sae.safetensors", {"encoder.weight": encoder, "encoder.bias": encoder_bias, "W_dec": decoder,
                                               "b_dec": decoder_bias})
    latents, width = encoder.shape
    config = {"activation": "topk", "expansion_factor": latents // width, "normalize_decoder": True, "num_latents": latents,
              "k": sae.k, "multi_topk": False, "skip_connection": False, "transcode": False, "d_in": width}
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n")


def write_saelens(folder, sae, model, hook, dataset):
    """SAELens 6: W_enc [D, M], W_dec [M, D]."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder, encoder_bias, decoder, decoder_bias = [p.numpy().astype(np.float16) for p in sae.parameters()]
    tensors.write(folder / "sae_weights.safetensors", {"W_enc": np.ascontiguousarray(encoder.T), "W_dec": decoder,
                                                       "b_enc": encoder_bias, "b_dec": decoder_bias})
    latents, width = encoder.shape
    config = {"architecture": "topk", "d_in": width, "d_sae": latents, "k": sae.k, "dtype": "float16", "device": "cpu",
              "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
              "rescale_acts_by_decoder_norm": False,
              "metadata": {"model_name": model, "hook_name": hook, "dataset_path": dataset}}
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n")
