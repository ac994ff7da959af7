// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/byte_alphabet.h"
#include "core/inputs/json_fields.h"
#include "core/inputs/text_pattern.h"
#include "core/inputs/tokenizer_parts.h"
#include "core/inputs/utf8.h"

#include <optional>
#include <utility>

namespace tamis::inputs {
namespace {

using nlohmann::json;
using Tokens = std::vector<std::string>;

std::string joined(const Tokens& tokens)
{
    std::string text;
    for (const std::string& token : tokens)
        text += token;
    return text;
}

class FuseDecoder final : public TokenDecoder {
public:
    Tokens apply(Tokens tokens) const override { return {joined(tokens)}; }
};

/// The bytes behind the tokens; a token outside the byte alphabet, such as an added one, counts as it is.
class ByteLevelDecoder final : public TokenDecoder {
public:
    Tokens apply(Tokens tokens) const override
    {
        std::string bytes;
        for (const std::string& token : tokens)
            bytes += alphabetBytes(token).value_or(token);
        return {withReplacements(bytes)};
    }
};

class MetaspaceDecoder final : public TokenDecoder {
public:
    MetaspaceDecoder(std::string replacement, bool prepended) : m_replacement(std::move(replacement)), m_prepended(prepended) {}
    Tokens apply(Tokens tokens) const override
    {
        for (std::size_t i = 0; i < tokens.size(); ++i)
            tokens[i] = replacedAll(tokens[i], m_replacement, i == 0 && m_prepended ? "" : " ");
        return tokens;
    }

private:
    std::string m_replacement;
    bool m_prepended;
};

class WordPieceDecoder final : public TokenDecoder {
public:
    WordPieceDecoder(std::string prefix, bool cleanup) : m_prefix(std::move(prefix)), m_cleanup(cleanup) {}
    Tokens apply(Tokens tokens) const override
    {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            std::string& token = tokens[i];
            if (i > 0)
                token = token.starts_with(m_prefix) ? token.substr(m_prefix.size()) : ' ' + token;
            if (m_cleanup)
                token = cleaned(std::move(token));
        }
        return tokens;
    }

private:
    static std::string cleaned(std::string token)
    {
        constexpr std::pair<const char*, const char*> kRules[]{{" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},    {" ' ", "'"}, {" n't", "n't"},
                                                               {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
        for (const auto& [spaced, tight] : kRules)
            token = replacedAll(token, spaced, tight);
        return token;
    }
    std::string m_prefix;
    bool m_cleanup;
};

class SuffixDecoder final : public TokenDecoder {
public:
    explicit SuffixDecoder(std::string suffix) : m_suffix(std::move(suffix)) {}
    Tokens apply(Tokens tokens) const override
    {
        for (std::size_t i = 0; i < tokens.size(); ++i)
            tokens[i] = replacedAll(tokens[i], m_suffix, i + 1 == tokens.size() ? "" : " ");
        return tokens;
    }

private:
    std::string m_suffix;
};

class ReplaceDecoder final : public TokenDecoder {
public:
    ReplaceDecoder(std::string pattern, std::string content) : m_pattern(std::move(pattern)), m_content(std::move(content)) {}
    Tokens apply(Tokens tokens) const override
    {
        for (std::string& token : tokens)
            token = replacedAll(token, m_pattern, m_content);
        return tokens;
    }

private:
    std::string m_pattern, m_content;
};

/// Takes up to `start` characters `content` off the front of every token and up to `stop` off its back.
class StripDecoder final : public TokenDecoder {
public:
    StripDecoder(std::string content, std::int64_t start, std::int64_t stop) : m_content(std::move(content)), m_start(start), m_stop(stop) {}
    Tokens apply(Tokens tokens) const override
    {
        for (std::string& token : tokens) {
            std::string_view view(token);
            for (std::int64_t i = 0; i < m_start && view.starts_with(m_content); ++i)
                view.remove_prefix(m_content.size());
            for (std::int64_t i = 0; i < m_stop && view.ends_with(m_content); ++i)
                view.remove_suffix(m_content.size());
            token = std::string(view);
        }
        return tokens;
    }

private:
    std::string m_content;
    std::int64_t m_start, m_stop;
};

/// Runs of tokens <0x00> ... <0xFF> become the text of their bytes, or a replacement character for each byte when they are no
/// UTF-8.
class ByteFallbackDecoder final : public TokenDecoder {
public:
    Tokens apply(Tokens tokens) const override
    {
        Tokens result;
        std::string bytes;
        const auto flush = [&] {
            if (isValidUtf8(bytes)) {
                if (!bytes.empty())
                    result.push_back(bytes);
            } else {
                result.insert(result.end(), bytes.size(), "\xEF\xBF\xBD");
            }
            bytes.clear();
        };
        for (std::string& token : tokens) {
            if (const auto byte = byteOf(token)) {
                bytes.push_back(static_cast<char>(*byte));
                continue;
            }
            flush();
            result.push_back(std::move(token));
        }
        flush();
        return result;
    }

private:
    static std::optional<unsigned char> byteOf(const std::string& token)
    {
        if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>')
            return std::nullopt;
        unsigned value = 0;
        for (const char c : token.substr(3, 2)) {
            const bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'F', lower = c >= 'a' && c <= 'f';
            if (!digit && !upper && !lower)
                return std::nullopt;
            value = value * 16 + static_cast<unsigned>(digit ? c - '0' : (upper ? c - 'A' : c - 'a') + 10);
        }
        return static_cast<unsigned char>(value);
    }
};

class DecoderSequence final : public TokenDecoder {
public:
    explicit DecoderSequence(std::vector<std::unique_ptr<const TokenDecoder>> parts) : m_parts(std::move(parts)) {}
    Tokens apply(Tokens tokens) const override
    {
        for (const auto& part : m_parts)
            tokens = part->apply(std::move(tokens));
        return tokens;
    }

private:
    std::vector<std::unique_ptr<const TokenDecoder>> m_parts;
};

const json& listOf(const JsonFields& fields, const char* key)
{
    static const json absent;
    const json* list = fields.find(key);
    if (list == nullptr || !list->is_array())
        fields.refuse(key, list != nullptr ? *list : absent, "a list");
    return *list;
}

std::int32_t readId(const JsonFields& fields, const std::string& key, const json& value)
{
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 0x7FFFFFFF)
        fields.refuse(key, value, "a token id");
    return value.get<std::int32_t>();
}

/// ["[CLS]", 101]
std::int32_t readPair(const JsonFields& fields, const char* key)
{
    const json& pair = listOf(fields, key);
    if (pair.size() != 2)
        fields.refuse(key, pair, "[text, token id]");
    return readId(fields, key, pair[1]);
}

/// {"single": [{"SpecialToken": {"id": name}}, {"Sequence": {"id": "A"}}, ...], "special_tokens": {name: {"ids": [...]}}}
SequenceFrame readTemplate(const JsonFields& fields)
{
    SequenceFrame frame;
    const json* known = fields.find("special_tokens");
    bool sequenceSeen = false;
    for (const json& item : listOf(fields, "single")) {
        const bool special = item.is_object() && item.contains("SpecialToken") && item["SpecialToken"].is_object();
        if (!special) {
            if (sequenceSeen || !item.is_object() || !item.contains("Sequence"))
                fields.refuse("single", item, "special tokens around one Sequence");
            sequenceSeen = true;
            continue;
        }
        const std::string name = JsonFields(item["SpecialToken"], fields.subject()).word("id", "");
        if (known == nullptr || !known->is_object() || !known->contains(name) || !(*known)[name].is_object())
            fields.refuse("single", item, "a token that special_tokens lists");
        for (const json& id : listOf(JsonFields((*known)[name], fields.subject()), "ids"))
            (sequenceSeen ? frame.trailing : frame.leading).push_back(readId(fields, "special_tokens ids", id));
    }
    if (!sequenceSeen)
        fields.refuse("single", listOf(fields, "single"), "special tokens around one Sequence");
    return frame;
}

} // namespace

std::unique_ptr<const TokenDecoder> readDecoder(const json& value, const std::string& subject)
{
    if (value.is_null())
        return nullptr;
    const JsonFields fields(value, subject);
    if (!value.is_object())
        fields.refuse("decoder", value, "an object");
    const std::string type = fields.word("type", "");
    if (type == "Sequence") {
        std::vector<std::unique_ptr<const TokenDecoder>> parts;
        for (const json& each : listOf(fields, "decoders"))
            if (auto part = readDecoder(each, subject))
                parts.push_back(std::move(part));
        return std::make_unique<DecoderSequence>(std::move(parts));
    }
    if (type == "ByteLevel")
        return std::make_unique<ByteLevelDecoder>();
    if (type == "Fuse")
        return std::make_unique<FuseDecoder>();
    if (type == "ByteFallback")
        return std::make_unique<ByteFallbackDecoder>();
    if (type == "WordPiece")
        return std::make_unique<WordPieceDecoder>(fields.word("prefix", "##"), fields.flag("cleanup", true));
    if (type == "Replace")
        return std::make_unique<ReplaceDecoder>(stringPattern(fields, "decoder Replace"), fields.word("content", ""));
    if (type == "Metaspace" || type == "BPEDecoder" || type == "Strip") {
        const bool suffix = type == "BPEDecoder", strip = type == "Strip";
        const char* key = suffix ? "suffix" : strip ? "content" : "replacement";
        const std::string text = fields.word(key, suffix ? "</w>" : strip ? " " : "\xE2\x96\x81");
        if (text.empty())
            fields.refuse(key, text, "a text that is not empty");
        if (suffix)
            return std::make_unique<SuffixDecoder>(text);
        if (strip)
            return std::make_unique<StripDecoder>(text, fields.whole("start", 0), fields.whole("stop", 0));
        const std::string scheme = fields.word("prepend_scheme", fields.flag("add_prefix_space", true) ? "always" : "never");
        return std::make_unique<MetaspaceDecoder>(text, scheme != "never");
    }
    fields.refuse("the decoder", type, "one of BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip, WordPiece",
                  ErrorCode::UnsupportedFeature);
}

SequenceFrame readPostProcessor(const json& value, const std::string& subject)
{
    SequenceFrame frame;
    if (value.is_null())
        return frame;
    const JsonFields fields(value, subject);
    if (!value.is_object())
        fields.refuse("post_processor", value, "an object");
    const std::string type = fields.word("type", "");
    if (type == "ByteLevel")
        return frame; // only offsets into the text, which nothing here keeps
    if (type == "TemplateProcessing")
        return readTemplate(fields);
    if (type == "BertProcessing" || type == "RobertaProcessing")
        return {{readPair(fields, "cls")}, {readPair(fields, "sep")}};
    if (type == "Sequence") {
        for (const json& each : listOf(fields, "processors")) { // a later one frames what an earlier one made
            const SequenceFrame next = readPostProcessor(each, subject);
            frame.leading.insert(frame.leading.begin(), next.leading.begin(), next.leading.end());
            frame.trailing.insert(frame.trailing.end(), next.trailing.begin(), next.trailing.end());
        }
        return frame;
    }
    fields.refuse("the post_processor", type, "one of BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing",
                  ErrorCode::UnsupportedFeature);
}

} // namespace tamis::inputs
