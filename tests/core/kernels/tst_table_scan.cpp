// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/table_scan.h"

#include <QTest>

#include <random>
#include <vector>

using namespace tamis::kernels;

class TestTableScan : public QObject {
    Q_OBJECT
private slots:
    void sumsAreThoseOfALoop_data()
    {
        QTest::addColumn<int>("parts");
        QTest::addColumn<int>("blocks");
        for (const int parts : {2, 4, 16, 96, 256})
            for (const int blocks : {1, 3, 64})
                QTest::addRow("%d parts, %d blocks", parts, blocks) << parts << blocks;
    }
    void sumsAreThoseOfALoop()
    {
        QFETCH(int, parts);
        QFETCH(int, blocks);
        std::mt19937 random(static_cast<std::uint32_t>(parts * blocks));
        std::vector<int> codes(static_cast<std::size_t>(32 * blocks * parts)); // [row][part]
        for (int& code : codes)
            code = static_cast<int>(random() % 256);
        std::vector<float> floats(static_cast<std::size_t>(256 * parts));
        for (float& value : floats)
            value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) * 0.37F;
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(16 * parts));
        for (auto& value : bytes)
            value = static_cast<std::uint8_t>(parts == 256 ? 255 : random() % 256); // the largest sum there is: 65280
        std::vector<std::uint8_t> wide(codes.size()), packed(codes.size() / 2);
        std::vector<float> expected(static_cast<std::size_t>(32 * blocks));
        std::vector<int> expectedWhole(expected.size());
        for (std::size_t row = 0; row < expected.size(); ++row)
            for (std::size_t s = 0; s < static_cast<std::size_t>(parts); ++s) {
                const auto code = static_cast<std::uint8_t>(codes[row * static_cast<std::size_t>(parts) + s]);
                expected[row] += floats[256 * s + code];
                expectedWhole[row] += bytes[16 * s + code % 16];
                wide[(row / 32 * static_cast<std::size_t>(parts) + s) * 32 + row % 32] = code;
                packed[(row / 32 * static_cast<std::size_t>(parts) / 2 + s / 2) * 32 + row % 32] |= static_cast<std::uint8_t>(code % 16 << (s % 2 ? 4 : 0));
            }
        std::vector<float> sums(expected.size());
        sumTables256(wide.data(), floats.data(), parts, blocks, sums.data());
        QVERIFY(sums == expected); // the same order of sums: the same bits
        std::vector<std::uint16_t> whole(expected.size());
        sumTables16(packed.data(), bytes.data(), parts, blocks, whole.data());
        for (std::size_t row = 0; row < whole.size(); ++row)
            QCOMPARE(static_cast<int>(whole[row]), expectedWhole[row]);
    }
    void halvesOfBytes()
    {
        std::vector<std::uint8_t> packed(256);
        for (std::size_t i = 0; i < 256; ++i)
            packed[i] = static_cast<std::uint8_t>(i);
        std::vector<std::int8_t> split(512);
        splitNibbles(packed.data(), 8, split.data());
        for (std::size_t i = 0; i < 256; ++i) {
            const std::size_t at = i / 32 * 64 + i % 32;
            QCOMPARE(static_cast<int>(split[at]), static_cast<int>(i % 16) - 8);
            QCOMPARE(static_cast<int>(split[at + 32]), static_cast<int>(i / 16) - 8);
        }
    }
};

QTEST_GUILESS_MAIN(TestTableScan)
#include "tst_table_scan.moc"
