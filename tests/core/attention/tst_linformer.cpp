// SPDX-License-Identifier: GPL-3.0-or-later
// Projections that are given, and what training starts from: the same attention as the rules that they write out.
#include "core/attention/linformer.h"
#include "core/base/error.h"
#include "core/io/npy.h"
#include "tests/core/attention/one_head.h"

#include <QTemporaryDir>
#include <QTest>

#include <limits>
#include <set>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr double kTolerance = 5e-6; // as in tst_attention_rules

Inputs photo()
{
    Inputs inputs;
    inputs.spec = {.heads = 4, .keyValueHeads = 2, .headDim = 8, .scale = 0.3F};
    inputs.prefix = 1;
    inputs.gridHeight = 4;
    inputs.gridWidth = 5;
    return inputs;
}

tensor::Matrix<float> outputOf(const nn::AttentionOp& op, std::int64_t tokens = 21)
{
    const auto q = test::normalRows(tokens, 32, 1, 1), k = test::normalRows(tokens, 16, 1, 2), v = test::normalRows(tokens, 16, 1, 3);
    tensor::Matrix<float> out(tokens, 32);
    nn::Scratch scratch(false);
    op.apply({q.view(), k.view(), v.view()}, out.view(), scratch);
    return out;
}

Parameters with(const char* projection, std::int64_t rows, const std::string& file = {})
{
    Parameters parameters;
    parameters.set("projection", std::string(projection));
    parameters.set("rows", rows);
    parameters.set("projection-file", file);
    return parameters;
}
} // namespace

class TstLinformer : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    std::string fileOf(const char* name, const std::vector<float>& values, const std::vector<std::int64_t>& shape) const
    {
        const std::string file = m_directory.filePath(QString::fromLatin1(name)).toStdString();
        io::writeNpy(file, std::span<const float>(values), shape);
        return file;
    }

private slots:
    void poolingAsAFileIsPooling()
    {
        const auto pooling = poolingMatrix(6, 21);
        std::vector<float> values(pooling.values().begin(), pooling.values().end());
        const Method method = linformerMethod();
        const auto expected = outputOf(*method.op(photo(), with("mean-pool", 6)));
        QVERIFY(test::relativeError(outputOf(*method.op(photo(), with("given", 6, fileOf("one.npy", values, {6, 21})))), expected) < kTolerance);
        values.insert(values.end(), values.begin(), values.end());
        QVERIFY(test::relativeError(outputOf(*method.op(photo(), with("given", 6, fileOf("two.npy", values, {2, 6, 21})))), expected) < kTolerance);
        for (std::size_t i = 6 * 21; i < values.size(); ++i)
            values[i] *= 2; // of the values alone: twice the output
        auto twice = outputOf(*method.op(photo(), with("given", 6, fileOf("twice.npy", values, {2, 6, 21}))));
        for (float& value : twice.values())
            value /= 2;
        QVERIFY(test::relativeError(twice, expected) < kTolerance);
    }
    void trainingStartsFromTheRule()
    {
        const Method method = linformerMethod();
        for (const char* projection : {"mean-pool", "random"})
            QVERIFY(test::relativeError(outputOf(*method.onTape(photo(), with(projection, 6))->op()), outputOf(*method.op(photo(), with(projection, 6)))) < kTolerance);
        QCOMPARE(method.onTape(photo(), with("mean-pool", 6))->parameters()->count(), std::uint64_t{2 * 2 * 6 * 21});
        Inputs text = photo();
        text.gridHeight = text.gridWidth = text.prefix = 0;
        QVERIFY_EXCEPTION_THROWN(method.onTape(text, with("mean-pool", 6)), Error); // of any length
    }
    void headsDrawTheirOwn()
    {
        std::set<std::vector<float>> outputs;
        for (const auto& [block, head] : {std::pair{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
            Inputs inputs = photo();
            inputs.block = block;
            inputs.head = head;
            const auto out = outputOf(*linformerMethod().op(inputs, with("random", 6)));
            outputs.insert({out.values().begin(), out.values().end()});
        }
        QCOMPARE(outputs.size(), std::size_t{4});
    }
    void filesThatDoNotFitAreRefused()
    {
        const Method method = linformerMethod();
        const std::vector<float> values(2 * 3 * 21, 0.5F);
        const auto refused = [&](const std::string& file) { QVERIFY_EXCEPTION_THROWN(method.op(photo(), with("given", 6, file)), Error); };
        refused("");
        refused("/no/such/file.npy");
        refused(fileOf("length.npy", std::vector<float>(6 * 20, 1), {6, 20}));
        refused(fileOf("flat.npy", std::vector<float>(21, 1), {21}));
        refused(fileOf("three.npy", std::vector<float>(3 * 2 * 21, 1), {3, 2, 21}));
        refused(fileOf("four.npy", values, {1, 2, 3, 21}));
        std::vector<float> none(6 * 21, 1);
        none[5] = std::numeric_limits<float>::quiet_NaN();
        refused(fileOf("none.npy", none, {6, 21}));
        // another number of tokens than the projection's, when it runs
        const auto op = method.op(photo(), with("given", 6, fileOf("right.npy", values, {2, 3, 21})));
        QVERIFY_EXCEPTION_THROWN(outputOf(*op, 20), Error);
        Inputs causal = photo();
        causal.spec.causal = true;
        QVERIFY_EXCEPTION_THROWN(method.op(causal, with("mean-pool", 6)), Error);
    }
};

QTEST_APPLESS_MAIN(TstLinformer)
#include "tst_linformer.moc"
