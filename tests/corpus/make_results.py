#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed stores of runs: tests/corpus/results and its expectations.tsv. Needs Debian's python3-h5py."""
import pathlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent / "results"
MALFORMED, UNSUPPORTED = "malformed file", "unsupported feature"
CASES = []


def case(name, code, part):
    def register(spoil):
        CASES.append((name + ".h5", code, part, spoil))
        return spoil
    return register


def good(f):
    f.attrs["schema"] = "tamis.results/1"
    g = f.create_group("runs/0")
    g.attrs["method"] = "spectrum.plain"
    g.attrs["parameters"] = "{}"
    g.attrs["seconds"] = 1.5
    g["report"] = np.bytes_('{"a": 1}')
    g["arrays/loss"] = np.arange(4.0)


@case("schema_newer", UNSUPPORTED, "found the newer schema 'tamis.results/7'")
def _(f): f.attrs["schema"] = "tamis.results/7"
@case("runs_missing", MALFORMED, "found no 'runs', expected a group")
def _(f): del f["runs"]
@case("run_name", MALFORMED, "found the run 'first', expected runs numbered")
def _(f): f["runs/first"] = f["runs/0"]
@case("run_gap", MALFORMED, "found the run '2', expected runs numbered 0 to 1")
def _(f): f["runs/2"] = f["runs/0"]
@case("run_leading_zero", MALFORMED, "found the run '01'")
def _(f): f["runs/01"] = f["runs/0"]
@case("method_missing", MALFORMED, "run 0: lacks the attribute 'method'")
def _(f): del f["runs/0"].attrs["method"]
@case("seconds_text", MALFORMED, "run 0: the attribute 'seconds' is not one number")
def _(f): f["runs/0"].attrs["seconds"] = "soon"
@case("parameters_not_json", MALFORMED, "run 0, parameters: ")
def _(f): f["runs/0"].attrs["parameters"] = "{"
@case("report_not_object", MALFORMED, "run 0, report: expected a JSON object")
def _(f):
    del f["runs/0/report"]
    f["runs/0/report"] = np.bytes_("[1]")
@case("report_variable", MALFORMED, "run 0: 'report' is not one text of fixed length")
def _(f):
    del f["runs/0/report"]
    f["runs/0/report"] = "{}"
@case("report_is_numbers", MALFORMED, "run 0: 'report' is not one text")
def _(f):
    del f["runs/0/report"]
    f["runs/0/report"] = np.arange(4.0)
@case("array_rank_2", MALFORMED, "run 0, array 'loss': has 2 dimensions, expected 1")
def _(f):
    del f["runs/0/arrays/loss"]
    f["runs/0/arrays/loss"] = np.eye(2)
@case("array_is_a_group", MALFORMED, "run 0: 'loss' is not a dataset")
def _(f):
    del f["runs/0/arrays/loss"]
    f.create_group("runs/0/arrays/loss")
@case("array_huge", MALFORMED, "run 0, array 'loss': declares the extents [2000000000]")
def _(f):
    del f["runs/0/arrays/loss"]
    f.create_dataset("runs/0/arrays/loss", shape=(2_000_000_000,), dtype="f8", chunks=(1000,))


def main():
    HERE.mkdir(exist_ok=True)
    lines = []
    for name, code, part, spoil in CASES:
        with h5py.File(HERE / name, "w") as f:
            good(f)
            spoil(f)
        lines.append(f"{name}\t{code}\t{part}\n")
    (HERE / "expectations.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
