// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/cost_curve.h"

#include "core/attention/tiled.h"
#include "core/attention/usual_settings.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/cost/ceilings.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <locale>
#include <new>
#include <random>
#include <sstream>

namespace tamis::attention {
namespace {
using report::AttentionCostCurve;
using report::AttentionCostRow;
using report::kNotMeasured;

std::string inWords(double value, const char* unit)
{
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text.precision(3);
    text << value << ' ' << unit;
    return text.str();
}

std::string bytesInWords(std::uint64_t bytes)
{
    const double mebibytes = static_cast<double>(bytes) / (1 << 20);
    return mebibytes < 1024 ? inWords(mebibytes, "MiB") : inWords(mebibytes / 1024, "GiB");
}

/// Rows of one size, shared by all operators.
struct SizeRows {
    AttentionSample rows;
    tensor::Matrix<float> out;
    static std::uint64_t bytes(const Inputs& inputs, std::int64_t tokens)
    {
        const nn::AttentionSpec& s = inputs.spec;
        return 4 * static_cast<std::uint64_t>(tokens) * static_cast<std::uint64_t>(inputs.width + 2 * s.headDim * (s.heads + s.keyValueHeads));
    }
};

void fillNormal(tensor::Matrix<float>& rows, std::mt19937_64& random, const RunContext& context)
{
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < rows.rows(); ++i) {
        if (i % 256 == 0)
            context.throwIfStopped();
        for (float& value : rows.view().row(i))
            value = normal(random);
    }
}

SizeRows randomRows(const Inputs& inputs, std::int64_t tokens, std::uint64_t seed, const RunContext& context)
{
    const nn::AttentionSpec& s = inputs.spec;
    SizeRows made;
    made.rows.x = tensor::Matrix<float>(tokens, inputs.width);
    made.rows.q = tensor::Matrix<float>(tokens, s.heads * s.headDim);
    made.rows.k = tensor::Matrix<float>(tokens, s.keyValueHeads * s.headDim);
    made.rows.v = tensor::Matrix<float>(tokens, s.keyValueHeads * s.headDim);
    made.out = tensor::Matrix<float>(tokens, s.heads * s.headDim);
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(tokens));
    for (auto* part : {&made.rows.x, &made.rows.q, &made.rows.k, &made.rows.v})
        fillNormal(*part, random, context);
    return made;
}

/// What a method is given at one size.
Inputs inputsOfSize(const Inputs& block, std::int64_t tokens)
{
    Inputs inputs = block;
    inputs.samples = nullptr;
    if (inputs.prefix >= tokens)
        inputs.prefix = 0;
    if (inputs.gridHeight > 0)
        inputs.gridHeight = inputs.gridWidth = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(tokens - inputs.prefix))));
    return inputs;
}

/// The sizes that are measured: of photos, the prefix and the square of patches nearest to each that was asked for, once.
std::vector<std::int64_t> sizesOf(const Inputs& block, const std::vector<std::int64_t>& asked)
{
    if (block.gridHeight == 0)
        return asked;
    std::vector<std::int64_t> sizes;
    for (const std::int64_t tokens : asked) {
        const Inputs inputs = inputsOfSize(block, tokens);
        if (const std::int64_t size = inputs.prefix + inputs.gridHeight * inputs.gridWidth; sizes.empty() || size > sizes.back())
            sizes.push_back(size);
    }
    return sizes;
}

/// The operators of one run and the limits they are held to.
class Curves {
public:
    Curves(const Inputs& inputs, std::span<const CurveChoice> choices, const CostCurveSettings& settings, const RunContext& context);
    std::vector<AttentionCostCurve> run();

private:
    void size(std::int64_t tokens);
    nn::AttentionPtr operatorFor(std::size_t curve, const Inputs& inputs, const SizeRows* rows) const;
    /// False where the row says why it is left out.
    bool expect(AttentionCostRow& row, const nn::AttentionOp& op, std::size_t curve);
    /// The same of a fit, before it is begun.
    bool expectFit(AttentionCostRow& row, std::size_t curve, const Inputs& inputs) const;
    void measure(AttentionCostRow& row, const nn::AttentionOp& op, SizeRows& rows) const;
    void crossovers();

    const Inputs& m_inputs;
    std::span<const CurveChoice> m_choices;
    const CostCurveSettings& m_settings;
    const RunContext& m_context;
    report::Ceilings m_ceilings;
    std::vector<std::int64_t> m_sizes;
    std::vector<AttentionCostCurve> m_curves;
    std::vector<const Method*> m_methods; ///< null: exact
    std::vector<Parameters> m_parameters;
    double m_done = 0, m_planned = 0; ///< multiply-adds of exact attention
};

Curves::Curves(const Inputs& inputs, std::span<const CurveChoice> choices, const CostCurveSettings& settings, const RunContext& context)
    : m_inputs(inputs), m_choices(choices), m_settings(settings), m_context(context)
{
    if (settings.tokens.empty() || settings.tokens.front() < 1 || std::ranges::adjacent_find(settings.tokens, std::ranges::greater_equal()) != settings.tokens.end())
        throw Error(ErrorCode::InvalidParameter, "found sizes that do not ascend from at least 1, expected numbers of tokens in ascending order", "sizes");
    tiledAttention(inputs.spec); // refuses windows of a grid
    m_curves.push_back({.title = "Exact"});
    m_methods.push_back(nullptr);
    m_parameters.emplace_back();
    for (const CurveChoice& choice : choices) {
        const Method* const method = findMethod(choice.method);
        if (!method)
            throw Error(ErrorCode::InvalidParameter, "found no method of that name, expected one of the attention lab", choice.method);
        m_methods.push_back(method);
        m_parameters.push_back(method->declaration.schema.complete(choice.parameters));
        m_curves.push_back({.method = choice.method, .title = method->declaration.title, .settings = settingsText(method->declaration.schema, m_parameters.back())});
    }
    m_sizes = sizesOf(inputs, settings.tokens);
    m_ceilings = settings.ceilings.gflops > 0 ? settings.ceilings : cost::machineCeilings(context);
    for (const std::int64_t tokens : m_sizes)
        m_planned += std::pow(static_cast<double>(tokens), 2);
}

nn::AttentionPtr Curves::operatorFor(std::size_t curve, const Inputs& inputs, const SizeRows* rows) const
{
    const Method* const method = m_methods[curve];
    if (!method)
        return tiledAttention(inputs.spec);
    if (!method->fits || !rows)
        return method->op(inputs, m_parameters[curve]);
    Inputs own = inputs;
    own.context = RunContext(m_context.stopToken());
    auto samples = std::make_shared<BlockSamples>();
    samples->samples.push_back(rows->rows);
    own.samples = std::move(samples);
    return method->op(own, m_parameters[curve]);
}

bool Curves::expect(AttentionCostRow& row, const nn::AttentionOp& op, std::size_t curve)
{
    const nn::AttentionCost cost = op.cost(row.tokens);
    row.macs = cost.macs;
    row.liveBytes = 4 * cost.liveFloats;
    row.predictedMs = predictedMs(cost.macs, leastBytes(m_inputs.spec, op, row.tokens), m_ceilings);
    const Parameters& parameters = m_parameters[curve];
    if (curve == 0 || m_curves[curve].method == "attention.tiled") {
        const std::int64_t queryTile = curve == 0 ? 0 : parameters.integer("query-tile"), keyTile = curve == 0 ? 0 : parameters.integer("key-tile");
        row.readBytes = static_cast<std::uint64_t>(m_inputs.spec.heads) * tiledTraffic(row.tokens, m_inputs.spec.headDim, queryTile, keyTile).readBytes;
    }
    const std::uint64_t workers = static_cast<std::uint64_t>(std::min<std::int64_t>(threadCount(), m_inputs.spec.heads));
    const std::uint64_t needed = SizeRows::bytes(m_inputs, row.tokens) + workers * row.liveBytes;
    if (needed > m_settings.memoryLimit)
        row.failure = "needs " + bytesInWords(needed) + ", " + bytesInWords(m_settings.memoryLimit) + " are allowed";
    else if (row.predictedMs > 1e3 * m_settings.slowestSeconds)
        row.failure = "takes at least " + inWords(1e-3 * row.predictedMs, "s") + ", " + inWords(m_settings.slowestSeconds, "s") + " are allowed";
    return row.failure.empty();
}

bool Curves::expectFit(AttentionCostRow& row, std::size_t curve, const Inputs& inputs) const
{
    const FitCost cost = m_methods[curve]->fitCost(inputs, m_parameters[curve], row.tokens, 1);
    const std::uint64_t needed = SizeRows::bytes(m_inputs, row.tokens) + cost.bytes;
    const double seconds = 1e-3 * predictedMs(cost.macs, 0, m_ceilings);
    if (needed > m_settings.memoryLimit)
        row.failure = "fitting needs " + bytesInWords(needed) + ", " + bytesInWords(m_settings.memoryLimit) + " are allowed";
    else if (seconds > m_settings.slowestSeconds)
        row.failure = "fitting takes at least " + inWords(seconds, "s") + ", " + inWords(m_settings.slowestSeconds, "s") + " are allowed";
    return row.failure.empty();
}

void Curves::measure(AttentionCostRow& row, const nn::AttentionOp& op, SizeRows& rows) const
{
    using Clock = std::chrono::steady_clock;
    nn::Scratch scratch(true, RunContext(m_context.stopToken()));
    const auto begin = Clock::now();
    double best = std::numeric_limits<double>::infinity();
    do {
        m_context.throwIfStopped();
        const auto start = Clock::now();
        op.apply(rows.rows.view(), rows.out.view(), scratch);
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    } while (std::chrono::duration<double>(Clock::now() - begin).count() < m_settings.secondsPerSize);
    row.ms = 1e3 * best;
}

void Curves::size(std::int64_t tokens)
{
    const Inputs inputs = inputsOfSize(m_inputs, tokens);
    SizeRows rows;
    const bool held = SizeRows::bytes(m_inputs, tokens) <= m_settings.memoryLimit; // if not, no row is measured
    if (held)
        rows = randomRows(m_inputs, tokens, m_settings.seed, m_context);
    const double work = std::pow(static_cast<double>(tokens), 2) / static_cast<double>(m_curves.size());
    for (std::size_t curve = 0; curve < m_curves.size(); ++curve) {
        AttentionCostRow row{.tokens = tokens};
        try {
            if (m_methods[curve] && m_methods[curve]->fits && !held)
                row.failure = "needs " + bytesInWords(SizeRows::bytes(m_inputs, tokens)) + ", " + bytesInWords(m_settings.memoryLimit) + " are allowed";
            else if (m_methods[curve] && m_methods[curve]->fits && !expectFit(row, curve, inputs))
                ; // the row says why
            else if (const nn::AttentionPtr op = operatorFor(curve, inputs, &rows); expect(row, *op, curve))
                measure(row, *op, rows);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            row.failure = error.what();
        } catch (const std::bad_alloc&) {
            row.failure = "needs more memory than there is";
        }
        m_curves[curve].rows.push_back(std::move(row));
        m_context.setFraction((m_done += work) / m_planned);
    }
}

void Curves::crossovers()
{
    const auto column = [](const AttentionCostCurve& curve, double AttentionCostRow::*value) {
        std::vector<double> all;
        for (const AttentionCostRow& row : curve.rows)
            all.push_back(row.*value);
        return all;
    };
    for (AttentionCostCurve& curve : m_curves) {
        if (curve.method.empty())
            continue;
        curve.measuredCrossover = crossover(m_sizes, column(m_curves[0], &AttentionCostRow::ms), column(curve, &AttentionCostRow::ms));
        curve.predictedCrossover = crossover(m_sizes, column(m_curves[0], &AttentionCostRow::predictedMs), column(curve, &AttentionCostRow::predictedMs));
    }
}

std::vector<AttentionCostCurve> Curves::run()
{
    for (const std::int64_t tokens : m_sizes)
        size(tokens);
    crossovers();
    m_context.finish();
    return std::move(m_curves);
}
} // namespace

std::uint64_t leastBytes(const nn::AttentionSpec& spec, const nn::AttentionOp& op, std::int64_t tokens)
{
    const auto n = static_cast<std::uint64_t>(tokens);
    return 4 * (2 * n * static_cast<std::uint64_t>(spec.headDim * (spec.heads + spec.keyValueHeads)) + 2 * op.cost(tokens).liveFloats);
}

double predictedMs(std::uint64_t macs, std::uint64_t bytes, const report::Ceilings& ceilings)
{
    return 1e3 * std::max(2e-9 * static_cast<double>(macs) / ceilings.gflops, 1e-9 * static_cast<double>(bytes) / ceilings.gigabytesPerSecond);
}

double crossover(std::span<const std::int64_t> tokens, std::span<const double> exact, std::span<const double> other)
{
    double found = kNotMeasured, later = 0, laterTokens = 0; // of the size behind: log(other / exact), log tokens
    for (std::size_t i = tokens.size(); i-- > 0;) {
        if (!std::isfinite(exact[i]) || !std::isfinite(other[i]))
            continue;
        const double ratio = std::log(other[i] / exact[i]), at = std::log(static_cast<double>(tokens[i]));
        if (ratio >= 0)
            return std::isnan(found) ? found : std::exp(at + (laterTokens - at) * ratio / (ratio - later));
        found = static_cast<double>(tokens[i]);
        later = ratio;
        laterTokens = at;
    }
    return found;
}

std::vector<AttentionCostCurve> costCurves(const Inputs& inputs, std::span<const CurveChoice> choices, const CostCurveSettings& settings, const RunContext& context)
{
    return Curves(inputs, choices, settings, context).run();
}

} // namespace tamis::attention
