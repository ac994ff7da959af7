// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/sensitivity.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/lowrank/block_influence.h"
#include "core/lowrank/targets.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"
#include "core/spectrum/method.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::lowrank {
namespace {
using report::SensitivityPoint;

/// Over the predictions of one sample, or of all.
struct OutputSums {
    double kl = 0, cosine = 0, nll = 0;
    std::uint64_t rows = 0, scored = 0;
    void add(const OutputSums& other)
    {
        kl += other.kl;
        cosine += other.cosine;
        nll += other.nll;
        rows += other.rows;
        scored += other.scored;
    }
};

/// What the dense model says about the samples, kept to compare others with.
class DenseOutputs {
public:
    DenseOutputs(const nn::Model& model, const measure::SampleSource& source, const std::vector<std::size_t>& indices, const RunContext& context)
        : m_model(model), m_samples(indices.size()), m_logits(indices.size()), m_context(context)
    {
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < indices.size(); ++i) {
            measure::loadChecked(source, indices[i], model, m_samples[i]);
            m_names.push_back(source.name(indices[i]));
            const auto [begin, end] = rowsOf(i);
            bytes += static_cast<std::uint64_t>(std::max<std::int64_t>(end - begin, 0) * model.outputWidth()) * sizeof(float);
        }
        requireMemory(bytes, "keeping the dense model's outputs for the sensitivity");
        std::vector<OutputSums> sums(indices.size());
        parallelFor(context, indices.size(), [&](std::size_t i) {
            const measure::ScratchPool::Lease scratch(m_pool);
            m_logits[i] = outputs(model, i, *scratch);
            sums[i] = compared(m_logits[i], i);
        });
        for (const OutputSums& sum : sums)
            m_dense.add(sum);
    }

    /// Of every model on every sample, sums in the order of the samples.
    std::vector<OutputSums> compare(const std::vector<std::shared_ptr<const nn::Model>>& models) const
    {
        const std::size_t count = m_samples.size();
        std::vector<OutputSums> each(models.size() * count), sums(models.size());
        parallelFor(m_context, each.size(), [&](std::size_t job) {
            const measure::ScratchPool::Lease scratch(m_pool);
            each[job] = compared(outputs(*models[job / count], job % count, *scratch), job % count);
        });
        for (std::size_t job = 0; job < each.size(); ++job)
            sums[job / count].add(each[job]);
        return sums;
    }
    const OutputSums& dense() const { return m_dense; }
    bool features() const { return m_model.spec().task == nn::Task::ImageFeatures || m_model.spec().task == nn::Task::TextFeatures; }
    bool decoder() const { return m_model.spec().task == nn::Task::CausalLanguage; }

private:
    /// Of a decoder, the rows before a scored token; all rows elsewhere.
    std::pair<std::int64_t, std::int64_t> rowsOf(std::size_t i) const
    {
        const std::int64_t rows = m_model.outputRows(m_samples[i].view());
        if (!decoder())
            return {0, rows};
        return {std::max<std::int64_t>(1, static_cast<std::int64_t>(m_samples[i].firstScored)) - 1, rows - 1};
    }

    tensor::Matrix<float> outputs(const nn::Model& model, std::size_t i, nn::Scratch& scratch) const
    {
        try {
            measure::StoppingObserver stopping(m_context);
            measure::ModelOutput output(model, m_samples[i], scratch, stopping);
            const auto [begin, end] = rowsOf(i);
            tensor::Matrix<float> logits(std::max<std::int64_t>(end - begin, 0), model.outputWidth());
            for (std::int64_t first = begin; first < end; first += output.sliceRows()) {
                m_context.throwIfStopped();
                const auto slice = output.slice(first, std::min(output.sliceRows(), end - first));
                for (std::int64_t r = 0; r < slice.rows; ++r)
                    std::ranges::copy(slice.row(r), logits.view().row(first - begin + r).begin());
            }
            return logits;
        } catch (const Error& error) {
            rethrowFor(error, i);
        }
    }

    OutputSums compared(const tensor::Matrix<float>& logits, std::size_t i) const
    {
        const measure::LoadedSample& sample = m_samples[i];
        const std::int64_t begin = rowsOf(i).first;
        OutputSums sums;
        try {
            for (std::int64_t r = 0; r < logits.rows(); ++r) {
                if (r % 64 == 0)
                    m_context.throwIfStopped();
                const auto difference = measure::compareLogits(m_logits[i].view().row(r), logits.view().row(r));
                sums.kl += difference.kl;
                sums.cosine += difference.cosine;
                sums.rows += 1;
                const std::int64_t label = decoder() ? sample.tokens[static_cast<std::size_t>(begin + r + 1)] : sample.label;
                if (label < 0 || features())
                    continue;
                sums.nll += measure::scoreLabel(logits.view().row(r), label).negativeLogLikelihood;
                sums.scored += 1;
            }
        } catch (const Error& error) {
            rethrowFor(error, i);
        }
        return sums;
    }

    /// Within a catch block.
    [[noreturn]] void rethrowFor(const Error& error, std::size_t i) const
    {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        throw Error(error.code(), error.subject().empty() ? error.message() : error.subject() + ": " + error.message(), m_names[i]);
    }

    const nn::Model& m_model;
    std::vector<measure::LoadedSample> m_samples;
    std::vector<std::string> m_names;
    std::vector<tensor::Matrix<float>> m_logits;
    RunContext m_context;
    mutable measure::ScratchPool m_pool{false, m_context};
    OutputSums m_dense;
};

class Sensitivity {
public:
    Sensitivity(const Inputs& inputs, const SensitivityOptions& options, const RunContext& context)
        : m_inputs(inputs), m_options(options), m_context(context), m_cache(options.cache ? *options.cache : SensitivityCache::shared()),
          m_method(*spectrum::findMethod(inputs.calibration ? "spectrum.whitened" : "spectrum.plain"))
    {
        if (!inputs.model || !inputs.samples || inputs.samples->count() == 0)
            throw Error(ErrorCode::InvalidParameter, "is measured by running the model on samples: give a model that runs and at least one sample", "sensitivity");
        m_report.keeps = options.keeps;
        std::ranges::sort(m_report.keeps);
        for (const double keep : m_report.keeps)
            if (!(keep > 0 && keep < 1))
                throw Error(ErrorCode::InvalidParameter, "expected a keep above 0 and below 1", "keeps");
        m_indices = evenIndices(inputs.samples->count(), options.samples);
        m_report.model = inputs.checkpoint->path().string();
        m_report.samples = inputs.samples->description();
        m_report.method = m_method.declaration.id;
        m_report.accounting = plan::accountingName(options.accounting);
        m_report.sampleCount = m_indices.size();
        m_key = inputs.checkpoint->sha256(context) + " " + (inputs.calibration ? inputs.calibration->sha256(context) : std::string("none")) + " " +
                inputs.samples->sha256(context) + " " + std::to_string(m_indices.size()) + " ";
    }

    report::SensitivityReport run(const std::vector<const io::MatrixRef*>& targets, const MatrixMeasured& finished)
    {
        const auto start = std::chrono::steady_clock::now();
        m_report.planned = targets.size();
        m_context.setParts(static_cast<double>(targets.size()) + 2);
        m_outputs = std::make_unique<DenseOutputs>(*m_inputs.model, *m_inputs.samples, m_indices, RunContext(m_context.stopToken()));
        m_context.part(1, "dense outputs").finish();
        const OutputSums& dense = m_outputs->dense();
        m_report.predictions = dense.rows;
        if (m_outputs->decoder() && dense.scored > 0)
            m_report.perplexity = std::exp(dense.nll / static_cast<double>(dense.scored));
        if (m_options.blocks)
            m_report.blocks = blockInfluence(*m_inputs.model, *m_inputs.samples, m_options.samples, m_context.part(1, "block influence"));
        for (const io::MatrixRef* matrix : targets) {
            const RunContext part = m_context.part(1, matrix->name);
            try {
                m_report.matrices.push_back(measured(*matrix, part));
            } catch (const Error& error) {
                if (error.code() != ErrorCode::NonFinite || error.subject() != matrix->name)
                    throw;
                m_report.warnings.push_back(matrix->name + ": " + error.message() + ", so it is left out");
            }
            part.finish();
            m_report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            if (finished)
                finished(m_report);
        }
        m_context.finish();
        return std::move(m_report);
    }

private:
    report::MatrixSensitivity measured(const io::MatrixRef& matrix, const RunContext& context)
    {
        report::MatrixSensitivity result{matrix.name, std::string(io::roleName(matrix.role)), matrix.layer, matrix.rows, matrix.cols, {}};
        std::vector<std::int64_t> missing;
        const std::int64_t useful = plan::largestUsefulRank(m_options.accounting, matrix.rows, matrix.cols);
        for (const double keep : m_report.keeps) {
            SensitivityPoint point;
            point.keep = keep;
            point.rank = std::min(plan::rankForKeep(m_options.accounting, matrix.rows, matrix.cols, keep), useful);
            if (point.rank < 1)
                continue;
            result.points.push_back(point);
            if (!m_cache.find(keyOf(matrix, point.rank)) && (missing.empty() || missing.back() != point.rank))
                missing.push_back(point.rank);
        }
        if (!missing.empty())
            measure(matrix, missing, context);
        for (SensitivityPoint& point : result.points) {
            const auto found = m_cache.find(keyOf(matrix, point.rank));
            const double keep = point.keep;
            point = *found;
            point.keep = keep;
            point.relativeLoss = predicted(matrix.name, point.rank);
        }
        return result;
    }

    void measure(const io::MatrixRef& matrix, const std::vector<std::int64_t>& ranks, const RunContext& context)
    {
        const spectrum::Inputs of{m_inputs.checkpoint, m_inputs.calibration, {matrix.name}};
        const auto factors = m_method.factors(of, matrix.name, ranks.back(), m_method.declaration.schema.defaults(), context.part(1, "factors"));
        const nn::LinearSlot* slot = m_inputs.model->find(matrix.name);
        std::vector<std::shared_ptr<const nn::Model>> models;
        for (const std::int64_t rank : ranks)
            models.push_back(m_inputs.model->replaced({{matrix.name, firstComponents(factors, rank, slot->op->bias())}}));
        const auto sums = m_outputs->compare(models);
        const OutputSums& dense = m_outputs->dense();
        for (std::size_t k = 0; k < ranks.size(); ++k) {
            SensitivityPoint point;
            point.rank = ranks[k];
            const auto rows = static_cast<double>(sums[k].rows), scored = static_cast<double>(sums[k].scored);
            if (!m_outputs->features())
                point.kl = sums[k].kl / rows;
            point.cosineLoss = 1 - sums[k].cosine / rows;
            if (sums[k].scored > 0) {
                point.nllChange = (sums[k].nll - dense.nll) / scored;
                if (m_outputs->decoder())
                    point.perplexity = std::exp(sums[k].nll / scored);
            }
            m_cache.put(keyOf(matrix, ranks[k]), point);
        }
    }

    std::string keyOf(const io::MatrixRef& matrix, std::int64_t rank) const { return m_key + std::to_string(rank) + " " + matrix.name; }

    double predicted(const std::string& name, std::int64_t rank) const
    {
        if (!m_options.spectra)
            return report::kNotMeasured;
        const auto found = std::ranges::find(m_options.spectra->matrices, name, &report::MatrixSpectrum::name);
        if (found == m_options.spectra->matrices.end() || rank >= static_cast<std::int64_t>(found->loss.size()) || !(found->loss[0] > 0))
            return report::kNotMeasured;
        return std::max(found->loss[static_cast<std::size_t>(rank)], 0.0) / found->loss[0];
    }

    const Inputs& m_inputs;
    const SensitivityOptions& m_options;
    const RunContext& m_context;
    SensitivityCache& m_cache;
    const spectrum::Method& m_method;
    std::vector<std::size_t> m_indices;
    std::string m_key;
    std::unique_ptr<DenseOutputs> m_outputs;
    report::SensitivityReport m_report;
};

} // namespace

std::optional<SensitivityPoint> SensitivityCache::find(const std::string& key) const
{
    const std::lock_guard lock(m_mutex);
    const auto found = m_points.find(key);
    return found == m_points.end() ? std::nullopt : std::optional(found->second);
}

void SensitivityCache::put(const std::string& key, const SensitivityPoint& point)
{
    const std::lock_guard lock(m_mutex);
    m_points.insert_or_assign(key, point);
}

std::size_t SensitivityCache::size() const
{
    const std::lock_guard lock(m_mutex);
    return m_points.size();
}

SensitivityCache& SensitivityCache::shared()
{
    static SensitivityCache cache;
    return cache;
}

report::SensitivityReport measureSensitivity(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets,
                                             const SensitivityOptions& options, const RunContext& context, const MatrixMeasured& finished)
{
    return Sensitivity(inputs, options, context).run(targets, finished);
}

} // namespace tamis::lowrank
