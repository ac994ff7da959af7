// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/frame_features.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/hierarchy/feature_types.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::hierarchy {
namespace {
constexpr std::array<StoredType, 3> kTypes{StoredType::F32, StoredType::F16, StoredType::Int8};

void requireGrid(const nn::ModelSpec& spec)
{
    if (!spec.vision())
        throw Error(ErrorCode::UnsupportedFeature, "found a model that reads text, expected one that reads images", spec.architecture);
    for (const nn::BlockSpec& block : spec.blocks)
        if (block.gridHeight > 0 || block.mergeAfter || block.width != spec.width)
            throw Error(ErrorCode::UnsupportedFeature, "found blocks over a grid that changes, expected the same tokens behind every block", spec.architecture);
}

/// Keeps the cells' rows behind every block, and all rows behind the last.
class FeatureKeeper final : public measure::StoppingObserver {
public:
    FeatureKeeper(const RunContext& context, FrameFeatures& made, std::int64_t prefix) : StoppingObserver(context), m_made(made), m_prefix(prefix) {}
    void begin(std::size_t frame) { m_frame = frame; }
    void blockOutput(std::size_t, int block, kernels::ConstRows x) override
    {
        const auto layer = static_cast<std::size_t>(block);
        for (std::size_t cell = 0; cell < m_made.cells(); ++cell) {
            const std::span<const float> to = m_made.feature(m_frame, layer, cell);
            std::ranges::copy(x.row(m_prefix + static_cast<std::int64_t>(cell)), m_made.features.begin() + (to.data() - m_made.features.data()));
        }
        if (block + 1 < static_cast<int>(m_made.layers))
            return;
        m_last = tensor::Matrix<float>(x.rows, x.cols);
        for (std::int64_t row = 0; row < x.rows; ++row)
            std::ranges::copy(x.row(row), m_last.data() + row * x.cols);
    }
    const tensor::Matrix<float>& last() const noexcept { return m_last; }

private:
    FrameFeatures& m_made;
    std::int64_t m_prefix;
    std::size_t m_frame = 0;
    tensor::Matrix<float> m_last;
};

/// Sums of one stored type over all frames.
struct TypeSums {
    double error = 0, norm = 0, kl = 0;
    std::size_t agree = 0;
};

class FrameRun {
public:
    FrameRun(const nn::Model& model, const measure::SampleSource& source, const RunContext& context) : m_model(model), m_source(source), m_context(context), m_scratch(true, RunContext(context.stopToken()))
    {
        const nn::ModelSpec& spec = model.spec();
        m_classes = spec.task == nn::Task::ImageClassification && spec.classes > 0;
        m_made.source = source.description();
        m_made.gridRows = spec.patch.gridHeight;
        m_made.gridColumns = spec.patch.gridWidth;
        m_made.patchHeight = spec.patch.patchHeight;
        m_made.patchWidth = spec.patch.patchWidth;
        m_made.layers = static_cast<std::int64_t>(spec.blocks.size());
        m_made.width = spec.width;
        m_made.frames = source.count();
    }
    std::shared_ptr<const FrameFeatures> run()
    {
        const nn::ModelSpec& spec = m_model.spec();
        const std::size_t objects = m_made.frames * static_cast<std::size_t>(m_made.layers) * m_made.cells();
        requireMemory(objects * (static_cast<std::size_t>(m_made.width) * sizeof(float) + 32), "the features of " + std::to_string(m_made.frames) + " frames");
        m_made.features.resize(objects * static_cast<std::size_t>(m_made.width));
        m_made.contents.resize(m_made.frames * m_made.cells());
        m_made.motion.resize(m_made.frames * m_made.cells());
        std::vector<std::vector<float>> grey(m_made.frames);
        std::vector<double> times;
        FeatureKeeper keeper(m_context, m_made, spec.patch.prefixTokens);
        measure::LoadedSample sample;
        for (std::size_t frame = 0; frame < m_made.frames; ++frame) {
            m_context.throwIfStopped();
            measure::loadChecked(m_source, frame, m_model, sample);
            look(sample.image, frame, grey[frame]);
            keeper.begin(frame);
            if (m_output.empty())
                m_output = tensor::Matrix<float>(m_model.outputRows(sample.view()), m_model.outputWidth());
            const auto start = std::chrono::steady_clock::now();
            m_model.run(sample.view(), m_output.view(), m_scratch, 0, &keeper);
            times.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
            measureTypes(frame, keeper.last());
            m_context.setFraction(0.9 * static_cast<double>(frame + 1) / static_cast<double>(m_made.frames));
        }
        const MotionGrid grid{.height = spec.patch.imageHeight, .width = spec.patch.imageWidth, .rows = m_made.gridRows, .columns = m_made.gridColumns};
        parallelFor(m_context, m_made.frames, [&](std::size_t frame) {
            if (frame > 0)
                std::ranges::copy(blockMotion(grey[frame - 1], grey[frame], grid, m_context), m_made.motion.begin() + static_cast<std::ptrdiff_t>(frame * m_made.cells()));
        });
        std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
        m_made.encodeNs = times[times.size() / 2] / static_cast<double>(m_made.layers) / static_cast<double>(m_made.cells());
        finishTypes();
        m_context.finish();
        return std::make_shared<const FrameFeatures>(std::move(m_made));
    }

private:
    /// Contents of the cells, and the mean of the channels.
    void look(std::span<const float> image, std::size_t frame, std::vector<float>& grey)
    {
        const nn::PatchSpec& patch = m_model.spec().patch;
        const std::int64_t pixels = patch.imageHeight * patch.imageWidth, channels = std::min<std::int64_t>(patch.channels, 3);
        grey.assign(static_cast<std::size_t>(pixels), 0.0F);
        for (std::int64_t channel = 0; channel < channels; ++channel)
            for (std::int64_t i = 0; i < pixels; ++i)
                grey[static_cast<std::size_t>(i)] += image[static_cast<std::size_t>(channel * pixels + i)] / static_cast<float>(channels);
        for (std::int64_t row = 0; row < m_made.gridRows; ++row)
            for (std::int64_t column = 0; column < m_made.gridColumns; ++column) {
                CellContent& content = m_made.contents[frame * m_made.cells() + static_cast<std::size_t>(row * m_made.gridColumns + column)];
                content = {};
                for (std::int64_t channel = 0; channel < channels; ++channel)
                    for (std::int64_t quarter = 0; quarter < 4; ++quarter)
                        content[static_cast<std::size_t>(4 * channel + quarter)] = quarterMean(image.subspan(static_cast<std::size_t>(channel * pixels)), row, column, quarter);
            }
    }
    float quarterMean(std::span<const float> plane, std::int64_t row, std::int64_t column, std::int64_t quarter) const
    {
        const nn::PatchSpec& patch = m_model.spec().patch;
        const std::int64_t halfDown = patch.patchHeight / 2, halfAcross = patch.patchWidth / 2;
        const std::int64_t top = row * patch.patchHeight + (quarter / 2) * halfDown, left = column * patch.patchWidth + (quarter % 2) * halfAcross;
        const std::int64_t bottom = quarter / 2 == 0 ? top + std::max<std::int64_t>(halfDown, 1) : (row + 1) * patch.patchHeight;
        const std::int64_t right = quarter % 2 == 0 ? left + std::max<std::int64_t>(halfAcross, 1) : (column + 1) * patch.patchWidth;
        double sum = 0;
        for (std::int64_t y = top; y < bottom; ++y)
            for (std::int64_t x = left; x < right; ++x)
                sum += static_cast<double>(plane[static_cast<std::size_t>(y * patch.imageWidth + x)]);
        return static_cast<float>(sum / static_cast<double>((bottom - top) * (right - left)));
    }
    void measureTypes(std::size_t frame, const tensor::Matrix<float>& last)
    {
        std::vector<float> row(static_cast<std::size_t>(m_made.width));
        for (std::size_t type = 0; type < kTypes.size(); ++type) {
            TypeSums& sums = m_sums[type];
            for (std::size_t layer = 0; layer < static_cast<std::size_t>(m_made.layers); ++layer) {
                m_context.throwIfStopped();
                for (std::size_t cell = 0; cell < m_made.cells(); ++cell) {
                    const std::span<const float> own = m_made.feature(frame, layer, cell);
                    std::ranges::copy(own, row.begin());
                    roundTrip(kTypes[type], row);
                    for (std::size_t i = 0; i < row.size(); ++i) {
                        const double was = static_cast<double>(own[i]), difference = was - static_cast<double>(row[i]);
                        sums.error += difference * difference;
                        sums.norm += was * was;
                    }
                }
            }
            if (m_classes)
                compareOutput(kTypes[type], last, sums);
        }
    }
    /// All rows of the last block's features, class token and all, through norm and head.
    void compareOutput(StoredType type, const tensor::Matrix<float>& last, TypeSums& sums)
    {
        tensor::Matrix<float> exact = last, stored = last, output(1, m_model.outputWidth()), other(1, m_model.outputWidth());
        for (std::int64_t i = 0; i < stored.rows(); ++i)
            roundTrip(type, stored.view().row(i));
        m_model.runTail(exact.view(), {}, output.view(), m_scratch);
        m_model.runTail(stored.view(), {}, other.view(), m_scratch);
        const measure::LogitDifference difference = measure::compareLogits(output.values(), other.values());
        sums.kl += difference.kl;
        sums.agree += difference.agree ? 1U : 0U;
    }
    void finishTypes()
    {
        for (std::size_t type = 0; type < kTypes.size(); ++type) {
            const TypeSums& sums = m_sums[type];
            report::FeatureType made{.type = std::string(storedTypeName(kTypes[type])), .bytes = storedBytes(kTypes[type], m_made.width)};
            made.relativeError = sums.norm > 0 ? std::sqrt(sums.error / sums.norm) : 0;
            if (m_classes) {
                made.kl = sums.kl / static_cast<double>(m_made.frames);
                made.agreement = static_cast<double>(sums.agree) / static_cast<double>(m_made.frames);
            }
            m_made.types.push_back(std::move(made));
        }
    }

    const nn::Model& m_model;
    const measure::SampleSource& m_source;
    const RunContext& m_context;
    nn::Scratch m_scratch;
    FrameFeatures m_made;
    tensor::Matrix<float> m_output;
    std::array<TypeSums, kTypes.size()> m_sums;
    bool m_classes = false;
};
} // namespace

std::shared_ptr<const FrameFeatures> computeFrames(const nn::Model& model, const measure::SampleSource& source, const RunContext& context)
{
    requireGrid(model.spec());
    if (source.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no frame, expected one at least", source.description());
    return FrameRun(model, source, context).run();
}

} // namespace tamis::hierarchy
