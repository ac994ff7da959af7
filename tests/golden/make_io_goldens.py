#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""References for the readers of core/io, made by NumPy and h5py: run with Debian's python3 (python3-numpy, python3-h5py).

  io_arrays.npz, io_arrays_deflated.npz   the same arrays by np.savez and np.savez_compressed
  io_<name>.npy                           one array a case: dtypes, byte orders, Fortran order, format versions
  io_npy.tsv                              what NumPy reads from each: file, dtype, shape, values in C order
  io_calibration.h5                       a calibration set of 4 sites (links, big-endian, chunks, both kinds of strings)
  io_calibration.npz                      its values, read back by h5py
  io_vit20.npz                            some values of datasets/vit20/calibration.h5, read by h5py
"""
import pathlib

import h5py
import numpy as np
from numpy.lib import format as npy_format

HERE = pathlib.Path(__file__).resolve().parent
VIT20 = HERE.parent.parent / "datasets" / "vit20" / "calibration.h5"


def npy_cases():
    grid = np.arange(12).reshape(3, 4)
    cases = {}
    for code in ("f8", "f4", "f2", "i8", "i4", "i2"):
        values = (grid * 1.5 - 7 if code[0] == "f" else grid * 11 - 60)
        cases[f"{code}_little"] = values.astype("<" + code)
        cases[f"{code}_big"] = values.astype(">" + code)
    cases["i1"] = (grid * 11 - 60).astype("i1")
    cases["u1"] = (grid * 20).astype("u1")
    cases["b1"] = grid % 3 == 0
    cases["fortran2"] = np.asfortranarray((grid * 0.25).astype("<f4"))
    cases["fortran2_big"] = np.asfortranarray((grid * 0.25).astype(">f8"))
    cases["fortran3"] = np.asfortranarray(np.arange(30).reshape(2, 3, 5).astype("<i2"))
    cases["scalar"] = np.array(2.5)
    cases["vector"] = np.linspace(-1, 1, 7)
    cases["empty"] = np.zeros((0, 5), "<f4")
    cases["special"] = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324])
    return cases


def write_npy():
    lines = []
    for name, array in npy_cases().items():
        for version in ((1, 0), (2, 0), (3, 0)) if name == "f8_little" else ((1, 0),):
            file = HERE / f"io_{name}{'' if version == (1, 0) else '_v%d' % version[0]}.npy"
            with open(file, "wb") as stream:
                npy_format.write_array(stream, array, version=version)
            read = np.load(file)
            values = " ".join(repr(float(v)) for v in read.ravel(order="C"))
            lines.append("\t".join((file.name, array.dtype.str, ",".join(map(str, read.shape)), values)))
    (HERE / "io_npy.tsv").write_text("\n".join(lines) + "\n")


def write_npz():
    rng = np.random.default_rng(7)
    arrays = dict(weights=rng.standard_normal((20, 30)).astype("f4"), steps=np.arange(1000, dtype="i8"), scale=np.array(0.5),
                  mask=np.tile([True, False], 50).reshape(10, 10), columns=np.asfortranarray(rng.standard_normal((4, 6))))
    np.savez(HERE / "io_arrays.npz", **arrays)
    np.savez_compressed(HERE / "io_arrays_deflated.npz", **arrays)


def write_calibration():
    rng = np.random.default_rng(11)
    values = {}
    with h5py.File(HERE / "io_calibration.h5", "w") as f:
        f.attrs["schema"] = np.bytes_("tamis.calibration/1")  # fixed length
        f.attrs["model_sha256"] = "ab" * 32                    # variable length
        f.attrs["inputs"] = "random rows, naïve"
        f.attrs["tokens"] = np.uint16(300)
        sites = f.create_group("sites")
        for name, n, t in (("h.10.fc", 5, 8), ("h.2.fc", 7, 5)):
            x = rng.standard_normal((300, n))
            g = sites.create_group(name)
            g.attrs["count"] = 300
            big = name == "h.2.fc"
            g.create_dataset("gram", data=x.T @ x, dtype=">f8" if big else "<f8", chunks=(3, 4), shuffle=True, compression="gzip")
            g.create_dataset("mean", data=x.mean(0), dtype="<f8", chunks=(4,) if big else None)
            g.create_dataset("samples", data=x[:t], dtype="<f4", chunks=(2, 3), compression="gzip")
            g.create_dataset("heldout", data=x[-t:], dtype=">f4", chunks=(4, 2), shuffle=True)
            if big:
                g.create_dataset("output_grad_sq", data=rng.random(4))
            for dataset in g:
                values[f"{name}/{dataset}"] = np.array(g[dataset]).astype(g[dataset].dtype.newbyteorder("<"))
        sites["h.2.gate"] = sites["h.2.fc"]                    # hard link
        sites["h.2.up"] = h5py.SoftLink("/sites/h.2.fc")
    np.savez_compressed(HERE / "io_calibration.npz", **values)


def write_vit20():
    with h5py.File(VIT20) as f:
        values = {}
        for name, site in f["sites"].items():
            values[f"{name}/mean"] = np.array(site["mean"])
            values[f"{name}/gram_row"] = np.array(site["gram"][3])
            values[f"{name}/samples_last"] = np.array(site["samples"][-1])
            values[f"{name}/heldout_first"] = np.array(site["heldout"][0])
            values[f"{name}/count"] = np.int64(site.attrs["count"])
        np.savez_compressed(HERE / "io_vit20.npz", **values)


if __name__ == "__main__":
    write_npy()
    write_npz()
    write_calibration()
    write_vit20()
