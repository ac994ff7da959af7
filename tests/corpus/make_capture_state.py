#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""First inputs of fuzz_capture_state: capture_state/*.bin. The layout is that of core/measure/capture_state.h."""
import hashlib
import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "capture_state"


def number(value):
    return struct.pack("<Q", value)


def text(value):
    return number(len(value)) + value.encode()


def values(kind, items):
    return number(len(items)) + struct.pack(f"<{len(items)}{kind}", *items)


def head(links=(), gradients=()):
    record = text("model") + text("inputs") + text("samples 6, rows 2 and 1, seed 0") + number(3) + number(12)
    record += number(len(links)) + b"".join(text(name) + text(target) for name, target in links)
    return record + number(len(gradients)) + b"".join(text(name) + number(12) + values("d", squares) for name, squares in gradients)


def site(name, n):
    return text(name) + number(12) + values("d", [1.0] * n) + values("d", [2.0] * n * n) + values("f", [0.5] * n * 2) + values("f", [0.25] * n)


def pieces(records):
    return b"".join(struct.pack("<H", len(record)) + record for record in records)


def file(records):
    body = b"".join(number(len(r)) + r + hashlib.sha256(r).hexdigest().encode() for r in records)
    return b"TAMISCAP" + number(1) + number(len(records)) + body


FOLDER.mkdir(exist_ok=True)
plain = [head(), site("blocks.0.attn.qkv", 3), site("head", 2)]
shared = [head([("k", "q"), ("v", "q")], [("q", [1.0, 2.0]), ("k", [3.0])]), site("q", 2)]
for name, content in {"plain.bin": pieces(plain), "shared.bin": pieces(shared), "file.bin": file(plain), "short.bin": file(shared)[:-70]}.items():
    (FOLDER / name).write_bytes(content)
