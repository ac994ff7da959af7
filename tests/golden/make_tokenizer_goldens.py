#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tokenisers trained on a text, and what independent references make of tricky texts: make_tokenizer_goldens.py TEXT

TEXT: any English plain text (the stored goldens: the first 400,000 characters of Moby Dick). Writes tests/golden/tokenizers:
NAME.json, a tokenizer.json, and NAME.tsv, lines of hex(text) TAB ids TAB hex(decoded text).
References: byte-level BPE and WordPiece are written below from their papers' descriptions, naively, the patterns are run by
python3-regex; the SentencePiece files are a model of python3-sentencepiece, which also encodes and decodes.
"""
import collections
import hashlib
import io
import json
import pathlib
import random
import sys
import unicodedata

import regex
import sentencepiece

folder = pathlib.Path(__file__).resolve().parent / "tokenizers"
folder.mkdir(exist_ok=True)
corpus = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")[:400_000]
random.seed(20)

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")

texts = [
    "", " ", "  ", "\n", "\t", "a", " a", "a ", "Call me Ishmael.", "Hello, world! How are you?",
    "I'm you're he's we've they'll she'd can't I'M YOU'RE HE'S WE'VE THEY'LL SHE'D CAN'T", "'s's''s 'tis o'clock rock'n'roll 'll'", "it\u2019s Ishmael\u2019s",
    "don'\u017f 'S\u017f' IT'\u017f", "1 12 123 1234 12345 1234567890 3.14159 1,000,000 2024-01-31", "a1b22c333d4444", " 42", "  42  ", "\u0663\u0664\u0665 \u2167 \u00bd \u00b2\u00b3",
    "multiple   spaces    here", "trailing spaces   ", "   leading", "tabs\tand\t\ttabs", "line\nbreak\n\nand\r\nreturn\r", "mix \n \n  \t\n x", "end \n ", "end\n  ", "\n\n  \n a", "!\n\n?\r\n", ". \n",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u00c5ngstr\u00f6m", "cafe\u0301 nai\u0308ve A\u030angstro\u0308m", "\u1e9b\u0323 \u0344 \u0958 \u2126 \u212b \u1100\u1161\u11a8 \uac01", "Stra\u00dfe \u0130stanbul \u0131 \u01c4 \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059", "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8", "\u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22",
    "\U0001F600\U0001F680 \U0001F468\u200d\U0001F469\u200d\U0001F467 \u2764\ufe0f", "x\U0001F600y", "\U00020000\U0002f800", "\u00a0nbsp\u00a0here\u00a0", "\u3000wide\u2003space\u2028line\u2029para", "zero\u200bwidth\u200djoin\ufeffbom",
    "con\x01trol\x07\x1b[0m\x7f\x85\x9f", "\ufffd replacement", "_under_score_ snake_case camelCase", "https://example.org/a?b=c&d=%20#e", "a@b.c <html> {json: [1, 2]} \\n $100 #tag ~`^|",
    "...---...!!!???", "\u201cquotes\u201d \u2018single\u2019 \u2014 dash \u2026", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "whale" * 60, "the " * 40,
    "<|endoftext|>", "a<|endoftext|>b", "x <|endoftext|> y<|endoftext|><|endoftext|>", "<|endoftext", "<s> </s> <unk> [CLS] [SEP] [UNK]", "\u2581lower\u2581one eighth", "a\u2581 \u2581b",
    "The unaffable antidisestablishmentarianism of pneumonoultramicroscopicsilicovolcanoconiosis", "x" * 99, "x" * 100, "x" * 101, "don\u2019t stop\u2014now", "\u0301start", "a\u0301\u0302\u0323b", "\u1e69 s\u0323\u0307 s\u0307\u0323",
    corpus[1000:1600], corpus[200_000:201_500]]
alphabet = list("abz AZ'\"sStTlL09 \n\r\t.,-_!") + list("\u00e9\u00df\u0301\u0323\u4e2d\u00a0\u3000\u2028\u0660\u00bd\u017f\U0001F600\u200d\u2581\x1c\x85\u0130\u03a3")
texts += ["".join(random.choices(alphabet, k=random.randint(1, 40))) for _ in range(120)]
broken = [b"\xff", b"abc\x80def", b"\xc3", b"\xe2\x82 \xf0\x9f\x98", b"\xed\xa0\x80x", b"\xc0\xaf \xf4\x90\x80\x80 ok\xc3\xa9"]
inputs = [t.encode() for t in texts] + broken


def write(name, tokenizer, encode, decode, skip=lambda t: False):
    (folder / (name + ".json")).write_text(json.dumps(tokenizer, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    lines = []
    for raw in inputs:
        text = raw.decode("utf-8", "replace")
        if skip(text):
            continue
        ids = encode(text)
        lines.append("\t".join([raw.hex(), " ".join(map(str, ids)), decode(ids).encode().hex()]))
    (folder / (name + ".tsv")).write_text("\n".join(lines) + "\n")


# ---- byte-level BPE
printable = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or 0xAE <= b <= 0xFF]
rest = [b for b in range(256) if b not in printable]
to_char = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(rest)}
to_byte = {c: b for b, c in to_char.items()}


def mapped(text):
    return "".join(to_char[b] for b in text.encode())


def train(merge_count):
    words = collections.Counter(mapped(w) for w in regex.findall(GPT2, corpus[:200_000]))
    parts = {w: list(w) for w in words}
    merges = []
    while len(merges) < merge_count:
        pairs = collections.Counter()
        for w, symbols in parts.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += words[w]
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        for w in parts:
            parts[w] = merged(parts[w], best)
    return merges


def merged(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            out.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


def bpe(word, ranks):
    """Merges one pair at a time: the lowest rank, the leftmost of equal ones."""
    symbols = list(word)
    while len(symbols) > 1:
        rank, at = min((ranks.get(p, 1 << 30), i) for i, p in enumerate(zip(symbols, symbols[1:])))
        if rank == 1 << 30:
            break
        symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]
    return symbols


merges = train(240)
vocab = {to_char[b]: i for i, b in enumerate(sorted(to_char))}
for a, b in merges:
    vocab.setdefault(a + b, len(vocab))
END = len(vocab)


def byte_level(name, pattern, *, pairs, ignore_merges=False, nfc=False, prefix_space=False, extra=(), bos=False):
    own = dict(vocab)
    for text in extra:  # tokens that no merge reaches
        own[mapped(text)] = END + 1 + len(own) - len(vocab)
    texts_of = {i: t for t, i in own.items()}
    ranks = {p: i for i, p in enumerate(merges)}
    compiled = regex.compile(pattern)

    def encode(text):
        ids = []
        for piece in regex.split(r"(<\|endoftext\|>)", text):
            if piece == "<|endoftext|>":
                ids.append(END)
                continue
            if nfc:
                piece = unicodedata.normalize("NFC", piece)
            if prefix_space and piece and not piece.startswith(" "):
                piece = " " + piece
            words = compiled.findall(piece)
            assert "".join(words) == piece
            for word in map(mapped, words):
                ids += [own[word]] if ignore_merges and word in own else [own[s] for s in bpe(word, ranks)]
        return ids

    def decode(ids):
        return b"".join(bytes(to_byte[c] for c in texts_of[i]) for i in ids if i != END).decode("utf-8", "replace")

    byte_stage = {"type": "ByteLevel", "add_prefix_space": prefix_space, "trim_offsets": True, "use_regex": pattern == GPT2}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [], "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [END], "tokens": ["<|endoftext|>"]}}}
    byte_post = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None if pairs else "", "end_of_word_suffix": None if pairs else "",
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": ignore_merges, "vocab": own,
             "merges": [list(p) for p in merges] if pairs else [" ".join(p) for p in merges]}
    if not pairs:  # as in GPT-2's own file
        del model["type"], model["byte_fallback"], model["ignore_merges"]
        del byte_stage["use_regex"]
    write(name, {"version": "1.0", "truncation": None, "padding": None,
                 "added_tokens": [{"id": END, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}],
                 "normalizer": {"type": "NFC"} if nfc else None,
                 "pre_tokenizer": byte_stage if pattern == GPT2 else {"type": "Sequence", "pretokenizers": [split, byte_stage]},
                 "post_processor": {"type": "Sequence", "processors": [byte_post, template]} if bos else byte_post,
                 "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, "model": model}, encode, decode)


byte_level("gpt2", GPT2, pairs=False)
byte_level("gpt2_prefix", GPT2, pairs=False, prefix_space=True)
byte_level("llama3", LLAMA3, pairs=True, ignore_merges=True, extra=["Hello", " Ishmael", "\u4f60\u597d"], bos=True)
byte_level("qwen2", QWEN2, pairs=True, nfc=True)

# ---- SentencePiece BPE
stream = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus.split("\n")), model_writer=stream, model_type="bpe", vocab_size=700, byte_fallback=True,
                                         normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True, split_digits=True,
                                         allow_whitespace_only_pieces=True, character_coverage=0.999, num_threads=1, minloglevel=2)
sp = sentencepiece.SentencePieceProcessor(model_proto=stream.getvalue())
pieces = {sp.id_to_piece(i): i for i in range(sp.get_piece_size())}
pairs = []
for piece, i in pieces.items():
    if sp.is_byte(i) or sp.is_control(i) or sp.is_unknown(i):
        continue
    local = [(piece[:k], piece[k:]) for k in range(1, len(piece)) if piece[:k] in pieces and piece[k:] in pieces]
    pairs += [(-sp.get_score(i), pieces[a], pieces[b], a, b) for a, b in local]
sp_merges = [(a, b) for _, _, _, a, b in sorted(pairs)]
specials = [{"id": i, "content": sp.id_to_piece(i), "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i in range(3)]
decoder = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                                            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
for name, normalizer, pre in [
        ("llama2", {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, None),
        ("mistral", None, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False})]:
    write(name, {"version": "1.0", "added_tokens": specials, "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": template, "decoder": decoder,
                 "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                           "byte_fallback": True, "vocab": pieces, "merges": [" ".join(p) for p in sp_merges]}},
          sp.encode, sp.decode,
          # Where the two formats differ by design: texts with special tokens in them (SentencePiece reads them as text), a text
          # that begins with U+2581 (no second one is put before it by Metaspace), no text at all.
          lambda t: "<s>" in t or t == "" or (t.startswith(("\u2581", " ")) and pre is not None))

# ---- WordPiece
words = collections.Counter(regex.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]", corpus.lower()))
letters = sorted({c for w in words for c in w})
listed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters if c.isalnum()]
listed += [w for w, _ in words.most_common(400) if len(w) > 1]
endings = collections.Counter(w[-k:] for w, n in words.items() if w.isalpha() for k in (2, 3, 4) if len(w) > k + 1)
listed += ["##" + e for e, _ in endings.most_common(120)] + ["\u4e2d", "caf", "##\u00e9", "\u00e9"]
wp = {t: i for i, t in enumerate(dict.fromkeys(listed))}


def is_punctuation(c):
    return 33 <= ord(c) <= 47 or 58 <= ord(c) <= 64 or 91 <= ord(c) <= 96 or 123 <= ord(c) <= 126 or unicodedata.category(c).startswith("P")


WHITE = regex.compile(r"\s")
IDEOGRAPHS = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]


def basic(text, lower):
    out = ""
    for c in text:
        if WHITE.match(c):
            out += " "
        elif c not in "\0\ufffd" and unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs"):
            out += " " + c + " " if any(a <= ord(c) <= b for a, b in IDEOGRAPHS) else c
    if lower:
        out = "".join(c for c in unicodedata.normalize("NFD", out) if unicodedata.category(c) != "Mn")
        out = "".join(c.lower() for c in out)
    found = []
    for word in regex.split(r"\s+", out):
        current = ""
        for c in word:
            if is_punctuation(c):
                found += [current, c]
                current = ""
            else:
                current += c
        found.append(current)
    return [w for w in found if w]


def wordpiece(word):
    if len(word) > 100:
        return ["[UNK]"]
    tokens, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            token = ("##" if start else "") + word[start:end]
            if token in wp:
                tokens.append(token)
                start = end
                break
        else:
            return ["[UNK]"]
    return tokens


def wp_encode(lower):
    def encode(text):
        ids = []
        for part in regex.split(r"(\[(?:PAD|UNK|CLS|SEP|MASK)\])", text):
            ids += [wp[part]] if part in wp and part.startswith("[") and len(part) > 1 else [wp[t] for w in basic(part, lower) for t in wordpiece(w)]
        return ids
    return encode


def wp_decode(ids):
    shown = [t for t in (list(wp)[i] for i in ids) if t not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    out = ""
    for i, token in enumerate(shown):
        token = token if i == 0 else token[2:] if token.startswith("##") else " " + token
        for a, b in [(" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"),
                     (" 've", "'ve"), (" 're", "'re")]:
            token = token.replace(a, b)
        out += token
    return out


for name, lower in (("bert", True), ("bert_cased", False)):
    frame = {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
             "special_tokens": {t: {"id": t, "ids": [wp[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")}}
    if not lower:
        frame = {"type": "BertProcessing", "sep": ["[SEP]", wp["[SEP]"]], "cls": ["[CLS]", wp["[CLS]"]]}
    write(name, {"version": "1.0", "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
                                                    for t, i in list(wp.items())[:5]],
                 "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lower},
                 "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": frame, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
                 "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": wp}},
          wp_encode(lower), wp_decode)

# ---- Unicode: one digest each over every character that may stand in a text, and over sequences of them.
scalars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
state, sequences = 1, []
marks = "aeos\u0323\u0307\u0301\u0308\u0315\u1100\u1161\u11a8\uac00\u1e9b\u0344\u0958\u212b\u00df\u0f71\u0f72\u0fb2\u093c\u0928"
for _ in range(20000):
    sequence = ""
    for _ in range(6):
        state = (state * 1103515245 + 12345) % 2**31
        sequence += marks[state // 65536 % len(marks)]
    sequences.append(sequence)


def digest(values):
    return hashlib.sha256("\n".join(values).encode()).hexdigest()


lines = [f"nfc\t{digest(unicodedata.normalize('NFC', c) for c in scalars)}", f"nfd\t{digest(unicodedata.normalize('NFD', c) for c in scalars)}",
         f"lower\t{digest(c.lower() for c in scalars)}",
         f"nfc sequences\t{digest(unicodedata.normalize('NFC', s) for s in sequences)}", f"nfd sequences\t{digest(unicodedata.normalize('NFD', s) for s in sequences)}"]
classes = {"L": "1", "N": "2", "P": "4", "Mn": "3", "Cc": "5", "Cf": "5", "Co": "5", "Cn": "6", "Mc": "7", "Me": "7"}
lines.append("classes\t" + digest(classes.get(unicodedata.category(c), classes.get(unicodedata.category(c)[0], "0")) for c in scalars))
lines.append("spaces\t" + " ".join(f"{ord(c):x}" for c in scalars if WHITE.match(c)))
(folder / "unicode.tsv").write_text("\n".join(lines) + "\n")
