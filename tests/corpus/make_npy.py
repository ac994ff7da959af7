#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed .npy files: tests/corpus/npy and its expectations.tsv."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent / "npy"
MALFORMED, UNSUPPORTED, LIMIT = "malformed file", "unsupported feature", "limit exceeded"


def npy(header, data=bytes(48), version=(1, 0), length=None):
    text = header.encode("latin1") + b"\n"
    size = len(text) if length is None else length
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version[0] == 1 else "<I", size) + text + data


def plain(descr="'<f8'", order="False", shape="(2, 3)", tail=", }", **kwargs):
    return npy(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}{tail}", **kwargs)


GOOD = plain()
CASES = {
    "empty": (b"", MALFORMED, "is not a NumPy array"),
    "magic_only": (GOOD[:6], MALFORMED, "is not a NumPy array"),
    "other_magic": (b"\x93NUMPI" + GOOD[6:], MALFORMED, "is not a NumPy array"),
    "version_0": (plain(version=(0, 0)), UNSUPPORTED, "found NumPy format version 0.0"),
    "version_4": (plain(version=(4, 0)), UNSUPPORTED, "found NumPy format version 4.0, expected 1.0, 2.0 or 3.0"),
    "version_1_1": (plain(version=(1, 1)), UNSUPPORTED, "found NumPy format version 1.1"),
    "length_cut": (plain(version=(2, 0))[:11], MALFORMED, "the file ends inside the NumPy header"),
    "header_cut": (GOOD[:40], MALFORMED, "the file ends inside the NumPy header"),
    "header_beyond_file": (plain(length=60000), MALFORMED, "the file ends inside the NumPy header, which needs 60010 bytes"),
    "header_huge": (plain(version=(2, 0), length=0xffffffff), LIMIT, "found a NumPy header of 4294967295 bytes"),
    "header_one_short": (plain(length=len(GOOD) - 48 - 10 - 3), MALFORMED, "NumPy header: expected"),
    "header_binary": (npy("\x00" * 60), MALFORMED, "NumPy header: expected '{'"),
    "header_is_a_list": (npy("['<f8', False, (2, 3)]"), MALFORMED, "NumPy header: expected '{'"),
    "header_is_code": (npy("__import__('os').system('true')"), MALFORMED, "NumPy header: expected '{'"),
    "header_unclosed": (plain(tail=""), MALFORMED, "NumPy header: expected ',' or '}'"),
    "header_trailing": (plain(tail="} + {}"), MALFORMED, "NumPy header: expected nothing but spaces after"),
    "key_missing": (npy("{'descr': '<f8', 'shape': (2, 3)}"), MALFORMED, "NumPy header: the header lacks the key 'fortran_order'"),
    "key_unknown": (plain(tail=", 'x': 1}"), MALFORMED, "NumPy header: found the key 'x', expected descr"),
    "key_twice": (plain(tail=", 'descr': '<f8'}"), MALFORMED, "NumPy header: found the key 'descr'"),
    "descr_escape": (plain(descr="'<f\\x38'"), MALFORMED, "NumPy header: expected a dtype that ends with its quote"),
    "descr_number": (plain(descr="8"), MALFORMED, "NumPy header: expected a dtype in quotes"),
    "descr_object": (plain(descr="'|O'"), UNSUPPORTED, "found the dtype '|O': object arrays are Python pickles"),
    "descr_structured": (plain(descr="[('a', '<f4'), ('b', '<i4')]"), UNSUPPORTED, "found a structured dtype"),
    "descr_complex": (plain(descr="'<c16'"), UNSUPPORTED, "found the dtype '<c16', expected one of f8"),
    "descr_unsigned": (plain(descr="'<u4'"), UNSUPPORTED, "found the dtype '<u4'"),
    "descr_long_double": (plain(descr="'<f16'"), UNSUPPORTED, "found the dtype '<f16'"),
    "descr_text": (plain(descr="'<U5'"), UNSUPPORTED, "found the dtype '<U5'"),
    "descr_bytes": (plain(descr="'|S5'"), UNSUPPORTED, "found the dtype '|S5'"),
    "descr_time": (plain(descr="'<M8[ns]'"), UNSUPPORTED, "found the dtype '<M8[ns]'"),
    "descr_void": (plain(descr="'|V8'"), UNSUPPORTED, "found the dtype '|V8'"),
    "descr_no_order": (plain(descr="'f8'"), UNSUPPORTED, "found the dtype 'f8'"),
    "descr_no_order_wide": (plain(descr="'|f8'"), UNSUPPORTED, "found the dtype '|f8'"),
    "descr_empty": (plain(descr="''"), UNSUPPORTED, "found the dtype ''"),
    "order_number": (plain(order="0"), MALFORMED, "fortran_order: expected True or False"),
    "shape_list": (plain(shape="[2, 3]"), MALFORMED, "shape: expected a tuple"),
    "shape_not_a_tuple": (plain(shape="(6)"), MALFORMED, "shape: expected a tuple, found a number"),
    "shape_text": (plain(shape="('2', 3)"), MALFORMED, "shape: expected a whole number"),
    "shape_real": (plain(shape="(2.0, 3)"), MALFORMED, "shape: expected ',' or ')'"),
    "shape_commas": (plain(shape="(,)"), MALFORMED, "shape: expected a whole number"),
    "shape_negative": (plain(shape="(-2, -3)"), MALFORMED, "shape: found the negative dimension -2"),
    "shape_overflow": (plain(shape="(99999999999999999999, 1)"), MALFORMED, "a dimension of the shape overflows 64 bits"),
    "shape_product_overflow": (plain(shape="(4294967296, 4294967296)"), MALFORMED, "[4294967296, 4294967296]"),
    "shape_bytes_overflow": (plain(shape="(2305843009213693952,)"), MALFORMED, "[2305843009213693952]"),
    "shape_deep": (plain(shape="(" + "1, " * 33 + ")", data=bytes(8)), LIMIT, "shape: found more than 8 dimensions"),
    "data_cut": (GOOD[:-1], MALFORMED, "found 47 bytes of data, expected 48 for the shape [2, 3]"),
    "data_absent": (GOOD[:-48], MALFORMED, "found 0 bytes of data, expected 48"),
    "data_trailing": (GOOD + b"\0", MALFORMED, "found 49 bytes of data, expected 48"),
    "data_huge": (plain(shape="(1000000, 1000000)"), MALFORMED, "found 48 bytes of data, expected 8000000000000"),
}


def main():
    HERE.mkdir(exist_ok=True)
    lines = []
    for name, (content, code, part) in CASES.items():
        (HERE / f"{name}.npy").write_bytes(content)
        lines.append(f"{name}.npy\t{code}\t{part}\n")
    (HERE / "good.npy").write_bytes(GOOD)  # a start for the fuzzer
    (HERE / "expectations.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
