// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/training_photos.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/train/loss_ops.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <utility>

namespace tamis::tokens {
namespace {
constexpr std::int64_t kMostChecked = 256;
constexpr std::size_t kKeptBytes = std::size_t{512} << 20; // of photos as the model is fed them; the others are read again
} // namespace

std::string ReadPhotos::warning() const
{
    if (unread == 0)
        return {};
    return std::to_string(unread) + " of " + std::to_string(places.size() + unread) + " photos cannot be read and are left out; the first: " + firstFailure;
}

ReadPhotos readPhotos(const measure::SampleSource& source, std::span<const std::size_t> places, const std::function<void(std::size_t, measure::LoadedSample&)>& seen, const RunContext& context)
{
    std::vector<std::string> failures(places.size());
    std::mutex mutex;
    std::size_t done = 0;
    parallelFor(context, places.size(), [&](std::size_t i) {
        measure::LoadedSample sample;
        bool read = true;
        try {
            source.load(places[i], sample);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled || error.code() == ErrorCode::OutOfMemory)
                throw;
            failures[i] = error.what();
            read = false;
        }
        if (read)
            seen(i, sample);
        const std::scoped_lock lock(mutex);
        context.setFraction(static_cast<double>(++done) / static_cast<double>(places.size()));
    });
    ReadPhotos result;
    for (std::size_t i = 0; i < places.size(); ++i)
        if (failures[i].empty())
            result.places.push_back(places[i]);
        else if (result.unread++ == 0)
            result.firstFailure = failures[i];
    return result;
}

ReadPhotos readPhotos(const measure::SampleSource& source, const std::function<void(std::size_t, measure::LoadedSample&)>& seen, const RunContext& context)
{
    std::vector<std::size_t> all(source.count());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return readPhotos(source, all, seen, context);
}

void requireFitting(const nn::Model& model, const measure::SampleSource& source, std::size_t place, const measure::LoadedSample& sample)
{
    try {
        model.check(sample.view());
    } catch (const Error& error) {
        throw Error(error.code(), error.subject().empty() ? error.message() : error.subject() + ": " + error.message(), source.name(place));
    }
}

PhotoSplit splitPhotos(const std::vector<std::size_t>& places, double share)
{
    const auto count = static_cast<std::int64_t>(places.size());
    if (count < 2)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(count) + " photos that can be read, expected at least 2: to train on and to check", "training");
    const auto checked = std::clamp<std::int64_t>(std::llround(share * static_cast<double>(count)), 1, std::min(kMostChecked, count - 1));
    return {{places.begin(), places.end() - checked}, {places.end() - checked, places.end()}};
}

TrainingSource::TrainingSource(const nn::Model& model, const measure::SampleSource& source, double checkShare, std::vector<std::string>& warnings, const RunContext& context)
    : m_source(source), m_kept(source.count()), m_labels(source.count(), train::kIgnored)
{
    const nn::PatchSpec& patch = model.spec().patch;
    const auto values = static_cast<std::size_t>(patch.channels * patch.imageHeight * patch.imageWidth), kept = kKeptBytes / (values * sizeof(float));
    const auto look = [&](std::size_t i, measure::LoadedSample& sample) {
        requireFitting(model, source, i, sample);
        if (sample.label >= model.outputWidth())
            throw Error(ErrorCode::InvalidParameter, "found class " + std::to_string(sample.label) + ", expected one below " + std::to_string(model.outputWidth()), source.name(i));
        if (sample.label >= 0)
            m_labels[i] = sample.label;
        if (i < kept)
            m_kept[i] = std::move(sample.image);
    };
    const ReadPhotos read = readPhotos(source, look, context);
    if (read.unread > 0)
        warnings.push_back(read.warning());
    m_split = splitPhotos(read.places, checkShare);
}

TrainingPhotos TrainingSource::at(std::vector<std::size_t> places, Memory& memory, const RunContext& context) const
{
    TrainingPhotos photos;
    memory.resize(places.size());
    photos.images.resize(places.size());
    parallelFor(context, places.size(), [&](std::size_t i) {
        photos.images[i] = m_kept[places[i]];
        if (!photos.images[i].empty())
            return;
        measure::LoadedSample sample;
        m_source.load(places[i], sample);
        memory[i] = std::move(sample.image);
        photos.images[i] = memory[i];
    });
    for (const std::size_t place : places)
        photos.labels.push_back(m_labels[place]);
    photos.places = std::move(places);
    return photos;
}

} // namespace tamis::tokens
