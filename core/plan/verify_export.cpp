// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/verify_export.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/linalg/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace tamis::plan {
namespace {
using tensor::DType;
using tensor::Matrix;

// Predicted losses come from eigenvalues in double: their absolute error is a small multiple of 2^-53 of the energy, and
// the ridge leaves a relative one through the conditioning of C.
constexpr double kRelative = 1e-4, kOfEnergy = 1e-11;
// Roundings are independent to good approximation and mean zero, so the noise energy is the sum of variances (error^2 / 3
// for errors uniform within half an ulp), in which thousands of terms average; four standard deviations' worth.
constexpr double kNoiseFactor = 16.0 / 3.0;

double square(double x)
{
    return x * x;
}

std::string number(double x)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", x);
    return text;
}

/// Squared norms in the metric of C, or of the identity when there is none.
class Metric {
public:
    Metric(const spectrum::Method& method, const spectrum::Inputs& inputs, const std::string& site)
    {
        if (method.needsCalibration)
            m_gram = inputs.calibration->read(site).gram;
    }
    /// tr(D C D^T)
    double operator()(const Matrix<double>& d, const RunContext& context) const
    {
        if (m_gram.empty())
            return linalg::squaredNorm(d.view());
        const auto dc = linalg::product(d.view(), m_gram.view(), context);
        double sum = 0;
        for (std::int64_t i = 0; i < d.rows(); ++i) {
            double row = 0;
            for (std::int64_t j = 0; j < d.cols(); ++j)
                row += dc(i, j) * d(i, j);
            sum += row;
        }
        return std::max(sum, 0.0);
    }
    double diagonal(std::int64_t j) const { return m_gram.empty() ? 1.0 : m_gram(j, j); }
    /// Expected squared norm of independent roundings of the elements of w into `type`, with margin.
    double rounding(const Matrix<double>& w, DType type) const
    {
        double sum = 0;
        for (std::int64_t i = 0; i < w.rows(); ++i)
            for (std::int64_t j = 0; j < w.cols(); ++j)
                sum += square(roundingError(type, w(i, j))) * diagonal(j);
        return kNoiseFactor * sum;
    }
    /// The same of the factors of B A: |dB A|^2 and |B dA|^2. The ones and zeros of a block identity are not stored;
    /// counting them only widens the bound.
    double rounding(const Matrix<double>& b, const Matrix<double>& a, DType type, const RunContext& context) const
    {
        const auto ac = m_gram.empty() ? a : linalg::product(a.view(), m_gram.view(), context);
        double sum = 0;
        for (std::int64_t k = 0; k < a.rows(); ++k) {
            double length = 0, ofA = 0, ofB = 0, column = 0;
            for (std::int64_t j = 0; j < a.cols(); ++j) {
                length += ac(k, j) * a(k, j);
                ofA += square(roundingError(type, a(k, j))) * diagonal(j);
            }
            for (std::int64_t i = 0; i < b.rows(); ++i) {
                ofB += square(roundingError(type, b(i, k)));
                column += square(b(i, k));
            }
            sum += ofB * std::max(length, 0.0) + column * ofA;
        }
        return kNoiseFactor * sum;
    }

private:
    Matrix<double> m_gram;
};

const io::TensorEntry& written(const io::Checkpoint& file, const std::string& name)
{
    if (const auto* entry = file.find(name))
        return *entry;
    throw Error(ErrorCode::IoFailure, "is missing in " + file.path().filename().string() + ", which was just written", name);
}

Matrix<double> readStored(const io::Checkpoint& file, const std::string& name)
{
    const auto& entry = written(file, name);
    const auto values = file.readFloats(entry);
    const std::int64_t rows = entry.shape.at(0);
    Matrix<double> matrix(rows, rows > 0 ? static_cast<std::int64_t>(values.size()) / rows : 0);
    std::ranges::copy(values, matrix.data());
    return matrix;
}

std::vector<std::int64_t> readPermutation(const io::Checkpoint& file, const std::string& name)
{
    const auto bytes = file.readBytes(written(file, name));
    std::vector<std::int64_t> permutation(bytes.size() / sizeof(std::int64_t));
    std::memcpy(permutation.data(), bytes.data(), permutation.size() * sizeof(std::int64_t));
    return permutation;
}

const io::MatrixRef& matrixOf(const io::Checkpoint& file, const std::string& name)
{
    const auto found = std::ranges::find(file.layout().matrices, name, &io::MatrixRef::name);
    if (found == file.layout().matrices.end())
        throw Error(ErrorCode::IoFailure, "is missing in " + file.path().filename().string() + ", which was just written", name);
    return *found;
}

class MatrixVerifier {
public:
    MatrixVerifier(const Replacement& replacement, const Metric& metric, Matrix<double> original, const RunContext& context)
        : m_replacement(replacement), m_metric(metric), m_original(std::move(original)), m_context(context)
    {
        m_result.tensor = replacement.matrix->tensor;
        m_result.predictedLoss = replacement.planned->predictedLoss;
        m_energy = metric(m_original, context);
    }

    void factors(const io::Checkpoint& file)
    {
        const auto& name = m_replacement.matrix->name;
        auto a = readStored(file, factorName(name, "a"));
        const auto b = readStored(file, factorName(name, "b"));
        if (m_replacement.planned->layout == accountingName(Accounting::BlockIdentity))
            a = expandedA(a, readPermutation(file, factorName(name, "perm")));
        const DType type = written(file, factorName(name, "b")).dtype;
        m_result.measuredLoss = lossOf(linalg::product(b.view(), a.view(), m_context));
        require("factors", m_result.measuredLoss, m_metric.rounding(b, a, type, m_context));
    }

    void dense(const io::Checkpoint& file)
    {
        const auto w = file.readMatrixDouble(matrixOf(file, m_replacement.matrix->name));
        m_result.denseLoss = lossOf(w);
        if (!m_measured)
            m_result.measuredLoss = m_result.denseLoss;
        require("dense", m_result.denseLoss, m_metric.rounding(w, m_replacement.entry->dtype));
    }

    void lora(const io::Checkpoint& baseFile, const io::Checkpoint& adapterFile)
    {
        const auto& name = m_replacement.matrix->name;
        const auto base = baseFile.readMatrixDouble(matrixOf(baseFile, name));
        const auto a = readStored(adapterFile, adapterName(name, 'A')), b = readStored(adapterFile, adapterName(name, 'B'));
        auto sum = linalg::product(b.view(), a.view(), m_context);
        if (!m_measured) {
            m_result.measuredLoss = lossOf(sum);
            const DType type = written(adapterFile, adapterName(name, 'B')).dtype;
            require("adapter", m_result.measuredLoss, m_metric.rounding(b, a, type, m_context));
        }
        for (std::size_t i = 0; i < sum.size(); ++i)
            sum.values()[i] += base.values()[i];
        double bound = 0;
        for (std::size_t i = 0; i < sum.size(); ++i) {
            sum.values()[i] -= m_original.values()[i];
            bound += square(roundingError(m_replacement.entry->dtype, base.values()[i]));
        }
        const double norm = std::sqrt(linalg::squaredNorm(m_original.view()));
        const double difference = std::sqrt(linalg::squaredNorm(sum.view()));
        m_result.loraDifference = norm > 0 ? difference / norm : difference;
        // Every element of the base is off by at most one rounding; the rest is double arithmetic.
        if (!(difference <= 1.01 * std::sqrt(bound) + 1e-12 * norm))
            refuse("base and adapter do not add up to the weights: they differ by " + number(m_result.loraDifference) +
                   " of their norm");
    }

    VerifiedMatrix finished()
    {
        if (m_result.predictedLoss > 0)
            m_result.relativeDifference = std::abs(m_result.measuredLoss - m_result.predictedLoss) / m_result.predictedLoss;
        m_result.withinTolerance = true; // require() has thrown otherwise
        return m_result;
    }

private:
    double lossOf(const Matrix<double>& replaced) const
    {
        if (replaced.rows() != m_original.rows() || replaced.cols() != m_original.cols())
            refuse("was written with another shape");
        Matrix<double> difference(m_original.rows(), m_original.cols());
        for (std::size_t i = 0; i < difference.size(); ++i)
            difference.values()[i] = m_original.values()[i] - replaced.values()[i];
        return m_metric(difference, m_context);
    }
    // measured = |D + E|^2 with |D|^2 the predicted loss and |E|^2 the noise: they differ by at most 2 |D| |E| + |E|^2.
    void require(const char* form, double measured, double noise)
    {
        m_measured = true;
        const double predicted = m_result.predictedLoss;
        const double tolerance = kRelative * predicted + kOfEnergy * m_energy + 2 * std::sqrt(predicted * noise) + noise;
        if (!(std::abs(measured - predicted) <= tolerance)) // also NaN
            refuse("the " + std::string(form) + " lose " + number(measured) + " when read back, expected the plan's " +
                   number(predicted) + " within " + number(tolerance));
    }
    [[noreturn]] void refuse(const std::string& message) const
    {
        throw Error(ErrorCode::IoFailure, message, m_replacement.matrix->tensor);
    }

    const Replacement& m_replacement;
    const Metric& m_metric;
    Matrix<double> m_original;
    const RunContext& m_context;
    VerifiedMatrix m_result;
    double m_energy = 0;
    bool m_measured = false; // measuredLoss is set
};

} // namespace

std::vector<VerifiedMatrix> verifyExport(const std::vector<Replacement>& replacements, const spectrum::Method& method,
                                         const spectrum::Inputs& inputs, const WrittenFiles& files, const RunContext& context)
{
    std::vector<VerifiedMatrix> verified;
    for (std::size_t i = 0; i < replacements.size(); ++i) {
        context.throwIfStopped();
        context.setFraction(static_cast<double>(i) / static_cast<double>(replacements.size()));
        const auto& matrix = *replacements[i].matrix;
        const auto m = static_cast<std::uint64_t>(matrix.rows), n = static_cast<std::uint64_t>(matrix.cols);
        requireMemory((5 * m * n + 2 * n * n) * sizeof(double), "verifying " + matrix.name);
        const Metric metric(method, inputs, matrix.name);
        MatrixVerifier verifier(replacements[i], metric, inputs.checkpoint->readMatrixDouble(matrix), context);
        if (files.factors)
            verifier.factors(*files.factors);
        if (files.dense)
            verifier.dense(*files.dense);
        if (files.base && files.adapter)
            verifier.lora(*files.base, *files.adapter);
        verified.push_back(verifier.finished());
    }
    return verified;
}

} // namespace tamis::plan
