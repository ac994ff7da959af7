#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a remote store, whole and malformed: tests/corpus/feature_value and its expectations.tsv. The first byte is fuzz_feature_value's: 1 (all of these) has
the checksum put behind the rest, 0 has none put. The layout is that of core/remote/feature_value.cpp."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent / "feature_value"
MALFORMED, OK = "malformed file", "ok"


def value(content=bytes(24), scales=0, size=None, shape=(2, 3), name=b"F32", magic=b"TAMISF", version=1, rank=None):
    head = magic + bytes([version, len(shape) if rank is None else rank]) + name.ljust(8, b"\0")
    head += struct.pack("<QQ", scales, len(content) - 4 * scales if size is None else size)
    return b"\1" + head + b"".join(struct.pack("<Q", n & (1 << 64) - 1) for n in shape) + content


SHORT, SHAPE, BEGIN, SAYS = "bytes, expected 96 at least", "expected those of the shape", "found another beginning", "expected as many as the header says"
CASES = {
    # whole ones: how many bytes of elements
    "rows.bin": (value(), OK, "24"),
    "scaled.bin": (value(bytes(6) + struct.pack("<2f", 0.5, float("nan")), 2, name=b"I8"), OK, "6"),
    "scalar.bin": (value(bytes(4), shape=()), OK, "4"),
    "empty.bin": (value(b"", shape=(0, 7)), OK, "0"),
    "eight_dimensions.bin": (value(bytes(2), shape=(1,) * 8, name=b"F16"), OK, "2"),
    # malformed ones
    "nothing.bin": (b"\1", MALFORMED, SHORT),
    "no_digest.bin": (b"\0" + value()[1:], MALFORMED, SHORT),
    "other_digest.bin": (b"\0" + value()[1:] + b"0" * 64, MALFORMED, "found another checksum"),
    "other_magic.bin": (value(magic=b"TAMISG"), MALFORMED, BEGIN),
    "other_version.bin": (value(version=2), MALFORMED, BEGIN),
    "nine_dimensions.bin": (value(bytes(4), shape=(1,) * 9), MALFORMED, "found rank 9"),
    "rank_without_dimensions.bin": (value(b"", shape=(), rank=8), MALFORMED, SAYS),
    "unknown_type.bin": (value(name=b"F33"), MALFORMED, "an unknown type"),
    "no_type.bin": (value(name=b""), MALFORMED, "an unknown type"),
    "type_and_more.bin": (value(name=b"F32\0x"), MALFORMED, "an unknown type"),
    "scales_beyond_64_bits.bin": (value(scales=1 << 62, size=24), MALFORMED, SAYS),
    "bytes_negative.bin": (value(size=(1 << 64) - 1), MALFORMED, SAYS),
    "bytes_and_scales_wrap.bin": (value(scales=1 << 40, size=(1 << 64) - (1 << 42) + 24), MALFORMED, SAYS),
    "more_bytes.bin": (value() + b"x", MALFORMED, SAYS),
    "fewer_bytes.bin": (value()[:-1], MALFORMED, SAYS),
    "shape_negative.bin": (value(shape=(-2, 3)), MALFORMED, SHAPE),
    "shape_other.bin": (value(shape=(2, 4)), MALFORMED, SHAPE),
    "shape_wraps.bin": (value(shape=(1 << 62, 4)), MALFORMED, SHAPE),
    "shape_wraps_to_six.bin": (value(shape=(2, (1 << 63) + 3)), MALFORMED, SHAPE),
    "zero_then_huge.bin": (value(b"", shape=(1 << 62, 1 << 62, 0)), MALFORMED, SHAPE),
    "scales_of_no_rows.bin": (value(bytes(8), 1, shape=()), MALFORMED, SHAPE),
    "scales_too_few.bin": (value(bytes(6) + bytes(4), 1, name=b"I8"), MALFORMED, SHAPE),
}


def main():
    HERE.mkdir(exist_ok=True)
    for old in HERE.iterdir():
        old.unlink()
    rows = []
    for name, (content, code, contains) in CASES.items():
        (HERE / name).write_bytes(content)
        rows.append(f"{name}\t{code}\t{contains}\n")
    (HERE / "expectations.tsv").write_text("# file\tcode\tthe sentence contains; for ok: bytes of elements\n" + "".join(rows))


if __name__ == "__main__":
    main()
