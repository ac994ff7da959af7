// SPDX-License-Identifier: GPL-3.0-or-later
// One definition for all methods: a query whose scores are all minus infinity sees nothing, and mixes to 0; one that is no number is alone with it.
#include "core/attention/method.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr std::int64_t kTokens = 150, kBad = 77;

enum class Row { Zero, Number, None };

struct Case {
    const char* method;
    Row unseen;                   ///< of a row whose scores are all minus infinity
    bool alone = true;            ///< no other row is any other for it
    const char* name = nullptr;   ///< a parameter, and its value
    const char* value = nullptr;
};

/// Those that fit to samples are not here: fitted-linformer mixes as linformer, indexer chooses as moba, joint-qk mixes as band.
const std::vector<Case> kCases{
    {"tiled", Row::Zero},
    {"quantised", Row::Zero, true, "score-bits", "32"},
    {"quantised", Row::None, true, "scales", "token"}, // there is no code for an infinite number
    {"band", Row::Zero},
    {"window", Row::Zero},
    {"chosen-windows", Row::Zero, false}, // a window chooses by its mean query
    {"block-sparse", Row::Zero},
    {"linformer", Row::Zero},
    {"native-sparse", Row::Zero},
    {"moba", Row::Zero},
    {"quest", Row::Zero},
    {"nystrom", Row::Zero, false},   // landmarks are means of queries
    {"performer", Row::None},        // features of every direction
    {"linear", Row::Number},         // no softmax: its other features are seen
    {"mean-value", Row::Number},     // looks at no query
    {"zero", Row::Zero},
};

bool is(Row row, const float* values, std::int64_t count)
{
    return std::all_of(values, values + count, [row](float value) { return row == Row::Zero ? value == 0 : row == Row::Number ? std::isfinite(value) && value != 0 : std::isnan(value); });
}
} // namespace

class TstUnseenRows : public QObject {
    Q_OBJECT
    static tensor::Matrix<float> attended(const Case& one, bool causal, const tensor::Matrix<float>& q, const tensor::Matrix<float>& k, const tensor::Matrix<float>& v)
    {
        Inputs inputs;
        inputs.spec = {.heads = 2, .keyValueHeads = 1, .headDim = 16, .scale = 0.25F, .causal = causal};
        inputs.width = 32;
        Parameters parameters;
        if (one.name)
            parameters.set(one.name, std::string(one.value));
        tensor::Matrix<float> out(kTokens, 32);
        nn::Scratch scratch(false);
        findMethod("attention." + std::string(one.method))->op(inputs, parameters)->apply({q.view(), k.view(), v.view()}, out.view(), scratch);
        return out;
    }
private slots:
    void rowsWithoutAScore_data()
    {
        QTest::addColumn<int>("which");
        QTest::addColumn<bool>("causal");
        for (std::size_t i = 0; i < kCases.size(); ++i)
            for (const bool causal : {false, true})
                if (const std::string method = kCases[i].method; !causal || (method != "linformer" && method != "nystrom"))
                    QTest::addRow("%s %s, %s", kCases[i].method, kCases[i].value ? kCases[i].value : "", causal ? "causal" : "all") << static_cast<int>(i) << causal;
    }
    void rowsWithoutAScore()
    {
        QFETCH(int, which);
        QFETCH(bool, causal);
        const Case& one = kCases[static_cast<std::size_t>(which)];
        auto q = test::normalRows(kTokens, 32, 1, 1), k = test::normalRows(kTokens, 16, 1, 2);
        const auto v = test::normalRows(kTokens, 16, 1, 3);
        for (std::int64_t j = 0; j < kTokens; ++j)
            k(j, 0) = 1 + std::abs(k(j, 0)); // times minus infinity: minus infinity
        const auto before = attended(one, causal, q, k, v);
        const auto check = [&](float value, Row expected, bool alone) {
            auto other = q;
            other(kBad, 0) = other(kBad, 16) = value; // the first feature of both heads
            const auto after = attended(one, causal, other, k, v);
            QVERIFY2(is(expected, after.data() + kBad * 32, 32), qPrintable(QString("row %1: %2, %3").arg(kBad).arg(after(kBad, 0)).arg(after(kBad, 31))));
            for (std::int64_t i = 0; alone && i < kTokens; ++i)
                QVERIFY2(i == kBad || std::equal(after.data() + i * 32, after.data() + (i + 1) * 32, before.data() + i * 32), qPrintable(QString("row %1").arg(i)));
            const bool finite = alone || !std::isnan(value); // a mean of queries that are no numbers is none
            for (std::int64_t i = 0; finite && i < kTokens; ++i)
                QVERIFY2(i == kBad || std::isfinite(after(i, 0)), qPrintable(QString("row %1 is no number").arg(i)));
        };
        check(-std::numeric_limits<float>::infinity(), one.unseen, one.alone);
        const std::string method = one.method;
        const bool reads = method != "mean-value" && method != "zero";
        check(std::numeric_limits<float>::quiet_NaN(), reads ? Row::None : one.unseen, one.alone);
    }
};

QTEST_APPLESS_MAIN(TstUnseenRows)
#include "tst_unseen_rows.moc"
