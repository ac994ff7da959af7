// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/feature_stream.h"

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
        stream.objects.reserve(requests);
        m_made.neighbours = {.each = static_cast<std::size_t>(m_settings.neighbours), .candidates = {}};
        m_made.neighbours.candidates.assign(requests * m_made.neighbours.each, cache::kNever);
        for (PrefetchTable* table : {&m_made.motion, &m_made.layers}) {
            table->each = 1;
            table->candidates.assign(requests, cache::kNever);
        }
        for (const CellContent& content : m_frames.contents)
            m_contents.push_back(contentKey(content, m_settings.tolerance));
        for (std::size_t frame = 0; frame < m_frames.frames; ++frame) {
            context.throwIfStopped();
            for (std::size_t layer = 0; layer < m_layers; ++layer)
                for (std::size_t cell = 0; cell < m_cells; ++cell)
                    ask(frame, layer, cell);
        }
        predict();
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
    void predict()
    {
        for (std::size_t frame = 0; frame < m_frames.frames; ++frame)
            for (std::size_t cell = 0; cell < m_cells; ++cell) {
                const std::uint64_t coming = m_contents[frame * m_cells + comingFrom(frame, cell)];
                for (std::size_t layer = 0; layer < m_layers; ++layer) {
                    const std::size_t request = at(frame, layer, cell);
                    if (layer + 1 < m_layers)
                        m_made.layers.candidates[request] = m_made.requests.objects[at(frame, layer + 1, cell)];
                    if (const auto found = m_numbers.find(keyOf(coming, layer, cell)); found != m_numbers.end())
                        m_made.motion.candidates[request] = found->second;
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
