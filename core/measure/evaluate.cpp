// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/evaluate.h"

#include "core/base/parallel.h"
#include "core/measure/activation_compare.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"
#include "core/measure/spread.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

namespace tamis::measure {
namespace {
using Clock = std::chrono::steady_clock;
constexpr std::size_t kShownClasses = 5;

/// Sums over the predictions of one sample or one batch.
struct QualitySums {
    std::uint64_t labelled = 0, top1 = 0, top5 = 0, tokens = 0, scoredSamples = 0;
    std::uint64_t bytes = 0; ///< of the text that bytesNll is of
    double nll = 0, bytesNll = 0;

    void add(const QualitySums& other)
    {
        labelled += other.labelled;
        top1 += other.top1;
        top5 += other.top5;
        tokens += other.tokens;
        scoredSamples += other.scoredSamples;
        bytes += other.bytes;
        nll += other.nll;
        bytesNll += other.bytesNll;
    }
};

struct FidelitySums {
    std::uint64_t rows = 0, agree = 0;
    double kl = 0, cosine = 0;
    void add(const FidelitySums& other)
    {
        rows += other.rows;
        agree += other.agree;
        kl += other.kl;
        cosine += other.cosine;
    }
};

/// All that one sample gives.
struct SampleOutcome {
    QualitySums dense, compressed;
    FidelitySums fidelity;
    std::vector<BlockSums> blocks;
    std::vector<std::vector<HeadSums>> heads;
    report::Prediction prediction;
};

/// Means over all predictions with their spread over batches.
struct QualitySpread {
    BatchSpread top1, top5, nll, bits;
    std::uint64_t samples = 0;
    void add(const QualitySums& batch)
    {
        top1.add(static_cast<double>(batch.top1), batch.labelled);
        top5.add(static_cast<double>(batch.top5), batch.labelled);
        nll.add(batch.nll, batch.tokens);
        bits.add(batch.bytesNll / std::numbers::ln2, batch.bytes);
        samples += batch.labelled + batch.scoredSamples;
    }
    report::Quality quality() const
    {
        return {top1.measured(), top5.measured(), nll.exponential(), bits.measured(), samples, static_cast<std::uint64_t>(top1.sum()), nll.count()};
    }
};

struct FidelitySpread {
    BatchSpread agreement, kl, cosine;
    void add(const FidelitySums& batch, bool classes)
    {
        agreement.add(static_cast<double>(batch.agree), classes ? batch.rows : 0);
        kl.add(batch.kl, classes ? batch.rows : 0);
        cosine.add(batch.cosine, batch.rows);
    }
    report::Fidelity fidelity() const { return {agreement.measured(), kl.measured(), cosine.measured(), cosine.count()}; }
};

bool isFeatures(nn::Task task) { return task == nn::Task::ImageFeatures || task == nn::Task::TextFeatures; }

class Evaluation {
public:
    Evaluation(const nn::Model& dense, const nn::Model* compressed, const SampleSource& source, const EvaluateOptions& options,
               const RunContext& context)
        : m_dense(dense), m_compressed(compressed), m_source(source), m_options(options), m_context(context), m_task(dense.spec().task),
          m_count(source.count())
    {
        if (m_count == 0)
            throw Error(ErrorCode::InvalidParameter, "found no sample, expected at least one", source.description());
        if (options.batch == 0)
            throw Error(ErrorCode::InvalidParameter, "found 0, expected at least one sample", "batch");
        if (compressed && (compressed->outputWidth() != dense.outputWidth() || compressed->blocks().size() != dense.blocks().size()))
            throw Error(ErrorCode::InvalidParameter, "the models cannot be compared: found " + std::to_string(compressed->outputWidth())
                                                         + " outputs and " + std::to_string(compressed->blocks().size()) + " blocks, expected "
                                                         + std::to_string(dense.outputWidth()) + " and " + std::to_string(dense.blocks().size()));
    }
    report::EvaluationReport run();

private:
    SampleOutcome outcome(std::size_t index, nn::Scratch& scratch) const;
    void compare(const LoadedSample& sample, const ActivationRecord& record, ModelOutput& reference, nn::Scratch& scratch, SampleOutcome& outcome) const;
    void scoreRows(const LoadedSample& sample, ModelOutput& output, QualitySums& sums) const;
    void predict(const LoadedSample& sample, std::size_t index, ModelOutput& dense, SampleOutcome& outcome) const;
    std::pair<std::int64_t, std::int64_t> scoredRows(const LoadedSample& sample, std::int64_t rows) const;
    void addBatch(const std::vector<SampleOutcome>& batch);
    void addActivations(const SampleOutcome& outcome);
    void measureLatency();
    void finish();

    const nn::Model& m_dense;
    const nn::Model* m_compressed;
    const SampleSource& m_source;
    const EvaluateOptions& m_options;
    const RunContext& m_context;
    nn::Task m_task;
    std::size_t m_count;
    ScratchPool m_single{true, m_context}, m_several{false, m_context};
    QualitySpread m_denseQuality, m_compressedQuality;
    FidelitySpread m_fidelity;
    std::vector<BlockSums> m_blocks;
    std::vector<std::vector<HeadSums>> m_heads;
    report::EvaluationReport m_report;
};

/// Rows of the output whose predictions count: of a decoder, those before a scored token; all rows elsewhere.
std::pair<std::int64_t, std::int64_t> Evaluation::scoredRows(const LoadedSample& sample, std::int64_t rows) const
{
    if (m_task != nn::Task::CausalLanguage)
        return {0, rows};
    return {std::max<std::int64_t>(1, static_cast<std::int64_t>(sample.firstScored)) - 1, rows - 1};
}

void Evaluation::scoreRows(const LoadedSample& sample, ModelOutput& output, QualitySums& sums) const
{
    if (sample.label >= 0 && m_task == nn::Task::ImageClassification) {
        const LabelScore score = scoreLabel(output.slice(0, 1).row(0), sample.label);
        sums.labelled += 1;
        sums.top1 += score.top1;
        sums.top5 += score.top5;
    }
    if (m_task != nn::Task::CausalLanguage)
        return;
    const auto [begin, end] = scoredRows(sample, output.rows());
    double nll = 0;
    for (std::int64_t first = begin; first < end; first += output.sliceRows()) {
        m_context.throwIfStopped();
        const auto logits = output.slice(first, std::min(output.sliceRows(), end - first));
        for (std::int64_t i = 0; i < logits.rows; ++i)
            nll += scoreLabel(logits.row(i), sample.tokens[static_cast<std::size_t>(first + i + 1)]).negativeLogLikelihood;
    }
    sums.scoredSamples += 1;
    sums.tokens += static_cast<std::uint64_t>(std::max<std::int64_t>(0, end - begin));
    sums.nll += nll;
    if (sample.scoredBytes > 0) {
        sums.bytes += sample.scoredBytes;
        sums.bytesNll += nll;
    }
}

void Evaluation::predict(const LoadedSample& sample, std::size_t index, ModelOutput& dense, SampleOutcome& outcome) const
{
    if (m_task != nn::Task::ImageClassification || index >= m_options.predictions)
        return;
    const auto logits = dense.slice(0, 1).row(0);
    outcome.prediction.sample = m_source.name(index);
    outcome.prediction.label = sample.label;
    outcome.prediction.classes = bestClasses(logits, kShownClasses);
    outcome.prediction.probabilities = probabilities(logits, outcome.prediction.classes);
}

void Evaluation::compare(const LoadedSample& sample, const ActivationRecord& record, ModelOutput& reference, nn::Scratch& scratch,
                         SampleOutcome& outcome) const
{
    ActivationComparison comparison(m_context, m_dense, record);
    ModelOutput output(*m_compressed, sample, scratch, comparison);
    scoreRows(sample, output, outcome.compressed);
    const auto [begin, end] = scoredRows(sample, reference.rows());
    for (std::int64_t first = begin; first < end; first += reference.sliceRows()) {
        m_context.throwIfStopped();
        const std::int64_t count = std::min(reference.sliceRows(), end - first);
        const auto expected = reference.slice(first, count), found = output.slice(first, count);
        for (std::int64_t i = 0; i < count; ++i) {
            const LogitDifference difference = compareLogits(expected.row(i), found.row(i));
            outcome.fidelity.add({1, difference.agree ? 1u : 0u, difference.kl, difference.cosine});
        }
    }
    if (!outcome.prediction.classes.empty()) {
        const auto logits = output.slice(0, 1).row(0);
        outcome.prediction.compressedClasses = bestClasses(logits, kShownClasses);
        outcome.prediction.compressedProbabilities = probabilities(logits, outcome.prediction.compressedClasses);
    }
    if (m_options.ownErrors)
        addOwnErrors(m_dense, *m_compressed, sample, record, scratch, m_context, comparison.blocks());
    outcome.blocks = std::move(comparison.blocks());
    outcome.heads = std::move(comparison.heads());
}

SampleOutcome Evaluation::outcome(std::size_t index, nn::Scratch& scratch) const
{
    LoadedSample sample;
    loadChecked(m_source, index, m_dense, sample);
    SampleOutcome outcome;
    try {
        if (!m_compressed) {
            StoppingObserver stopping(m_context);
            ModelOutput output(m_dense, sample, scratch, stopping);
            scoreRows(sample, output, outcome.dense);
            predict(sample, index, output, outcome);
            return outcome;
        }
        ActivationRecord record(m_context, m_dense, index < m_options.mapSamples);
        ModelOutput output(m_dense, sample, scratch, record);
        scoreRows(sample, output, outcome.dense);
        predict(sample, index, output, outcome);
        compare(sample, record, output, scratch, outcome);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        throw Error(error.code(), error.subject().empty() ? error.message() : error.subject() + ": " + error.message(), m_source.name(index));
    }
    return outcome;
}

void Evaluation::addActivations(const SampleOutcome& outcome)
{
    m_blocks.resize(std::max(m_blocks.size(), outcome.blocks.size()));
    for (std::size_t block = 0; block < outcome.blocks.size(); ++block)
        m_blocks[block].add(outcome.blocks[block]);
    if (!outcome.heads.empty())
        ++m_report.mapSamples;
    m_heads.resize(std::max(m_heads.size(), outcome.heads.size()));
    for (std::size_t block = 0; block < outcome.heads.size(); ++block) {
        m_heads[block].resize(std::max(m_heads[block].size(), outcome.heads[block].size()));
        for (std::size_t head = 0; head < outcome.heads[block].size(); ++head)
            m_heads[block][head].add(outcome.heads[block][head]);
    }
}

void Evaluation::addBatch(const std::vector<SampleOutcome>& batch)
{
    QualitySums dense, compressed;
    FidelitySums fidelity;
    for (const SampleOutcome& outcome : batch) {
        dense.add(outcome.dense);
        compressed.add(outcome.compressed);
        fidelity.add(outcome.fidelity);
        addActivations(outcome);
        if (!outcome.prediction.classes.empty())
            m_report.predictions.push_back(outcome.prediction);
    }
    m_denseQuality.add(dense);
    m_compressedQuality.add(compressed);
    m_fidelity.add(fidelity, !isFeatures(m_task));
    ++m_report.batches;
}

/// Median of a few passes of the first sample, the two models in turn, so that both see the same machine.
void Evaluation::measureLatency()
{
    if (m_options.latencyRuns < 1)
        return;
    LoadedSample sample;
    loadChecked(m_source, 0, m_dense, sample);
    const ScratchPool::Lease scratch(m_single);
    StoppingObserver stopping(m_context);
    std::vector<double> dense, compressed;
    const auto timed = [&](const nn::Model& model) {
        const auto start = Clock::now();
        ModelOutput output(model, sample, *scratch, stopping);
        for (std::int64_t first = 0; first < output.rows(); first += output.sliceRows())
            output.slice(first, std::min(output.sliceRows(), output.rows() - first));
        return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    };
    for (int run = -1; run < m_options.latencyRuns; ++run) { // the first warms up
        const double first = timed(m_dense), second = m_compressed ? timed(*m_compressed) : first;
        if (run < 0)
            continue;
        dense.push_back(first);
        compressed.push_back(second);
    }
    const auto median = [](std::vector<double>& values) {
        std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
        return values[values.size() / 2];
    };
    m_report.baselineCost.latencyMs = median(dense);
    m_report.cost.latencyMs = median(compressed);
}

void Evaluation::finish()
{
    m_report.baselineQuality = m_denseQuality.quality();
    m_report.quality = m_compressed ? m_compressedQuality.quality() : m_report.baselineQuality;
    m_report.fidelity = m_fidelity.fidelity();
    for (std::size_t block = 0; block < m_blocks.size(); ++block) {
        const BlockSums& sums = m_blocks[block];
        report::LayerError error;
        error.block = static_cast<int>(block);
        const auto relative = [&](double squares) { return squares == 0 ? 0 : std::sqrt(squares / sums.reference); };
        error.relativeError = relative(sums.difference);
        error.cosine = sums.difference == 0 ? 1 : sums.product / std::sqrt(sums.reference * sums.compressed);
        if (m_options.ownErrors)
            error.ownError = relative(sums.ownDifference);
        m_report.layers.push_back(error);
    }
    for (std::size_t block = 0; block < m_heads.size(); ++block)
        for (std::size_t head = 0; head < m_heads[block].size(); ++head)
            m_report.heads.push_back({static_cast<int>(block), static_cast<std::int64_t>(head),
                                      m_heads[block][head].distance / static_cast<double>(m_heads[block][head].queries)});
}

report::EvaluationReport Evaluation::run()
{
    const auto start = Clock::now();
    measureLatency();
    std::vector<SampleOutcome> outcomes;
    for (std::size_t first = 0; first < m_count; first += m_options.batch) {
        const std::size_t size = std::min(m_options.batch, m_count - first);
        outcomes.assign(size, {});
        const bool parallel = size >= 2; // one sample alone spreads over the threads itself
        const auto one = [&](std::size_t i) {
            const ScratchPool::Lease scratch(parallel ? m_several : m_single);
            outcomes[i] = outcome(first + i, *scratch);
        };
        if (parallel)
            parallelFor(m_context, size, one);
        else
            one(0);
        addBatch(outcomes);
        m_context.setFraction(static_cast<double>(first + size) / static_cast<double>(m_count));
    }
    finish();
    m_report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return std::move(m_report);
}

} // namespace

report::EvaluationReport evaluate(const nn::Model& dense, const nn::Model* compressed, const SampleSource& source,
                                  const EvaluateOptions& options, const RunContext& context)
{
    return Evaluation(dense, compressed, source, options, context).run();
}

} // namespace tamis::measure
