// SPDX-License-Identifier: GPL-3.0-or-later
// Integer loops: all instruction sets have the bits of the plain one, at the extremes of the codes too.
#include "core/kernels/integer_table.h"

#include "core/kernels/packed_matrix.h"

#include <QTest>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace tamis::kernels;

namespace {
struct Operands {
    std::vector<std::uint8_t> a;
    std::vector<std::int8_t> panel;
    std::vector<std::int32_t> offset;
    std::vector<float> rowScale, columnScale, c;
    Operands(std::int64_t rows, std::int64_t depth, unsigned seed, bool extreme) : a(std::size_t(rows * depth)), panel(std::size_t(depth * 32)), offset(32), rowScale(std::size_t(rows)), columnScale(32), c(std::size_t(rows * 40))
    {
        std::mt19937 engine(seed);
        std::uniform_int_distribution<int> bytes(0, 255), small(-127, 127), far(-1000000, 1000000);
        std::uniform_real_distribution<float> real(-1, 1);
        for (auto& x : a)
            x = static_cast<std::uint8_t>(extreme ? 255 : bytes(engine));
        for (auto& x : panel)
            x = static_cast<std::int8_t>(extreme ? -127 : small(engine));
        for (auto& x : offset)
            x = extreme ? 0 : far(engine);
        for (auto* values : {&rowScale, &columnScale, &c})
            for (float& x : *values)
                x = real(engine);
    }
};

bool sameBits(const std::vector<float>& a, const std::vector<float>& b) { return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0; }
} // namespace

class TestIntegerTable : public QObject {
    Q_OBJECT
    /// null, with the reason, where this machine cannot run it.
    static const IntegerTable* tableOf(const QString& name)
    {
        if (name != "vnni")
            return name == "plain" ? &plainIntegers() : &avx2Integers();
        return &integers() == &vnniIntegers() ? &vnniIntegers() : nullptr;
    }
    static constexpr const char* kNoVnni = "no AVX-512 VNNI here: its kernel was not run";
    static void everyTable()
    {
        QTest::addColumn<QString>("name");
        for (const char* const name : {"plain", "avx2", "vnni"})
            QTest::newRow(name) << QString(name);
    }
private slots:
    void cleanup() { forcePortableKernels(false); }
    void theChoiceFollowsTheMachine()
    {
        forcePortableKernels(true);
        QCOMPARE(&integers(), &avx2Integers());
        forcePortableKernels(false);
        if (!__builtin_cpu_supports("avx512vnni"))
            QSKIP("no AVX-512 VNNI here: whether it is chosen was not looked at");
        QCOMPARE(&integers(), &vnniIntegers());
    }
    void productsAreThoseOfWholeNumbers_data() { everyTable(); }
    void productsAreThoseOfWholeNumbers()
    {
        QFETCH(QString, name);
        const IntegerTable* const table = tableOf(name);
        if (!table)
            QSKIP(kNoVnni);
        // by hand: (3 x 2 + 255 x -1 - 10) x 0.5 x 2 in column 0
        Operands x(1, 4, 1, false);
        std::ranges::fill(x.panel, std::int8_t{0});
        x.a = {3, 255, 0, 0};
        x.panel[0] = 2;
        x.panel[1] = -1;
        x.offset[0] = 10;
        x.rowScale[0] = 0.5F;
        x.columnScale[0] = 2;
        auto c = x.c;
        table->product(x.a.data(), 4, x.panel.data(), 4, x.offset.data(), x.rowScale.data(), x.columnScale.data(), c.data(), 40, 1, false);
        QCOMPARE(c[0], -259.0F);
    }
    void productsHaveTheSameBits_data() { everyTable(); }
    void productsHaveTheSameBits()
    {
        QFETCH(QString, name);
        const IntegerTable* const table = tableOf(name);
        if (!table)
            QSKIP(kNoVnni);
        for (const bool extreme : {false, true})
            for (const std::int64_t rows : {1, 2, 3, 13, 14})
                for (const std::int64_t depth : {4, 8, 64, 100, 65536})
                    for (const bool accumulate : {false, true}) {
                        const Operands x(rows, depth, static_cast<unsigned>(rows * 7 + depth), extreme);
                        auto expected = x.c;
                        plainIntegers().product(x.a.data(), depth, x.panel.data(), depth, x.offset.data(), x.rowScale.data(), x.columnScale.data(), expected.data(), 40, rows, accumulate);
                        auto c = x.c;
                        table->product(x.a.data(), depth, x.panel.data(), depth, x.offset.data(), x.rowScale.data(), x.columnScale.data(), c.data(), 40, rows, accumulate);
                        QVERIFY2(sameBits(c, expected), qPrintable(QString("%1 rows %2 depth %3").arg(table->name).arg(rows).arg(depth)));
                    }
    }
    void codesAreTheSame_data() { everyTable(); }
    void codesAreTheSame()
    {
        QFETCH(QString, name);
        const IntegerTable* const table = tableOf(name);
        if (!table)
            QSKIP(kNoVnni);
        std::mt19937 engine(5);
        std::normal_distribution<float> normal(0, 40);
        for (const std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{16}, std::size_t{75}}) {
            std::vector<float> x(count), shift(count);
            for (std::size_t i = 0; i < count; ++i) {
                x[i] = i % 5 == 0 ? static_cast<float>(i) + 0.5F : normal(engine); // halves among them
                shift[i] = i % 2 ? 0.0F : static_cast<float>(i % 3);
            }
            std::vector<std::int8_t> expected(count), found(count);
            plainIntegers().codes(x.data(), shift.data(), 1, static_cast<std::int64_t>(count), expected.data());
            QCOMPARE(expected[0], std::int8_t{1}); // 0.5, away from 0
            table->codes(x.data(), shift.data(), 1, static_cast<std::int64_t>(count), found.data());
            QVERIFY(found == expected);
            QCOMPARE(table->greatest(x.data(), shift.data(), static_cast<std::int64_t>(count)), plainIntegers().greatest(x.data(), shift.data(), static_cast<std::int64_t>(count)));
        }
    }
    void whatIsNotFiniteIsInfinite_data() { everyTable(); }
    void whatIsNotFiniteIsInfinite()
    {
        QFETCH(QString, name);
        const IntegerTable* const table = tableOf(name);
        if (!table)
            QSKIP(kNoVnni);
        for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
            for (const std::size_t place : {std::size_t{0}, std::size_t{9}, std::size_t{18}}) {
                std::vector<float> x(19, 1.0F), shift(19, 0.0F);
                x[place] = odd;
                QVERIFY(std::isinf(table->greatest(x.data(), shift.data(), 19)));
            }
    }
};

QTEST_APPLESS_MAIN(TestIntegerTable)
#include "tst_integer_table.moc"
