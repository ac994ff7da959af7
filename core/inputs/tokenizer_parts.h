// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The stages around a TokenModel, as tokenizer.json describes them. All are immutable and safe to share between threads; all
// texts are valid UTF-8. Reference: the documentation and observable behaviour of Hugging Face tokenizers 0.15.
#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::inputs {

/// Changes the text before it is cut.
class Normaliser {
public:
    virtual ~Normaliser() = default;
    virtual std::string apply(std::string text) const = 0;
};

/// Cuts a text into the pieces that the model sees.
class PreTokenizer {
public:
    /// Views are valid during the call only. `first`: the piece begins where the whole text began.
    using Emit = std::function<void(std::string_view piece, bool first)>;
    virtual ~PreTokenizer() = default;
    /// Emits no empty piece.
    virtual void cut(std::string_view text, bool first, const Emit& emit) const = 0;
};

/// Turns the texts of tokens back into text: each stage maps the list to another, whose texts are joined in the end.
class TokenDecoder {
public:
    virtual ~TokenDecoder() = default;
    virtual std::vector<std::string> apply(std::vector<std::string> tokens) const = 0;
};

/// Ids around every sequence when special tokens are asked for.
struct SequenceFrame {
    std::vector<std::int32_t> leading, trailing;
};

// Each takes the value of its key in tokenizer.json, null included (no stage: a null pointer, an empty frame). They throw
// Error{MalformedFile} for fields of a wrong type and Error{UnsupportedFeature} naming a type that is not known here.
std::unique_ptr<const Normaliser> readNormaliser(const nlohmann::json& value, const std::string& subject);
/// `byteLevel` becomes true when the last stage turns pieces into bytes; the pieces are given as they are, for a model that
/// works on bytes.
std::unique_ptr<const PreTokenizer> readPreTokenizer(const nlohmann::json& value, const std::string& subject, bool& byteLevel);
std::unique_ptr<const TokenDecoder> readDecoder(const nlohmann::json& value, const std::string& subject);
SequenceFrame readPostProcessor(const nlohmann::json& value, const std::string& subject);

} // namespace tamis::inputs
