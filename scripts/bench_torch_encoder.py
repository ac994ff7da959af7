#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times a top-k encoder of random weights in PyTorch: the peer of `tamis-cli bench encoder`.

Usage: bench_torch_encoder.py WIDTH LATENTS K BATCH ROUNDS
Prints one JSON line for batch 1 and one for BATCH: {"batch", "seconds"} with the best of ROUNDS calls of
topk(relu(F.linear(x, W, b)), K). Ends with status 77 where PyTorch is not installed."""
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("PyTorch is not installed (python3-torch)", file=sys.stderr)
    sys.exit(77)


def main():
    torch.manual_seed(0)
    width, latents, k, batch, rounds = (int(a) for a in sys.argv[1:])
    weight = torch.rand(latents, width).sub_(0.5).mul_(width ** -0.5)
    bias = torch.randn(latents) * 0.1 - 0.3
    with torch.inference_mode():
        for tokens in (1, batch):
            x = torch.randn(tokens, width)
            encode = lambda: torch.topk(torch.relu(F.linear(x, weight, bias)), k, sorted=True)
            encode()
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                encode()
                times.append(time.perf_counter() - start)
            print(json.dumps({"batch": tokens, "seconds": min(times)}), flush=True)


main()
