# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of datasets/text as documents, parted into training and held-out documents."""
import lzma
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "text"


def documents():
    """[(name, text, held out)]: the addresses, then the chapters, in the order of the files."""
    found = []
    for name, mark, step, first in (("sotu", "\n\n", 40, 20), ("moby-dick", "\n\nCHAPTER ", 45, 20)):
        text = lzma.decompress((FOLDER / (name + ".txt.xz")).read_bytes()).decode("utf-8").strip()
        parts = [p.strip() for p in text.split(mark)]
        for index, part in enumerate(parts):
            part = ("CHAPTER " if mark != "\n\n" and index else "") + part
            found.append((f"{name} {index}", part, index % step == first))
    return found
