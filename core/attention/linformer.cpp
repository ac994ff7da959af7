// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/linformer.h"

#include "core/attention/random_features.h"
#include "core/attention/softmax_mix.h"
#include "core/attention/tape_pairs.h"
#include "core/base/error.h"
#include "core/io/npy.h"
#include "core/linalg/float_product.h"
#include "core/train/attention_ops.h"
#include "core/train/feature_ops.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

/// Row t of a projection depends on seed and t alone: another number of tokens has the same rows.
void drawRow(std::uint64_t seed, std::int64_t token, float deviation, float* row, std::int64_t count)
{
    std::seed_seq mixed{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U), static_cast<std::uint32_t>(token)};
    std::mt19937 random(mixed);
    std::normal_distribution<float> normal(0, deviation);
    for (std::int64_t j = 0; j < count; ++j)
        row[j] = normal(random);
}

/// [rows, tokens], as Linformer projects with it.
tensor::Matrix<float> randomMatrix(std::uint64_t seed, std::int64_t rows, std::int64_t tokens)
{
    tensor::Matrix<float> matrix(rows, tokens);
    std::vector<float> column(static_cast<std::size_t>(rows));
    for (std::int64_t token = 0; token < tokens; ++token) {
        drawRow(seed, token, 1 / std::sqrt(static_cast<float>(rows)), column.data(), rows);
        for (std::int64_t i = 0; i < rows; ++i)
            matrix(i, token) = column[static_cast<std::size_t>(i)];
    }
    return matrix;
}

/// 0 in language models.
std::int64_t gridTokens(const Inputs& inputs) { return inputs.gridWidth > 0 ? inputs.prefix + inputs.gridHeight * inputs.gridWidth : 0; }

class Linformer final : public HeadRule {
public:
    Linformer(TokenProjection projection, std::int64_t rows, std::uint64_t seed) : m_projection(projection), m_rows(rows), m_seed(seed) {}
    std::string_view kind() const noexcept override { return "linformer"; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const std::int64_t once = tokens * rowsFor(tokens) * (shape.dim + width);
        return static_cast<std::uint64_t>(m_projection == TokenProjection::Random ? 2 * once : once); // means are additions
    }
    /// With projections that were drawn for so many tokens: they are kept from call to call.
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const std::int64_t rows = rowsFor(tokens);
        const std::int64_t drawn = m_projection == TokenProjection::Random ? 2 * tokens * rows : 0;
        return static_cast<std::uint64_t>(rows * (shape.dim + width) + tokens * rows + drawn);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        nn::Scratch::Frame frame(scratch);
        const std::int64_t rows = rowsFor(k.rows);
        const Rows keys = frame.take(rows, k.cols), values = frame.take(rows, v.cols);
        if (m_projection == TokenProjection::MeanPool) {
            segmentMeans(k, keys);
            segmentMeans(v, values);
        } else {
            const auto projections = drawn(k.rows);
            linalg::floatProduct(scratch.context(), linalg::Turn::Transpose, linalg::Turn::None, 1, projections->keys.view(), k, 0, keys);
            linalg::floatProduct(scratch.context(), linalg::Turn::Transpose, linalg::Turn::None, 1, projections->values.view(), v, 0, values);
        }
        mixBySoftmax(shape.scale, q, keys, values, out, scratch);
    }

private:
    std::int64_t rowsFor(std::int64_t tokens) const noexcept { return m_projection == TokenProjection::MeanPool ? std::min(m_rows, tokens) : m_rows; }
    struct Drawn {
        tensor::Matrix<float> keys, values; ///< [tokens, rows]
    };
    /// Drawn once for each number of tokens, of the last few of them: all heads and calls mix by the same.
    std::shared_ptr<const Drawn> drawn(std::int64_t tokens) const
    {
        const std::lock_guard lock(m_mutex);
        const auto known = std::ranges::find_if(m_drawn, [tokens](const auto& one) { return one->keys.rows() == tokens; });
        if (known != m_drawn.end())
            return *known;
        auto drawn = std::make_shared<Drawn>(Drawn{tensor::Matrix<float>(tokens, m_rows), tensor::Matrix<float>(tokens, m_rows)});
        for (std::int64_t token = 0; token < tokens; ++token) {
            drawRow(2 * m_seed, token, 1 / std::sqrt(static_cast<float>(m_rows)), drawn->keys.data() + token * m_rows, m_rows);
            drawRow(2 * m_seed + 1, token, 1 / std::sqrt(static_cast<float>(m_rows)), drawn->values.data() + token * m_rows, m_rows);
        }
        if (m_drawn.size() == kLengthsKept)
            m_drawn.erase(m_drawn.begin());
        m_drawn.push_back(drawn);
        return drawn;
    }
    static constexpr std::size_t kLengthsKept = 4;
    TokenProjection m_projection;
    std::int64_t m_rows;
    std::uint64_t m_seed;
    mutable std::mutex m_mutex; ///< of m_drawn
    mutable std::vector<std::shared_ptr<const Drawn>> m_drawn;
};

/// E and F as they are given, trained or fitted.
class Projected final : public HeadRule {
public:
    explicit Projected(std::shared_ptr<const TokenProjections> projections) : m_projections(std::move(projections)) {}
    std::string_view kind() const noexcept override { return "linformer"; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override { return 2 * static_cast<std::uint64_t>(tokens * rows() * (shape.dim + width)); }
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        return static_cast<std::uint64_t>(rows() * (shape.dim + width) + tokens * rows());
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        if (k.rows != m_projections->keys.cols())
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(k.rows) + " tokens, expected " + std::to_string(m_projections->keys.cols()) + ": the projections are for that number alone", "linformer");
        nn::Scratch::Frame frame(scratch);
        const Rows keys = frame.take(rows(), k.cols), values = frame.take(rows(), v.cols);
        linalg::floatProduct(scratch.context(), linalg::Turn::None, linalg::Turn::None, 1, m_projections->keys.view(), k, 0, keys);
        linalg::floatProduct(scratch.context(), linalg::Turn::None, linalg::Turn::None, 1, m_projections->values.view(), v, 0, values);
        mixBySoftmax(shape.scale, q, keys, values, out, scratch);
    }

private:
    std::int64_t rows() const noexcept { return m_projections->keys.rows(); }
    std::shared_ptr<const TokenProjections> m_projections;
};

class ProjectedOnTape final : public PairsOnTape {
public:
    ProjectedOnTape(const nn::AttentionSpec& spec, const std::vector<TokenProjections>& start) : PairsOnTape(spec, "keys", "values")
    {
        for (const TokenProjections& each : start)
            addPair(each.keys, each.values);
    }

private:
    train::Variable<float> mixBy(train::Variable<float> first, train::Variable<float> second, const train::AttentionRows<float>& rows) const override
    {
        const auto keys = train::projectTokens(first, rows.k, rows.sequences), values = train::projectTokens(second, rows.v, rows.sequences);
        return train::attention(rows.q, keys, values,
                                {.sequences = rows.sequences, .heads = rows.q.cols() / spec().headDim, .keyValueHeads = 1, .scale = static_cast<double>(spec().scale)});
    }
    HeadRulePtr ruleOf(const tensor::Matrix<float>& first, const tensor::Matrix<float>& second) const override
    {
        return projectedRule(std::make_shared<TokenProjections>(TokenProjections{first, second}));
    }
};

nn::AttentionPtr linformerOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = linformerMethod().declaration.schema.complete(given);
    requireNotCausal(inputs.spec, "attention.linformer");
    const std::string projection = parameters.text("projection");
    if (projection == "given")
        return headwise(inputs.spec, projectedRule(std::make_shared<TokenProjections>(readProjections(parameters.text("projection-file"), gridTokens(inputs)))));
    return headwise(inputs.spec, linformerRule(projection == "mean-pool" ? TokenProjection::MeanPool : TokenProjection::Random, parameters.integer("rows"), seedFor(inputs, 0)));
}

/// What training starts from: the projections of linformerOp, for each key head.
std::unique_ptr<TapeOperator> linformerOnTape(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = linformerMethod().declaration.schema.complete(given);
    requireNotCausal(inputs.spec, "attention.linformer");
    const std::string projection = parameters.text("projection");
    TokenProjections start;
    if (projection == "given") {
        start = readProjections(parameters.text("projection-file"), gridTokens(inputs));
    } else {
        const std::int64_t tokens = fixedTokens(inputs, "attention.linformer");
        if (projection == "mean-pool") {
            start.keys = start.values = poolingMatrix(std::min(tokens, parameters.integer("rows")), tokens);
        } else {
            const std::uint64_t seed = seedFor(inputs, 0);
            start = {randomMatrix(2 * seed, parameters.integer("rows"), tokens), randomMatrix(2 * seed + 1, parameters.integer("rows"), tokens)};
        }
    }
    return projectedOnTape(inputs.spec, std::vector<TokenProjections>(static_cast<std::size_t>(inputs.spec.keyValueHeads), start));
}
} // namespace

HeadRulePtr linformerRule(TokenProjection projection, std::int64_t rows, std::uint64_t seed) { return std::make_shared<Linformer>(projection, rows, seed); }
HeadRulePtr projectedRule(std::shared_ptr<const TokenProjections> projections) { return std::make_shared<Projected>(std::move(projections)); }
std::unique_ptr<TapeOperator> projectedOnTape(const nn::AttentionSpec& spec, const std::vector<TokenProjections>& start) { return std::make_unique<ProjectedOnTape>(spec, start); }

void requireNotCausal(const nn::AttentionSpec& spec, std::string_view method)
{
    if (spec.causal)
        throw Error(ErrorCode::UnsupportedFeature, "found causal attention, expected attention to all tokens: a projected key holds tokens that a query must not see", std::string(method));
}

std::int64_t fixedTokens(const Inputs& inputs, std::string_view method)
{
    requireNotCausal(inputs.spec, method);
    if (const std::int64_t tokens = gridTokens(inputs); tokens > 0)
        return tokens;
    throw Error(ErrorCode::UnsupportedFeature, "found texts of any length, expected images: a projection is for one number of tokens", std::string(method));
}

tensor::Matrix<float> poolingMatrix(std::int64_t rows, std::int64_t tokens)
{
    tensor::Matrix<float> identity(tokens, tokens), means(rows, tokens);
    for (std::int64_t i = 0; i < tokens; ++i)
        identity(i, i) = 1;
    segmentMeans(identity.view(), means.view());
    return means;
}

TokenProjections readProjections(const std::filesystem::path& file, std::int64_t tokens)
{
    if (file.empty())
        throw Error(ErrorCode::InvalidParameter, "found no file, expected a .npy file of projections", "projection-file");
    const io::NpyArray array = io::readNpy(file);
    const bool both = array.shape.size() == 3;
    const std::int64_t found = array.shape.empty() ? 0 : array.shape.back(), rows = array.shape.size() < 2 ? 0 : array.shape[array.shape.size() - 2];
    if ((array.shape.size() != 2 && !both) || (both && array.shape[0] != 2) || rows < 1 || found < 1 || (tokens > 0 && found != tokens))
        throw Error(ErrorCode::InvalidParameter, "found an array of shape " + io::shapeText(array.shape) + ", expected [rows, tokens] or [2, rows, tokens]" + (tokens > 0 ? " for " + std::to_string(tokens) + " tokens" : ""),
                    file.string());
    const std::vector<float> values = array.toFloats();
    if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
        throw Error(ErrorCode::NonFinite, "found an element that is no finite number", file.string());
    TokenProjections projections{tensor::Matrix<float>(rows, found), tensor::Matrix<float>(rows, found)};
    const auto size = static_cast<std::ptrdiff_t>(rows * found);
    std::copy_n(values.begin(), size, projections.keys.data());
    std::copy_n(values.begin() + (both ? size : 0), size, projections.values.data());
    return projections;
}

Method linformerMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.linformer",
        .lab = "attention",
        .title = "Projected keys and values (Linformer)",
        .reference = "Wang et al. 2020, Linformer: keys and values projected along the tokens",
        .schema = ParameterSchema({
            {.name = "rows", .title = "Projected tokens", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 65536, .step = 1, .logarithmic = true,
             .help = "Keys that every query sees instead of all; a file has its own number"},
            {.name = "projection", .title = "Projection", .type = ParameterType::Choice, .defaultValue = std::string("mean-pool"),
             .help = "mean-pool: means over neighbouring tokens; random: noise in models that were not trained with it; given: from a file", .choices = {"mean-pool", "random", "given"}},
            {.name = "projection-file", .title = "File of projections", .type = ParameterType::Text, .defaultValue = std::string(), .help = "Of given projections: .npy, [rows, tokens] or [2, rows, tokens] (keys, values)"},
        })};
    method.op = linformerOp;
    method.onTape = linformerOnTape;
    return method;
}

} // namespace tamis::attention
