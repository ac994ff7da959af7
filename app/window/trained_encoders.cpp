// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/trained_encoders.h"

#include "app/window/trained_match.h"
#include "core/base/error.h"

#include <algorithm>
#include <chrono>

namespace tamis::app {
namespace {
using Clock = std::chrono::steady_clock;

/// What tells an autoencoder apart: without the rows and photos, so that they go when their sources are closed.
SourcesPointer identityOf(const EncoderSources& sources)
{
    auto identity = std::make_shared<EncoderSources>();
    identity->paths = sources.paths;
    identity->autoencoder = sources.autoencoder;
    identity->ownK = sources.ownK;
    return identity;
}
} // namespace

int TrainedEncoders::keep(Entry entry)
{
    entry.request.parameters = completed(entry.request);
    entry.request.sources = identityOf(*entry.request.sources);
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_entries, [&](const Entry& each) { return serves(each, entry.request); });
    entry.number = ++m_last;
    m_entries.push_front(std::move(entry));
    if (m_entries.size() > kMost)
        m_entries.pop_back();
    return m_last;
}

void TrainedEncoders::setFile(int number, const std::filesystem::path& file)
{
    const std::lock_guard lock(m_mutex);
    for (Entry& each : m_entries)
        if (each.number == number)
            each.file = file;
}

void TrainedEncoders::forget(int number)
{
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_entries, [&](const Entry& each) { return each.number == number; });
}

std::optional<TrainedEncoders::Entry> TrainedEncoders::find(const EncoderRequest& request) const
{
    const std::lock_guard lock(m_mutex);
    const auto found = std::ranges::find_if(m_entries, [&](const Entry& entry) { return serves(entry, request); });
    return found == m_entries.end() ? std::nullopt : std::optional<Entry>(*found);
}

std::optional<TrainedEncoders::Entry> TrainedEncoders::at(int number) const
{
    const std::lock_guard lock(m_mutex);
    const auto found = std::ranges::find(m_entries, number, &Entry::number);
    return found == m_entries.end() ? std::nullopt : std::optional<Entry>(*found);
}

std::vector<TrainedEncoders::Entry> TrainedEncoders::entries() const
{
    const std::lock_guard lock(m_mutex);
    return {m_entries.begin(), m_entries.end()};
}

TrainedEncoders::Entry buildEncoder(const EncoderRequest& request, const RunContext& context, const TrainingTalk& talk)
{
    const auto start = Clock::now();
    const auto& method = methodOf(request);
    TrainedEncoders::Entry made;
    made.request = request;
    auto inputs = inputsOf(request, dictionaryOf(request));
    inputs.trainingSeen = talk.seen;
    inputs.enough = talk.enough;
    made.request.parameters = method.declaration.schema.complete(request.parameters);
    made.built = method.build(inputs, made.request.parameters, context);
    made.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return made;
}

void saveTrained(const TrainedEncoders::Entry& entry, const std::filesystem::path& file, const RunContext& context)
{
    if (!entry.built.trained)
        throw Error(ErrorCode::InvalidParameter, "has nothing that was trained", entry.request.method);
    encoder::writeTrainedEncoder(file, *entry.built.trained, context);
}

TrainedEncoders::Entry openTrained(const std::filesystem::path& file, const SourcesPointer& sources, const RunContext& context)
{
    context.setParts(2);
    auto trained = std::make_shared<const encoder::TrainedEncoder>(encoder::readTrainedEncoder(file, context.part(1, "reading")));
    TrainedEncoders::Entry made;
    made.request.sources = sources;
    made.request.k = trained->k == sources->ownK ? 0 : trained->k;
    made.request.method = trained->method;
    made.file = file;
    const auto& method = methodOf(made.request);
    if (!method.restore)
        throw Error(ErrorCode::InvalidParameter, "found an encoder of " + trained->method + ", expected one of a method that trains", file.string());
    if (trained->width != sources->autoencoder->width() || trained->latents != sources->autoencoder->latents())
        throw Error(ErrorCode::InvalidParameter,
                    "found an encoder of " + std::to_string(trained->latents) + " latents of width " + std::to_string(trained->width) + ", expected the " +
                        std::to_string(sources->autoencoder->latents()) + " of width " + std::to_string(sources->autoencoder->width()) + " of the autoencoder that is open", file.string());
    made.request.parameters = method.declaration.schema.complete(trained->parameters);
    encoder::Inputs inputs;
    inputs.dictionary = dictionaryOf(made.request);
    made.built.encoder = method.restore(inputs, *trained, context.part(1, "restoring"));
    made.built.trained = std::move(trained);
    return made;
}

} // namespace tamis::app
