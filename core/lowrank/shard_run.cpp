// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/shard_run.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/sha256.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/part_store.h"
#include "core/lowrank/targets.h"
#include "core/lowrank/whitened_pair.h"
#include "core/plan/accounting.h"
#include "core/spectrum/method.h"

#include <algorithm>
#include <chrono>

namespace tamis::lowrank {
namespace {
constexpr const char* kMethod = "spectrum.whitened"; // whose optimum it is
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class ShardRun {
public:
    ShardRun(const Inputs& inputs, const ShardRunOptions& options, const ShardFinished& finished) : m_inputs(inputs), m_options(options), m_finished(finished)
    {
        if (!inputs.checkpoint || !inputs.calibration)
            throw Error(ErrorCode::InvalidParameter, "needs a checkpoint and a calibration set", "large model");
        const auto& budget = options.budget;
        if (budget.allocation != plan::Allocation::Uniform || !budget.overrides.empty())
            throw Error(ErrorCode::InvalidParameter, "found " + std::string(plan::allocationName(budget.allocation)) + (budget.overrides.empty() ? "" : " with overrides") +
                                                         ", expected uniform: matrix by matrix there are no spectra of all to spend a budget on", "allocation");
        if (budget.accounting == plan::Accounting::Remapped)
            throw Error(ErrorCode::InvalidParameter, "found remapped, expected factors or block-identity", "accounting");
    }

    ShardRunReport run(const RunContext& context)
    {
        const auto start = Clock::now();
        context.setParts(100);
        prepare(context.part(4, "hashing the inputs"));
        PartStore store(m_options.out, key());
        if (!complete(RunContext(context.stopToken()))) {
            compressAll(store, context.part(90, "matrices"));
            finish(store, context.part(6, "assembling"));
        }
        store.removeParts();
        m_result.report.seconds = m_result.seconds = secondsSince(start);
        context.finish();
        return std::move(m_result);
    }

private:
    void prepare(const RunContext& context)
    {
        auto& report = m_result.report;
        report.method = kMethod;
        Parameters given;
        given.set("ridge", m_options.ridge);
        report.parameters = spectrum::findMethod(kMethod)->declaration.schema.complete(given);
        report.keep = m_options.budget.keep;
        report.allocation = plan::allocationName(m_options.budget.allocation);
        report.accounting = plan::accountingName(m_options.budget.accounting);
        m_model = m_inputs.checkpoint->sha256(context.part(1, "model"));
        m_calibration = m_inputs.calibration->sha256(context.part(1, "calibration set"));
        const RunContext inside(context.stopToken());
        const auto chosen = targets(m_inputs, report.warnings, inside);
        const auto ranks = chooseRanks(m_inputs, chosen, m_options.budget, report.warnings, inside);
        for (const io::MatrixRef* matrix : chosen)
            if (const auto rank = ranks.find(matrix->name); rank != ranks.end())
                m_work.emplace_back(matrix, rank->second);
        if (m_work.empty())
            throw Error(ErrorCode::InvalidParameter, "has no matrix with a calibration site that a keep of " + toText(m_options.budget.keep) + " makes cheaper",
                        m_inputs.checkpoint->path().string());
    }

    std::vector<std::string> key() const
    {
        std::vector<std::string> key{"model " + m_model, "calibration " + m_calibration, "method " + std::string(kMethod), "ridge " + toText(m_options.ridge),
                                     "accounting " + m_result.report.accounting};
        for (const auto& [matrix, rank] : m_work)
            key.push_back("rank " + std::to_string(rank) + " of " + matrix->name);
        return key;
    }

    /// Everything is there already: a plan of these inputs and settings, and its factors.
    bool complete(const RunContext& context)
    {
        const auto file = m_options.out / "plan.json";
        if (!std::filesystem::exists(file))
            return false;
        plan::Plan plan = plan::readPlan(file);
        if (plan.modelSha256 != m_model || plan.calibrationSha256 != m_calibration || plan.method != kMethod || !(plan.parameters == m_result.report.parameters) ||
            plan.budget.accounting != m_options.budget.accounting)
            throw Error(ErrorCode::InvalidParameter, "is a plan of another run; choose another directory or remove this one", file.string());
        if (!std::filesystem::is_regular_file(plan.factorsPath) || sha256OfFiles({plan.factorsPath}, context) != plan.factorsSha256)
            return false;
        const auto plannedFor = [&](const io::MatrixRef* matrix) { return std::ranges::find(plan.operators, matrix->name, &plan::PlannedOperator::name); };
        for (const auto& [matrix, rank] : m_work)
            if (const auto planned = plannedFor(matrix); planned == plan.operators.end() || planned->rank != rank)
                throw Error(ErrorCode::InvalidParameter, "is a plan of another run: found no " + matrix->name + " of rank " + std::to_string(rank), file.string());
        for (const auto& [matrix, rank] : m_work) {
            const auto planned = plannedFor(matrix);
            const double relative = planned->predictedRelativeLoss;
            add({matrix->name, planned->layout, rank, planned->predictedLoss, relative > 0 ? planned->predictedLoss / relative : 0.0}, *matrix, true, 0);
        }
        addCosts();
        m_result.plan = std::move(plan);
        return true;
    }

    void compressAll(PartStore& store, const RunContext& context)
    {
        double total = 0;
        for (const auto& [matrix, rank] : m_work)
            total += whitenedPairMacs(matrix->rows, matrix->cols, rank);
        context.setParts(total);
        for (const auto& [matrix, rank] : m_work) {
            const RunContext part = context.part(whitenedPairMacs(matrix->rows, matrix->cols, rank), matrix->name);
            part.throwIfStopped();
            if (const auto found = store.find(matrix->name, RunContext(part.stopToken()))) {
                add(*found, *matrix, true, 0);
            } else {
                const auto start = Clock::now();
                const Part made = compress(store, *matrix, rank, part);
                add(made, *matrix, false, secondsSince(start));
            }
            part.finish();
        }
        addCosts();
    }

    Part compress(PartStore& store, const io::MatrixRef& matrix, std::int64_t rank, const RunContext& context)
    {
        const RunContext inside(context.stopToken()); // the pair is nearly all of it
        requireMemory(whitenedPairBytes(matrix.rows, matrix.cols, rank), "the factors of " + matrix.name);
        auto site = m_inputs.calibration->read(matrix.name);
        tensor::Matrix<double> gram = std::move(site.gram);
        site = {};
        WhitenedPair pair;
        try {
            pair = whitenedPair(m_inputs.checkpoint->readMatrixDouble(matrix), std::move(gram), m_options.ridge, rank, context);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled || !error.subject().empty())
                throw;
            throw Error(error.code(), error.message(), matrix.name);
        }
        for (const std::string& warning : pair.warnings)
            m_result.report.warnings.push_back(matrix.name + ": " + warning);
        const nn::LinearPtr op = makeOperator(pair.b, pair.a, biasOf(matrix), m_options.budget.accounting, nullptr, inside);
        pair.b = pair.a = {};
        const Part part{matrix.name, std::string(op->kind()), rank, pair.loss, pair.energy};
        store.write(part, op->tensors(matrix.name), inside);
        return part;
    }

    std::vector<float> biasOf(const io::MatrixRef& matrix) const
    {
        const io::TensorEntry* bias = m_inputs.checkpoint->find(matrix.name + ".bias");
        return bias ? m_inputs.checkpoint->readFloats(*bias) : std::vector<float>();
    }

    void add(const Part& part, const io::MatrixRef& matrix, bool resumed, double seconds)
    {
        ShardMatrix done{measureOperator(*m_inputs.checkpoint, matrix, nullptr, nullptr), resumed, seconds};
        done.matrix.layout = part.layout;
        done.matrix.rank = part.rank;
        done.matrix.cost = plan::costOfRank(m_options.budget.accounting, matrix.rows, matrix.cols, part.rank, 4);
        done.matrix.keep = static_cast<double>(done.matrix.cost.parameters) / static_cast<double>(done.matrix.denseCost.parameters);
        done.matrix.loss = done.matrix.minimumLoss = part.loss;
        done.matrix.energy = part.energy;
        m_result.resumed += resumed ? 1 : 0;
        if (m_finished)
            m_finished(done);
        m_result.report.matrices.push_back(std::move(done.matrix));
    }

    void addCosts()
    {
        Compression costs;
        costs.report.matrices = m_result.report.matrices;
        fillCosts(m_inputs, costs);
        m_result.report.cost = costs.report.cost;
        m_result.report.baselineCost = costs.report.baselineCost;
        m_result.report.achievedKeep = costs.report.achievedKeep;
    }

    void finish(const PartStore& store, const RunContext& context)
    {
        std::vector<std::string> names;
        for (const auto& [matrix, rank] : m_work)
            names.push_back(matrix->name);
        const auto file = std::filesystem::absolute(m_options.out / "factors.safetensors");
        store.assemble(names, file, context);
        plan::Plan& plan = m_result.plan;
        plan.modelPath = std::filesystem::absolute(m_inputs.checkpoint->path()).string();
        plan.modelSha256 = m_model;
        plan.calibrationPath = std::filesystem::absolute(m_inputs.calibration->path()).string();
        plan.calibrationSha256 = m_calibration;
        plan.factorsPath = file.string();
        plan.factorsSha256 = sha256OfFiles({file}, RunContext(context.stopToken()));
        plan.method = kMethod;
        plan.parameters = m_result.report.parameters;
        plan.budget = m_options.budget;
        for (std::size_t i = 0; i < m_work.size(); ++i) {
            const auto& [matrix, rank] = m_work[i];
            const auto& measured = m_result.report.matrices[i];
            plan::PlannedOperator planned{.tensor = matrix->tensor, .name = matrix->name, .layout = measured.layout, .rank = rank, .rows = matrix->rows, .cols = matrix->cols};
            planned.predictedLoss = measured.loss;
            planned.predictedRelativeLoss = measured.energy > 0 ? measured.relativeLoss() : 0.0;
            plan.predictedLoss += measured.loss;
            plan.operators.push_back(std::move(planned));
        }
        plan.predictedRelativeLoss = m_result.report.relativeLoss();
        plan.cost = m_result.report.cost;
        plan.baseline = m_result.report.baselineCost;
        plan::writePlan(m_options.out / "plan.json", plan);
    }

    const Inputs& m_inputs;
    const ShardRunOptions& m_options;
    const ShardFinished& m_finished;
    std::string m_model, m_calibration;
    std::vector<std::pair<const io::MatrixRef*, std::int64_t>> m_work;
    ShardRunReport m_result;
};
} // namespace

ShardRunReport compressShards(const Inputs& inputs, const ShardRunOptions& options, const RunContext& context, const ShardFinished& finished)
{
    return ShardRun(inputs, options, finished).run(context);
}

} // namespace tamis::lowrank
