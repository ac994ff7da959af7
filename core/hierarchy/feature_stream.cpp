// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/feature_stream.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/split_mix.h"
#include "core/cache/policy.h"

#include <bit>
#include <cmath>
#include <unordered_map>

namespace tamis::hierarchy {
namespace {
struct Step {
    std::int64_t down, across;
};
constexpr std::array<Step, 8> kAround{{{0, 1}, {1, 0}, {0, -1}, {-1, 0}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}}};

constexpr std::size_t kStretch = 512;        ///< cells between looks at the stop: 24 layers of 1024 values each take some milliseconds
constexpr std::size_t kBytesAnObject = 88;   ///< number and id, in a table with its pointers, and two requests
constexpr std::size_t kMostObjects = cache::kNever;

std::uint64_t contentKey(const CellContent& content, double tolerance)
{
    std::uint64_t key = 0;
    for (const float value : content) {
        const auto part = tolerance > 0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(std::floor(static_cast<double>(value) / tolerance))) : std::uint64_t{std::bit_cast<std::uint32_t>(value)};
        key = mixedBits(key + kSplitMixStep + part);
    }
    return key;
}

class StreamMaker {
public:
    StreamMaker(const FrameFeatures& frames, const KeySettings& settings) : m_frames(frames), m_settings(settings), m_cells(frames.cells()), m_layers(static_cast<std::size_t>(frames.layers)) {}
    FeatureStream make(const RunContext& context)
    {
        RequestStream& stream = m_made.requests;
        stream.name = m_frames.source;
        const std::size_t requests = m_frames.frames * m_layers * m_cells;
        m_made.neighbours.each = static_cast<std::size_t>(m_settings.neighbours);
        m_made.motion.each = m_made.layers.each = 1;
        // Every request may be of an object of its own, and predict another one.
        requireMemory(requests * (sizeof(std::uint32_t) * (3 + m_made.neighbours.each) + 2 * kBytesAnObject), "requests for the features of " + std::to_string(m_frames.frames) + " frames");
        if (2 * requests >= kMostObjects)
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(requests) + " features, expected fewer than " + std::to_string(kMostObjects / 2), "frames");
        stream.objects.reserve(requests);
        for (PrefetchTable* table : {&m_made.neighbours, &m_made.motion, &m_made.layers})
            table->candidates.reserve(requests * table->each);
        m_contents.reserve(m_frames.contents.size());
        for (const CellContent& content : m_frames.contents) {
            if (m_contents.size() % kStretch == 0)
                context.throwIfStopped();
            m_contents.push_back(contentKey(content, m_settings.tolerance));
        }
        for (std::size_t frame = 0; frame < m_frames.frames; ++frame) {
            for (PrefetchTable* table : {&m_made.neighbours, &m_made.motion, &m_made.layers})
                table->candidates.resize((frame + 1) * m_layers * m_cells * table->each, cache::kNever);
            for (std::size_t layer = 0; layer < m_layers; ++layer)
                for (std::size_t cell = 0; cell < m_cells; ++cell) {
                    if (cell % kStretch == 0)
                        context.throwIfStopped();
                    ask(frame, layer, cell);
                }
            context.setFraction(0.6 * static_cast<double>(frame + 1) / static_cast<double>(m_frames.frames));
        }
        m_made.requested = stream.ids.size();
        predict(context);
        context.finish();
        m_made.reuseError = m_norm > 0 ? std::sqrt(m_error / m_norm) : report::kNotMeasured;
        return std::move(m_made);
    }

private:
    std::size_t at(std::size_t frame, std::size_t layer, std::size_t cell) const noexcept { return (frame * m_layers + layer) * m_cells + cell; }
    std::uint64_t keyOf(std::uint64_t content, std::size_t layer, std::size_t cell) const noexcept
    {
        return mixedBits(content + mixedBits(kSplitMixStep * (1 + layer * (m_cells + 1) + (m_settings.sameCell ? cell + 1 : 0))));
    }
    void ask(std::size_t frame, std::size_t layer, std::size_t cell)
    {
        RequestStream& stream = m_made.requests;
        const std::uint64_t key = keyOf(m_contents[frame * m_cells + cell], layer, cell);
        const auto [entry, isNew] = m_numbers.try_emplace(key, static_cast<std::uint32_t>(stream.ids.size()));
        const std::uint32_t object = entry->second;
        const std::size_t request = stream.objects.size();
        stream.objects.push_back(object);
        if (isNew) {
            stream.ids.push_back(key);
            m_first.push_back(request);
            m_last.push_back(request);
            return;
        }
        compare(frame, layer, cell, m_first[object]);
        around(request, m_last[object]);
        m_last[object] = request;
    }
    void compare(std::size_t frame, std::size_t layer, std::size_t cell, std::size_t first)
    {
        const std::span<const float> own = m_frames.feature(frame, layer, cell);
        const float* stored = m_frames.features.data() + first * own.size();
        double error = 0, norm = 0;
        for (std::size_t i = 0; i < own.size(); ++i) {
            const double x = static_cast<double>(own[i]), difference = x - static_cast<double>(stored[i]);
            error += difference * difference;
            norm += x * x;
        }
        m_error += error;
        m_norm += norm;
    }
    /// What lay around it at its request `before`.
    void around(std::size_t request, std::size_t before)
    {
        const std::size_t cell = before % m_cells, firstOfLayer = before - cell;
        const auto row = static_cast<std::int64_t>(cell) / m_frames.gridColumns, column = static_cast<std::int64_t>(cell) % m_frames.gridColumns;
        for (std::size_t i = 0; i < m_made.neighbours.each; ++i) {
            const std::int64_t down = row + kAround[i].down, across = column + kAround[i].across;
            // Of the frame at hand only what came before is known.
            const std::size_t place = firstOfLayer + static_cast<std::size_t>(down * m_frames.gridColumns + across);
            if (down >= 0 && down < m_frames.gridRows && across >= 0 && across < m_frames.gridColumns && place < request)
                m_made.neighbours.candidates[request * m_made.neighbours.each + i] = m_made.requests.objects[place];
        }
    }
    /// A key that motion names gets a number whether it is ever asked for or not: who predicts does not know.
    void predict(const RunContext& context)
    {
        std::vector<std::uint64_t>& ids = m_made.requests.ids;
        for (std::size_t frame = 0; frame < m_frames.frames; ++frame)
            for (std::size_t cell = 0; cell < m_cells; ++cell) {
                if (cell % kStretch == 0)
                    context.throwIfStopped();
                const std::uint64_t coming = m_contents[frame * m_cells + comingFrom(frame, cell)];
                for (std::size_t layer = 0; layer < m_layers; ++layer) {
                    const std::size_t request = at(frame, layer, cell);
                    if (layer + 1 < m_layers)
                        m_made.layers.candidates[request] = m_made.requests.objects[at(frame, layer + 1, cell)];
                    const std::uint64_t key = keyOf(coming, layer, cell);
                    const auto [entry, isNew] = m_numbers.try_emplace(key, static_cast<std::uint32_t>(ids.size()));
                    if (isNew)
                        ids.push_back(key);
                    m_made.motion.candidates[request] = entry->second;
                }
            }
    }
    /// The cell whose content is in `cell` of the next frame if it moves on as what is there now did.
    std::size_t comingFrom(std::size_t frame, std::size_t cell) const
    {
        const Shift shift = m_frames.motion[frame * m_cells + cell];
        const auto row = static_cast<std::int64_t>(cell) / m_frames.gridColumns - std::lround(static_cast<double>(shift.down) / static_cast<double>(m_frames.patchHeight));
        const auto column = static_cast<std::int64_t>(cell) % m_frames.gridColumns - std::lround(static_cast<double>(shift.across) / static_cast<double>(m_frames.patchWidth));
        const bool inside = row >= 0 && row < m_frames.gridRows && column >= 0 && column < m_frames.gridColumns;
        return inside ? static_cast<std::size_t>(row * m_frames.gridColumns + column) : cell;
    }

    const FrameFeatures& m_frames;
    KeySettings m_settings;
    std::size_t m_cells, m_layers;
    FeatureStream m_made;
    std::vector<std::uint64_t> m_contents;    ///< [frames, cells]
    std::unordered_map<std::uint64_t, std::uint32_t> m_numbers;
    std::vector<std::size_t> m_first, m_last; ///< [objects] requests
    double m_error = 0, m_norm = 0;
};
} // namespace

FeatureStream featureStream(const FrameFeatures& frames, const KeySettings& settings, const RunContext& context) { return StreamMaker(frames, settings).make(context); }

std::shared_ptr<const FeatureStream> FeatureSource::stream(const KeySettings& settings, const RunContext& context) const
{
    const std::scoped_lock lock(m_mutex);
    if (!m_stream || m_of != settings) {
        m_stream = std::make_shared<const FeatureStream>(featureStream(*m_frames, settings, context));
        m_of = settings;
    }
    return m_stream;
}

} // namespace tamis::hierarchy
