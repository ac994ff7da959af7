#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes core/inputs/unicode_tables.cpp from Python's unicodedata. Only Python's standard library is used."""
import pathlib
import sys
import unicodedata

LIMIT = 0x110000


def kind(cp):
    """CharacterClass of core/inputs/unicode.h."""
    category = unicodedata.category(chr(cp))
    if category[0] in "LNP":
        return {"L": 1, "N": 2, "P": 4}[category[0]]
    return {"Mn": 3, "Cc": 5, "Cf": 5, "Co": 5, "Cs": 5, "Cn": 6, "Mc": 7, "Me": 7}.get(category, 0)


def runs(value):
    """[start, value] of every run of equal values."""
    found = []
    for cp in range(LIMIT):
        v = value(cp)
        if not found or found[-1][1] != v:
            found.append([cp, v])
    return found


def lower_runs():
    """[first, last, step, delta]: every step-th code point has the lower-case form cp + delta. U+0130 has two and is left out."""
    found = []
    for cp in range(LIMIT):
        lower = chr(cp).lower() if not 0xD800 <= cp < 0xE000 else chr(cp)
        if lower == chr(cp):
            continue
        if len(lower) > 1:
            assert cp == 0x130 and lower == "i\u0307"
            continue
        delta = ord(lower) - cp
        last = found[-1] if found else None
        if last and last[3] == delta and cp - last[1] in (1, 2) and (last[0] == last[1] or last[2] == cp - last[1]):
            last[2] = cp - last[1]
            last[1] = cp
        else:
            found.append([cp, cp, 1, delta])
    return found


def decompositions():
    """[cp, first, second or 0] of the canonical ones, one step; Hangul is arithmetic and left out."""
    found = []
    for cp in range(LIMIT):
        text = unicodedata.decomposition(chr(cp))
        if text and not text.startswith("<"):
            parts = [int(p, 16) for p in text.split()]
            assert len(parts) <= 2
            found.append([cp, parts[0], parts[1] if len(parts) == 2 else 0])
    return found


def composes(cp, first, second):
    return second != 0 and unicodedata.normalize("NFC", chr(first) + chr(second)) == chr(cp)


def wrapped(values, width=180):
    lines, line = [], "   "
    for value in values:
        if len(line) + len(value) + 2 > width:
            lines.append(line)
            line = "   "
        line += " " + value + ","
    return "\n".join(lines + [line])


def table(kind_of, name, values):
    return f"const {kind_of} {name}[] = {{\n{wrapped(values)}\n}};\nconst std::size_t {name}Count = std::size({name});\n"


out = [f"""// SPDX-License-Identifier: GPL-3.0-or-later
// Unicode {unicodedata.unidata_version}. Written by scripts/make_unicode_tables.py; not to be edited by hand.
#include "core/inputs/unicode_tables.h"

#include <iterator>

namespace tamis::inputs::tables {{
// clang-format off
"""]
out.append(table("std::uint32_t", "kClassRuns", [f"{cp << 3 | v:#x}" for cp, v in runs(kind)]))
out.append(table("LowerRun", "kLowerRuns", [f"{{{a:#x}, {b:#x}, {s}, {d}}}" for a, b, s, d in lower_runs()]))
out.append(table("std::uint32_t", "kCombiningRuns", [f"{cp << 8 | v:#x}" for cp, v in
                                                    runs(lambda cp: unicodedata.combining(chr(cp)))]))
out.append(table("Decomposition", "kDecompositions",
                 [f"{{{cp:#x}, {a:#x}, {b:#x}, {int(composes(cp, a, b))}}}" for cp, a, b in decompositions()]))
out.append("// clang-format on\n} // namespace tamis::inputs::tables\n")
target = pathlib.Path(__file__).resolve().parent.parent / "core" / "inputs" / "unicode_tables.cpp"
text = "\n".join(out)
if "--check" in sys.argv:
    sys.exit(text != target.read_text())
target.write_text(text)
