// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/export.h"

#include "core/base/error.h"
#include "core/plan/apply_plan.h"
#include "core/plan/operator_content.h"
#include "core/plan/plan_inputs.h"
#include "core/plan/python_module.h"
#include "core/plan/recipe.h"
#include "core/plan/staging_directory.h"
#include "core/plan/stored_export.h"
#include "core/plan/tensor_output.h"
#include "core/plan/verify_export.h"

#include <algorithm>
#include <map>
#include <set>

namespace tamis::plan {
namespace {

/// Null for a plan with a factor file.
const spectrum::Method* checkedMethod(const Plan& plan, const ExportOptions& options)
{
    if (!options.factors && !options.dense && !options.lora)
        throw Error(ErrorCode::InvalidParameter, "nothing was asked for; expected factors, dense or lora", "export");
    const auto type = options.factorDType;
    if (type != tensor::DType::F32 && type != tensor::DType::F16 && type != tensor::DType::BF16)
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::string(tensor::dtypeName(type)) + ", expected F32, F16 or BF16", "factorDType");
    if (options.maxShardBytes == 0)
        throw Error(ErrorCode::InvalidParameter, "expected at least 1 byte", "maxShardBytes");
    return plan.factorsPath.empty() ? &methodOf(plan) : nullptr;
}

OutputTensor unchanged(const io::TensorEntry& entry)
{
    OutputTensor tensor;
    tensor.declaration = {entry.name, entry.dtype, entry.shape};
    tensor.source = &entry;
    return tensor;
}

class Exporter {
public:
    Exporter(const Plan& plan, const spectrum::Inputs& inputs, const std::filesystem::path& directory, const ExportOptions& options)
        : m_plan(plan), m_inputs(inputs), m_options(options), m_checkpoint(*inputs.checkpoint),
          m_method(checkedMethod(plan, options)), m_replacements(replacements(plan, m_checkpoint)), m_staging(directory)
    {
    }

    ExportResult run(const RunContext& context)
    {
        if (m_options.lora && m_replacements.empty())
            throw Error(ErrorCode::InvalidParameter, "the plan replaces no operator, so there is no adapter to write", "lora");
        try {
            return runStaged(context);
        } catch (const Error& error) { // the staging directory is nobody's business and gone by then
            std::string subject = error.subject();
            const std::string staging = m_staging.path().string();
            if (staging.empty() || subject.compare(0, staging.size(), staging) != 0)
                throw;
            throw Error(error.code(), error.message(), m_staging.target().string() + subject.substr(staging.size()), error.offset());
        }
    }

private:
    ExportResult runStaged(const RunContext& context)
    {
        context.setParts(10);
        openInputs(context.part(1, "checking the inputs"));
        {
            Spool spool(m_staging.path());
            compute(spool, context.part(4, "computing the factors"));
            write(spool, context.part(2, "writing"));
        }
        WrittenFiles files;
        const auto reopen = [&](const std::vector<std::filesystem::path>& written) {
            return written.empty() ? nullptr : io::Checkpoint::open(outputEntryPoint(written), context);
        };
        files.factors = reopen(m_factorFiles);
        files.dense = reopen(m_denseFiles);
        files.base = reopen(m_baseFiles);
        files.adapter = reopen(m_adapterFiles);
        ExportResult result;
        const RunContext verifying = context.part(3, "verifying");
        result.verified = m_method ? verifyExport(m_replacements, *m_method, m_inputs, files, verifying)
                                   : verifyStored(m_replacements, m_stored, m_inputs, files, m_options.factorDType, verifying);
        result.cost = costAsWritten(files);
        finish(result, context);
        return result;
    }

    void openInputs(const RunContext& context)
    {
        if (m_method) {
            requireInputs(m_plan, *m_method, m_inputs, context);
            return;
        }
        requireModel(m_plan, m_checkpoint, context);
        if (m_inputs.calibration)
            requireCalibration(m_plan, *m_inputs.calibration, context);
        for (StoredOperator& stored : readStoredOperators(m_plan, context))
            m_stored.emplace(std::move(stored.name), std::move(stored.op));
    }

    OperatorContent contentOf(Replacement& replacement, Spool& spool, const RunContext& context)
    {
        if (!m_method)
            return storedContent(replacement, *m_stored.at(replacement.matrix->name), m_checkpoint, m_options, spool, context);
        return computeContent(replacement, *m_method, m_inputs, m_plan.parameters, m_options, spool, context);
    }

    void compute(Spool& spool, const RunContext& context)
    {
        std::map<std::string, OperatorContent> contents; // by tensor
        std::set<std::string> biases;                    // of the checkpoint, that operators bring along
        for (std::size_t i = 0; i < m_replacements.size(); ++i) {
            context.throwIfStopped();
            context.setFraction(static_cast<double>(i) / static_cast<double>(m_replacements.size()));
            contents.emplace(m_replacements[i].entry->name, contentOf(m_replacements[i], spool, context));
            if (contents.at(m_replacements[i].entry->name).replacesBias)
                biases.insert(m_replacements[i].matrix->name + ".bias");
        }
        for (const auto& entry : m_checkpoint.tensors()) {
            if (biases.contains(entry.name))
                continue;
            const auto found = contents.find(entry.name);
            if (found == contents.end()) {
                for (auto* tensors : {&m_factors, &m_dense, &m_base})
                    tensors->push_back(unchanged(entry));
                continue;
            }
            auto& content = found->second;
            std::ranges::move(content.factors, std::back_inserter(m_factors));
            std::ranges::move(content.adapter, std::back_inserter(m_adapter));
            if (content.dense)
                m_dense.push_back(std::move(*content.dense));
            if (content.base)
                m_base.push_back(std::move(*content.base));
            if (content.bias)
                for (auto* tensors : {&m_dense, &m_base})
                    tensors->push_back(*content.bias);
        }
    }

    std::vector<std::filesystem::path> writeFile(const char* subdirectory, const char* stem, const std::vector<OutputTensor>& tensors,
                                                 Spool& spool, std::uint64_t limit, const RunContext& context)
    {
        auto files = writeTensors(m_staging.path() / subdirectory, stem, tensors, m_checkpoint, spool, limit, context.part(1, stem));
        m_files.insert(m_files.end(), files.begin(), files.end());
        return files;
    }
    void writeText(const std::filesystem::path& relative, const std::string& text)
    {
        writeFileAtomically(m_staging.path() / relative, text);
        m_files.push_back(m_staging.path() / relative);
    }

    void write(Spool& spool, const RunContext& context)
    {
        const std::uint64_t limit = m_options.maxShardBytes, unlimited = ~std::uint64_t{0};
        const std::string& config = m_checkpoint.config().rawJson;
        const bool hasConfig = config != "{}";
        if (m_options.dense)
            m_denseFiles = writeFile("", "model", m_dense, spool, limit, context);
        if (m_options.factors)
            m_factorFiles = writeFile("", "factors", m_factors, spool, limit, context);
        if (hasConfig)
            writeText("config.json", config);
        if (hasConfig && m_options.factors)
            writeText("tamis_model.py", std::string(pythonModule()));
        if (!m_options.lora)
            return;
        m_staging.makeSubdirectory("lora/base");
        m_baseFiles = writeFile("lora/base", "model", m_base, spool, limit, context);
        m_adapterFiles = writeFile("lora", "adapter_model", m_adapter, spool, unlimited, context);
        if (hasConfig)
            writeText("lora/base/config.json", config);
        writeText("lora/adapter_config.json", adapterConfigJson(m_replacements));
    }

    report::Cost costAsWritten(const WrittenFiles& files) const
    {
        report::Cost cost = m_plan.cost;
        cost.latencyMs = std::numeric_limits<double>::quiet_NaN();
        const io::Checkpoint* file = files.factors ? files.factors.get() : files.dense ? files.dense.get() : files.base.get();
        cost.parameters = file->parameters();
        cost.bytes = file->bytes();
        if (!files.factors)
            cost.macs = m_plan.baseline.macs;
        if (files.factors)
            for (const auto& entry : file->tensors()) // indices are bytes, not parameters
                if (entry.name.ends_with("_perm") && entry.dtype == tensor::DType::I64)
                    cost.parameters -= entry.elements();
        return cost;
    }

    void finish(ExportResult& result, const RunContext& context)
    {
        std::vector<std::string> names;
        for (const auto& file : m_files)
            names.push_back(file.lexically_relative(m_staging.path()).generic_string());
        if (!m_plan.attention.empty() || m_plan.tokens || m_plan.cache || m_plan.reuse) { // no file of weights holds them
            writePlan(m_staging.path() / kPlanFile, m_plan);
            names.push_back(kPlanFile);
        }
        names.push_back("recipe.json");
        writeText("recipe.json", recipeJson(m_plan, m_options, result, names));
        context.throwIfStopped(); // the last chance: from here on the export exists
        m_staging.publish();
        for (const auto& name : names)
            result.files.push_back(m_staging.target() / name);
        context.finish();
    }

    static constexpr const char* kPlanFile = "plan.json";
    const Plan& m_plan;
    const spectrum::Inputs& m_inputs;
    const ExportOptions& m_options;
    const io::Checkpoint& m_checkpoint;
    const spectrum::Method* m_method; ///< null: m_stored
    StoredOperators m_stored;
    std::vector<Replacement> m_replacements;
    StagingDirectory m_staging;
    std::vector<OutputTensor> m_factors, m_dense, m_base, m_adapter;
    std::vector<std::filesystem::path> m_factorFiles, m_denseFiles, m_baseFiles, m_adapterFiles, m_files;
};

} // namespace

ExportResult exportPlan(const Plan& plan, std::shared_ptr<const io::Checkpoint> checkpoint,
                        std::shared_ptr<const io::CalibrationSet> calibration, const std::filesystem::path& directory,
                        const ExportOptions& options, const RunContext& context)
{
    const spectrum::Inputs inputs{std::move(checkpoint), std::move(calibration), {}};
    return Exporter(plan, inputs, directory, options).run(context);
}

} // namespace tamis::plan
