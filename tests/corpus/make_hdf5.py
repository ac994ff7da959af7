#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed calibration files: tests/corpus/hdf5 and its expectations.tsv. Needs Debian's python3-h5py."""
import pathlib
import struct

import h5py
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent / "hdf5"
CASES = []
X = np.arange(24.0).reshape(6, 4) / 8


def case(name, code, part):
    """Registers a function that spoils a good file (given open for writing), under the file's name."""
    def register(spoil):
        CASES.append((name + ".h5", code, part, spoil))
        return spoil
    return register


def good(path):
    with h5py.File(path, "w") as f:
        f.attrs["schema"] = "tamis.calibration/1"
        f.attrs["model_sha256"] = "00" * 32
        f.attrs["inputs"] = "six rows"
        f.attrs["tokens"] = 6
        g = f.create_group("sites/s")
        g.attrs["count"] = 6
        g["gram"] = X.T @ X
        g["mean"] = X.mean(0)
        g["samples"] = X.astype("f4")
        g["heldout"] = X[:2].astype("f4")


def replace(f, name, *args, **kwargs):
    del f["sites/s/" + name]
    return f.create_dataset("sites/s/" + name, *args, **kwargs)


MALFORMED, UNSUPPORTED, LIMIT, NONFINITE = "malformed file", "unsupported feature", "limit exceeded", "non-finite values"


@case("schema_missing", MALFORMED, "lacks the attribute 'schema'")
def _(f): del f.attrs["schema"]
@case("schema_other", MALFORMED, "found the schema 'other/1', expected 'tamis.calibration/1'")
def _(f): f.attrs["schema"] = "other/1"
@case("schema_garbage_version", MALFORMED, "found the schema 'tamis.calibration/1x'")
def _(f): f.attrs["schema"] = "tamis.calibration/1x"
@case("schema_newer", UNSUPPORTED, "found the newer schema 'tamis.calibration/2'")
def _(f): f.attrs["schema"] = "tamis.calibration/2"
@case("schema_is_a_number", MALFORMED, "the attribute 'schema' is not one text")
def _(f): f.attrs["schema"] = 1
@case("schema_is_a_list", MALFORMED, "the attribute 'schema' is not one text")
def _(f): f.attrs["schema"] = ["tamis.calibration/1", "tamis.calibration/1"]
@case("tokens_missing", MALFORMED, "lacks the attribute 'tokens'")
def _(f): del f.attrs["tokens"]
@case("tokens_is_real", MALFORMED, "the attribute 'tokens' is not one whole number")
def _(f): f.attrs["tokens"] = 6.0
@case("count_negative", MALFORMED, "the attribute 'count' is -6, expected no negative number")
def _(f): f["sites/s"].attrs["count"] = -6
@case("count_zero", MALFORMED, "the attribute 'count' is 0")
def _(f): f["sites/s"].attrs["count"] = 0
@case("count_missing", MALFORMED, "lacks the attribute 'count'")
def _(f): del f["sites/s"].attrs["count"]
@case("sites_missing", MALFORMED, "found no 'sites', expected a group")
def _(f): del f["sites"]
@case("sites_is_a_dataset", MALFORMED, "'sites' is not a group")
def _(f):
    del f["sites"]
    f["sites"] = X
@case("site_is_a_dataset", MALFORMED, "'s' is not a group")
def _(f):
    del f["sites/s"]
    f["sites/s"] = X
@case("gram_missing", MALFORMED, "found no 'gram', expected a dataset")
def _(f): del f["sites/s/gram"]
@case("gram_is_a_group", MALFORMED, "'gram' is not a dataset")
def _(f):
    del f["sites/s/gram"]
    f.create_group("sites/s/gram")
@case("gram_is_integer", MALFORMED, "gram: holds no floating-point numbers")
def _(f): replace(f, "gram", data=np.eye(4, dtype="i8"))
@case("gram_is_half", UNSUPPORTED, "gram: holds floating-point numbers of another form")
def _(f): replace(f, "gram", data=np.eye(4, dtype="f2"))
@case("gram_is_compound", MALFORMED, "gram: holds no floating-point numbers")
def _(f): replace(f, "gram", data=np.zeros((4, 4), dtype=[("a", "f8"), ("b", "f8")]))
@case("gram_is_text", MALFORMED, "gram: holds no floating-point numbers")
def _(f): replace(f, "gram", data="text")
@case("gram_is_scalar", MALFORMED, "gram: has 0 dimensions, expected 2")
def _(f): replace(f, "gram", data=1.0)
@case("gram_is_null", MALFORMED, "gram: has 0 dimensions, expected 2")
def _(f): replace(f, "gram", data=h5py.Empty("f8"))
@case("gram_rank_3", MALFORMED, "gram: has 3 dimensions, expected 2")
def _(f): replace(f, "gram", data=np.zeros((4, 4, 1)))
@case("gram_not_square", MALFORMED, "gram: is 4 x 5, expected a square matrix")
def _(f): replace(f, "gram", data=np.zeros((4, 5)))
@case("gram_empty", MALFORMED, "gram: is 0 x 0, expected a square matrix")
def _(f): replace(f, "gram", data=np.zeros((0, 0)))
@case("gram_nan", NONFINITE, "gram: holds 2 NaN and 1 infinite values")
def _(f): f["sites/s/gram"][0, :3] = np.nan, np.inf, np.nan
@case("gram_asymmetric", MALFORMED, "gram: is not symmetric: elements (2, 1)")
def _(f): f["sites/s/gram"][1, 2] += 1e-3
@case("gram_negative_diagonal", MALFORMED, "gram: has the negative diagonal element")
def _(f): f["sites/s/gram"][1, 1] = -1
@case("gram_huge", MALFORMED, "gram: declares the extents [1073741824, 1073741824]")
def _(f): replace(f, "gram", shape=(1 << 30, 1 << 30), dtype="f4", chunks=(1024, 1024))
@case("gram_huge_deflated", MALFORMED, "gram: declares the extents [16777216, 16777216]")
def _(f): replace(f, "gram", shape=(1 << 24, 1 << 24), dtype="f4", chunks=(1024, 1024), compression="gzip")
@case("gram_overflowing", LIMIT, "gram: the extents overflow 63 bits")
def _(f): replace(f, "gram", shape=(1 << 40, 1 << 40), dtype="f8", chunks=(1024, 1024))
@case("gram_long", LIMIT, "gram: declares the extents [4294967296, 1], expected at most 2^31 - 1 each")
def _(f): replace(f, "gram", shape=(1 << 32, 1), dtype="f8", chunks=(1024, 1))
@case("chunks_absurd", LIMIT, "samples: has chunks of [16384, 32768] elements")
def _(f): replace(f, "samples", shape=(1 << 14, 1 << 15), dtype="f4", chunks=(1 << 14, 1 << 15), compression="gzip")
@case("mean_rank_2", MALFORMED, "mean: has 2 dimensions, expected 1")
def _(f): replace(f, "mean", data=X)
@case("mean_short", MALFORMED, "mean: has 3 features, expected 4 as in gram")
def _(f): replace(f, "mean", data=X[0, :3])
@case("mean_missing", MALFORMED, "found no 'mean'")
def _(f): del f["sites/s/mean"]
@case("mean_infinite", NONFINITE, "mean: holds 0 NaN and 1 infinite values")
def _(f): f["sites/s/mean"][2] = -np.inf
@case("samples_narrow", MALFORMED, "samples: has 3 features, expected 4 as in gram")
def _(f): replace(f, "samples", data=X[:, :3])
@case("heldout_wide", MALFORMED, "heldout: has 24 features, expected 4 as in gram")
def _(f): replace(f, "heldout", data=X.reshape(1, 24))
@case("heldout_nan", NONFINITE, "heldout: holds 1 NaN")
def _(f): f["sites/s/heldout"][1, 1] = np.nan
@case("samples_never_written", MALFORMED, "samples: declares the extents [6, 4] (96 bytes), which the 0 bytes stored for it cannot hold")
def _(f): replace(f, "samples", shape=(6, 4), dtype="f4", chunks=(3, 4))
@case("samples_partly_written", MALFORMED, "samples: the chunk at 3, 0 cannot be found")
def _(f): replace(f, "samples", shape=(6, 4), dtype="f4", chunks=(3, 4), compression="gzip")[:3] = 1
@case("filter_fletcher32", UNSUPPORTED, "samples: found the HDF5 filter 3 'fletcher32'")
def _(f): replace(f, "samples", data=X, chunks=(3, 4), fletcher32=True)
@case("filter_lzf", UNSUPPORTED, "samples: found the HDF5 filter 32000 'lzf'")
def _(f): replace(f, "samples", data=X, chunks=(3, 4), compression="lzf")
@case("filter_scaleoffset", UNSUPPORTED, "samples: found the HDF5 filter 6")
def _(f): replace(f, "samples", data=X, chunks=(3, 4), scaleoffset=3)
@case("chunk_bomb", MALFORMED, "samples: a compressed chunk is damaged: expected it to inflate to 96 bytes")
def _(f):
    import zlib
    d = replace(f, "samples", shape=(6, 4), dtype="f4", chunks=(6, 4), compression="gzip")
    d.id.write_direct_chunk((0, 0), zlib.compress(bytes(60000), 9))
@case("chunk_short", MALFORMED, "samples: a compressed chunk is damaged")
def _(f):
    import zlib
    d = replace(f, "samples", shape=(6, 4), dtype="f4", chunks=(6, 4), compression="gzip")
    d.id.write_direct_chunk((0, 0), zlib.compress(bytes(95), 9))
@case("chunk_garbage", MALFORMED, "samples: a compressed chunk is damaged")
def _(f):
    d = replace(f, "samples", shape=(6, 4), dtype="f4", chunks=(6, 4), compression="gzip")
    d.id.write_direct_chunk((0, 0), b"\xff" * 40)
@case("link_external", UNSUPPORTED, "'t' is a link into another file")
def _(f): f["sites/t"] = h5py.ExternalLink("good_elsewhere.h5", "/sites/s")
@case("link_external_gram", UNSUPPORTED, "'gram' is a link into another file")
def _(f):
    del f["sites/s/gram"]
    f["sites/s/gram"] = h5py.ExternalLink("good_elsewhere.h5", "/sites/s/gram")
@case("link_soft_to_external", MALFORMED, "'t' cannot be opened")
def _(f):
    f["away"] = h5py.ExternalLink("gram_nan.h5", "/sites/s")
    f["sites/t"] = h5py.SoftLink("/away")
@case("link_dangling", MALFORMED, "'t' cannot be opened")
def _(f): f["sites/t"] = h5py.SoftLink("/nowhere")
@case("link_cycle", MALFORMED, "'t' cannot be opened")
def _(f):
    f["sites/t"] = h5py.SoftLink("/sites/u")
    f["sites/u"] = h5py.SoftLink("/sites/t")
@case("external_storage", UNSUPPORTED, "samples: keeps its values in another file")
def _(f): replace(f, "samples", shape=(6, 4), dtype="f4", external=[("/etc/hostname", 0, 96)])
@case("virtual_dataset", UNSUPPORTED, "samples: is a virtual dataset")
def _(f):
    del f["sites/s/samples"]
    layout = h5py.VirtualLayout(shape=(6, 4), dtype="f4")
    layout[:] = h5py.VirtualSource("gram_nan.h5", "sites/s/samples", shape=(6, 4))
    f.create_virtual_dataset("sites/s/samples", layout)


def write_raw(lines):
    whole = HERE / "whole.tmp"
    good(whole)
    data = whole.read_bytes()
    whole.unlink()
    spoiled = {
        "empty.h5": (b"", "is empty, expected an HDF5 file"),
        "not_hdf5.h5": (b"PK\3\4 this is another format", "is not an HDF5 file"),
        "signature_only.h5": (data[:8], "cannot be opened as HDF5"),
        "truncated.h5": (data[:len(data) - 700], "cannot be opened as HDF5: truncated file"),
        "truncated_to_superblock.h5": (data[:96], "cannot be opened as HDF5"),
        # Version 0 superblock: bytes 40..47 are the end-of-file address.
        "end_beyond_file.h5": (data[:40] + struct.pack("<Q", 1 << 60) + data[48:], "cannot be opened as HDF5: truncated file"),
        "superblock_version.h5": (data[:8] + b"\x63" + data[9:], "cannot be opened as HDF5: bad superblock version number"),
        "zeroed_tail.h5": (data[:96] + bytes(len(data) - 96), "cannot"),
    }
    for name, (content, part) in spoiled.items():
        (HERE / name).write_bytes(content)
        lines.append((name, MALFORMED, part))


def main():
    HERE.mkdir(exist_ok=True)
    lines = []
    for name, code, part, spoil in CASES:
        path = HERE / name
        good(path)
        with h5py.File(path, "r+") as f:
            spoil(f)
        lines.append((name, code, part))
    write_raw(lines)
    good(HERE / "good.h5")  # a start for the fuzzer
    with h5py.File(HERE / "good.h5", "r+") as f:
        replace(f, "samples", data=X.astype("f4"), chunks=(2, 3), shuffle=True, compression="gzip")
    (HERE / "expectations.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
