// SPDX-License-Identifier: GPL-3.0-or-later
// tokenizer.json into a Tokenizer.
#include "core/inputs/bpe.h"
#include "core/inputs/json_fields.h"
#include "core/inputs/tokenizer.h"
#include "core/inputs/tokenizer_content.h"
#include "core/inputs/word_piece.h"

#include <algorithm>
#include <utility>

namespace tamis::inputs {
namespace {

using nlohmann::json;
constexpr io::JsonLimits kLimits{.bytes = kMaximumTokenizerBytes, .depth = 64, .values = 16'000'000};
constexpr std::size_t kMaximumMerges = 4'000'000;

void readVocabulary(Vocabulary& vocabulary, const JsonFields& model)
{
    const json* texts = model.find("vocab");
    if (texts == nullptr || !texts->is_object())
        throw Error(ErrorCode::MalformedFile, "the model has no vocab, expected an object of texts and ids", model.subject());
    for (const auto& [text, id] : texts->items()) {
        if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<std::uint64_t>() > 0x7FFFFFFF))
            model.refuse("the id of " + io::quotedName(text), id, "a whole number below " + std::to_string(kMaximumVocabulary));
        vocabulary.add(text, id.get<std::int64_t>(), model.subject());
    }
    if (vocabulary.size() == 0)
        throw Error(ErrorCode::MalformedFile, "the vocab is empty", model.subject());
}

MergeList readMerges(const JsonFields& model)
{
    const json* list = model.find("merges");
    const json absent;
    if (list == nullptr || !list->is_array())
        model.refuse("merges", list != nullptr ? *list : absent, "a list");
    if (list->size() > kMaximumMerges)
        throw Error(ErrorCode::LimitExceeded, "has " + std::to_string(list->size()) + " merges, at most " + std::to_string(kMaximumMerges) + " are read",
                    model.subject());
    MergeList merges;
    merges.reserve(list->size());
    for (const json& each : *list) {
        std::string left, right;
        if (each.is_string()) { // "a b"; neither text holds a space
            const auto& text = each.get_ref<const std::string&>();
            const std::size_t space = text.find(' ');
            if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
                left = text.substr(0, space);
                right = text.substr(space + 1);
            }
        } else if (each.is_array() && each.size() == 2 && each[0].is_string() && each[1].is_string()) {
            left = each[0].get<std::string>();
            right = each[1].get<std::string>();
        }
        if (left.empty() || right.empty())
            model.refuse("merge " + std::to_string(merges.size()), each, "\"left right\" or [\"left\", \"right\"]");
        merges.emplace_back(std::move(left), std::move(right));
    }
    return merges;
}

/// Older files leave the type out.
std::string modelType(const JsonFields& model)
{
    if (model.find("type") != nullptr)
        return model.word("type", "");
    if (model.find("merges") != nullptr)
        return "BPE";
    const json* texts = model.find("vocab");
    if (texts != nullptr && texts->is_array())
        return "Unigram";
    return model.find("max_input_chars_per_word") != nullptr || model.find("continuing_subword_prefix") != nullptr ? "WordPiece" : "WordLevel";
}

std::unique_ptr<const BpeModel> readBpe(const JsonFields& model, const Vocabulary& vocabulary, bool byteLevel)
{
    BpeOptions options;
    options.byteLevel = byteLevel;
    options.byteFallback = model.flag("byte_fallback", false);
    options.ignoreMerges = model.flag("ignore_merges", false);
    options.fuseUnknown = model.flag("fuse_unk", false);
    options.unknown = model.word("unk_token", "");
    options.continuingPrefix = model.word("continuing_subword_prefix", "");
    options.endSuffix = model.word("end_of_word_suffix", "");
    if (const double dropout = model.number("dropout", 0.0); dropout != 0.0)
        model.refuse("dropout", dropout, "null or 0: ids would be random", ErrorCode::UnsupportedFeature);
    for (const auto& [key, text] : {std::pair{"continuing_subword_prefix", options.continuingPrefix}, std::pair{"end_of_word_suffix", options.endSuffix}})
        if (byteLevel && !text.empty())
            model.refuse(key, text, "null: a byte-level vocabulary marks no words", ErrorCode::UnsupportedFeature);
    return std::make_unique<BpeModel>(vocabulary, readMerges(model), std::move(options), model.subject());
}

std::unique_ptr<const TokenModel> readModel(TokenizerContent& content, const JsonFields& model, bool byteLevel)
{
    const std::string type = modelType(model);
    if (type != "BPE" && type != "WordPiece")
        model.refuse("the model", type, "BPE or WordPiece", ErrorCode::UnsupportedFeature);
    readVocabulary(content.vocabulary, model);
    if (type == "BPE") {
        content.kind = byteLevel ? "byte-level BPE" : "character BPE";
        auto bpe = readBpe(model, content.vocabulary, byteLevel);
        content.wordsAreSeparate = bpe->wordsAreSeparate();
        return bpe;
    }
    if (byteLevel)
        model.refuse("the pre_tokenizer", "ByteLevel", "another one for WordPiece", ErrorCode::UnsupportedFeature);
    content.kind = "WordPiece";
    WordPieceOptions options;
    options.unknown = model.word("unk_token", options.unknown);
    options.continuingPrefix = model.word("continuing_subword_prefix", options.continuingPrefix);
    options.maximumCharacters = model.whole("max_input_chars_per_word", options.maximumCharacters);
    return std::make_unique<WordPieceModel>(content.vocabulary, std::move(options), model.subject());
}

/// After the model: an added token that the vocabulary holds already must have its id there.
void readAddedTokens(TokenizerContent& content, const JsonFields& document)
{
    const json* list = document.find("added_tokens");
    if (list == nullptr)
        return;
    if (!list->is_array())
        document.refuse("added_tokens", *list, "a list");
    for (const json& each : *list) {
        if (!each.is_object())
            document.refuse("added_tokens", each, "objects");
        const JsonFields fields(each, document.subject());
        AddedToken token;
        token.content = fields.word("content", "");
        const std::int64_t id = fields.whole("id", kMaximumVocabulary);
        if (token.content.empty() || id >= kMaximumVocabulary)
            document.refuse("added_tokens", each, "a content that is not empty and an id below " + std::to_string(kMaximumVocabulary));
        token.id = static_cast<std::int32_t>(id);
        token.special = fields.flag("special", false);
        token.stripLeft = fields.flag("lstrip", false);
        token.stripRight = fields.flag("rstrip", false);
        token.normalised = fields.flag("normalized", !token.special);
        if (fields.flag("single_word", false))
            document.refuse("added_tokens", each, "single_word false", ErrorCode::UnsupportedFeature);
        if (content.vocabulary.find(token.content) != token.id)
            content.vocabulary.add(token.content, token.id, document.subject()); // refuses another id
        if (token.special)
            content.special.insert(token.id);
        if (token.normalised && content.normaliser)
            token.content = content.normaliser->apply(std::move(token.content));
        if (!token.content.empty())
            (token.normalised ? content.normalised : content.raw).add(token);
    }
}

} // namespace

std::shared_ptr<const Tokenizer> Tokenizer::parse(std::string_view text, const std::string& subject)
{
    const json document = io::parseJson(text, kLimits, subject);
    if (!document.is_object())
        throw Error(ErrorCode::MalformedFile, "is not a tokenizer, expected a JSON object", subject);
    const JsonFields fields(document, subject);
    const json* model = fields.find("model");
    if (model == nullptr || !model->is_object())
        throw Error(ErrorCode::MalformedFile, "has no model, expected an object", subject);
    const json absent;
    const auto stage = [&](const char* key) -> const json& {
        const json* value = fields.find(key);
        return value != nullptr ? *value : absent;
    };
    auto content = std::make_unique<TokenizerContent>();
    bool byteLevel = false;
    content->normaliser = readNormaliser(stage("normalizer"), subject);
    content->preTokenizer = readPreTokenizer(stage("pre_tokenizer"), subject, byteLevel);
    content->decoder = readDecoder(stage("decoder"), subject);
    content->model = readModel(*content, JsonFields(*model, subject), byteLevel);
    readAddedTokens(*content, fields);
    content->frame = readPostProcessor(stage("post_processor"), subject);
    for (const auto* ids : {&content->frame.leading, &content->frame.trailing})
        for (const std::int32_t id : *ids)
            if (content->vocabulary.text(id) == nullptr)
                throw Error(ErrorCode::MalformedFile, "the post_processor adds the token id " + std::to_string(id) + ", which is not in the vocabulary", subject);
    return std::make_shared<const Tokenizer>(std::move(content));
}

std::shared_ptr<const Tokenizer> Tokenizer::read(const std::filesystem::path& file)
{
    std::error_code ignored;
    const std::filesystem::path path = std::filesystem::is_directory(file, ignored) ? file / "tokenizer.json" : file;
    return parse(io::readSmallFile(path, kLimits.bytes), path.string());
}

} // namespace tamis::inputs
