// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A plan for a checkpoint, and plain ways to look at what an export left.
#include "core/base/error.h"
#include "core/plan/allocate.h"
#include "core/plan/export.h"
#include "core/plan/model_cost.h"
#include "core/plan/plan.h"
#include "core/spectrum/method.h"

#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>

#include <map>
#include <optional>

namespace tamis::plan::fixture {

struct Prepared {
    spectrum::Inputs inputs;
    report::SpectrumReport spectra;
    Plan plan;
};

inline Prepared prepare(const std::string& modelPath, const std::string& calibrationPath, const char* methodId, BudgetRequest request)
{
    Prepared prepared;
    prepared.inputs.checkpoint = io::Checkpoint::open(modelPath);
    if (!calibrationPath.empty())
        prepared.inputs.calibration = io::CalibrationSet::open(calibrationPath);
    static std::map<std::string, report::SpectrumReport> known; // spectra of one model and method, once a test program
    const auto* method = spectrum::findMethod(methodId);
    auto& spectra = known[modelPath + methodId];
    if (spectra.matrices.empty())
        spectra = method->run(prepared.inputs, method->declaration.schema.defaults(), {});
    prepared.spectra = spectra;
    const auto budget = allocate(prepared.spectra, modelCost(*prepared.inputs.checkpoint), request);
    prepared.plan = makePlan(prepared.inputs, prepared.spectra, budget, request);
    return prepared;
}

inline Prepared vit20(const char* methodId, double keep, Accounting accounting, Allocation allocation = Allocation::Greedy)
{
    const std::string folder = TAMIS_SOURCE_DIR "/datasets/vit20";
    const bool calibrated = std::string_view(methodId) == "spectrum.whitened";
    return prepare(folder, calibrated ? folder + "/calibration.h5" : "", methodId, {keep, allocation, accounting, 1, {}});
}

inline ExportResult exported(const Prepared& prepared, const std::filesystem::path& directory, const ExportOptions& options,
                             const RunContext& context = {})
{
    return exportPlan(prepared.plan, prepared.inputs.checkpoint, prepared.inputs.calibration, directory, options, context);
}

/// Every file below, relative, sorted; hidden ones too.
inline QStringList filesBelow(const QString& directory)
{
    QStringList names;
    QDirIterator each(directory, QDir::Files | QDir::Hidden | QDir::System, QDirIterator::Subdirectories);
    while (each.hasNext())
        names << QDir(directory).relativeFilePath(each.next());
    names.sort();
    return names;
}

inline QStringList entriesOf(const QString& directory)
{
    return QDir(directory).entryList(QDir::AllEntries | QDir::Hidden | QDir::System | QDir::NoDotAndDotDot, QDir::Name);
}

inline QJsonObject json(const QString& file)
{
    QFile opened(file);
    return opened.open(QIODevice::ReadOnly) ? QJsonDocument::fromJson(opened.readAll()).object() : QJsonObject();
}

/// A tensor as doubles, read by its documented name.
inline tensor::Matrix<double> stored(const io::Checkpoint& file, const std::string& name)
{
    const auto* entry = file.find(name);
    if (!entry)
        return {};
    const auto values = file.readFloats(*entry);
    tensor::Matrix<double> matrix(entry->shape[0], static_cast<std::int64_t>(values.size()) / entry->shape[0]);
    std::copy(values.begin(), values.end(), matrix.data());
    return matrix;
}

/// y = W' x from the factor file, by the formulas of docs/formats-plan.md and nothing else.
inline std::vector<double> applied(const io::Checkpoint& factors, const std::string& name, const std::vector<double>& x)
{
    const auto a = stored(factors, name + ".lowrank_a"), b = stored(factors, name + ".lowrank_b");
    const std::int64_t r = b.cols();
    std::vector<double> latent(static_cast<std::size_t>(r)), y(static_cast<std::size_t>(b.rows()));
    if (const auto perm = stored(factors, name + ".lowrank_perm"); !perm.empty()) {
        const auto z = [&](std::int64_t j) { return x[static_cast<std::size_t>(perm.values()[static_cast<std::size_t>(j)])]; };
        for (std::int64_t i = 0; i < r; ++i) {
            latent[static_cast<std::size_t>(i)] = z(i);
            for (std::int64_t j = 0; j < a.cols(); ++j)
                latent[static_cast<std::size_t>(i)] += a(i, j) * z(r + j);
        }
    } else {
        for (std::int64_t i = 0; i < r; ++i)
            for (std::int64_t j = 0; j < a.cols(); ++j)
                latent[static_cast<std::size_t>(i)] += a(i, j) * x[static_cast<std::size_t>(j)];
    }
    for (std::int64_t i = 0; i < b.rows(); ++i)
        for (std::int64_t k = 0; k < r; ++k)
            y[static_cast<std::size_t>(i)] += b(i, k) * latent[static_cast<std::size_t>(k)];
    return y;
}

inline const io::MatrixRef& matrix(const io::Checkpoint& checkpoint, const std::string& name)
{
    for (const auto& ref : checkpoint.layout().matrices)
        if (ref.name == name)
            return ref;
    throw std::runtime_error("no matrix " + name);
}

/// The error's text, or nothing when `run` went through.
template <class Run> std::optional<Error> errorOf(Run run)
{
    try {
        run();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

} // namespace tamis::plan::fixture
