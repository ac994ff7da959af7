// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/token_chains.h"

#include "app/samples/photo_source.h"
#include "app/window/photo_work.h"
#include "app/window/tokens_work.h"
#include "core/base/error.h"
#include "core/tokens/reduced_forward.h"

#include <algorithm>
#include <iterator>

namespace tamis::app {
namespace {
constexpr std::size_t kChains = 12; ///< remembered

std::shared_ptr<const io::Checkpoint> checkpointOf(const TokenSources& sources) { return sources.runnable->workspace()->checkpoint; }

tokens::Inputs inputsOf(const TokenSources& sources)
{
    return {.model = sources.model, .calibration = sources.samples, .checkpoint = checkpointOf(sources), .trained = nullptr, .enough = {}};
}

/// Without those that are read after training alone.
Parameters trainedParameters(const tokens::Method& method, const Parameters& given)
{
    Parameters kept;
    const Parameters complete = method.declaration.schema.complete(given);
    for (const auto& [name, value] : complete.all())
        if (std::ranges::find(method.afterTraining, name) == method.afterTraining.end())
            kept.set(name, value);
    return kept;
}

bool sameTraining(const tokens::TrainedParts& one, const tokens::TrainedParts& other)
{
    const auto& method = methodOf(one.method);
    return one.method == other.method && one.model == other.model && trainedParameters(method, one.parameters) == trainedParameters(method, other.parameters);
}
} // namespace

const tokens::Method& methodOf(const std::string& id)
{
    if (const auto* method = tokens::findMethod(id.empty() ? tokens::methods().front().declaration.id : id))
        return *method;
    throw Error(ErrorCode::InvalidParameter, "is not a method of the token lab", id);
}

std::string TokenChains::hashOf(const TokenSources& sources) const
{
    const std::lock_guard lock(m_mutex);
    const auto found = std::ranges::find_if(m_hashes, [&](const Hash& hash) { return hash.model.lock() == checkpointOf(sources); });
    return found == m_hashes.end() ? std::string() : found->sha256;
}

void TokenChains::setHash(const TokenSources& sources, const std::string& sha256)
{
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_hashes, [&](const Hash& hash) { return hash.model.expired() || hash.model.lock() == checkpointOf(sources); });
    m_hashes.push_back({checkpointOf(sources), sha256});
}

bool TokenChains::hasTrained(const std::string& method) const
{
    const std::lock_guard lock(m_mutex);
    return std::ranges::any_of(m_parts, [&](const Parts& parts) { return parts->method == method; });
}

TokenChains::Parts TokenChains::trained(const TokenSourcesPointer& sources, const TokenSetting& setting) const
{
    const auto& method = methodOf(setting.method);
    const std::string model = hashOf(*sources);
    if (!method.trains() || model.empty())
        return nullptr;
    const Parameters wanted = trainedParameters(method, setting.parameters);
    const std::lock_guard lock(m_mutex);
    const auto found = std::ranges::find_if(m_parts, [&](const Parts& parts) {
        return parts->method == method.declaration.id && parts->model == model && trainedParameters(method, parts->parameters) == wanted;
    });
    return found == m_parts.end() ? nullptr : *found;
}

std::vector<TokenChains::Parts> TokenChains::allTrained(const TokenSourcesPointer& sources, const RunContext& context)
{
    {
        const std::lock_guard lock(m_mutex);
        if (m_parts.empty())
            return {};
    }
    if (hashOf(*sources).empty())
        setHash(*sources, checkpointOf(*sources)->sha256(context));
    const std::string model = hashOf(*sources);
    std::vector<Parts> all;
    const std::lock_guard lock(m_mutex);
    std::ranges::copy_if(m_parts, std::back_inserter(all), [&](const Parts& parts) { return parts->model == model; });
    return all;
}

TokenChains::Pointer TokenChains::find(const TokenSourcesPointer& sources, const TokenSetting& setting) const
{
    const std::lock_guard lock(m_mutex);
    const auto found = std::ranges::find_if(m_entries, [&](const Entry& entry) {
        return entry.sources == sources && entry.setting == setting && (!entry.trained || std::ranges::find(m_parts, entry.trained) != m_parts.end());
    });
    return found == m_entries.end() ? nullptr : found->chain;
}

bool TokenChains::isQuick(const TokenSourcesPointer& sources, const TokenSetting& setting) const
{
    if (find(sources, setting))
        return true;
    const auto& method = methodOf(setting.method);
    if (method.trains() && hasTrained(method.declaration.id) && hashOf(*sources).empty())
        return false;
    if (method.trains() && !trained(sources, setting))
        return true; // nothing to make
    return !method.isSlowToMake(method.declaration.schema.complete(setting.parameters));
}

TokenChains::Pointer TokenChains::chain(const TokenSourcesPointer& sources, const TokenSetting& setting, const RunContext& context)
{
    if (auto known = find(sources, setting))
        return known;
    const auto& method = methodOf(setting.method);
    tokens::Inputs inputs = inputsOf(*sources);
    if (method.trains()) {
        if (hasTrained(method.declaration.id) && hashOf(*sources).empty())
            setHash(*sources, inputs.checkpoint->sha256(context));
        inputs.trained = trained(sources, setting);
        if (!inputs.trained)
            return nullptr;
    }
    auto made = std::make_shared<const tokens::Chain>(method.chain(inputs, method.declaration.schema.complete(setting.parameters), context));
    tokens::requireReducible(*sources->model, *made);
    const std::lock_guard lock(m_mutex);
    m_entries.push_front({sources, setting, made, inputs.trained});
    if (m_entries.size() > kChains)
        m_entries.pop_back();
    return made;
}

TokenChains::Parts TokenChains::train(const TokenSourcesPointer& sources, const TokenSetting& setting, const RunContext& context, const TokenTrainingTalk& talk)
{
    const auto& method = methodOf(setting.method);
    if (!method.trains())
        throw Error(ErrorCode::InvalidParameter, "trains nothing, expected a method that does", method.declaration.id);
    tokens::Inputs inputs = inputsOf(*sources);
    inputs.enough = talk.enough;
    inputs.trainingSeen = talk.seen;
    if (const auto labels = labelsOf(sources->folder); !labels.empty())
        inputs.calibration = openPhotos({.folder = sources->folder, .labels = labels, .squash = false}, sources->modelPath, *sources->model, context);
    return std::make_shared<const tokens::TrainedParts>(method.train(inputs, method.declaration.schema.complete(setting.parameters), context));
}

void TokenChains::keep(const TokenSourcesPointer& sources, Parts parts)
{
    setHash(*sources, parts->model);
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_parts, [&](const Parts& each) { return sameTraining(*each, *parts); });
    m_parts.push_front(std::move(parts));
    if (m_parts.size() > kMostParts)
        m_parts.pop_back();
}

TokenChains::Parts openTrainedTokens(const std::filesystem::path& file, const TokenSourcesPointer& sources, const RunContext& context)
{
    auto parts = std::make_shared<const tokens::TrainedParts>(tokens::readTrainedParts(file, context));
    const auto& method = methodOf(parts->method);
    if (!method.trains())
        throw Error(ErrorCode::InvalidParameter, "found parts of " + parts->method + ", expected those of a method that trains", file.string());
    tokens::Inputs inputs = inputsOf(*sources);
    parts->requireFor(method.declaration.id, inputs.checkpoint->sha256(context));
    inputs.trained = parts;
    tokens::requireReducible(*sources->model, method.chain(inputs, method.declaration.schema.complete(parts->parameters), context)); // names and shapes
    return parts;
}

} // namespace tamis::app
