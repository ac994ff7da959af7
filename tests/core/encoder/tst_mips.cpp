// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/exact.h"
#include "core/encoder/graph_index.h"
#include "core/encoder/mips.h"
#include "core/encoder/mips_reduction.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
EncoderPtr built(std::shared_ptr<const Dictionary> dictionary, const std::vector<std::pair<std::string, ParameterValue>>& settings)
{
    Inputs inputs;
    inputs.dictionary = std::move(dictionary);
    Parameters parameters;
    for (const auto& [name, value] : settings)
        parameters.set(name, value);
    return mipsMethod().build(inputs, parameters, {}).encoder;
}

ParameterValue text(const char* value) { return std::string(value); }
ParameterValue number(std::int64_t value) { return value; }

void addReductions()
{
    QTest::addColumn<QString>("reduction");
    for (const char* reduction : {"inner-product", "euclidean", "cosine"})
        QTest::newRow(reduction) << reduction;
}
} // namespace

class TestMips : public QObject {
    Q_OBJECT
private slots:
    /// z from the searched-for quantity: the inner product itself; (|x|^2 + 1 + phi^2 - distance) / 2; cosine times the lengths. In double from
    /// float rows: 1e-5 of lengths of some 20 times 20.
    void reductionsKeepTheScores()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 0, 20).view());
        double phi = 0;
        for (std::size_t i = 0; i < 2048; ++i)
            phi = std::max(phi, std::hypot(dictionary->rowNorms()[i], static_cast<double>(dictionary->bias()[i])));
        for (const auto reduction : {MipsReduction::InnerProduct, MipsReduction::Euclidean, MipsReduction::Cosine}) {
            const MipsRows rows = mipsRows(*dictionary, reduction, true);
            const Matrix<float> queries = rows.queries(x.view());
            for (std::int64_t t = 0; t < 20; ++t)
                for (std::int64_t i = 0; i < 2048; i += 5) {
                    double z = static_cast<double>(dictionary->bias()[static_cast<std::size_t>(i)]), squares = 1, product = 0, distance = 0;
                    for (std::int64_t j = 0; j < 128; ++j) {
                        z += static_cast<double>(dictionary->rows()(i, j)) * static_cast<double>(x(t, j));
                        squares += static_cast<double>(x(t, j)) * static_cast<double>(x(t, j));
                    }
                    for (std::int64_t j = 0; j < rows.dimensions(); ++j) {
                        const auto w = static_cast<double>(rows.rows(i, j)), q = static_cast<double>(queries(t, j));
                        product += w * q;
                        distance += (w - q) * (w - q);
                    }
                    const double found = reduction == MipsReduction::InnerProduct ? product
                                         : reduction == MipsReduction::Euclidean  ? (squares + phi * phi - distance) / 2
                                                                                  : product * phi * std::sqrt(squares);
                    QVERIFY(std::abs(found - z) < 1e-5 * (squares + phi * phi));
                }
        }
    }
    /// Comparing every row is exact: rounding may only exchange latents at the edge of the candidates, far from the k largest.
    void flatSearchIsExact_data() { addReductions(); }
    void flatSearchIsExact()
    {
        QFETCH(QString, reduction);
        for (const char* name : {"vit20.block3.k16/sparsify", "tinylm.block3.k32/sparsify"}) {
            const auto dictionary = test::bundledDictionary(name);
            const Matrix<float> x = dictionary->prepared(test::bundledRows(std::string(name).substr(0, std::string(name).find('.')), 0, 100).view());
            const SparseCodes found = built(dictionary, {{"reduction", reduction.toStdString()}, {"candidates", number(64)}})->encode(x.view());
            const SparseCodes exact = exactEncoder(dictionary)->encode(x.view());
            QVERIFY(found.first == exact.first && found.latents == exact.latents && found.values == exact.values);
        }
    }
    /// Latents with a large negative bias crowd out those that truly fire when the bias is left out of the search.
    void ignoringTheBiasIsAnotherProblem()
    {
        auto a = test::wholeAutoencoder(400, 20, 6);
        for (std::size_t i = 0; i < 400; i += 2) {
            a.encoderBias[i] = -100;
            for (float& w : a.encoder.view().row(static_cast<std::int64_t>(i)))
                w *= 2;
        }
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)));
        const auto exact = exactTokens(dictionary, test::wholeTokens(80, 20));
        const auto recall = [&](bool bias, std::int64_t candidates) {
            const auto encoder = built(dictionary, {{"bias", bias}, {"candidates", number(candidates)}});
            return measureEncoder(*exact, *encoder, "encoder.mips", {}, {}).quality.recallMean;
        };
        QCOMPARE(recall(true, 12), 1.0); // half the square of a bias of 100 costs float some digits: not 6, whole scores abound in ties
        QVERIFY2(recall(false, 6) < 0.5, qPrintable(QString::number(recall(false, 6))));
        QVERIFY(recall(false, 60) > recall(false, 6));
        QCOMPARE(recall(false, 400), 1.0);
    }
    void graphsFindMost_data() { addReductions(); }
    void graphsFindMost()
    {
        QFETCH(QString, reduction);
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        if (!hasGraphIndex()) {
            QVERIFY_THROWS_EXCEPTION(Error, built(dictionary, {{"index", text("hnsw")}}));
            QSKIP("built without hnswlib: only its refusal is tested");
        }
        const auto exact = exactTokens(dictionary, test::bundledRows("vit20", 0, 100));
        const auto encoder = built(dictionary, {{"index", text("hnsw")}, {"reduction", reduction.toStdString()}, {"candidates", number(128)}});
        const auto report = measureEncoder(*exact, *encoder, "encoder.mips", {}, {});
        // inner products without a reduction are no metric, and the graph is hard to walk; the reductions' are
        QVERIFY2(report.quality.recallMean > (reduction == "inner-product" ? 0.5 : 0.8), qPrintable(QString::number(report.quality.recallMean)));
        QCOMPARE(report.quality.valueError, 0.0);
        QVERIFY(report.cost.macs > 0 && report.cost.macs < 1.1 * 2048 * 130 + 128 * 128); // a row is compared once, on the way down perhaps again
        const auto all = built(dictionary, {{"index", text("hnsw")}, {"reduction", reduction.toStdString()}, {"candidates", number(2048)}});
        if (reduction != "inner-product") // whose graph leaves many rows that no link leads to
            QVERIFY(measureEncoder(*exact, *all, "encoder.mips", {}, {}).quality.recallMean > 0.98);
        const auto again = built(dictionary, {{"index", text("hnsw")}, {"reduction", reduction.toStdString()}, {"candidates", number(128)}});
        QVERIFY(again->encode(exact->prepared.view()).latents == encoder->encode(exact->prepared.view()).latents); // the same graph
    }
    void badRequestsAreRefused()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(30, 8, 3)));
        QVERIFY_THROWS_EXCEPTION(Error, built(dictionary, {{"index", text("tree")}}));
        QVERIFY_THROWS_EXCEPTION(Error, built(dictionary, {})->encode(test::wholeTokens(2, 9).view()));
        Inputs inputs;
        inputs.dictionary = dictionary;
        const Built clamped = mipsMethod().build(inputs, {}, {});
        QVERIFY(clamped.warnings.size() == 1 && QString::fromStdString(clamped.warnings[0]).contains("are 30, not 256"));
    }
};

TAMIS_BLAS_TEST_MAIN(TestMips)
#include "tst_mips.moc"
