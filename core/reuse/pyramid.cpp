// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/pyramid.h"

#include "core/base/error.h"
#include "core/reuse/motion_field.h"
#include "core/reuse/whole_frame.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::reuse {

namespace {
using kernels::Rows;
using report::PatchSource;

/// Means of 2 x 2 pixels, [3, height / 2, width / 2].
std::vector<float> halved(std::span<const float> image, std::int64_t height, std::int64_t width)
{
    std::vector<float> half(image.size() / 4);
    float* to = half.data();
    for (std::int64_t c = 0; c < 3; ++c)
        for (std::int64_t y = 0; y < height; y += 2)
            for (std::int64_t x = 0; x < width; x += 2) {
                const float* from = image.data() + (c * height + y) * width + x;
                *to++ = 0.25f * (from[0] + from[1] + from[width] + from[width + 1]);
            }
    return half;
}

class Pyramid final : public FrameReuser {
public:
    Pyramid(const ReuserInputs& inputs, const Parameters& parameters)
        : m_model(inputs.model), m_preprocess(inputs.sequence->preprocess), m_residual(parameters.real("residual")), m_together(parameters.text("order") == "together"), m_rows(m_model->gridRows() / 2),
          m_columns(m_model->gridColumns() / 2)
    {
        if (m_model->gridRows() % 2 != 0 || m_model->gridColumns() % 2 != 0)
            throw Error(ErrorCode::UnsupportedFeature, "found a grid of " + std::to_string(m_model->gridRows()) + " x " + std::to_string(m_model->gridColumns()) + " patches, expected even sides: four patches become one",
                        "reuse.pyramid");
        m_positions = m_model->embedding().positionsAt(m_rows, m_columns);
    }
    void restart() override {}
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        const TokenModel& model = *m_model;
        const nn::PatchSpec& patch = model.model().spec().patch;
        const std::int64_t prefix = model.prefix(), groups = m_rows * m_columns;
        beginAnswer(model, answer);
        const auto half = halved(frame.image, patch.imageHeight, patch.imageWidth);
        const auto residuals = residualsOf(frame.image);
        answer.overheadMacs = answer.macs = 8 * static_cast<double>(patch.imageHeight * patch.imageWidth); // a pixel: three for grey, one for the mean and one for the residual of it, three for the small picture
        std::vector<std::int32_t> fine, coarse; // patches; groups that stay
        answer.change.resize(static_cast<std::size_t>(model.patches()));
        for (std::int64_t group = 0; group < groups; ++group) {
            const float residual = residuals[static_cast<std::size_t>(group)];
            const bool shown = static_cast<double>(residual) <= m_residual;
            if (shown)
                coarse.push_back(static_cast<std::int32_t>(group));
            for (const std::int64_t part : {0, 1, 2, 3}) {
                const auto p = (group / m_columns * 2 + part / 2) * model.gridColumns() + group % m_columns * 2 + part % 2;
                answer.change[static_cast<std::size_t>(p)] = residual;
                answer.patches[static_cast<std::size_t>(p)] = shown ? PatchSource::Coarse : PatchSource::Computed;
                if (!shown)
                    fine.push_back(static_cast<std::int32_t>(p));
            }
        }
        std::ranges::sort(fine);
        answer.keyFrame = coarse.empty();
        nn::Scratch::Frame taken(scratch);
        const Rows small = taken.take(groups, model.embedding().values());
        nn::cutPatches(patch, half, patch.imageHeight / 2, patch.imageWidth / 2, small);
        const Rows x = taken.take(prefix + groups, model.width());
        model.embedding().embed(small, m_positions.view(), x, scratch);
        answer.macs += static_cast<double>(groups) * model.patchMacs();
        if (fine.empty())
            return runCoarse(x, answer, scratch);
        runBoth(frame, x, coarse, fine, answer, scratch);
    }

private:
    /// Mean absolute difference of each group of four patches from the means of its 2 x 2 pixels, grey levels.
    std::vector<float> residualsOf(std::span<const float> image) const
    {
        const auto grey = greyOf(image, m_preprocess);
        const std::int64_t height = grey.rows() / m_rows, width = grey.cols() / m_columns;
        std::vector<float> residuals(static_cast<std::size_t>(m_rows * m_columns));
        for (std::int64_t group = 0; group < m_rows * m_columns; ++group) {
            double sum = 0;
            for (std::int64_t y = group / m_columns * height; y < (group / m_columns + 1) * height; y += 2)
                for (std::int64_t x = group % m_columns * width; x < (group % m_columns + 1) * width; x += 2) {
                    const float mean = 0.25f * (grey(y, x) + grey(y, x + 1) + grey(y + 1, x) + grey(y + 1, x + 1));
                    sum += static_cast<double>(std::abs(grey(y, x) - mean) + std::abs(grey(y, x + 1) - mean) + std::abs(grey(y + 1, x) - mean) + std::abs(grey(y + 1, x + 1) - mean));
                }
            residuals[static_cast<std::size_t>(group)] = static_cast<float>(sum / static_cast<double>(height * width));
        }
        return residuals;
    }
    static std::vector<std::int32_t> upTo(std::int64_t count)
    {
        std::vector<std::int32_t> all(static_cast<std::size_t>(count));
        std::iota(all.begin(), all.end(), 0);
        return all;
    }
    void runCoarse(Rows x, FrameAnswer& answer, nn::Scratch& scratch)
    {
        const TokenModel& model = *m_model;
        TokenState state = model.emptyState(x.rows);
        model.runRows(x, upTo(x.rows), state, scratch);
        answer.macs += model.rowsMacs(static_cast<double>(x.rows), static_cast<double>(x.rows)) + model.headMacs();
        model.answer(state.hidden.view(), answer.answer, scratch);
    }
    /// Tokens: the prefix, the groups that stay, the fine patches.
    void runBoth(const Frame& frame, Rows x, const std::vector<std::int32_t>& coarse, const std::vector<std::int32_t>& fine, FrameAnswer& answer, nn::Scratch& scratch)
    {
        const TokenModel& model = *m_model;
        const std::int64_t prefix = model.prefix(), kept = prefix + static_cast<std::int64_t>(coarse.size()), all = kept + static_cast<std::int64_t>(fine.size());
        const auto stay = withPrefix(prefix, coarse);
        nn::Scratch::Frame taken(scratch);
        const Rows both = taken.take(all, model.width()), patches = taken.take(prefix + static_cast<std::int64_t>(fine.size()), model.width());
        model.embedSome(frame.image, fine, patches, scratch);
        answer.macs += static_cast<double>(fine.size()) * model.patchMacs();
        TokenState state = model.emptyState(all);
        if (m_together) {
            gatherRows(x, stay, both);
            std::copy_n(patches.data + prefix * patches.stride, static_cast<std::int64_t>(fine.size()) * model.width(), both.data + kept * both.stride);
            model.runRows(both, upTo(all), state, scratch);
            answer.macs += model.rowsMacs(static_cast<double>(all), static_cast<double>(all));
        } else { // the small picture whole, then the fine patches and the class token over what stays of it
            TokenState first = model.emptyState(x.rows);
            model.runRows(x, upTo(x.rows), first, scratch);
            for (std::size_t i = 0; i < state.keys.size(); ++i) {
                gatherRows(first.keys[i].view(), stay, state.keys[i].view());
                gatherRows(first.values[i].view(), stay, state.values[i].view());
            }
            gatherRows(first.hidden.view(), stay, state.hidden.view());
            std::vector<std::int32_t> rows = upTo(prefix);
            for (std::int64_t row = kept; row < all; ++row)
                rows.push_back(static_cast<std::int32_t>(row));
            model.runRows(patches, rows, state, scratch);
            answer.macs += model.rowsMacs(static_cast<double>(x.rows), static_cast<double>(x.rows)) + model.rowsMacs(static_cast<double>(rows.size()), static_cast<double>(all));
        }
        std::vector<float> weights(static_cast<std::size_t>(all), 1.0f);
        std::fill_n(weights.begin() + prefix, coarse.size(), 4.0f);
        model.answer(state.hidden.view(), answer.answer, scratch, weights);
        answer.macs += model.headMacs();
    }
    std::shared_ptr<const TokenModel> m_model;
    inputs::ImagePreprocess m_preprocess;
    double m_residual;
    bool m_together;
    std::int64_t m_rows, m_columns;      ///< of the small picture's grid
    tensor::Matrix<float> m_positions;   ///< of it
};
} // namespace

Method pyramidMethod()
{
    Method method;
    method.declaration = {
        .id = "reuse.pyramid",
        .lab = "reuse",
        .title = "Pyramid",
        .reference = "the frame at half its size, a quarter of the tokens; then the patches whose residual against it is large (Burt, Adelson 1983)",
        .schema = ParameterSchema({
            {.name = "residual", .title = "Residual", .type = ParameterType::Real, .defaultValue = 4.0, .minimum = 0, .maximum = 255, .unit = "grey levels", .help = "Four patches are run in full where they differ by more from the small picture: mean absolute difference"},
            {.name = "order", .title = "Order", .type = ParameterType::Choice, .defaultValue = std::string("coarse-first"), .help = "The small picture whole and then the fine patches over it, or what stays of it together with them", .choices = {"coarse-first", "together"}},
        })};
    method.make = [schema = method.declaration.schema](const ReuserInputs& inputs, const Parameters& parameters) -> std::unique_ptr<FrameReuser> {
        return std::make_unique<Pyramid>(inputs, schema.complete(parameters));
    };
    return method;
}

} // namespace tamis::reuse
