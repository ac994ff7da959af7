#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces, whole and malformed: tests/corpus/trace and its expectations.tsv."""
import gzip
import lzma
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent / "trace"
MALFORMED, UNSUPPORTED, LIMIT, OK = "malformed file", "unsupported feature", "limit exceeded", "ok"


def oracle(*rows):
    return b"".join(struct.pack("<IQIq", *row) for row in rows)


def vscsi1(*rows):  # bytes, block, microseconds
    return b"".join(struct.pack("<IIIHHQQ", i, size, 1, 0x2A, 0x0102, block, time) for i, (size, block, time) in enumerate(rows))


def vscsi2(*rows):
    return b"".join(struct.pack("<HHIIIQQQ", 0x2A, 0x0202, i, size, 1, block, time, 7) for i, (size, block, time) in enumerate(rows))


def zstd(content):  # one frame of one raw block
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + struct.pack("<I", 1 | len(content) << 3)[:3] + content


IDS = b"5\n6\n5\n\n7\n"
CASES = {
    # whole ones: how many requests
    "ids.txt": (IDS, OK, "4"),
    "ids_crlf.txt": (b"5\r\n6\r\n", OK, "2"),
    "ids_no_newline.txt": (b"5\n6", OK, "2"),
    "keys.txt": (b"cat\ndog\ncat\n", OK, "3"),
    "ids.gz": (gzip.compress(IDS, mtime=0), OK, "4"),
    "ids_members.gz": (gzip.compress(IDS, mtime=0) + gzip.compress(IDS, mtime=0), OK, "8"),
    "ids.xz": (lzma.compress(IDS), OK, "4"),
    "ids.zst": (zstd(IDS), OK, "4"),
    "ids_frames.zst": (zstd(IDS) + zstd(IDS), OK, "8"),
    "ids_fill_the_buffer.zst": (zstd(b"5\n" * 120) * 2, OK, "240"),
    "no_header_keys.csv": (b"0,obj-a,512\n1,obj-b,512\n", OK, "2"),
    "lirs.trace": (b"*\n5\n6\n*\n7\n", OK, "3"),
    "blocks.lis": (b"10 3 0 1\n11 2 0 2\n", OK, "5"),
    "named.csv": (b"Time,Op,Size,LBN\n1,2a,512,42\n1,2a,4096,43\n", OK, "2"),
    "plain.csv": (b"1,42,512\n2,43,512\n", OK, "2"),
    "semicolons.csv": (b"key;bytes\na;5\nb;6\n", OK, "2"),
    "quoted.csv": (b'id,size\n"a b","5"\n', OK, "1"),
    "two.oracleGeneral": (oracle((1, 5, 100, 2), (2, 6, 50, -2)), OK, "2"),
    "one.vscsi": (vscsi1((512, 9, 5_000_000), (512, 10, 6_000_000)), OK, "2"),
    "two.vscsi": (vscsi2((512, 9, 5_000_000), (512, 10, 6_000_000)), OK, "2"),
    "empty.txt": (b"", OK, "0"),
    # malformed ones
    "ids_word.txt": (b"5\n6\nx7\n", MALFORMED, "line 3: found 'x7', expected a number as in the first line"),
    "ids_negative.txt": (b"5\n-6\n", MALFORMED, "line 2: found '-6'"),
    "ids_beyond_64_bits.txt": (b"5\n99999999999999999999999\n", MALFORMED, "line 2: found '99999999999999999999999'"),
    "line_endless.txt": (b"5\n" + b"7" * 70000, LIMIT, "line 2: found more than 65536 bytes"),
    "lirs_word.trace": (b"*\n5\nsix\n", MALFORMED, "line 3: found 'six', expected a block number or *"),
    "arc_two_numbers.lis": (b"10 3 0 1\n11\n", MALFORMED, "line 2: found '11', expected the first block and how many"),
    "arc_countless.lis": (b"10 99999999999 0 1\n", MALFORMED, "line 1: found '10 99999999999 0 1'"),
    "csv_no_id.csv": (b"time,size\n1,2\n", UNSUPPORTED, "found no column with ids"),
    "csv_short_row.csv": (b"time,id,size\n1,2,3\n1,2\n", MALFORMED, "line 3: found '1,2', expected a value in column 3"),
    "csv_size_zero.csv": (b"id,size\n1,0\n", MALFORMED, "line 2: found '0', expected a size of 1 to 4,294,967,295 bytes"),
    "csv_size_negative.csv": (b"id,size\n1,-5\n", MALFORMED, "found '-5', expected a size"),
    "csv_size_large.csv": (b"id,size\n1,4294967296\n", MALFORMED, "found '4294967296', expected a size"),
    "weights.csv": (b"id,cost,uniqueness\n1,2.5,0.25\n2,0,1\n3,1,0\n", OK, "3"),
    "csv_cost_negative.csv": (b"id,cost\n1,-1\n", MALFORMED, "line 2: found '-1', expected a cost of 0 or more"),
    "csv_cost_nan.csv": (b"id,cost\n1,nan\n", MALFORMED, "line 2: found 'nan', expected a cost of 0 or more"),
    "csv_uniqueness_negative.csv": (b"id,uniqueness\n1,0.5\n2,-0.5\n", MALFORMED, "line 3: found '-0.5', expected a uniqueness of 0 or more"),
    "csv_uniqueness_nan.csv": (b"id,uniqueness\n1,nan\n", MALFORMED, "line 2: found 'nan', expected a uniqueness of 0 or more"),
    "csv_uniqueness_infinite.csv": (b"id,uniqueness\n1,inf\n", MALFORMED, "line 2: found 'inf', expected a uniqueness of 0 or more"),
    "csv_uniqueness_huge.csv": (b"id,uniqueness\n1,1e39\n", MALFORMED, "line 2: found '1e39', expected a uniqueness of 0 or more"),
    "csv_uniqueness_word.csv": (b"id,uniqueness\n1,rare\n", MALFORMED, "line 2: found 'rare', expected a uniqueness of 0 or more"),
    "csv_uniqueness_missing.csv": (b"id,uniqueness\n1,\n", MALFORMED, "line 2: found '1,', expected a value in column 2"),
    "csv_time_word.csv": (b"time,id\nnoon,5\n", MALFORMED, "line 2: found 'noon', expected a time"),
    "csv_time_nan.csv": (b"time,id\nnan,5\n", MALFORMED, "line 2: found 'nan', expected a time"),
    "oracle_cut.oracleGeneral": (oracle((1, 5, 100, 2))[:-3], MALFORMED, "found 21 bytes at the end, expected whole records of 24 bytes"),
    "oracle_size_zero.oracleGeneral": (oracle((1, 5, 100, 2), (1, 6, 0, 2)), MALFORMED, "found a request of 0 bytes, expected 1 at least (at byte 24)"),
    "vscsi_other.vscsi": (bytes(64), MALFORMED, "found no version 1 or 2 in the first records"),
    "vscsi_cut.vscsi": (vscsi1((512, 9, 5), (512, 10, 6), (512, 11, 7))[:-1], MALFORMED, "expected whole records of 32 bytes"),
    "bytes.bin": (bytes(range(64)), UNSUPPORTED, "expected --trace-format"),
    "gzip_cut.gz": (gzip.compress(IDS, mtime=0)[:-9], MALFORMED, "found the end of the file, expected more of its gzip stream"),
    "gzip_broken.gz": (gzip.compress(IDS, mtime=0)[:10] + b"\xff" * 20, MALFORMED, "found a broken gzip stream"),
    "gzip_then_noise.gz": (gzip.compress(IDS, mtime=0) + b"noise", MALFORMED, "gzip"),
    "xz_cut.xz": (lzma.compress(IDS)[:-8], MALFORMED, "found the end of the file, expected more of its xz stream"),
    "xz_broken.xz": (lzma.compress(IDS)[:8] + b"\xff" * 4 + lzma.compress(IDS)[12:], MALFORMED, "found a broken xz stream"),
    "zstd_second_cut.zst": (zstd(IDS) + zstd(IDS)[:-3], MALFORMED, "found the end of the file, expected more of its zstd stream"),
    "zstd_cut.zst": (b"\x28\xb5\x2f\xfd\x24\x09", MALFORMED, "zstd stream"),
    "zstd_broken.zst": (b"\x28\xb5\x2f\xfd" + b"\xff" * 30, MALFORMED, "found a broken zstd stream"),
}


def main():
    HERE.mkdir(exist_ok=True)
    for old in HERE.iterdir():
        old.unlink()
    rows = []
    for name, (content, code, contains) in CASES.items():
        (HERE / name).write_bytes(content)
        rows.append(f"{name}\t{code}\t{contains}\n")
    (HERE / "expectations.tsv").write_text("# file\tcode\tthe sentence contains; for ok: requests\n" + "".join(rows))


if __name__ == "__main__":
    main()
