#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times exact attention in PyTorch: the peer of `tamis-cli bench attention`.

Usage: bench_torch_attention.py HEADS HEAD_DIM ROUNDS TOKENS...
Ways: scaled_dot_product_attention (in version 1.13 by its earlier, private name), and softmax(q k^T) v written out. One JSON line a way and size: {"way",
"tokens", "seconds" (the best of ROUNDS, in turn), "bytes" (by which the process's greatest memory grew)}. Status 77: no PyTorch."""
import json
import resource
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("PyTorch is not installed (python3-torch)", file=sys.stderr)
    sys.exit(77)


def greatest():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def naive(q, k, v):
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v


def ways():
    if hasattr(F, "scaled_dot_product_attention"):
        yield "scaled_dot_product_attention", F.scaled_dot_product_attention
    elif hasattr(F, "_scaled_dot_product_attention"):
        def early(q, k, v):
            return F._scaled_dot_product_attention(q, k, v)[0]
        yield "scaled_dot_product_attention", early
    yield "naive", naive


def main():
    torch.manual_seed(0)
    heads, dim, rounds = (int(a) for a in sys.argv[1:4])
    with torch.inference_mode():
        for tokens in sorted(int(a) for a in sys.argv[4:]):
            q, k, v = (torch.randn(1, heads, tokens, dim) for _ in range(3))
            times, memory = {}, {}
            for turn in range(rounds + 1):
                for way, attend in ways():
                    before, spent = greatest(), 0.0
                    while True:
                        start = time.perf_counter()
                        attend(q, k, v)
                        once = time.perf_counter() - start
                        spent += once
                        if turn:
                            times[way] = min(once, times.get(way, once))
                        if spent >= 0.1 / rounds:
                            break
                    memory[way] = max(memory.get(way, 0), greatest() - before)
            for way, seconds in times.items():
                print(json.dumps({"way": way, "tokens": tokens, "seconds": seconds, "bytes": max(memory.values())}), flush=True)


main()
