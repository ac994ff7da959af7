// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/tensor_entry.h"

#include <QTest>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::io;

class TstTensorEntry : public QObject
{
    Q_OBJECT
private slots:
    void numbersInNamesCompareAsNumbers()
    {
        std::vector<std::string> names{"h.10.b", "h.2.b", "h.2.a", "h.2", "a", "", "h.02.a", "h.x", "h10", "h9", "h.99999999999999999999999999.a", "h.100000000000000000000000000.a"};
        const std::vector<std::string> expected{"", "a", "h.2", "h.02.a", "h.2.a", "h.2.b", "h.10.b", "h.99999999999999999999999999.a",
                                                "h.100000000000000000000000000.a", "h.x", "h9", "h10"};
        std::sort(names.begin(), names.end(), naturalLess);
        QCOMPARE(names, expected);
    }
    void naturalOrderIsATotalOrder()
    {
        std::mt19937 random(3);
        std::vector<std::string> names;
        for (int i = 0; i < 60; ++i) {
            std::string name;
            for (unsigned n = random() % 6; n > 0; --n)
                name += "0019.ab"[random() % 7];
            names.push_back(name);
        }
        for (const auto& a : names)
            for (const auto& b : names) {
                QCOMPARE(naturalLess(a, b) + naturalLess(b, a), a == b ? 0 : 1); // trichotomy
                for (const auto& c : names)
                    QVERIFY(!(naturalLess(a, b) && naturalLess(b, c)) || naturalLess(a, c)); // transitivity
            }
    }
    void sizesAreChecked()
    {
        using tensor::DType;
        QCOMPARE(checkedTensorBytes(DType::F32, {2, 3}, "x"), 24u);
        QCOMPARE(checkedTensorBytes(DType::F64, {}, "x"), 8u);
        QCOMPARE(checkedTensorBytes(DType::BF16, {5, 0, 7}, "x"), 0u);
        QCOMPARE(checkedTensorBytes(DType::U8, {std::int64_t{1} << 62}, "x"), std::uint64_t{1} << 62);
        QVERIFY_EXCEPTION_THROWN(checkedTensorBytes(DType::U8, {std::int64_t{1} << 62, 2}, "x"), Error);
        QVERIFY_EXCEPTION_THROWN(checkedTensorBytes(DType::F32, {0, std::int64_t{1} << 62}, "x"), Error); // in any order
        QVERIFY_EXCEPTION_THROWN(checkedTensorBytes(DType::F32, {3, -1}, "x"), Error);
        QVERIFY_EXCEPTION_THROWN(checkedTensorBytes(DType::F32, std::vector<std::int64_t>(9, 1), "x"), Error);
        QCOMPARE(shapeText({768, 3, 16, 16}), std::string("[768, 3, 16, 16]"));
        QCOMPARE(shapeText({}), std::string("[]"));
    }
};

QTEST_GUILESS_MAIN(TstTensorEntry)
#include "tst_tensor_entry.moc"
