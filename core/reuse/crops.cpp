// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/crops.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/reuse/whole_frame.h"

#include <algorithm>
#include <cmath>

namespace tamis::reuse {

namespace {
using report::PatchSource;

constexpr double kMostBytes = 2.0 * (1u << 30);

/// First cells of windows of `window` patches over `patches`.
std::vector<std::int64_t> startsOf(std::int64_t patches, std::int64_t window, std::int64_t step)
{
    std::vector<std::int64_t> starts;
    for (std::int64_t at = 0; at + window < patches; at += step)
        starts.push_back(at);
    starts.push_back(patches - window);
    return starts;
}

class Crops final : public FrameReuser {
public:
    explicit Crops(const ReuserInputs& inputs) : m_model(inputs.model)
    {
        std::int64_t rows = 0;
        for (const Frame& frame : inputs.sequence->frames) {
            if (!frame.place)
                throw Error(ErrorCode::InvalidParameter, "found frames that are not windows of one picture, expected reuse.crops to be the first method: its windows are what all methods then run on", "reuse.crops");
            rows = std::max(rows, frame.place->row + m_model->gridRows());
            m_columns = std::max(m_columns, frame.place->column + m_model->gridColumns());
        }
        if (const double bytes = 4 * static_cast<double>(rows * m_columns) * m_model->stateFloats(); bytes > kMostBytes)
            throw Error(ErrorCode::LimitExceeded, "found a picture of " + std::to_string(rows * m_columns) + " patches, whose features take " + std::to_string(static_cast<std::uint64_t>(bytes) >> 20U) +
                                                      " MiB, expected at most " + std::to_string(static_cast<std::uint64_t>(kMostBytes) >> 20U), "reuse.crops");
        m_all = m_model->emptyState(rows * m_columns);
        m_heldBy.assign(static_cast<std::size_t>(rows * m_columns), -1);
    }
    void restart() override { std::ranges::fill(m_heldBy, -1); }
    void requireWhole() override { restart(); }
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        const TokenModel& model = *m_model;
        const std::int64_t prefix = model.prefix();
        beginAnswer(model, answer);
        if (m_state.empty())
            m_state = model.emptyState(model.tokens());
        std::vector<std::int32_t> rows;
        answer.movedFrom.resize(static_cast<std::size_t>(model.patches()));
        for (std::int64_t p = 0; p < model.patches(); ++p) {
            const std::int64_t cell = cellOf(*frame.place, p);
            const std::int32_t from = m_heldBy[static_cast<std::size_t>(cell)];
            answer.movedFrom[static_cast<std::size_t>(p)] = from >= 0 ? from : static_cast<std::int32_t>(p);
            if (from < 0) {
                rows.push_back(static_cast<std::int32_t>(p));
                answer.patches[static_cast<std::size_t>(p)] = PatchSource::Computed;
                continue;
            }
            answer.patches[static_cast<std::size_t>(p)] = from == p ? PatchSource::Reused : PatchSource::Warped;
            copyRow(m_all, cell, m_state, prefix + p);
        }
        answer.keyFrame = static_cast<std::int64_t>(rows.size()) == model.patches();
        const auto tokens = withPrefix(prefix, rows); // the class token sees another window
        nn::Scratch::Frame taken(scratch);
        const kernels::Rows x = taken.take(static_cast<std::int64_t>(tokens.size()), model.width());
        model.embedSome(frame.image, rows, x, scratch);
        model.runRows(x, tokens, m_state, scratch);
        answer.macs += static_cast<double>(rows.size()) * model.patchMacs() + model.rowsMacs(static_cast<double>(tokens.size()), static_cast<double>(model.tokens())) + model.headMacs();
        model.answer(m_state.hidden.view(), answer.answer, scratch);
        for (const std::int32_t row : rows) {
            const std::int64_t cell = cellOf(*frame.place, row);
            copyRow(m_state, prefix + row, m_all, cell);
            m_heldBy[static_cast<std::size_t>(cell)] = row;
        }
    }

private:
    std::int64_t cellOf(const Place& place, std::int64_t patch) const { return (place.row + patch / m_model->gridColumns()) * m_columns + place.column + patch % m_model->gridColumns(); }
    static void copyRow(const TokenState& from, std::int64_t row, TokenState& to, std::int64_t toRow)
    {
        for (std::size_t i = 0; i < from.keys.size(); ++i) {
            std::ranges::copy(from.keys[i].view().row(row), to.keys[i].view().row(toRow).begin());
            std::ranges::copy(from.values[i].view().row(row), to.values[i].view().row(toRow).begin());
        }
        std::ranges::copy(from.hidden.view().row(row), to.hidden.view().row(toRow).begin());
    }
    std::shared_ptr<const TokenModel> m_model;
    std::int64_t m_columns = 0;         ///< patches of the picture
    TokenState m_all, m_state;          ///< of the picture's patches, without prefix; of this window
    std::vector<std::int32_t> m_heldBy; ///< of the picture's patches: cell of the window that computed it, -1: none yet
};
} // namespace

FrameSequence windowsOf(const TokenModel& model, const FrameSequence& sequence, double scale, std::int64_t step, const RunContext& context)
{
    if (sequence.picture.rgb.empty())
        throw Error(ErrorCode::InvalidParameter, "found no picture beside the frames, expected one to cut windows from", sequence.name);
    const nn::PatchSpec& patch = model.model().spec().patch;
    const double gain = scale * std::max(static_cast<double>(patch.imageHeight) / static_cast<double>(sequence.picture.height), static_cast<double>(patch.imageWidth) / static_cast<double>(sequence.picture.width));
    const auto wholePatches = [&](std::int64_t side, std::int64_t of) { return static_cast<std::int64_t>(std::floor(static_cast<double>(side) * gain / static_cast<double>(of) + 1e-9)); };
    const std::int64_t rows = std::max(wholePatches(sequence.picture.height, patch.patchHeight), model.gridRows()), columns = std::max(wholePatches(sequence.picture.width, patch.patchWidth), model.gridColumns());
    const auto downs = startsOf(rows, model.gridRows(), step), acrosses = startsOf(columns, model.gridColumns(), step);
    const std::size_t count = downs.size() * acrosses.size();
    if (count < 2)
        throw Error(ErrorCode::InvalidParameter, "found one window, expected several: a larger scale gives more", sequence.name);
    if (count > kMaximumFrames || count > kMaximumSequenceBytes / (sizeof(float) * sequence.preprocess.values()))
        throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(count) + " windows, expected at most " + std::to_string(kMaximumFrames) + " and " + std::to_string(kMaximumSequenceBytes >> 20U) + " MiB", sequence.name);
    requireMemory(count * (sizeof(Frame) + sizeof(float) * sequence.preprocess.values()), std::to_string(count) + " windows");
    context.throwIfStopped();
    const inputs::Image large = inputs::resized(sequence.picture, columns * patch.patchWidth, rows * patch.patchHeight, sequence.preprocess.interpolation);
    FrameSequence windows;
    windows.preprocess = sequence.preprocess;
    windows.name = "windows of the first frame of " + sequence.name;
    inputs::ImagePreprocess asItIs = sequence.preprocess;
    asItIs.rule = inputs::ResizeRule::None;
    asItIs.crop = false;
    for (std::size_t i = 0; i < downs.size(); ++i)
        for (std::size_t j = 0; j < acrosses.size(); ++j) {
            context.throwIfStopped();
            const Place place{downs[i], acrosses[i % 2 == 0 ? j : acrosses.size() - 1 - j]};
            inputs::Image window = inputs::blankImage(patch.imageWidth, patch.imageHeight);
            for (std::int64_t y = 0; y < window.height; ++y)
                std::copy_n(large.row(place.row * patch.patchHeight + y) + 3 * place.column * patch.patchWidth, 3 * window.width, window.row(y));
            Frame frame{"row " + std::to_string(place.row) + ", column " + std::to_string(place.column), std::vector<float>(asItIs.values()), place};
            inputs::preprocess(window, asItIs, frame.image);
            windows.frames.push_back(std::move(frame));
        }
    return windows;
}

Method cropsMethod()
{
    Method method;
    method.declaration = {
        .id = "reuse.crops",
        .lab = "reuse",
        .title = "Overlapping windows",
        .reference = "windows slide over the first picture; patches that an earlier window computed keep its keys, values and features, whose positions were others",
        .schema = ParameterSchema({
            {.name = "scale", .title = "Scale", .type = ParameterType::Real, .defaultValue = 2.0, .minimum = 1, .maximum = 16, .help = "The picture's shorter side over the model's image"},
            {.name = "step", .title = "Step", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 256, .unit = "patches", .help = "From one window to the next"},
        })};
    method.make = [](const ReuserInputs& inputs, const Parameters&) -> std::unique_ptr<FrameReuser> { return std::make_unique<Crops>(inputs); };
    method.frames.make = [](const TokenModel& model, const FrameSequence& sequence, const Parameters& parameters, const RunContext& context) {
        return windowsOf(model, sequence, parameters.real("scale"), parameters.integer("step"), context);
    };
    return method;
}

} // namespace tamis::reuse
