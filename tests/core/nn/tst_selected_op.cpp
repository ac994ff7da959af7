// SPDX-License-Identifier: GPL-3.0-or-later
// The selected block against the dense matrix it stands for, alone and as a part of a stacked operator.
#include "core/nn/linear_op.h"

#include "core/base/error.h"
#include "core/nn/tensor_binding.h"
#include "tests/core/kernels/reference.h"

#include <QTest>

#include <cmath>
#include <map>

using namespace tamis;
using namespace tamis::nn;
using kernels::reference::randomMatrix;
using tensor::Matrix;

namespace {
constexpr std::int64_t kOut = 20, kIn = 24;

class Saved final : public TensorSource {
public:
    explicit Saved(const std::vector<NamedTensor>& tensors)
    {
        for (const NamedTensor& t : tensors)
            m_tensors[t.name] = t;
    }
    bool has(std::string_view tensor) const override { return m_tensors.contains(std::string(tensor)); }
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>&) const override { return m_tensors.at(std::string(tensor)).shape; }
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>&) const override
    {
        const NamedTensor& t = m_tensors.at(std::string(tensor));
        return t.values.empty() ? std::vector<float>(t.indices.begin(), t.indices.end()) : t.values;
    }
    std::string subject() const override { return "memory"; }
    std::map<std::string, NamedTensor> m_tensors;
};

std::vector<float> bias(std::int64_t count)
{
    const auto m = randomMatrix(1, count, 9);
    return {m.values().begin(), m.values().end()};
}

/// Every third input, backwards; every other output.
std::vector<std::int64_t> columns() { return {21, 18, 15, 12, 9, 6, 3, 0}; }
std::vector<std::int64_t> rows()
{
    std::vector<std::int64_t> all(kOut);
    for (std::int64_t j = 0; j < kOut; j += 2)
        all[static_cast<std::size_t>(j)] = 10 - j / 2;
    return all;
}

LinearPtr make(const QString& kind)
{
    if (kind == "columns")
        return selectedOp(randomMatrix(kOut, 8, 1).view(), {}, columns(), kIn, bias(kOut));
    if (kind == "rows")
        return selectedOp(randomMatrix(10, kIn, 2).view(), rows(), {}, kIn, bias(kOut));
    return selectedOp(randomMatrix(10, 8, 3).view(), rows(), columns(), kIn, kind == "both" ? bias(kOut) : std::vector<float>{});
}
} // namespace

class TstSelectedOp : public QObject
{
    Q_OBJECT
private slots:
    void isItsDenseMatrix_data()
    {
        QTest::addColumn<QString>("kind");
        for (const char* kind : {"columns", "rows", "both", "no bias"})
            QTest::newRow(kind) << kind;
    }
    /// With every part of an epilogue; float sums of at most 24 terms: 1e-5.
    void isItsDenseMatrix()
    {
        QFETCH(QString, kind);
        const LinearPtr op = make(kind), dense = denseOp(op->dense().view(), op->bias());
        const Matrix<float> block = make(kind)->dense();
        std::int64_t nonZero = 0;
        for (const float w : block.values())
            nonZero += w != 0;
        QCOMPARE(op->cost().macsPerToken, std::uint64_t(nonZero));
        QCOMPARE(op->cost().parameters, std::uint64_t(nonZero) + op->bias().size());
        const Matrix<float> x = randomMatrix(5, kIn, 4), factor = randomMatrix(5, kOut, 5), base = randomMatrix(5, kOut, 6), scale = randomMatrix(1, kOut, 7);
        for (const bool full : {false, true}) {
            kernels::Epilogue epilogue;
            if (full)
                epilogue = {.activation = kernels::Activation::Gelu, .factor = factor.view(), .scale = scale.data(), .base = base.view()};
            Matrix<float> found(5, kOut), expected(5, kOut);
            Scratch scratch;
            op->apply(x.view(), epilogue, found.view(), scratch);
            dense->apply(x.view(), epilogue, expected.view(), scratch);
            for (std::size_t i = 0; i < found.size(); ++i)
                QVERIFY(std::abs(found.values()[i] - expected.values()[i]) < 1e-5f);
        }
    }

    void readsWhatItSaved_data() { isItsDenseMatrix_data(); }
    void readsWhatItSaved()
    {
        QFETCH(QString, kind);
        const LinearPtr op = make(kind);
        const Saved saved(op->tensors("a"));
        QVERIFY(hasOperator(saved, "a"));
        QCOMPARE(operatorOutputs(saved, "a", 0), kOut);
        const LinearPtr read = TensorBinding(saved, false).linear("a", io::Role::Other, -1, kOut, kIn).op;
        QCOMPARE(read->kind(), "selected");
        QCOMPARE(read->dense(), op->dense());
        QCOMPARE(read->bias(), op->bias());
        const LinearPtr stacked = stackedOp({op, op});
        const Saved parts(stacked->tensors("b"));
        QCOMPARE(TensorBinding(parts, false).linear("b", io::Role::Other, -1, 2 * kOut, kIn).op->dense(), stacked->dense());
    }

    void refusals()
    {
        const auto refusal = [](const std::function<void()>& body) -> QString {
            try {
                body();
            } catch (const Error& error) {
                return error.what();
            }
            return "accepted";
        };
        QCOMPARE(refusal([] { selectedOp(randomMatrix(3, 2, 1).view(), {}, {1, 1}, 5, {}); }), "a selection names input 1 twice or beyond its end");
        QCOMPARE(refusal([] { selectedOp(randomMatrix(3, 2, 1).view(), {}, {1, 5}, 5, {}); }), "a selection names input 5 twice or beyond its end");
        QCOMPARE(refusal([] { selectedOp(randomMatrix(3, 2, 1).view(), {0, 4}, {0, 1}, 5, {}); }), "a selection names row 4 twice or beyond its end");
        QCOMPARE(refusal([] { selectedOp(randomMatrix(3, 2, 1).view(), {}, {}, 5, {}); }), "5 selected inputs do not fit a weight of 2 columns");
        QCOMPARE(refusal([] { selectedOp(randomMatrix(3, 2, 1).view(), {}, {0, 1}, 5, {1}); }), "a bias of 1 numbers does not fit 3 outputs");
        Saved saved(make("both")->tensors("a"));
        saved.m_tensors["a.selected_columns"].indices[2] = 99;
        QVERIFY(refusal([&] { TensorBinding(saved, false).linear("a", io::Role::Other, -1, kOut, kIn); }).contains("selected_columns holds 99"));
        Saved narrow(make("columns")->tensors("a"));
        narrow.m_tensors.erase("a.selected_columns");
        QVERIFY(refusal([&] { TensorBinding(narrow, false).linear("a", io::Role::Other, -1, kOut, kIn); }).contains("expected a block of [20, 24]"));
    }
};

QTEST_GUILESS_MAIN(TstSelectedOp)
#include "tst_selected_op.moc"
