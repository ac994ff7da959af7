#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed and well-formed tokenizer.json files and what is said of each: writes tokenizer/ beside itself."""
import copy
import json
import pathlib

folder = pathlib.Path(__file__).resolve().parent / "tokenizer"
folder.mkdir(exist_ok=True)
lines = []
GOOD = {"version": "1.0", "added_tokens": [{"id": 6, "content": "<s>", "special": True, "normalized": False}], "normalizer": None, "pre_tokenizer": None,
        "post_processor": None, "decoder": None,
        "model": {"type": "BPE", "unk_token": None, "vocab": {"s": 0, "o": 1, "m": 2, "e": 3, "so": 4, "me": 5}, "merges": ["s o", "m e"]}}


def raw(name, text, code, part):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    lines.append(f"{name}\t{code}\t{part}\n")


def case(name, code, part, change):
    value = copy.deepcopy(GOOD)
    change(value)
    raw(name + ".json", json.dumps(value, ensure_ascii=False), code, part)


def put(*path_and_value):
    *path, last, new = path_and_value

    def change(value):
        for key in path:
            value = value[key]
        value[last] = new
    return change


BAD, NOT = "malformed file", "unsupported feature"
case("good", "ok", "", lambda v: None)
case("good_pairs", "ok", "", put("model", "merges", [["s", "o"], ["m", "e"]]))
case("good_untyped", "ok", "", lambda v: v["model"].pop("type"))
case("good_sparse_ids", "ok", "", put("model", "vocab", "far", 100))
case("good_word_piece", "ok", "", put("model", {"type": "WordPiece", "unk_token": "u", "vocab": {"u": 0, "s": 1}}))
case("good_truncation", "ok", "", put("truncation", {"max_length": 3}))
raw("empty.json", "", BAD, "is not valid JSON")
raw("cut.json", json.dumps(GOOD)[:-20], BAD, "is not valid JSON")
raw("array.json", "[]", BAD, "expected a JSON object")
raw("bad_utf8.json", b'{"model":{"type":"BPE","vocab":{"\xff":0},"merges":[]}}', BAD, "is not valid JSON")
raw("token_twice.json", '{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}', BAD, 'the key "a" occurs twice')
raw("deep.json", '{"model":' + "[" * 100 + "]" * 100 + "}", "limit exceeded", "nested deeper than 64")
case("no_model", BAD, "has no model", lambda v: v.pop("model"))
case("model_list", BAD, "has no model", put("model", [1]))
case("model_unigram", NOT, 'the model is "Unigram", expected BPE or WordPiece', put("model", {"type": "Unigram", "vocab": [["a", 0.5]]}))
case("model_unigram_untyped", NOT, "Unigram", put("model", {"vocab": [["a", 0.5]]}))
case("model_word_level", NOT, "WordLevel", put("model", {"vocab": {"a": 0}}))
case("model_type_number", BAD, "type is \"3\", expected a text", put("model", "type", 3))
case("vocab_missing", BAD, "the model has no vocab", lambda v: v["model"].pop("vocab"))
case("vocab_list", BAD, "the model has no vocab", put("model", "vocab", ["a"]))
case("vocab_empty", BAD, "the vocab is empty", put("model", {"type": "BPE", "vocab": {}, "merges": []}))
case("id_negative", BAD, "expected 0 or more", put("model", "vocab", "s", -1))
case("id_fraction", BAD, "the id of \"s\" is \"0.5\"", put("model", "vocab", "s", 0.5))
case("id_text", BAD, "the id of \"s\" is", put("model", "vocab", "s", "0"))
case("id_huge", "limit exceeded", "has the id 2000000000", put("model", "vocab", "s", 2000000000))
case("id_wraps", BAD, "the id of \"s\" is", put("model", "vocab", "s", 2**64 - 1))
case("id_twice", BAD, "the id 1 belongs to two tokens", put("model", "vocab", "s", 1))
case("token_long", "limit exceeded", "65537 bytes", put("model", "vocab", "x" * 65537, 9))
case("merges_missing", BAD, "merges is", lambda v: v["model"].pop("merges"))
case("merges_object", BAD, "merges is", put("model", "merges", {"s": "o"}))
case("merge_one_word", BAD, "merge 1 is", put("model", "merges", ["s o", "me"]))
case("merge_three_words", BAD, "merge 0 is", put("model", "merges", ["s o m"]))
case("merge_empty", BAD, "merge 0 is", put("model", "merges", [" o"]))
case("merge_triple", BAD, "merge 0 is", put("model", "merges", [["s", "o", "m"]]))
case("merge_numbers", BAD, "merge 0 is", put("model", "merges", [[0, 1]]))
case("merge_unknown_part", BAD, 'merge 0 needs the token "x"', put("model", "merges", ["s x"]))
case("merge_unknown_result", BAD, 'merge 0 needs the token "om"', put("model", "merges", ["o m"]))
case("unknown_not_listed", BAD, 'the unknown token "?" is not in the vocabulary', put("model", "unk_token", "?"))
case("unknown_not_listed_word_piece", BAD, 'the unknown token "[UNK]" is not', put("model", {"type": "WordPiece", "vocab": {"s": 0}}))
case("dropout", NOT, "dropout is \"0.1\"", put("model", "dropout", 0.1))
case("flag_number", BAD, "byte_fallback is \"1\", expected true or false", put("model", "byte_fallback", 1))
case("word_limit_negative", BAD, "max_input_chars_per_word is", put("model", {"type": "WordPiece", "unk_token": "s", "vocab": {"s": 0}, "max_input_chars_per_word": -1}))
case("byte_level_suffix", NOT, "end_of_word_suffix is", lambda v: (put("pre_tokenizer", {"type": "ByteLevel"})(v), put("model", "end_of_word_suffix", "</w>")(v)))
case("byte_level_word_piece", NOT, "another one for WordPiece",
     lambda v: (put("pre_tokenizer", {"type": "ByteLevel"})(v), put("model", {"type": "WordPiece", "unk_token": "s", "vocab": {"s": 0}})(v)))
case("added_object", BAD, "added_tokens is", put("added_tokens", {"<s>": 6}))
case("added_number", BAD, "added_tokens is", put("added_tokens", [6]))
case("added_without_id", BAD, "added_tokens is", put("added_tokens", [{"content": "<s>"}]))
case("added_empty", BAD, "added_tokens is", put("added_tokens", [{"id": 7, "content": ""}]))
case("added_huge_id", BAD, "added_tokens is", put("added_tokens", [{"id": 4194304, "content": "x"}]))
case("added_other_id", BAD, 'the token "so" has two ids, 4 and 9', put("added_tokens", [{"id": 9, "content": "so"}]))
case("added_same_id", BAD, "the id 4 belongs to two tokens", put("added_tokens", [{"id": 4, "content": "x"}]))
case("added_single_word", NOT, "single_word false", put("added_tokens", [{"id": 6, "content": "x", "single_word": True}]))
case("normalizer_text", BAD, "normalizer is", put("normalizer", "NFC"))
case("normalizer_precompiled", NOT, "the normalizer is", put("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}))
case("normalizer_nfkc", NOT, "the normalizer is", put("normalizer", {"type": "NFKC"}))
case("normalizer_regex", NOT, "this regular expression is not known here", put("normalizer", {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}))
case("normalizer_empty_pattern", BAD, "that is not empty", put("normalizer", {"type": "Replace", "pattern": {"String": ""}, "content": " "}))
case("normalizer_sequence", BAD, "normalizers is", put("normalizer", {"type": "Sequence"}))
case("pre_tokenizer_unknown", NOT, "the pre_tokenizer is", put("pre_tokenizer", {"type": "UnicodeScripts"}))
case("pre_tokenizer_regex", NOT, "the regular expression of GPT-2, LLaMA-3 or Qwen2", put("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated"}))
case("pre_tokenizer_behaviour", BAD, "behavior is", put("pre_tokenizer", {"type": "Split", "pattern": {"String": "a"}, "behavior": "Scattered"}))
case("pre_tokenizer_after_bytes", NOT, "ByteLevel as the last one", put("pre_tokenizer", {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "WhitespaceSplit"}]}))
case("pre_tokenizer_replacement", BAD, "replacement is", put("pre_tokenizer", {"type": "Metaspace", "replacement": "__"}))
case("pre_tokenizer_scheme", BAD, "prepend_scheme is", put("pre_tokenizer", {"type": "Metaspace", "prepend_scheme": "often"}))
case("decoder_unknown", NOT, "the decoder is", put("decoder", {"type": "CTC"}))
case("decoder_empty_text", BAD, "content is", put("decoder", {"type": "Strip", "content": "", "start": 1, "stop": 0}))
case("decoder_list", BAD, "decoders is", put("decoder", {"type": "Sequence", "decoders": 3}))
case("post_unknown", NOT, "the post_processor is", put("post_processor", {"type": "Other"}))
case("post_pair", BAD, "cls is", put("post_processor", {"type": "BertProcessing", "cls": ["<s>"], "sep": ["<s>", 6]}))
case("post_id_beyond", BAD, "adds the token id 77", put("post_processor", {"type": "RobertaProcessing", "cls": ["<s>", 6], "sep": ["x", 77]}))
case("post_template_unlisted", BAD, "a token that special_tokens lists",
     put("post_processor", {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {}}))
case("post_template_two", BAD, "around one Sequence", put("post_processor", {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "B"}}]}))
case("post_template_none", BAD, "around one Sequence", put("post_processor", {"type": "TemplateProcessing", "single": []}))
case("post_template_list", BAD, "single is", put("post_processor", {"type": "TemplateProcessing", "single": {}}))
(folder / "expectations.tsv").write_text("".join(lines))
