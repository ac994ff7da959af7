// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/stored_export.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tamis::plan {
namespace {
using tensor::DType;
using tensor::Matrix;

/// B A, the sum of low-rank products that an operator is; rows of a dense part are zero in it.
struct Pair {
    Matrix<double> b, a;
};

Matrix<double> asMatrix(const nn::NamedTensor& tensor)
{
    Matrix<double> m(tensor.shape.at(0), tensor.shape.at(1));
    std::ranges::copy(tensor.values, m.values().begin());
    return m;
}

Pair pairOf(const nn::LinearOp& op, const std::string& name)
{
    if (op.kind() == "dense")
        return {Matrix<double>(op.outFeatures(), 0), Matrix<double>(0, op.inFeatures())};
    if (op.kind() == "factors" || op.kind() == "block-identity") {
        const auto tensors = op.tensors("");
        Pair pair{asMatrix(tensors[1]), asMatrix(tensors[0])};
        if (op.kind() == "block-identity")
            pair.a = expandedA(pair.a, tensors[2].indices);
        return pair;
    }
    if (op.kind() != "stacked")
        throw Error(ErrorCode::UnsupportedFeature, "is '" + std::string(op.kind()) + "', which no low-rank adapter expresses; expected factors or block-identity", name);
    std::vector<Pair> parts;
    std::int64_t rank = 0;
    for (const auto& part : op.parts()) {
        parts.push_back(pairOf(*part, name));
        rank += parts.back().a.rows();
    }
    Pair all{Matrix<double>(op.outFeatures(), rank), Matrix<double>(rank, op.inFeatures())};
    std::int64_t row = 0, column = 0;
    for (const Pair& part : parts) {
        for (std::int64_t i = 0; i < part.b.rows(); ++i)
            std::ranges::copy(part.b.view().row(i), &all.b(row + i, 0) + column);
        std::ranges::copy(part.a.values(), all.a.values().begin() + column * op.inFeatures());
        row += part.b.rows();
        column += part.a.rows();
    }
    return all;
}

std::vector<std::byte> encoded(DType type, std::span<const float> values)
{
    std::vector<std::byte> bytes(values.size() * tensor::dtypeSize(type));
    tensor::encode(type, values, bytes);
    return bytes;
}

/// The stored bytes of a tensor: indices and what is packed as they are, values rounded to `type`.
std::vector<std::byte> bytesOf(const nn::NamedTensor& tensor, DType type)
{
    if (!tensor.bytes.empty())
        return tensor.bytes;
    if (tensor.indices.empty())
        return encoded(type, tensor.values);
    const auto bytes = std::as_bytes(std::span(tensor.indices));
    return {bytes.begin(), bytes.end()};
}

OutputTensor spooled(Spool& spool, std::string name, DType type, std::vector<std::int64_t> shape, std::span<const std::byte> bytes)
{
    OutputTensor tensor;
    tensor.declaration = {std::move(name), type, std::move(shape)};
    tensor.range = spool.append(bytes);
    return tensor;
}

/// [out, in] in the tensor's own orientation.
std::vector<float> oriented(const Replacement& replacement, const Matrix<float>& w)
{
    if (!replacement.matrix->transposed)
        return {w.values().begin(), w.values().end()};
    std::vector<float> values;
    values.reserve(w.size());
    for (std::int64_t j = 0; j < w.cols(); ++j)
        for (std::int64_t i = 0; i < w.rows(); ++i)
            values.push_back(w(i, j));
    return values;
}

Matrix<float> rounded(const Matrix<double>& exact)
{
    Matrix<float> values(exact.rows(), exact.cols());
    for (std::size_t i = 0; i < exact.size(); ++i)
        values.values()[i] = static_cast<float>(exact.values()[i]);
    return values;
}

OutputTensor inPlace(Spool& spool, const Replacement& replacement, const Matrix<float>& w)
{
    return spooled(spool, replacement.entry->name, replacement.entry->dtype, replacement.entry->shape, encoded(replacement.entry->dtype, oriented(replacement, w)));
}

Matrix<float> residual(const Replacement& replacement, const Pair& pair, const io::Checkpoint& checkpoint, const RunContext& context)
{
    auto base = checkpoint.readMatrixDouble(*replacement.matrix);
    if (pair.a.rows() > 0)
        linalg::gemm(linalg::Op::None, linalg::Op::None, -1.0, pair.b.view(), pair.a.view(), 1.0, base.view(), context);
    return rounded(base);
}

[[noreturn]] void refuse(const Replacement& replacement, const std::string& message)
{
    throw Error(ErrorCode::IoFailure, message, replacement.matrix->tensor);
}

std::vector<std::byte> stored(const io::Checkpoint& file, const std::string& name, const Replacement& replacement)
{
    const auto* entry = file.find(name);
    if (!entry)
        refuse(replacement, "is missing in " + file.path().filename().string() + " as " + name + ", which was just written");
    return file.readBytes(*entry);
}

double lossOf(const Matrix<double>& d, const Matrix<double>& gram, const RunContext& context)
{
    if (gram.empty())
        return linalg::squaredNorm(d.view());
    const auto dc = linalg::product(d.view(), gram.view(), context);
    double sum = 0;
    for (std::size_t i = 0; i < d.size(); ++i)
        sum += dc.values()[i] * d.values()[i];
    return std::max(sum, 0.0);
}

double lossOf(const Matrix<double>& w, const Matrix<float>& now, const Matrix<double>& gram, const RunContext& context)
{
    Matrix<double> d(w.rows(), w.cols());
    for (std::size_t i = 0; i < d.size(); ++i)
        d.values()[i] = w.values()[i] - static_cast<double>(now.values()[i]);
    return lossOf(d, gram, context);
}

/// What is read back from the files for one operator.
class StoredVerifier {
public:
    StoredVerifier(const Replacement& replacement, const nn::LinearOp& op, const spectrum::Inputs& inputs, DType type, const RunContext& context)
        : m_replacement(replacement), m_op(op), m_type(type), m_context(context), m_original(inputs.checkpoint->readMatrixDouble(*replacement.matrix))
    {
        if (inputs.calibration && inputs.calibration->features(replacement.matrix->name))
            m_gram = inputs.calibration->read(replacement.matrix->name).gram;
        const double own = lossOf(m_original, op.dense(), m_gram, context);
        m_result.tensor = replacement.matrix->tensor;
        m_result.predictedLoss = m_gram.empty() || replacement.planned->predictedLoss == 0 ? own : replacement.planned->predictedLoss;
        m_result.measuredLoss = own;
        const double energy = lossOf(m_original, m_gram, context);
        if (std::abs(own - m_result.predictedLoss) > 1e-4 * m_result.predictedLoss + 1e-9 * energy)
            refuse(replacement, "loses " + std::to_string(own) + " as the factor file holds it, expected the plan's " + std::to_string(m_result.predictedLoss));
    }
    void factors(const io::Checkpoint& file)
    {
        for (const nn::NamedTensor& tensor : m_op.tensors(m_replacement.matrix->name))
            if (stored(file, tensor.name, m_replacement) != bytesOf(tensor, m_type))
                refuse(m_replacement, "the factors read back are not those that were written, in " + tensor.name);
    }
    void dense(const io::Checkpoint& file)
    {
        if (stored(file, m_replacement.entry->name, m_replacement) != encoded(m_replacement.entry->dtype, oriented(m_replacement, m_op.dense())))
            refuse(m_replacement, "the dense weights read back are not those that were written");
        const auto matrix = std::ranges::find(file.layout().matrices, m_replacement.matrix->name, &io::MatrixRef::name);
        if (matrix != file.layout().matrices.end())
            m_result.denseLoss = lossOf(m_original, rounded(file.readMatrixDouble(*matrix)), m_gram, m_context);
    }
    void lora(const io::Checkpoint& baseFile, const io::Checkpoint& adapterFile)
    {
        const auto matrix = std::ranges::find(baseFile.layout().matrices, m_replacement.matrix->name, &io::MatrixRef::name);
        auto sum = baseFile.readMatrixDouble(*matrix);
        const double bound = roundingBound(sum);
        const auto read = [&](char which) {
            const auto* entry = adapterFile.find(adapterName(m_replacement.matrix->name, which));
            if (!entry)
                refuse(m_replacement, "its adapter is missing, which was just written");
            const auto values = adapterFile.readFloats(*entry);
            Matrix<double> m(entry->shape.at(0), entry->shape.at(0) > 0 ? static_cast<std::int64_t>(values.size()) / entry->shape[0] : 0);
            std::ranges::copy(values, m.values().begin());
            return m;
        };
        linalg::gemm(linalg::Op::None, linalg::Op::None, 1.0, read('B').view(), read('A').view(), 1.0, sum.view(), m_context);
        for (std::size_t i = 0; i < sum.size(); ++i)
            sum.values()[i] -= m_original.values()[i];
        const double difference = std::sqrt(linalg::squaredNorm(sum.view())), norm = std::sqrt(linalg::squaredNorm(m_original.view()));
        m_result.loraDifference = norm > 0 ? difference / norm : difference;
        if (!(difference <= bound + 1e-6 * norm)) // one rounding of the base through float32 and to its own type
            refuse(m_replacement, "base and adapter do not add up to the weights");
    }
    VerifiedMatrix finished()
    {
        if (m_result.predictedLoss > 0)
            m_result.relativeDifference = std::abs(m_result.measuredLoss - m_result.predictedLoss) / m_result.predictedLoss;
        m_result.withinTolerance = true; // the members have thrown otherwise
        return m_result;
    }

private:
    double roundingBound(const Matrix<double>& base) const
    {
        double sum = 0;
        for (const double x : base.values())
            sum += std::pow(roundingError(m_replacement.entry->dtype, x), 2);
        return 1.01 * std::sqrt(sum);
    }
    const Replacement& m_replacement;
    const nn::LinearOp& m_op;
    DType m_type;
    const RunContext& m_context;
    Matrix<double> m_original, m_gram;
    VerifiedMatrix m_result;
};
} // namespace

OperatorContent storedContent(Replacement& replacement, const nn::LinearOp& op, const io::Checkpoint& checkpoint, const ExportOptions& options, Spool& spool,
                              const RunContext& context)
{
    const std::string& name = replacement.matrix->name;
    OperatorContent content;
    content.replacesBias = true;
    if (options.factors)
        for (const nn::NamedTensor& tensor : op.tensors(name)) {
            const DType type = tensor.values.empty() ? tensor.storedType() : options.factorDType;
            content.factors.push_back(spooled(spool, tensor.name, type, tensor.shape, bytesOf(tensor, type)));
        }
    if (!op.bias().empty()) {
        const auto* entry = checkpoint.find(name + ".bias");
        const DType type = entry ? entry->dtype : replacement.entry->dtype;
        content.bias = spooled(spool, name + ".bias", type, {static_cast<std::int64_t>(op.bias().size())}, encoded(type, op.bias()));
    }
    if (options.dense)
        content.dense = inPlace(spool, replacement, op.dense());
    if (options.lora) {
        Pair pair = pairOf(op, name);
        replacement.adapterRank = pair.a.rows();
        const auto type = options.factorDType;
        const auto add = [&](char which, Matrix<double>& factor) {
            const auto bytes = encoded(type, rounded(factor).values());
            content.adapter.push_back(spooled(spool, adapterName(name, which), type, {factor.rows(), factor.cols()}, bytes));
            tensor::decode(type, bytes, factor.values()); // the residual is of the factors as stored
        };
        add('A', pair.a);
        add('B', pair.b);
        content.base = inPlace(spool, replacement, residual(replacement, pair, checkpoint, context));
    }
    return content;
}

std::vector<VerifiedMatrix> verifyStored(const std::vector<Replacement>& replacements, const StoredOperators& operators, const spectrum::Inputs& inputs,
                                         const WrittenFiles& files, tensor::DType factorDType, const RunContext& context)
{
    std::vector<VerifiedMatrix> verified;
    for (const Replacement& replacement : replacements) {
        context.throwIfStopped();
        StoredVerifier verifier(replacement, *operators.at(replacement.matrix->name), inputs, factorDType, context);
        if (files.factors)
            verifier.factors(*files.factors);
        if (files.dense)
            verifier.dense(*files.dense);
        if (files.base && files.adapter)
            verifier.lora(*files.base, *files.adapter);
        verified.push_back(verifier.finished());
        context.setFraction(static_cast<double>(verified.size()) / static_cast<double>(replacements.size()));
    }
    return verified;
}

} // namespace tamis::plan
