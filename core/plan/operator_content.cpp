// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/operator_content.h"

#include "core/base/error.h"
#include "core/linalg/block_identity.h"
#include "core/linalg/gemm.h"
#include "core/tensor/transpose.h"

#include <algorithm>
#include <cmath>

namespace tamis::plan {
namespace {
using tensor::DType;
using tensor::Matrix;

std::vector<std::byte> encoded(DType type, std::span<const double> values)
{
    std::vector<std::byte> bytes(values.size() * tensor::dtypeSize(type));
    tensor::encode(type, values, bytes);
    return bytes;
}

Matrix<double> roundedTo(DType type, const Matrix<double>& exact)
{
    Matrix<double> rounded(exact.rows(), exact.cols());
    tensor::decode(type, encoded(type, exact.values()), rounded.values());
    return rounded;
}

OutputTensor spooled(Spool& spool, std::string name, DType type, std::vector<std::int64_t> shape, std::span<const double> values)
{
    OutputTensor tensor;
    tensor.declaration = {std::move(name), type, std::move(shape)};
    tensor.range = spool.append(encoded(type, values));
    return tensor;
}

// `matrix` [out, in] under the tensor's own name, shape and dtype.
OutputTensor inPlace(Spool& spool, const Replacement& replacement, const Matrix<double>& matrix)
{
    const auto& entry = *replacement.entry;
    return spooled(spool, entry.name, entry.dtype, entry.shape,
                   replacement.matrix->transposed ? transposed(matrix).values() : matrix.values());
}

void addFactors(OperatorContent& content, const Replacement& replacement, const spectrum::Factors& factors, DType type,
                Spool& spool, const RunContext& context)
{
    const std::string& name = replacement.matrix->name;
    if (replacement.planned->layout == accountingName(Accounting::Factors)) {
        content.factors.push_back(spooled(spool, factorName(name, "a"), type, {factors.a.rows(), factors.a.cols()}, factors.a.values()));
        content.factors.push_back(spooled(spool, factorName(name, "b"), type, {factors.b.rows(), factors.b.cols()}, factors.b.values()));
        return;
    }
    const auto block = linalg::toBlockIdentity(factors.b, factors.a, context);
    content.factors.push_back(spooled(spool, factorName(name, "a"), type, {block.coefficients.rows(), block.coefficients.cols()},
                                      block.coefficients.values()));
    content.factors.push_back(spooled(spool, factorName(name, "b"), type, {block.b.rows(), block.b.cols()}, block.b.values()));
    OutputTensor permutation;
    permutation.declaration = {factorName(name, "perm"), DType::I64, {static_cast<std::int64_t>(block.permutation.size())}};
    permutation.range = spool.append(std::as_bytes(std::span(block.permutation)));
    content.factors.push_back(std::move(permutation));
}

// A convolution's adapter keeps the kernel's shape: A is a convolution to r channels, B one of 1 x 1.
void addAdapter(OperatorContent& content, const Replacement& replacement, const Matrix<double>& a, const Matrix<double>& b,
                DType type, Spool& spool)
{
    std::vector<std::int64_t> shapeA{a.rows(), a.cols()}, shapeB{b.rows(), b.cols()};
    if (const auto& shape = replacement.entry->shape; shape.size() > 2) {
        shapeA = shape;
        shapeA[0] = a.rows();
        shapeB.resize(shape.size(), 1);
    }
    const std::string& name = replacement.matrix->name;
    content.adapter.push_back(spooled(spool, adapterName(name, 'A'), type, std::move(shapeA), a.values()));
    content.adapter.push_back(spooled(spool, adapterName(name, 'B'), type, std::move(shapeB), b.values()));
}

} // namespace

std::string factorName(const std::string& matrix, const char* which)
{
    return matrix + ".lowrank_" + which;
}

std::string adapterName(const std::string& matrix, char which)
{
    return "base_model.model." + matrix + ".lora_" + which + ".weight";
}

std::vector<Replacement> replacements(const Plan& plan, const io::Checkpoint& checkpoint)
{
    std::vector<Replacement> all;
    for (const auto& op : plan.operators) {
        if (op.layout == "dense")
            continue;
        if (op.layout == accountingName(Accounting::Remapped) && plan.factorsPath.empty())
            throw Error(ErrorCode::UnsupportedFeature,
                        "has the layout 'remapped', which is an accounting of 8-bit storage that no file format holds; expected "
                        "factors or block-identity",
                        op.name);
        const auto& matrices = checkpoint.layout().matrices;
        const auto matrix = std::ranges::find(matrices, op.name, &io::MatrixRef::name);
        if (matrix == matrices.end())
            throw Error(ErrorCode::InvalidParameter, "is in the plan, but the checkpoint has no matrix of that name", op.name);
        if (matrix->rows != op.rows || matrix->cols != op.cols)
            throw Error(ErrorCode::InvalidParameter,
                        "found " + std::to_string(matrix->rows) + " x " + std::to_string(matrix->cols) +
                            " in the checkpoint, expected the plan's " + std::to_string(op.rows) + " x " + std::to_string(op.cols),
                        op.name);
        const io::TensorEntry* entry = checkpoint.find(matrix->tensor);
        if (!entry || !tensor::isFloating(entry->dtype))
            throw Error(ErrorCode::UnsupportedFeature,
                        "found weights of type " + std::string(entry ? tensor::dtypeName(entry->dtype) : "unknown") +
                            ", expected floating point",
                        op.name);
        all.push_back({&op, &*matrix, entry});
    }
    return all;
}

OperatorContent computeContent(const Replacement& replacement, const spectrum::Method& method, const spectrum::Inputs& inputs,
                               const Parameters& parameters, const ExportOptions& options, Spool& spool,
                               const RunContext& context)
{
    const auto& name = replacement.matrix->name;
    const auto factors = method.factors(inputs, name, replacement.planned->rank, parameters, context);
    OperatorContent content;
    if (options.factors)
        addFactors(content, replacement, factors, options.factorDType, spool, context);
    if (options.dense)
        content.dense = inPlace(spool, replacement, linalg::product(factors.b.view(), factors.a.view(), context));
    if (options.lora) {
        // The residual is of the factors as stored, so that base and adapter add up to W but for one rounding of the base.
        const auto a = roundedTo(options.factorDType, factors.a), b = roundedTo(options.factorDType, factors.b);
        auto base = inputs.checkpoint->readMatrixDouble(*replacement.matrix);
        linalg::gemm(linalg::Op::None, linalg::Op::None, -1.0, b.view(), a.view(), 1.0, base.view(), context);
        content.base = inPlace(spool, replacement, base);
        addAdapter(content, replacement, a, b, options.factorDType, spool);
    }
    return content;
}

Matrix<double> expandedA(const Matrix<double>& coefficients, const std::vector<std::int64_t>& permutation)
{
    const std::int64_t r = coefficients.rows(), n = static_cast<std::int64_t>(permutation.size());
    if (n != r + coefficients.cols())
        throw Error(ErrorCode::MalformedFile, "found a permutation of " + std::to_string(n) + " inputs, expected " +
                                                  std::to_string(r + coefficients.cols()));
    Matrix<double> a(r, n);
    std::vector<bool> seen(permutation.size(), false);
    for (std::int64_t j = 0; j < n; ++j) {
        const std::int64_t input = permutation[static_cast<std::size_t>(j)];
        if (input < 0 || input >= n || seen[static_cast<std::size_t>(input)])
            throw Error(ErrorCode::MalformedFile, "the stored permutation is none: input " + std::to_string(input) +
                                                      " is out of range or there twice");
        seen[static_cast<std::size_t>(input)] = true;
        for (std::int64_t i = 0; i < r; ++i)
            a(i, input) = j < r ? (i == j ? 1.0 : 0.0) : coefficients(i, j - r);
    }
    return a;
}

double roundingError(DType type, double x) noexcept
{
    // Half an ulp relative, and half the spacing of the subnormals.
    switch (type) {
    case DType::F32: return std::max(0x1p-24 * std::abs(x), 0x1p-150);
    case DType::F16: return std::max(0x1p-11 * std::abs(x), 0x1p-25);
    case DType::BF16: return std::max(0x1p-8 * std::abs(x), 0x1p-134);
    default: return 0x1p-53 * std::abs(x);
    }
}

} // namespace tamis::plan
