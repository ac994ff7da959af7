#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs exports in PyTorch by the modules that they carry: check_pytorch_export.py (EXPORT INPUT.bin LOGITS.bin SHAPE)...

INPUT.bin holds float32 images or int32 token ids of SHAPE ("1,3,64,64", "1,20"), LOGITS.bin what Tamis computed, float32. Both
compute in float32, in another order: they agree to 1e-3 of the largest logit or better; the difference is printed."""
import importlib.util
import os
import sys

import numpy as np
import torch

failed = False
for at in range(1, len(sys.argv), 4):
    folder, shape = sys.argv[at], tuple(int(n) for n in sys.argv[at + 3].split(","))
    specification = importlib.util.spec_from_file_location("tamis_model", os.path.join(folder, "tamis_model.py"))
    tamis_model = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tamis_model)
    inputs = np.fromfile(sys.argv[at + 1], "<f4" if len(shape) == 4 else "<i4").reshape(shape)
    expected = np.fromfile(sys.argv[at + 2], "<f4")
    with torch.no_grad():
        found = tamis_model.load(folder)(torch.from_numpy(inputs if len(shape) == 4 else inputs.astype(np.int64)))
    found = found.numpy().ravel()
    assert found.shape == expected.shape, f"{folder}: {found.shape} logits, expected {expected.shape}"
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"{os.path.basename(folder)}: largest difference {difference:.3g} of the largest logit")
    failed = failed or not difference < 1e-3
sys.exit(1 if failed else 0)
