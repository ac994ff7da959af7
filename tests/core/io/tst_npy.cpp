// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/npy.h"
#include "tests/core/io/corpus.h"

#include <QFile>
#include <QTemporaryDir>

#include <cmath>
#include <numeric>

using namespace tamis;
using namespace tamis::io;
using test::sourcePath;

namespace {

std::vector<std::byte> fileBytes(const std::filesystem::path& path)
{
    QFile file(QString::fromStdString(path.string()));
    if (!file.open(QIODevice::ReadOnly))
        return {};
    const QByteArray bytes = file.readAll();
    const auto* start = reinterpret_cast<const std::byte*>(bytes.data());
    return {start, start + bytes.size()};
}

/// Equal as bits are equal, so that NaN equals NaN and -0 differs from 0.
bool same(double a, double b) { return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b)); }

} // namespace

class TstNpy : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }

private slots:
    void readsWhatNumpyWrote_data()
    {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("descr");
        QTest::addColumn<QString>("shape");
        QTest::addColumn<QString>("expected");
        QFile table(QString::fromStdString(sourcePath("tests/golden/io_npy.tsv").string()));
        QVERIFY(table.open(QIODevice::ReadOnly));
        for (const QByteArray& line : table.readAll().split('\n')) {
            if (line.isEmpty())
                continue;
            const QStringList fields = QString::fromUtf8(line).split('\t');
            QCOMPARE(fields.size(), 4);
            QTest::newRow(qPrintable(fields[0])) << fields[0] << fields[1] << fields[2] << fields[3];
        }
    }
    /// Every value in row-major order equals NumPy's own reading of the file; decoding is exact, so no tolerance.
    void readsWhatNumpyWrote()
    {
        QFETCH(QString, file);
        QFETCH(QString, descr);
        QFETCH(QString, shape);
        QFETCH(QString, expected);
        const auto path = sourcePath("tests/golden/" + file.toStdString());
        const NpyArray array = readNpy(path);
        const NpyHeader header = readNpyHeader(path);
        QCOMPARE(array.shape, header.shape);
        QCOMPARE(header.bigEndian, descr.startsWith('>'));
        QCOMPARE(header.fortranOrder, file.contains("fortran"));
        QStringList dimensions;
        for (const std::int64_t n : array.shape)
            dimensions << QString::number(n);
        QCOMPARE(dimensions.join(','), shape);
        const std::vector<double> values = array.toDoubles();
        const QStringList texts = expected.split(' ', Qt::SkipEmptyParts);
        QCOMPARE(values.size(), static_cast<std::size_t>(texts.size()));
        const std::vector<float> floats = array.toFloats();
        for (std::size_t i = 0; i < values.size(); ++i) {
            const QString& text = texts[static_cast<int>(i)];
            const double reference = text == "nan" ? std::nan("") : text == "inf" ? INFINITY : text == "-inf" ? -INFINITY : text.toDouble();
            QVERIFY2(same(values[i], reference), qPrintable(text));
            QVERIFY2(same(floats[i], static_cast<float>(reference)), qPrintable(text));
        }
    }
    void aNumpyGoldenOfEveryKindIsThere()
    {
        QCOMPARE(readNpyHeader(sourcePath("tests/golden/io_f8_little_v2.npy")).dataOffset % 64, std::uint64_t{0});
        QCOMPARE(fileBytes(sourcePath("tests/golden/io_f8_little_v2.npy")).at(6), std::byte{2});
        QCOMPARE(fileBytes(sourcePath("tests/golden/io_f8_little_v3.npy")).at(6), std::byte{3});
    }
    /// Brute force: element (i, j, k) of a Fortran array lies at i + n0 (j + n1 k).
    void fortranOrderIsTransposedInAnyRank()
    {
        for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{3, 4, 5}, {7, 1, 2}, {1, 6, 1}, {2, 3, 1}}) {
            const std::size_t n0 = static_cast<std::size_t>(shape[0]), n1 = static_cast<std::size_t>(shape[1]), n2 = static_cast<std::size_t>(shape[2]);
            std::vector<double> stored(n0 * n1 * n2);
            std::iota(stored.begin(), stored.end(), 1.0);
            std::string bytes = formatNpy(stored, shape);
            const std::size_t at = bytes.find("False");
            bytes.replace(at, 5, "True ");
            const std::vector<double> values = parseNpy(std::as_bytes(std::span(bytes.data(), bytes.size())), "memory").toDoubles();
            for (std::size_t i = 0; i < n0; ++i)
                for (std::size_t j = 0; j < n1; ++j)
                    for (std::size_t k = 0; k < n2; ++k)
                        QCOMPARE(values[(i * n1 + j) * n2 + k], stored[i + n0 * (j + n1 * k)]);
        }
    }
    void matricesOfEveryRank()
    {
        std::vector<float> values(24);
        std::iota(values.begin(), values.end(), 0.0f);
        const auto matrix = [&](std::vector<std::int64_t> shape, std::size_t count) {
            const std::string bytes = formatNpy(std::span<const float>(values).first(count), shape);
            return parseNpy(std::as_bytes(std::span(bytes.data(), bytes.size())), "memory").toFloatMatrix();
        };
        const auto shapeOf = [](const tensor::Matrix<float>& m) { return std::pair(m.rows(), m.cols()); };
        QCOMPARE(shapeOf(matrix({4, 6}, 24)), std::pair(std::int64_t{4}, std::int64_t{6}));
        QCOMPARE(shapeOf(matrix({24}, 24)), std::pair(std::int64_t{1}, std::int64_t{24}));
        QCOMPARE(shapeOf(matrix({}, 1)), std::pair(std::int64_t{1}, std::int64_t{1}));
        QCOMPARE(shapeOf(matrix({2, 3, 4}, 24)), std::pair(std::int64_t{2}, std::int64_t{12}));
        QCOMPARE(shapeOf(matrix({0, 5}, 0)), std::pair(std::int64_t{0}, std::int64_t{5}));
        QCOMPARE(shapeOf(matrix({5, 0}, 0)), std::pair(std::int64_t{5}, std::int64_t{0}));
        QCOMPARE(matrix({2, 3, 4}, 24)(1, 5), 17.0f);
    }
    /// What the writer makes is byte for byte what NumPy writes.
    void writesWhatNumpyWrites()
    {
        std::vector<double> values(12);
        for (std::size_t i = 0; i < 12; ++i)
            values[i] = 1.5 * static_cast<double>(i) - 7;
        writeNpy(path("f8.npy"), values, {3, 4});
        QVERIFY(fileBytes(path("f8.npy")) == fileBytes(sourcePath("tests/golden/io_f8_little.npy")));
        const std::vector<float> floats(values.begin(), values.end());
        writeNpy(path("f4.npy"), floats, {3, 4});
        QVERIFY(fileBytes(path("f4.npy")) == fileBytes(sourcePath("tests/golden/io_f4_little.npy")));
        std::vector<std::int64_t> integers(12);
        for (std::size_t i = 0; i < 12; ++i)
            integers[i] = static_cast<std::int64_t>(i) * 11 - 60;
        writeNpy(path("i8.npy"), integers, {3, 4});
        QVERIFY(fileBytes(path("i8.npy")) == fileBytes(sourcePath("tests/golden/io_i8_little.npy")));
        writeNpy(path("scalar.npy"), std::vector<double>{2.5}, {});
        QVERIFY(fileBytes(path("scalar.npy")) == fileBytes(sourcePath("tests/golden/io_scalar.npy")));
        const std::vector<double> line = readNpy(sourcePath("tests/golden/io_vector.npy")).toDoubles();
        writeNpy(path("vector.npy"), line, {7});
        QVERIFY(fileBytes(path("vector.npy")) == fileBytes(sourcePath("tests/golden/io_vector.npy")));
    }
    void refusesToWriteAnotherShape()
    {
        for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{3}, {-2, -1}, {1ll << 62, 4, 2}})
            QVERIFY_EXCEPTION_THROWN(formatNpy(std::vector<double>{1, 2}, shape), Error);
    }
    void aPythonTwoHeaderIsRead()
    {
        const std::string text = "{'descr': \"<f8\", 'fortran_order': False, 'shape': (1L, 2L)}\n";
        const std::string bytes = std::string("\x93NUMPY\1\0", 8) + static_cast<char>(text.size()) + '\0' + text + std::string(16, '\0');
        QCOMPARE(parseNpy(std::as_bytes(std::span(bytes.data(), bytes.size())), "memory").shape, (std::vector<std::int64_t>{1, 2}));
    }
    void everyPrefixOfAFileIsRefused()
    {
        const std::vector<std::byte> whole = fileBytes(sourcePath("tests/golden/io_fortran3.npy"));
        for (std::size_t size = 0; size < whole.size(); ++size)
            QVERIFY_EXCEPTION_THROWN(parseNpy(std::span(whole).first(size), "prefix"), Error);
        QCOMPARE(parseNpy(whole, "whole").elements(), std::uint64_t{30});
    }
    void directoriesAndMissingFilesAreNamed()
    {
        for (const std::filesystem::path& bad : {std::filesystem::path(m_dir.path().toStdString()), path("missing.npy")})
            try {
                readNpy(bad);
                QFAIL("read");
            } catch (const Error& error) {
                QVERIFY(error.code() == ErrorCode::IoFailure);
                QCOMPARE(error.subject(), bad.string());
            }
    }
    void refusesEveryMalformedFile_data() { test::corpusTable("npy"); }
    void refusesEveryMalformedFile()
    {
        test::expectRefusal([](const std::filesystem::path& file) { readNpy(file); });
    }
};

QTEST_GUILESS_MAIN(TstNpy)
#include "tst_npy.moc"
