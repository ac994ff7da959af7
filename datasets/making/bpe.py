# SPDX-License-Identifier: GPL-3.0-or-later
"""Byte-level byte-pair encoding: training, encoding, decoding and the tokenizer.json of Hugging Face.

The text is cut into words by the pattern of GPT-2, every byte of a word is one printable character (GPT-2's table),
and the most frequent neighbouring pair over all words is merged again and again. Ties are broken by the lower ids, so
that the result depends on the text alone. Identifier 0 is the document separator, 1 to 256 are the byte characters
in the order of their code points, then come the merges.
"""
import collections
import heapq
import json

import regex

SEPARATOR = "<|endoftext|>"
PATTERN = regex.compile(
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


def byte_characters():
    """GPT-2's table: a printable character for each of the 256 bytes."""
    kept = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, spare = {b: chr(b) for b in kept}, 256
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(spare)
            spare += 1
    return table


def words_of(text):
    return PATTERN.findall(text)


class Tokenizer:
    def __init__(self, vocabulary, merges):
        """vocabulary: token text (in byte characters) -> id; merges: list of (left text, right text), by rank."""
        self.vocabulary, self.merges = vocabulary, merges
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.table = byte_characters()
        self.bytes_of_character = {c: b for b, c in self.table.items()}
        self.texts = {i: t for t, i in vocabulary.items()}
        self.known = {}

    def word(self, word):
        """The ids of one word of the pattern."""
        ids = self.known.get(word)
        if ids is None:
            parts = [self.table[b] for b in word.encode("utf-8")]
            while len(parts) > 1:
                rank, at = min((self.ranks.get((a, b), len(self.merges)), i)
                               for i, (a, b) in enumerate(zip(parts, parts[1:])))
                if rank == len(self.merges):
                    break
                parts[at:at + 2] = [parts[at] + parts[at + 1]]
            ids = self.known[word] = [self.vocabulary[p] for p in parts]
        return ids

    def encode(self, text):
        return [i for w in words_of(text) for i in self.word(w)]

    def token_bytes(self, identifier):
        """How many bytes of text a token stands for; 0 for the separator."""
        return 0 if identifier == 0 else len(self.texts[identifier])

    def decode(self, ids):
        characters = "".join(self.texts[i] for i in ids if i != 0)
        return bytes(self.bytes_of_character[c] for c in characters).decode("utf-8", errors="replace")

    def write(self, path):
        level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        content = {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": 0, "content": SEPARATOR, "single_word": False, "lstrip": False, "rstrip": False,
                              "normalized": False, "special": True}],
            "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                      "vocab": self.vocabulary, "merges": [a + " " + b for a, b in self.merges]}}
        with open(path, "w", encoding="utf-8") as out:
            json.dump(content, out, ensure_ascii=False, indent=0)
            out.write("\n")

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as source:
            model = json.load(source)["model"]
        return Tokenizer(model["vocab"], [tuple(m.split(" ")) for m in model["merges"]])


def train(texts, entries):
    """The tokenizer with `entries` entries learnt from the texts."""
    table = byte_characters()
    names = [SEPARATOR] + sorted(table.values())
    identifiers = {n: i for i, n in enumerate(names)}
    counts = collections.Counter()
    for text in texts:
        counts.update(words_of(text))
    ordered = sorted(counts)
    words = [[identifiers[table[b]] for b in w.encode("utf-8")] for w in ordered]
    weight = [counts[w] for w in ordered]
    pairs, places = collections.Counter(), collections.defaultdict(set)
    for at, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += weight[at]
            places[pair].add(at)
    heap = [(-n, pair) for pair, n in pairs.items()]
    heapq.heapify(heap)
    merges = []
    while len(names) < entries:
        count, pair = heapq.heappop(heap)
        if -count != pairs[pair]:  # an old entry of the heap
            if pairs[pair] > 0:
                heapq.heappush(heap, (-pairs[pair], pair))
            continue
        merges.append((names[pair[0]], names[pair[1]]))
        names.append("".join(merges[-1]))
        for changed in merge_everywhere(pair, len(names) - 1, words, weight, pairs, places):
            heapq.heappush(heap, (-pairs[changed], changed))
    return Tokenizer({n: i for i, n in enumerate(names)}, merges)


def merge_everywhere(pair, new, words, weight, pairs, places):
    """Replaces the pair by `new` in every word that holds it; returns the pairs whose counts rose."""
    risen = set()
    for at in sorted(places.pop(pair)):
        old = words[at]
        merged, i = [], 0
        while i < len(old):
            if i + 1 < len(old) and (old[i], old[i + 1]) == pair:
                merged.append(new)
                i += 2
            else:
                merged.append(old[i])
                i += 1
        for p in zip(old, old[1:]):
            pairs[p] -= weight[at]
        for p in zip(merged, merged[1:]):
            pairs[p] += weight[at]
            places[p].add(at)
            if new in p:
                risen.add(p)
        words[at] = merged
    return risen
