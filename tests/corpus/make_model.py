#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes tests/corpus/model: config.json, a line "---" and the tensor list of each reference model in tests/golden/models.
They are what fuzz_model starts from, and what tst_model_errors spoils one line at a time."""
import json
import struct
from pathlib import Path

here = Path(__file__).resolve().parent
out = here / "model"
out.mkdir(exist_ok=True)
for folder in sorted((here.parent / "golden/models").iterdir()):
    if not (folder / "model.safetensors").exists():
        continue
    data = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    config = json.dumps(json.loads((folder / "config.json").read_text()), separators=(",", ":"))
    lines = [" ".join([name, *map(str, entry["shape"])]) for name, entry in sorted(header.items())]
    (out / f"{folder.name}.txt").write_text(config + "\n---\n" + "\n".join(lines) + "\n")
