// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/tuned.h"

#include "core/attention/tape_assignment.h"
#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace tamis::attention {
namespace {
constexpr io::JsonLimits kChoiceLimits{.bytes = 4 << 20, .depth = 3, .values = 200'000};
constexpr const char* kMethod = "attention.fine-tuning"; ///< of the file: what was done, not an operator
const io::TrainedFileKind& fileKind()
{
    static const io::TrainedFileKind kind{"tamis.tuned-attention/1", "a model trained around its attention"};
    return kind;
}

/// A checkpoint in which some tensors have other values.
class Overlaid final : public nn::TensorSource {
public:
    Overlaid(const io::Checkpoint& checkpoint, const std::vector<io::TrainedTensor>& tensors) : m_checkpoint(checkpoint), m_tensors(tensors)
    {
        for (const io::TrainedTensor& tensor : tensors)
            if (!m_checkpoint.has(tensor.name))
                throw Error(ErrorCode::MalformedFile, "was trained, but the checkpoint has no tensor of that name", tensor.name);
    }
    bool has(std::string_view tensor) const override { return m_checkpoint.has(tensor); }
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>& expected) const override { return m_checkpoint.shape(tensor, expected); }
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>& shape) const override
    {
        const auto found = std::ranges::find(m_tensors, tensor, &io::TrainedTensor::name);
        return found == m_tensors.end() ? m_checkpoint.values(tensor, shape) : io::trainedFloats(m_tensors, tensor, m_checkpoint.shape(tensor, shape), "model", kMethod).values;
    }
    std::string subject() const override { return m_checkpoint.subject(); }

private:
    nn::CheckpointSource m_checkpoint;
    const std::vector<io::TrainedTensor>& m_tensors;
};

std::string choicesText(const std::vector<HeadChoice>& choices)
{
    nlohmann::json all = nlohmann::json::array();
    for (const HeadChoice& choice : choices) {
        nlohmann::json parameters = nlohmann::json::object();
        for (const auto& [name, value] : choice.parameters.all())
            std::visit([&, key = name](const auto& each) { parameters[key] = each; }, value);
        all.push_back({{"block", choice.block}, {"head", choice.head}, {"method", choice.method}, {"parameters", parameters}});
    }
    return all.dump();
}

ParameterValue valueOf(const nlohmann::json& value, const std::string& name, const std::string& subject)
{
    if (value.is_boolean())
        return value.get<bool>();
    if (value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())))
        return value.get<std::int64_t>();
    if (value.is_number_float())
        return value.get<double>();
    if (value.is_string())
        return value.get<std::string>();
    throw Error(ErrorCode::MalformedFile, "parameter " + io::quotedName(name) + " is " + value.type_name() + ", expected a boolean, a number or text", subject);
}

HeadChoice choiceOf(const nlohmann::json& json, const std::string& subject)
{
    const auto whole = [&](const char* key) {
        const auto found = json.find(key);
        if (found == json.end() || !found->is_number_integer() || found->get<std::int64_t>() < -1 || found->get<std::int64_t>() > 1'000'000)
            throw Error(ErrorCode::MalformedFile, std::string("a choice of attention has no number '") + key + "' of -1 to 1000000", subject);
        return found->get<std::int64_t>();
    };
    if (!json.is_object() || !json.contains("method") || !json["method"].is_string() || !json.contains("parameters") || !json["parameters"].is_object())
        throw Error(ErrorCode::MalformedFile, "a choice of attention is " + std::string(json.type_name()) + ", expected an object with block, head, method and parameters", subject);
    HeadChoice choice{.block = static_cast<int>(whole("block")), .head = whole("head"), .method = json["method"].get<std::string>(), .parameters = {}};
    for (const auto& [name, value] : json["parameters"].items())
        choice.parameters.set(name, valueOf(value, name, subject));
    return choice;
}

std::uint64_t seedIn(const std::string& text, const std::string& subject)
{
    std::uint64_t seed = 0;
    const char* end = text.data() + text.size();
    if (const auto [stop, error] = std::from_chars(text.data(), end, seed); error != std::errc() || stop != end)
        throw Error(ErrorCode::MalformedFile, "its metadata says seed = " + io::quotedName(text) + ", expected a whole number", subject);
    return seed;
}

/// Gives the operators what they had learnt.
void restore(TapeOperators& operators, const std::vector<io::TrainedTensor>& own)
{
    for (std::size_t block = 0; block < operators.size(); ++block) {
        if (!operators[block])
            continue;
        for (const OwnParameters& set : operators[block]->parameterSets())
            for (auto& parameter : set.set->all()) {
                const auto& tensor = io::trainedFloats(own, "attention." + std::to_string(block) + "." + set.prefix + parameter.name, parameter.shape, "attention", kMethod);
                std::ranges::copy(tensor.values, parameter.values.data());
            }
    }
}
} // namespace

TunedModel Tuned::parts(const io::Checkpoint& checkpoint, const AssignmentInputs& with, const RunContext& context) const
{
    if (const std::string found = checkpoint.sha256(context); found != model)
        throw Error(ErrorCode::InvalidParameter, "the attention was trained for the checkpoint with SHA-256 " + model + ", found " + found, checkpoint.path().string());
    TunedModel made{nn::Model::load(checkpoint.config(), Overlaid(checkpoint, weights), context), {}, choices, seed};
    AssignmentInputs inputs = with;
    inputs.seed = seed;
    TapeOperators trained = tapeOperatorsFor(*made.exact, choices, inputs);
    restore(trained, own);
    for (const auto& each : trained)
        made.operators.push_back(each ? each->op() : nullptr);
    return made;
}

std::shared_ptr<const nn::Model> Tuned::apply(const io::Checkpoint& checkpoint, const AssignmentInputs& with, const RunContext& context) const
{
    const TunedModel made = parts(checkpoint, with, context);
    return replaced(made.exact, made.operators);
}

nn::AttentionPtr TunedModel::operatorFor(std::span<const HeadChoice> wanted, std::uint64_t wantedSeed, int block) const
{
    const auto complete = [block](std::span<const HeadChoice> all) {
        std::vector<HeadChoice> own;
        for (HeadChoice choice : all) {
            if (choice.block != block)
                continue;
            if (const Method* method = findMethod(choice.method))
                choice.parameters = method->declaration.schema.complete(choice.parameters);
            own.push_back(std::move(choice));
        }
        return own;
    };
    const auto at = static_cast<std::size_t>(block);
    return at < operators.size() && operators[at] && wantedSeed == seed && complete(wanted) == complete(choices) ? operators[at] : nullptr;
}

void Tuned::write(const std::filesystem::path& file, const RunContext& context) const
{
    std::vector<io::TrainedTensor> all = weights;
    all.insert(all.end(), own.begin(), own.end());
    io::writeTrainedFile(file, fileKind(), kMethod, settings, {{"model", model}, {"choices", choicesText(choices)}, {"seed", std::to_string(seed)}}, all, context);
}

Tuned Tuned::read(const std::filesystem::path& file, const RunContext& context)
{
    io::TrainedFile read = io::readTrainedFile(file, fileKind(), context);
    const std::string subject = file.string();
    Tuned tuned;
    tuned.model = read.digest("model", fileKind(), subject);
    tuned.settings = std::move(read.parameters);
    tuned.seed = seedIn(read.text("seed", fileKind(), subject), subject);
    const nlohmann::json choices = io::parseJson(read.text("choices", fileKind(), subject), kChoiceLimits, subject + ": choices");
    if (!choices.is_array())
        throw Error(ErrorCode::MalformedFile, "its choices are " + std::string(choices.type_name()) + ", expected an array", subject);
    for (const nlohmann::json& choice : choices)
        tuned.choices.push_back(choiceOf(choice, subject));
    for (io::TrainedTensor& tensor : read.tensors)
        (tensor.name.starts_with("attention.") ? tuned.own : tuned.weights).push_back(std::move(tensor));
    return tuned;
}

} // namespace tamis::attention
