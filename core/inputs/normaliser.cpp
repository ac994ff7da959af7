// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/json_fields.h"
#include "core/inputs/text_pattern.h"
#include "core/inputs/tokenizer_parts.h"
#include "core/inputs/unicode.h"
#include "core/inputs/utf8.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tamis::inputs {
namespace {

using nlohmann::json;

/// Built from a function on decoded text.
class CharacterNormaliser final : public Normaliser {
public:
    using Change = std::u32string (*)(const std::u32string&);
    explicit CharacterNormaliser(Change change) : m_change(change) {}
    std::string apply(std::string text) const override { return toUtf8(m_change(codePoints(text))); }

private:
    Change m_change;
};

class ComposingNormaliser final : public Normaliser {
public:
    std::string apply(std::string text) const override { return composedUtf8(text); }
};

std::u32string withoutMarks(const std::u32string& text)
{
    const Characters characters;
    std::u32string result = text;
    std::erase_if(result, [&](char32_t c) {
        return characters.classOf(c) == CharacterClass::NonspacingMark || characters.classOf(c) == CharacterClass::OtherMark;
    });
    return result;
}

class PrependNormaliser final : public Normaliser {
public:
    explicit PrependNormaliser(std::string prefix) : m_prefix(std::move(prefix)) {}
    std::string apply(std::string text) const override { return text.empty() ? text : m_prefix + text; }

private:
    std::string m_prefix;
};

class ReplaceNormaliser final : public Normaliser {
public:
    ReplaceNormaliser(std::string pattern, std::string content) : m_pattern(std::move(pattern)), m_content(std::move(content)) {}
    std::string apply(std::string text) const override { return replacedAll(text, m_pattern, m_content); }

private:
    std::string m_pattern, m_content;
};

class StripNormaliser final : public Normaliser {
public:
    StripNormaliser(bool left, bool right) : m_left(left), m_right(right) {}
    std::string apply(std::string text) const override
    {
        const Characters characters;
        std::u32string points = codePoints(text);
        const auto isText = [&](char32_t c) { return !characters.isSpace(c); };
        if (m_right)
            points.erase(std::find_if(points.rbegin(), points.rend(), isText).base(), points.end());
        if (m_left)
            points.erase(points.begin(), std::find_if(points.begin(), points.end(), isText));
        return toUtf8(points);
    }

private:
    bool m_left, m_right;
};

/// BERT's BasicTokenizer before its cuts.
class BertNormaliser final : public Normaliser {
public:
    BertNormaliser(bool clean, bool spaceIdeographs, bool stripAccents, bool lowercase)
        : m_clean(clean), m_spaceIdeographs(spaceIdeographs), m_stripAccents(stripAccents), m_lowercase(lowercase)
    {
    }
    std::string apply(std::string text) const override
    {
        std::u32string points = codePoints(text);
        if (m_clean || m_spaceIdeographs)
            points = cleaned(points);
        if (m_stripAccents) {
            points = decomposed(points);
            std::erase_if(points, [this](char32_t c) { return m_characters.classOf(c) == CharacterClass::NonspacingMark; });
        }
        return toUtf8(m_lowercase ? lowercased(points) : points);
    }

private:
    static bool isIdeograph(char32_t c)
    {
        return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
               (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
    }
    std::u32string cleaned(const std::u32string& text) const
    {
        std::u32string result;
        result.reserve(text.size());
        for (char32_t c : text) {
            if (m_clean) {
                if (m_characters.isSpace(c))
                    c = ' ';
                else if (c == 0 || c == kReplacement || m_characters.classOf(c) == CharacterClass::Control)
                    continue;
            }
            if (m_spaceIdeographs && isIdeograph(c))
                result.append({U' ', c, U' '});
            else
                result.push_back(c);
        }
        return result;
    }
    bool m_clean, m_spaceIdeographs, m_stripAccents, m_lowercase;
    Characters m_characters;
};

class NormaliserSequence final : public Normaliser {
public:
    explicit NormaliserSequence(std::vector<std::unique_ptr<const Normaliser>> parts) : m_parts(std::move(parts)) {}
    std::string apply(std::string text) const override
    {
        for (const auto& part : m_parts)
            text = part->apply(std::move(text));
        return text;
    }

private:
    std::vector<std::unique_ptr<const Normaliser>> m_parts;
};

std::unique_ptr<const Normaliser> readSequence(const JsonFields& fields)
{
    const json* list = fields.find("normalizers");
    if (list == nullptr || !list->is_array())
        fields.refuse("normalizers", list != nullptr ? *list : json(), "a list");
    std::vector<std::unique_ptr<const Normaliser>> parts;
    for (const json& each : *list)
        if (auto part = readNormaliser(each, fields.subject()))
            parts.push_back(std::move(part));
    return std::make_unique<NormaliserSequence>(std::move(parts));
}

} // namespace

std::unique_ptr<const Normaliser> readNormaliser(const json& value, const std::string& subject)
{
    if (value.is_null())
        return nullptr;
    const JsonFields fields(value, subject);
    if (!value.is_object())
        fields.refuse("normalizer", value, "an object");
    const std::string type = fields.word("type", "");
    if (type == "Sequence")
        return readSequence(fields);
    if (type == "NFC")
        return std::make_unique<ComposingNormaliser>();
    if (type == "NFD")
        return std::make_unique<CharacterNormaliser>(decomposed);
    if (type == "Lowercase")
        return std::make_unique<CharacterNormaliser>(lowercased);
    if (type == "StripAccents")
        return std::make_unique<CharacterNormaliser>(withoutMarks);
    if (type == "Strip")
        return std::make_unique<StripNormaliser>(fields.flag("strip_left", true), fields.flag("strip_right", true));
    if (type == "Prepend")
        return std::make_unique<PrependNormaliser>(fields.word("prepend", ""));
    if (type == "Replace")
        return std::make_unique<ReplaceNormaliser>(stringPattern(fields, "normalizer Replace"), fields.word("content", ""));
    if (type == "BertNormalizer") {
        const bool lowercase = fields.flag("lowercase", true);
        return std::make_unique<BertNormaliser>(fields.flag("clean_text", true), fields.flag("handle_chinese_chars", true),
                                                fields.flag("strip_accents", lowercase), lowercase);
    }
    fields.refuse("the normalizer", type, "one of BertNormalizer, Lowercase, NFC, NFD, Prepend, Replace, Sequence, Strip, StripAccents",
                  ErrorCode::UnsupportedFeature);
}

} // namespace tamis::inputs
