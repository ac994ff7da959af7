// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/scaled_model.h"

#include "core/base/error.h"
#include "core/nn/token_hook.h"
#include "core/tokens/schedule.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::tokens {
namespace {
constexpr std::size_t kMostScales = 8;
using Clock = std::chrono::steady_clock;

std::vector<BlockTokens> tokensOf(const nn::ModelSpec& spec, std::int64_t patches)
{
    const std::int64_t tokens = spec.patch.prefixTokens + patches;
    return std::vector<BlockTokens>(spec.blocks.size(), {tokens, tokens});
}

/// Turns the patches of another grid than the model's.
class GridHook final : public nn::TokenHook {
public:
    explicit GridHook(const nn::PatchTurns& turns) : m_turns(turns) {}
    const nn::PatchTurns* turns(int, std::int64_t) override { return &m_turns; }

private:
    const nn::PatchTurns& m_turns;
};
} // namespace

std::uint64_t passMacs(const nn::ModelSpec& spec, std::int64_t patches)
{
    const nn::PatchSpec& p = spec.patch;
    const std::int64_t perPatch = p.channels * p.patchHeight * p.patchWidth * spec.width;
    const auto whole = static_cast<std::int64_t>(modelMacs(spec, tokensOf(spec, patches)));
    return static_cast<std::uint64_t>(whole + (patches - p.gridHeight * p.gridWidth) * perPatch);
}

std::uint64_t headMacs(const nn::ModelSpec& spec)
{
    nn::ModelSpec headless = spec;
    headless.classes = 0;
    return passMacs(spec, 1) - passMacs(headless, 1);
}

TokenSet gridSet(std::int64_t prefix, std::int64_t sourceRows, std::int64_t sourceCols, std::int64_t rows, std::int64_t cols)
{
    if (rows > sourceRows || cols > sourceCols || rows < 1 || cols < 1)
        throw Error(ErrorCode::InvalidParameter, "found a grid of " + std::to_string(rows) + " x " + std::to_string(cols) + " tokens on one of " + std::to_string(sourceRows) + " x " +
                                                     std::to_string(sourceCols) + " cells, expected one that is no finer");
    TokenSet set = wholeSet(prefix, sourceRows, sourceCols);
    set.sizes.assign(static_cast<std::size_t>(prefix + rows * cols), 0);
    std::fill_n(set.sizes.begin(), prefix, 1.0f);
    for (std::int64_t y = 0; y < sourceRows; ++y)
        for (std::int64_t x = 0; x < sourceCols; ++x) {
            const std::int64_t tokenY = (2 * y + 1) * rows / (2 * sourceRows), tokenX = (2 * x + 1) * cols / (2 * sourceCols);
            const std::int64_t token = prefix + tokenY * cols + tokenX;
            set.row[static_cast<std::size_t>(prefix + y * sourceCols + x)] = static_cast<std::int32_t>(token);
            ++set.sizes[static_cast<std::size_t>(token)];
        }
    set.keyWeights.assign(set.sizes.size(), 1.0f);
    return set;
}

ScaledModel::ScaledModel(std::shared_ptr<const nn::PatchEmbedding> embedding, double scale)
    : m_embedding(std::move(embedding)), m_scale(scale), m_size(wholePatches(m_embedding->model().spec().patch, scale))
{
    if (patches() > kMostPatches)
        throw Error(ErrorCode::LimitExceeded, "found an image of " + std::to_string(patches()) + " patches, expected " + std::to_string(kMostPatches) + " at most");
    m_positions = m_embedding->positionsAt(gridRows(), gridCols());
    if (m_embedding->turns())
        m_turns = m_embedding->turnsAt(gridRows(), gridCols());
}

std::int64_t ScaledModel::gridRows() const noexcept { return m_size.height / m_embedding->model().spec().patch.patchHeight; }
std::int64_t ScaledModel::gridCols() const noexcept { return m_size.width / m_embedding->model().spec().patch.patchWidth; }
std::uint64_t ScaledModel::macs() const { return passMacs(m_embedding->model().spec(), patches()); }
std::string ScaledModel::sizeText() const { return std::to_string(m_size.height) + " x " + std::to_string(m_size.width) + " pixels"; }

double ScaledModel::run(std::span<const float> image, kernels::Rows output, nn::Scratch& scratch, std::vector<float>* features) const
{
    const nn::Model& model = m_embedding->model();
    const nn::PatchSpec& p = model.spec().patch;
    const PixelSize own{p.imageHeight, p.imageWidth};
    nn::Scratch::Frame frame(scratch);
    const kernels::Rows x = frame.take(p.prefixTokens + patches(), model.spec().width);
    double resizingMs = 0;
    {
        nn::Scratch::Frame cutting(scratch);
        const kernels::Rows cut = cutting.take(patches(), m_embedding->values());
        if (m_size == own) {
            nn::cutPatches(p, image, own.height, own.width, cut);
        } else {
            const auto start = Clock::now();
            const std::vector<float> resized = resampled(image, p.channels, own, m_size, Resampling::Bicubic, scratch.context());
            resizingMs = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
            nn::cutPatches(p, resized, m_size.height, m_size.width, cut);
        }
        m_embedding->embed(cut, m_positions.empty() ? kernels::ConstRows{} : m_positions.view(), x, scratch);
    }
    GridHook hook(m_turns);
    for (int block = 0; block < static_cast<int>(model.blocks().size()); ++block)
        if (m_embedding->turns())
            model.runBlock(block, x, scratch, hook);
        else
            model.runBlock(block, x, scratch);
    model.runTail(x, {}, output, scratch, 0, nullptr, features);
    return resizingMs;
}

std::vector<ScaledModel> scaledModels(std::shared_ptr<const nn::Model> model, const std::string& scales, const std::string& subject)
{
    std::vector<double> values = parseNumbers(scales, 0.01, 4, subject);
    if (values.empty() || values.size() > kMostScales)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(values.size()) + " scales, expected 1 to " + std::to_string(kMostScales), subject);
    std::ranges::sort(values, std::greater<>());
    const auto embedding = std::make_shared<const nn::PatchEmbedding>(std::move(model));
    std::vector<ScaledModel> models;
    for (const double scale : values) {
        models.emplace_back(embedding, scale);
        if (models.size() > 1 && models.back().size() == models[models.size() - 2].size())
            throw Error(ErrorCode::InvalidParameter, "found two scales that give " + models.back().sizeText() + " in whole patches, expected sizes that differ", subject);
    }
    return models;
}

void tracePasses(const nn::ModelSpec& spec, const std::vector<ScaledModel>& models, std::span<const std::size_t> run, Trace& trace)
{
    const std::int64_t prefix = spec.patch.prefixTokens;
    const ScaledModel &source = models.front(), &last = models[run.back()];
    TokenSet set = gridSet(prefix, source.gridRows(), source.gridCols(), last.gridRows(), last.gridCols());
    std::vector<std::uint64_t> macs = blockMacs(spec, tokensOf(spec, last.patches()));
    trace.macs = last.macs();
    for (const std::size_t index : run.first(run.size() - 1)) {
        const ScaledModel& other = models[index];
        const TokenSet more = gridSet(prefix, source.gridRows(), source.gridCols(), other.gridRows(), other.gridCols());
        set.sizes.insert(set.sizes.end(), more.sizes.begin(), more.sizes.end());
        set.keyWeights.insert(set.keyWeights.end(), more.keyWeights.begin(), more.keyWeights.end());
        const std::vector<std::uint64_t> added = blockMacs(spec, tokensOf(spec, other.patches()));
        std::ranges::transform(macs, added, macs.begin(), std::plus<>());
        trace.macs += other.macs();
    }
    for (const std::uint64_t block : macs)
        trace.layers.push_back({{set.tokens(), set.tokens()}, set, {}, block});
}

} // namespace tamis::tokens
