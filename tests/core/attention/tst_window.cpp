// SPDX-License-Identifier: GPL-3.0-or-later
// Windows against exact attention with the mask, in double: Swin's, rolled and labelled as its authors do it; grids that windows do not divide; texts.
#include "core/attention/window.h"
#include "core/base/error.h"
#include "tests/core/attention/masked_reference.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <limits>

using namespace tamis;
using namespace tamis::attention;

namespace {
/// As in tst_attention_rules: float sums of some 100 products against double.
constexpr double kTolerance = 5e-6;
constexpr float kScale = 0.25F;

/// Swin's own way for a grid that `side` divides: roll by -shift, cut into windows, label the rolled grid by 3 x 3 slices; patches see each other that share window and
/// label.
test::SeenKeys swin(std::int64_t prefix, std::int64_t height, std::int64_t width, std::int64_t side, std::int64_t shift)
{
    struct Place {
        std::int64_t window, label;
    };
    const auto placeOf = [=](std::int64_t patch) {
        const std::int64_t y = (patch / width - shift + height) % height, x = (patch % width - shift + width) % width;
        const auto slice = [=](std::int64_t at, std::int64_t length) { return at < length - side ? 0 : at < length - shift ? 1 : 2; };
        return Place{y / side * (width / side) + x / side, shift > 0 ? slice(y, height) * 3 + slice(x, width) : 0};
    };
    return [=](std::int64_t i, std::int64_t j) {
        if (i < prefix || j < prefix)
            return true;
        const Place a = placeOf(i - prefix), b = placeOf(j - prefix);
        return a.window == b.window && a.label == b.label;
    };
}

Inputs vision(std::int64_t prefix, std::int64_t height, std::int64_t width, int block, int blocks = 6)
{
    Inputs inputs;
    inputs.spec = {.heads = 2, .keyValueHeads = 2, .headDim = 16, .scale = kScale};
    inputs.block = block;
    inputs.blocks = blocks;
    inputs.prefix = prefix;
    inputs.gridHeight = height;
    inputs.gridWidth = width;
    return inputs;
}
} // namespace

class TstWindow : public QObject {
    Q_OBJECT
    static double errorOf(const HeadRule& rule, std::int64_t tokens, bool causal, const test::SeenKeys& seen, std::int64_t sliding = 0)
    {
        const auto q = test::normalRows(tokens, 16, 1, 1), k = test::normalRows(tokens, 16, 1, 2), v = test::normalRows(tokens, 12, 1, 3);
        return test::relativeError(test::mixed(rule, {16, kScale, causal, sliding}, q, k, v), test::maskedAttention(q, k, v, static_cast<double>(kScale), seen));
    }

private slots:
    void windowsAreSwins()
    {
        for (const std::int64_t shift : {0, 1, 2, 3})
            for (const std::int64_t prefix : {0, 1, 3})
                QVERIFY(errorOf(*windowRule({prefix, 8, 12}, 4, shift), prefix + 96, false, swin(prefix, 8, 12, 4, shift)) < kTolerance);
        QVERIFY(errorOf(*windowRule({1, 14, 14}, 7, 3), 197, false, swin(1, 14, 14, 7, 3)) < kTolerance);
    }
    void edgesHoldWhatIsLeft()
    {
        for (const std::int64_t shift : {0, 2}) {
            const auto run = [=](std::int64_t at) { return shift > 0 ? (at + 5 - shift) / 5 : at / 5; };
            const auto seen = [&](std::int64_t i, std::int64_t j) {
                if (i == 0 || j == 0)
                    return true;
                const std::int64_t a = i - 1, b = j - 1;
                return run(a / 11) == run(b / 11) && run(a % 11) == run(b % 11);
            };
            QVERIFY(errorOf(*windowRule({1, 7, 11}, 5, shift), 78, false, seen) < kTolerance);
        }
    }
    void aWindowAsLargeAsTheGridIsExact()
    {
        const auto all = [](std::int64_t, std::int64_t) { return true; };
        for (const std::int64_t side : {12, 1000})
            QVERIFY(errorOf(*windowRule({1, 8, 12}, side, side / 2), 97, false, all) < kTolerance); // not shifted either
        QVERIFY(errorOf(*windowRule({}, 50, 25), 50, true, [](std::int64_t i, std::int64_t j) { return j <= i; }) < kTolerance);
        // larger than one side of the grid: whole along it, and not shifted along it
        const auto columns = [](std::int64_t i, std::int64_t j) { return (i % 16 + 8 - 4) / 8 == (j % 16 + 8 - 4) / 8; };
        QVERIFY(errorOf(*windowRule({0, 4, 16}, 8, 4), 64, false, columns) < kTolerance);
    }
    void textsAreCutAlongTheSequence()
    {
        for (const std::int64_t shift : {0, 7}) {
            const auto run = [=](std::int64_t at) { return shift > 0 ? (at + 14 - shift) / 14 : at / 14; };
            QVERIFY(errorOf(*windowRule({}, 14, shift), 100, false, [&](std::int64_t i, std::int64_t j) { return run(i) == run(j); }) < kTolerance);
            QVERIFY(errorOf(*windowRule({}, 14, shift), 100, true, [&](std::int64_t i, std::int64_t j) { return j <= i && run(i) == run(j); }) < kTolerance);
            QVERIFY(errorOf(*windowRule({}, 70, shift), 150, true, [&](std::int64_t i, std::int64_t j) {
                        const auto wide = [=](std::int64_t at) { return shift > 0 ? (at + 70 - shift) / 70 : at / 70; };
                        return j <= i && j > i - 9 && wide(i) == wide(j);
                    }, 9) < kTolerance);
        }
    }
    void onlyWhatIsVisitedIsCounted()
    {
        for (const std::int64_t shift : {0, 3})
            QCOMPARE(windowRule({1, 14, 14}, 7, shift)->macs({16, kScale, false, 0}, 197, 16), 2 * 16 * test::pairs(197, swin(1, 14, 14, 7, shift)));
        // 4 windows of 49 patches: 9604 pairs in place of 38416
        QCOMPARE(windowRule({0, 14, 14}, 7, 0)->macs({1, kScale, false, 0}, 196, 1), std::uint64_t{2 * 9604});
        QCOMPARE(windowRule({}, 10, 0)->macs({1, kScale, true, 0}, 100, 1), std::uint64_t{2 * 1000}); // a tile's last query sees its whole run
    }
    void sidesChangeWithDepth()
    {
        for (int block = 0; block < 6; ++block)
            QCOMPARE(windowSide("4,4,8,8,14,14", 3, 9, block, 6), std::int64_t{block < 2 ? 4 : block < 4 ? 8 : 14});
        QCOMPARE(windowSide("", 4, 14, 0, 6), std::int64_t{4});
        QCOMPARE(windowSide("", 4, 14, 3, 6), std::int64_t{10});
        QCOMPARE(windowSide("", 4, 14, 5, 6), std::int64_t{14});
        QCOMPARE(windowSide("", 4, 0, 5, 6), std::int64_t{4});
        QCOMPARE(windowSide("", 4, 9, 0, 1), std::int64_t{4});
        QCOMPARE(windowSide(" 7 ", 4, 9, 3, 6), std::int64_t{7});
        for (const char* bad : {"4,4", "4,,8,8,14,14", "0", "4;8", "-1", "99999999999999999999", "4.5"})
            QVERIFY_EXCEPTION_THROWN(windowSide(bad, 4, 9, 0, 6), Error);
    }
    void everyOtherBlockIsShifted()
    {
        Parameters parameters;
        parameters.set("window", std::int64_t{4});
        const auto macs = [&](int block) { return findMethod("attention.window")->op(vision(0, 8, 8, block), parameters)->cost(64).macs; };
        const auto counted = [](std::int64_t shift) { return 2 * 2 * 16 * test::pairs(64, swin(0, 8, 8, 4, shift)); };
        QCOMPARE(macs(0), counted(0));
        QCOMPARE(macs(1), counted(2));
        QCOMPARE(macs(2), counted(0));
        parameters.set("shift", false);
        QCOMPARE(macs(1), counted(0));
    }
    void whatDoesNotFitIsRefused()
    {
        const auto op = findMethod("attention.window")->op(vision(1, 8, 8, 0), {});
        const auto rows = test::normalRows(60, 32, 1, 1);
        tensor::Matrix<float> out(60, 32);
        nn::Scratch scratch(false);
        QVERIFY_EXCEPTION_THROWN(op->apply({rows.view(), rows.view(), rows.view()}, out.view(), scratch), Error);
        Inputs swinBlock = vision(0, 8, 8, 0);
        swinBlock.spec.window = 4;
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.window")->op(swinBlock, {}), Error);
        Parameters none;
        none.set("window", std::int64_t{0});
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.window")->op(vision(1, 8, 8, 0), none), Error);
    }
    /// What is no number stays where it is seen: in its own query's row, or in the rows of the window whose key it is.
    void numbersThatAreNoneStayInTheirWindow()
    {
        auto q = test::normalRows(64, 16, 1, 1), k = test::normalRows(64, 16, 1, 2);
        const auto v = test::normalRows(64, 12, 1, 3);
        const auto rule = windowRule({0, 8, 8}, 4, 0);
        const auto finite = [](const tensor::Matrix<float>& out, std::int64_t row) { return std::ranges::all_of(out.view().row(row), [](float x) { return std::isfinite(x); }); };
        q(9, 3) = std::numeric_limits<float>::quiet_NaN();
        auto out = test::mixed(*rule, {16, kScale, false, 0}, q, k, v);
        for (std::int64_t i = 0; i < 64; ++i)
            QCOMPARE(finite(out, i), i != 9);
        q(9, 3) = 0;
        k(9, 3) = std::numeric_limits<float>::quiet_NaN();
        out = test::mixed(*rule, {16, kScale, false, 0}, q, k, v);
        for (std::int64_t i = 0; i < 64; ++i)
            QCOMPARE(finite(out, i), !(i / 8 < 4 && i % 8 < 4));
    }
};

QTEST_APPLESS_MAIN(TstWindow)
#include "tst_window.moc"
