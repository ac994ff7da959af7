#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times exact attention in PyTorch: the peer of `tamis-cli bench attention`.

Usage: bench_torch_attention.py HEADS HEAD_DIM ROUNDS TOKENS...
Ways: scaled_dot_product_attention (in version 1.13 by its earlier, private name), and softmax(q k^T) v written out. One JSON line a way and size: {"way",
"tokens", "seconds" (the best of ROUNDS
rounds, in turn; each way is repeated as often as the others), "bytes" (by which the process's greatest memory grew in a process of that way alone)}. Status 77: no PyTorch."""
import json
import os
import resource
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("PyTorch is not installed (python3-torch)", file=sys.stderr)
    sys.exit(77)


def grown(attend, q, k, v):
    """In a child of its own: the greatest memory of a process never falls, so that the second way would be given the first one's."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # a fork has none of its parent's threads; the outputs and intermediates are as large
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        attend(q, k, v)
        os.write(write, str(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return int(text) if text else None


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
            memory = {way: grown(attend, q, k, v) for way, attend in ways()}
            times, repeats = {}, 1
            for turn in range(rounds + 1):
                for way, attend in ways():
                    for _ in range(repeats):
                        start = time.perf_counter()
                        attend(q, k, v)
                        once = time.perf_counter() - start
                        times[way] = min(once, times.get(way, once))
                if turn == 0:  # warms up, and says how often
                    repeats = max(1, int(0.1 / rounds / max(times.values())))
                    times = {}
            for way, seconds in times.items():
                print(json.dumps({"way": way, "tokens": tokens, "seconds": seconds, "bytes": memory[way]}), flush=True)


main()
