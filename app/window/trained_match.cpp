// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/trained_match.h"

#include "core/base/error.h"
#include "core/encoder/score_training.h"

#include <utility>

namespace tamis::app {
namespace {
/// The file may have been written anew since it was read: what is cheap to compare is compared.
bool sameWeights(const io::SparseAutoencoder& a, const io::SparseAutoencoder& b)
{
    return &a == &b || (a.latents() == b.latents() && a.width() == b.width() && a.encoderBias == b.encoderBias && a.decoderBias == b.decoderBias);
}

std::vector<std::string> afterTraining(const TrainedEncoders::Entry& entry)
{
    const auto& names = methodOf(entry.request).afterTraining;
    return names && entry.built.trained ? names(entry.request.parameters) : std::vector<std::string>();
}

} // namespace

Parameters completed(const EncoderRequest& request)
{
    try {
        return methodOf(request).declaration.schema.complete(request.parameters);
    } catch (const Error&) {
        return request.parameters;
    }
}

bool sameDictionary(const EncoderRequest& a, const EncoderRequest& b)
{
    const EncoderSources &one = *a.sources, &other = *b.sources;
    return kOf(a) == kOf(b) && (a.sources == b.sources || (one.paths.autoencoder == other.paths.autoencoder && one.paths.assumed == other.paths.assumed && sameWeights(*one.autoencoder, *other.autoencoder)));
}

bool serves(const TrainedEncoders::Entry& entry, const EncoderRequest& request)
{
    if (entry.request.method != request.method || !sameDictionary(entry.request, request))
        return false;
    Parameters complete = completed(request);
    for (const std::string& name : afterTraining(entry))
        if (entry.request.parameters.contains(name))
            complete.set(name, entry.request.parameters.value(name));
    return entry.request.parameters == complete;
}

encoder::Built builtFor(const TrainedEncoders::Entry& entry, const Parameters& parameters, const std::shared_ptr<const encoder::Dictionary>& dictionary, const RunContext& context)
{
    if (parameters == entry.request.parameters)
        return entry.built;
    auto changed = std::make_shared<encoder::TrainedEncoder>(*entry.built.trained);
    encoder::Built built;
    built.training = entry.built.training;
    for (const std::string& name : afterTraining(entry))
        changed->parameters.set(name, parameters.value(name));
    if (changed->parameters.contains("candidates"))
        encoder::clampCandidates(changed->parameters, *dictionary, built.warnings);
    encoder::Inputs inputs;
    inputs.dictionary = dictionary;
    built.encoder = methodOf(entry.request).restore(inputs, *changed, context);
    built.trained = std::move(changed);
    return built;
}

} // namespace tamis::app
