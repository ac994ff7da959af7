// SPDX-License-Identifier: GPL-3.0-or-later
// One definition for all methods (docs/attention-lab.md, What is not a number): a query whose scores are all minus infinity sees nothing, and mixes to 0; one that is no number
// is alone with it; a key that is none reaches those that read it; and nothing is fitted to samples that are none.
#include "core/attention/method.h"
#include "core/base/error.h"
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
constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

constexpr float kNothing = 1e-30F; ///< the exponential of minus infinity is some 1e-38

enum class Row { Zero, Number, None };
/// Which rows a key that is no number reaches.
enum class Reach {
    Nobody,
    All,      ///< whoever may see it
    Weighted, ///< whoever gives it weight where it is a number
    Block,    ///< its own block's: others choose blocks by their score, and one that is no number is the least
};

struct Case {
    const char* method;
    Row unseen;                   ///< of a row whose scores are all minus infinity
    Reach key;
    bool alone = true;            ///< no other row is any other for it
    const char* settings = "";    ///< "name=value:name=value"
    std::int64_t block = 0;       ///< of Reach::Block
};

const std::vector<Case> kCases{
    {"tiled", Row::Zero, Reach::Weighted},
    {"quantised", Row::Zero, Reach::Weighted, true, "score-bits=32:smooth-keys=false"},
    {"quantised", Row::None, Reach::Weighted, true, "score-bits=32"}, // less their mean, keys are on both sides of 0
    {"quantised", Row::None, Reach::Weighted, true, "scales=token:smooth-keys=false"}, // there is no code for an infinite number
    {"quantised", Row::None, Reach::All, true, "score-bits=4:scales=token:smooth-keys=false:value-bits=8"},
    {"quantised", Row::None, Reach::Weighted, false}, // a block's scale
    {"band", Row::Zero, Reach::Weighted, true, "reach=9"},
    {"window", Row::Zero, Reach::Weighted},
    {"chosen-windows", Row::Zero, Reach::Block, false, "window=16:windows=2", 16}, // a window chooses by its mean query
    {"block-sparse", Row::Zero, Reach::Weighted},
    {"linformer", Row::Zero, Reach::All},
    {"fitted-linformer", Row::Zero, Reach::All},
    {"fitted-linformer", Row::None, Reach::All, true, "keys=subspace:rows=12"}, // sums of keys with signs: scores of both signs
    {"native-sparse", Row::Zero, Reach::All, true, "compressed-block=8:stride=4:selected-block=8:selected=3:window=8"},
    {"moba", Row::Zero, Reach::Block, true, "block=16:selected=3", 16},
    {"quest", Row::Zero, Reach::Block, true, "page=16:selected=3", 16},
    {"indexer", Row::Zero, Reach::Block, true, "tokens=8", 1},
    {"moba", Row::Zero, Reach::All, true, "selected=1000"}, // where all is read, it is
    {"quest", Row::Zero, Reach::All, true, "selected=1000"},
    {"indexer", Row::Zero, Reach::All, true, "tokens=1000"},
    {"nystrom", Row::Zero, Reach::All, false},    // landmarks are means of queries
    {"joint-qk", Row::None, Reach::Weighted, true, "rank=4"}, // a plane mixes the features: scores of both signs
    {"performer", Row::None, Reach::All},         // features of every direction
    {"performer", Row::None, Reach::All, true, "map=trigonometric"},
    {"linear", Row::Number, Reach::All},          // no softmax: its other features are seen
    {"linear", Row::Number, Reach::All, true, "map=relu"},
    {"linear", Row::Number, Reach::All, true, "map=squared-relu"},
    {"mean-value", Row::Number, Reach::Nobody},   // looks at no query
    {"zero", Row::Zero, Reach::Nobody},
};

bool is(Row row, const float* values, std::int64_t count)
{
    return std::all_of(values, values + count, [row](float value) { return row == Row::Zero ? value == 0 : row == Row::Number ? std::isfinite(value) && value != 0 : std::isnan(value); });
}
} // namespace

class TstUnseenRows : public QObject {
    Q_OBJECT
    using Rows = tensor::Matrix<float>;
    static Inputs inputsFor(const Case& one, bool causal, const Rows& q, const Rows& k, const Rows& v)
    {
        Inputs inputs;
        inputs.spec = {.heads = 2, .keyValueHeads = 1, .headDim = 16, .scale = 0.25F, .causal = causal};
        inputs.width = 32;
        if (findMethod("attention." + std::string(one.method))->fits) {
            auto samples = std::make_shared<BlockSamples>();
            samples->samples.push_back({{}, q, k, v});
            inputs.samples = std::move(samples);
        }
        return inputs;
    }
    static Parameters settingsOf(const Case& one)
    {
        Parameters parameters;
        const ParameterSchema& schema = findMethod("attention." + std::string(one.method))->declaration.schema;
        for (const QString& each : QString(one.settings).split(u':', Qt::SkipEmptyParts)) {
            const std::string name = each.section(u'=', 0, 0).toStdString();
            parameters.set(name, schema.parse(name, each.section(u'=', 1).toStdString()));
        }
        return parameters;
    }
    static nn::AttentionPtr made(const Case& one, bool causal, const Rows& q, const Rows& k, const Rows& v)
    {
        return findMethod("attention." + std::string(one.method))->op(inputsFor(one, causal, q, k, v), settingsOf(one));
    }
    static Rows applied(const nn::AttentionOp& op, const Rows& q, const Rows& k, const Rows& v)
    {
        Rows out(kTokens, 32);
        nn::Scratch scratch(false);
        op.apply({q.view(), k.view(), v.view()}, out.view(), scratch);
        return out;
    }
    static void everyCase()
    {
        QTest::addColumn<int>("which");
        QTest::addColumn<bool>("causal");
        for (std::size_t i = 0; i < kCases.size(); ++i)
            for (const bool causal : {false, true})
                if (const std::string method = kCases[i].method; !causal || (method != "linformer" && method != "fitted-linformer" && method != "nystrom"))
                    QTest::addRow("%s %s, %s", kCases[i].method, kCases[i].settings, causal ? "causal" : "all") << static_cast<int>(i) << causal;
    }
    static Rows positiveKeys()
    {
        Rows k = test::normalRows(kTokens, 16, 1, 2);
        for (std::int64_t j = 0; j < kTokens; ++j)
            k(j, 0) = 1 + std::abs(k(j, 0)); // times minus infinity: minus infinity
        return k;
    }
private slots:
    void everyMethodIsHere()
    {
        for (const Method& method : methods())
            QVERIFY2(std::ranges::any_of(kCases, [&](const Case& one) { return "attention." + std::string(one.method) == method.declaration.id; }), method.declaration.id.c_str());
    }
    void rowsWithoutAScore_data() { everyCase(); }
    void rowsWithoutAScore()
    {
        QFETCH(int, which);
        QFETCH(bool, causal);
        const Case& one = kCases[static_cast<std::size_t>(which)];
        const auto q = test::normalRows(kTokens, 32, 1, 1), k = positiveKeys(), v = test::normalRows(kTokens, 16, 1, 3);
        const auto op = made(one, causal, q, k, v);
        const auto before = applied(*op, q, k, v);
        const auto check = [&](float value, Row expected, bool alone) {
            auto other = q;
            other(kBad, 0) = other(kBad, 16) = value; // the first feature of both heads
            const auto after = applied(*op, other, k, v);
            QVERIFY2(is(expected, after.data() + kBad * 32, 32), qPrintable(QString("row %1: %2, %3").arg(kBad).arg(after(kBad, 0)).arg(after(kBad, 31))));
            for (std::int64_t i = 0; alone && i < kTokens; ++i)
                QVERIFY2(i == kBad || std::equal(after.data() + i * 32, after.data() + (i + 1) * 32, before.data() + i * 32), qPrintable(QString("row %1").arg(i)));
            const bool spreads = one.method == std::string("nystrom") && std::isnan(value); // a mean of queries that are no numbers is none
            for (std::int64_t i = 0; i < kTokens; ++i)
                QVERIFY2(i == kBad || std::isnan(after(i, 0)) == spreads, qPrintable(QString("row %1: %2").arg(i).arg(after(i, 0))));
        };
        check(-kInfinity, one.unseen, one.alone);
        const std::string method = one.method;
        const bool reads = method != "mean-value" && method != "zero";
        check(kNoNumber, reads ? Row::None : one.unseen, one.alone);
    }
    void keysThatAreNoNumbers_data() { everyCase(); }
    void keysThatAreNoNumbers()
    {
        QFETCH(int, which);
        QFETCH(bool, causal);
        const Case& one = kCases[static_cast<std::size_t>(which)];
        const auto q = test::normalRows(kTokens, 32, 1, 1), v = test::normalRows(kTokens, 16, 1, 3);
        const auto clean = positiveKeys();
        const auto op = made(one, causal, q, clean, v);
        auto k = clean;
        k(kBad, 5) = kNoNumber;
        const auto out = applied(*op, q, k, v);
        const auto weights = op->map({q.view(), clean.view(), v.view()}, 0, 0);
        std::int64_t reached = 0;
        for (std::int64_t i = 0; i < kTokens; ++i) {
            const bool sees = !causal || i >= kBad;
            const bool expected = one.key == Reach::All ? sees : one.key == Reach::Weighted ? weights(i, kBad) > kNothing : one.key == Reach::Block && sees && i / one.block == kBad / one.block;
            QVERIFY2(is(expected ? Row::None : one.method == std::string("zero") ? Row::Zero : Row::Number, out.data() + i * 32, 32), qPrintable(QString("row %1: %2, %3").arg(i).arg(out(i, 0)).arg(out(i, 31))));
            reached += expected ? 1 : 0;
        }
        QCOMPARE(reached > 0, one.key != Reach::Nobody);
    }
    void nothingIsFittedToWhatIsNoNumber_data()
    {
        QTest::addColumn<int>("which");
        for (std::size_t i = 0; i < kCases.size(); ++i)
            if (findMethod("attention." + std::string(kCases[i].method))->fits)
                QTest::addRow("%s %s", kCases[i].method, kCases[i].settings) << static_cast<int>(i);
    }
    void nothingIsFittedToWhatIsNoNumber()
    {
        QFETCH(int, which);
        const Case& one = kCases[static_cast<std::size_t>(which)];
        const Method& method = *findMethod("attention." + std::string(one.method));
        const auto q = test::normalRows(kTokens, 32, 1, 1), k = positiveKeys(), v = test::normalRows(kTokens, 16, 1, 3);
        const auto refused = [&](const std::string& what, const auto& make) {
            try {
                make();
            } catch (const Error& error) {
                return error.code() == ErrorCode::NonFinite && error.subject() == method.declaration.id && error.message().starts_with("found a " + what + " that is no finite number, token 77 of sample 0");
            }
            return false;
        };
        for (const float odd : {kNoNumber, kInfinity, -kInfinity}) {
            auto oddQ = q, oddK = k, oddV = v;
            oddQ(kBad, 3) = oddK(kBad, 3) = oddV(kBad, 3) = odd;
            for (const bool query : {true, false}) { // or a key
                Inputs inputs = inputsFor(one, false, query ? oddQ : q, query ? k : oddK, v);
                inputs.gridHeight = 15;
                inputs.gridWidth = 10; // for the tape, which asks how many tokens there are
                const std::string what = query ? "query" : "key";
                QVERIFY(refused(what, [&] { method.op(inputs, settingsOf(one)); }));
                QVERIFY(!method.onTape || refused(what, [&] { method.onTape(inputs, settingsOf(one)); }));
            }
            const auto out = applied(*made(one, false, q, k, oddV), q, k, v); // values are not fitted to
            QVERIFY(out == applied(*made(one, false, q, k, v), q, k, v));
            QVERIFY(std::ranges::all_of(out.values(), [](float x) { return std::isfinite(x); }));
        }
    }
};

QTEST_APPLESS_MAIN(TstUnseenRows)
#include "tst_unseen_rows.moc"
