#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed .npz files: tests/corpus/npz and its expectations.tsv. The zip records are written by hand, so that each field
can lie."""
import pathlib
import struct
import zlib

HERE = pathlib.Path(__file__).resolve().parent / "npz"
MALFORMED, UNSUPPORTED, LIMIT = "malformed file", "unsupported feature", "limit exceeded"


def npy(elements, data=None):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({elements},), }}".encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + (bytes(8 * elements) if data is None else data)


def deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


class Member:
    """A member as it should be; keyword arguments starting with local_ or central_ change one record only."""
    def __init__(self, name="a.npy", content=None, method=0, **lies):
        self.content = npy(6) if content is None else content
        self.stored = lies.pop("stored", deflate(self.content) if method == 8 else self.content)
        fields = dict(name=name.encode(), flags=0, method=method, crc=zlib.crc32(self.content), stored=len(self.stored),
                      inflated=len(self.content), extra=b"", disk=0, offset=None)
        self.local, self.central = dict(fields), dict(fields)
        for key, value in lies.items():
            for side, record in (("local_", self.local), ("central_", self.central)):
                if not key.startswith(("local_", "central_")):
                    record[key] = value
                elif key.startswith(side):
                    record[key[len(side):]] = value

    def local_record(self):
        r = self.local
        return struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, r["flags"], r["method"], 0, 0x21, r["crc"], r["stored"], r["inflated"], len(r["name"]),
                           len(r["extra"])) + r["name"] + r["extra"] + self.stored

    def central_record(self, offset):
        r = self.central
        return struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, r["flags"], r["method"], 0, 0x21, r["crc"], r["stored"], r["inflated"],
                           len(r["name"]), len(r["extra"]), 0, r["disk"], 0, 0,
                           offset if r["offset"] is None else r["offset"]) + r["name"] + r["extra"]


def archive(*members, before=b"", comment=b"", after=b"", directory_tail=b"", **lies):
    body, directory = before, b""
    for member in members:
        directory += member.central_record(len(body))
        body += member.local_record()
    directory += directory_tail
    end = dict(disk=0, start_disk=0, here=len(members), entries=len(members), length=len(directory), start=len(body), comment=len(comment))
    end.update(lies)
    return body + directory + struct.pack("<IHHHHIIH", 0x06054b50, end["disk"], end["start_disk"], end["here"], end["entries"], end["length"],
                                          end["start"], end["comment"]) + comment + after


ZEROS = npy(1_310_720)  # 10 MiB of zeros: about 10 kB deflated
GOOD = archive(Member())
FIRST = Member("a.npy")
# Two members in the same bytes: the second directory record points to the first one's local header.
OVERLAP = archive(FIRST, Member("b.npy", central_offset=0))
# The data of a.npy contain a whole local record of b.npy, and both are listed (a "zip quine" that multiplies).
INNER = Member("b.npy")
OUTER_CONTENT = npy(40, INNER.local_record().ljust(320, b"\0"))
OUTER = Member("a.npy", OUTER_CONTENT)
NESTED_AT = OUTER.local_record().index(INNER.local_record())
DIRECTORY = OUTER.central_record(0) + INNER.central_record(NESTED_AT)
NESTED = OUTER.local_record() + DIRECTORY + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 2, 2, len(DIRECTORY), len(OUTER.local_record()), 0)

CASES = {
    "empty": (b"", MALFORMED, "is not a zip archive"),
    "not_zip": (b"this is no archive" * 10, MALFORMED, "is not a zip archive"),
    "truncated": (GOOD[:-1], MALFORMED, "is not a zip archive"),
    "trailing": (GOOD + b"\0", MALFORMED, "is not a zip archive"),
    "prepended": (archive(Member(), before=b"#!/bin/sh\n", start=len(Member().local_record())), MALFORMED, "expected it to end at its end record"),
    "directory_beyond_file": (archive(Member(), start=1 << 31), MALFORMED, "expected it to end at its end record"),
    "directory_short": (archive(Member(), length=10), MALFORMED, "expected it to end at its end record"),
    "entries_too_many": (archive(Member(), entries=60000, here=60000), MALFORMED, "cannot hold 60000 members"),
    "entries_too_few": (archive(Member(), Member("b.npy"), entries=1, here=1), MALFORMED, "bytes after the last member"),
    "directory_tail": (archive(Member(), directory_tail=b"junk"), MALFORMED, "found 4 bytes after the last member"),
    "several_disks": (archive(Member(), disk=1), UNSUPPORTED, "spread over several disks"),
    "several_disks_entries": (archive(Member(), here=0), UNSUPPORTED, "spread over several disks"),
    "member_on_other_disk": (archive(Member(central_disk=3)), UNSUPPORTED, "spread over several disks"),
    "encrypted": (archive(Member(flags=1)), UNSUPPORTED, "member 'a.npy': the member is encrypted"),
    "strongly_encrypted": (archive(Member(flags=0x40)), UNSUPPORTED, "the member is encrypted"),
    "encrypted_locally": (archive(Member(local_flags=1)), MALFORMED, "the local header contradicts"),
    "method_bzip2": (archive(Member(method=12)), UNSUPPORTED, "found the compression method 12"),
    "method_differs": (archive(Member(local_method=8)), MALFORMED, "the local header contradicts"),
    "name_absolute": (archive(Member("/etc/a.npy")), MALFORMED, "the member's name is absolute"),
    "name_drive": (archive(Member("C:a.npy")), MALFORMED, "the member's name is absolute"),
    "name_parent": (archive(Member("../a.npy")), MALFORMED, "the member's name leads out of the archive"),
    "name_parent_inside": (archive(Member("a/../../b.npy")), MALFORMED, "the member's name leads out of the archive"),
    "name_backslash": (archive(Member("..\\a.npy")), MALFORMED, "the member's name has a backslash"),
    "name_nul": (archive(Member("a\0.npy")), MALFORMED, "the member's name has a backslash or control characters"),
    "name_empty": (archive(Member("")), MALFORMED, "the member's name is empty"),
    "name_not_npy": (archive(Member("readme.txt")), UNSUPPORTED, "the member is not a NumPy array"),
    "name_twice": (archive(Member(), Member()), MALFORMED, "two members have this name"),
    "name_differs": (archive(Member(local_name=b"b.npy")), MALFORMED, "the local header contradicts"),
    "crc_wrong": (archive(Member(crc=1)), MALFORMED, "the member's CRC is"),
    "crc_differs": (archive(Member(local_crc=1)), MALFORMED, "the local header contradicts"),
    "crc_wrong_deflated": (archive(Member(method=8, crc=1)), MALFORMED, "the member's CRC is"),
    "sizes_differ": (archive(Member(local_inflated=5)), MALFORMED, "the local header contradicts"),
    "stored_size_differs": (archive(Member(inflated=1000)), MALFORMED, "but declares 1000"),
    "stored_beyond_file": (archive(Member(stored=b"x" * 90, central_stored=1 << 30, central_inflated=1 << 30)), MALFORMED, "reach into the zip directory"),
    "local_beyond_file": (archive(Member(central_offset=1 << 30)), MALFORMED, "the local header lies outside"),
    "local_elsewhere": (archive(Member(central_offset=1)), MALFORMED, "expected a local header"),
    "extra_too_long": (archive(Member(central_extra=struct.pack("<HH", 1, 500) + bytes(8))), MALFORMED, "is longer than its record"),
    "zip64_field_missing": (archive(Member(central_inflated=0xffffffff, central_extra=struct.pack("<HH", 1, 0))), MALFORMED, "ends inside a record"),
    "zip64_huge": (archive(Member(central_stored=0xffffffff, central_inflated=0xffffffff,
                                  central_extra=struct.pack("<HHQQ", 1, 16, 1 << 62, 1 << 62))), LIMIT, "the member inflates to 4611686018427387904 bytes"),
    "overlap_same": (OVERLAP, MALFORMED, "the local header contradicts"),
    "overlap_nested": (NESTED, MALFORMED, "two members of the zip archive overlap"),
    "bomb": (archive(Member(content=ZEROS, method=8)), LIMIT, "expected at most 256 times its size"),
    # Declares 6 numbers, inflates to 10 MiB: reading stops at the declared end.
    "bomb_lying": (archive(Member(method=8, stored=deflate(ZEROS))), MALFORMED, "member 'a'"),
    "bomb_lying_header_right": (archive(Member(method=8, stored=deflate(npy(6) + bytes(10 << 20)))), MALFORMED,
                                "the member inflates to more than its declared"),
    "inflates_to_less": (archive(Member(method=8, stored=deflate(npy(6)[:-8]))), MALFORMED, "the member inflates to less than its declared"),
    "deflate_garbage": (archive(Member(method=8, stored=b"\xff" * 50)), MALFORMED, "the deflated bytes are damaged"),
    "deflate_cut": (archive(Member(method=8, content=npy(6, bytes(range(48))), stored=deflate(npy(6, bytes(range(48))))[:-20])), MALFORMED,
                    "the deflated bytes are damaged or end too early"),
    "deflate_tail": (archive(Member(method=8, stored=deflate(npy(6)) + b"tail")), MALFORMED, "or has bytes after its end"),
    "member_empty": (archive(Member(content=b"")), MALFORMED, "member 'a': is not a NumPy array"),
    "member_not_npy": (archive(Member(content=b"x" * 200)), MALFORMED, "member 'a': is not a NumPy array"),
    "member_object": (archive(Member(content=npy(6).replace(b"'<f8'", b"'|O8'"))), UNSUPPORTED, "object arrays are Python pickles"),
    "member_data_cut": (archive(Member(content=npy(6)[:-4])), MALFORMED, "found 44 bytes of data, expected 48"),
}


def main():
    HERE.mkdir(exist_ok=True)
    lines = []
    for name, (content, code, part) in CASES.items():
        (HERE / f"{name}.npz").write_bytes(content)
        lines.append(f"{name}.npz\t{code}\t{part}\n")
    (HERE / "good.npz").write_bytes(archive(Member(), Member("b.npy", npy(20), method=8)))  # a start for the fuzzer
    (HERE / "expectations.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
