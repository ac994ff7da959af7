// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/calibration.h"
#include "core/io/npy.h"
#include "core/io/npy_rows.h"
#include "core/io/sample_rows.h"
#include "tests/core/base/failure.h"
#include "tests/core/io/corpus.h"

#include <QFile>
#include <QTemporaryDir>

#include <cmath>
#include <cstring>
#include <filesystem>

using namespace tamis;
using namespace tamis::io;
using tamis::test::failure;
using tamis::test::sourcePath;
using tensor::Matrix;

namespace {
bool sameBits(const Matrix<float>& a, const Matrix<float>& b)
{
    return a.rows() == b.rows() && a.cols() == b.cols() && (a.size() == 0 || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// All rows, so many at a time.
template <class Rows> Matrix<float> inPieces(const Rows& rows, std::int64_t piece)
{
    Matrix<float> all(rows.rows(), rows.cols());
    for (std::int64_t first = 0; first < rows.rows(); first += piece)
        rows.read(first, {all.data() + first * all.cols(), std::min(piece, rows.rows() - first), all.cols(), all.cols()});
    return all;
}
} // namespace

class TstNpyRows : public QObject {
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }

    /// Counting values in Fortran order, big-endian doubles.
    std::filesystem::path fortranFile(std::int64_t rows, std::int64_t cols) const
    {
        QByteArray header = QString("{'descr': '>f8', 'fortran_order': True, 'shape': (%1, %2), }").arg(rows).arg(cols).toLatin1().leftJustified(117, ' ') + '\n';
        QByteArray bytes = QByteArray("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
        for (std::int64_t j = 0; j < cols; ++j)
            for (std::int64_t i = 0; i < rows; ++i) {
                const double value = static_cast<double>(i * cols + j);
                std::uint64_t word;
                std::memcpy(&word, &value, 8);
                word = __builtin_bswap64(word);
                bytes.append(reinterpret_cast<const char*>(&word), 8);
            }
        QFile file(m_dir.filePath("fortran.npy"));
        return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size() ? path("fortran.npy") : std::filesystem::path();
    }

private slots:
    /// Every element type, byte order and memory order that NumPy wrote for readNpy(), row by row and all at once: the same bits.
    void readsWhatTheWholeReaderReads()
    {
        int files = 0, fortran = 0;
        for (const auto& each : std::filesystem::directory_iterator(sourcePath("tests/golden"))) {
            if (each.path().extension() != ".npy" || !each.path().filename().string().starts_with("io_"))
                continue;
            const NpyHeader header = readNpyHeader(each.path());
            if (header.shape.size() != 2) {
                QVERIFY(failure([&] { NpyRows::open(each.path()); }, ErrorCode::InvalidParameter).contains("expected [rows, columns]"));
                continue;
            }
            const Matrix<float> whole = readNpy(each.path()).toFloatMatrix();
            const auto rows = NpyRows::open(each.path());
            for (const std::int64_t piece : {1, 2, 1000})
                QVERIFY2(sameBits(inPieces(*rows, piece), whole), each.path().c_str());
            ++files;
            fortran += header.fortranOrder;
        }
        QVERIFY2(files >= 14 && fortran >= 2, qPrintable(QString::number(files)));
    }
    /// Larger than a piece of the reader: 2^17 doubles a column in Fortran order, rows from the middle.
    void columnsAreReadInPieces()
    {
        const auto rows = NpyRows::open(fortranFile(150'000, 2));
        Matrix<float> some(140'000, 2);
        rows->read(9'999, some.view());
        for (std::int64_t i = 0; i < some.rows(); ++i)
            if (some(i, 0) != static_cast<float>(2 * (i + 9'999)) || some(i, 1) != static_cast<float>(2 * (i + 9'999) + 1))
                QFAIL(qPrintable(QString("row %1").arg(i)));
    }
    void viewsWithAStrideAreFilled()
    {
        writeNpy(path("small.npy"), std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2});
        Matrix<float> wide(3, 5);
        NpyRows::open(path("small.npy"))->read(0, {wide.data() + 1, 3, 2, 5});
        QVERIFY(wide(0, 1) == 1 && wide(0, 2) == 2 && wide(2, 1) == 5 && wide(2, 2) == 6 && wide(1, 0) == 0 && wide(1, 3) == 0);
    }
    void badRequestsAreRefused()
    {
        writeNpy(path("rows.npy"), std::vector<float>(60, 1.0F), {20, 3});
        const auto rows = NpyRows::open(path("rows.npy"));
        Matrix<float> some(4, 3), narrow(4, 2);
        QVERIFY(failure([&] { rows->read(17, some.view()); }, ErrorCode::InvalidParameter).contains("4 rows of 3 columns from row 17 on, found 20 of 3"));
        QVERIFY(failure([&] { rows->read(-1, some.view()); }, ErrorCode::InvalidParameter).contains("from row -1"));
        QVERIFY(failure([&] { rows->read(0, narrow.view()); }, ErrorCode::InvalidParameter).contains("2 columns"));
        QVERIFY(failure([&] { NpyRows::open(m_dir.path().toStdString()); }, ErrorCode::IoFailure).contains("is a directory"));
        QVERIFY(failure([&] { NpyRows::open(path("nowhere.npy")); }, ErrorCode::IoFailure).contains("cannot be opened"));
        std::filesystem::resize_file(path("rows.npy"), 200);
        QVERIFY(failure([&] { rows->read(16, some.view()); }, ErrorCode::IoFailure).contains("the file shrank after it was opened"));
        QVERIFY(failure([&] { NpyRows::open(path("rows.npy")); }, ErrorCode::MalformedFile).contains("expected 240"));
    }
    /// The site of an h5py file whose samples are in compressed chunks of 2 x 3, and one that Tamis wrote, contiguous.
    void sampleRowsAreThoseOfTheWholeSet()
    {
        const auto golden = sourcePath("tests/golden/io_calibration.h5");
        const auto set = CalibrationSet::open(golden);
        for (const std::string site : {"h.2.fc", "h.10.fc"}) {
            const auto rows = SampleRows::open(golden, site);
            const Matrix<float> whole = set->read(site).samples;
            for (const std::int64_t piece : {1, 3, 1000})
                QVERIFY2(sameBits(inPieces(*rows, piece), whole), site.c_str());
        }
        CalibrationSite own{.name = "a", .count = 9, .gram = {2, 2}, .mean = {0, 0}, .samples = {7, 2}};
        own.gram(0, 0) = own.gram(1, 1) = 1;
        for (std::size_t i = 0; i < 14; ++i)
            own.samples.values()[i] = static_cast<float>(i) / 3;
        CalibrationSite bare{.name = "b", .count = 9, .gram = own.gram, .mean = {0, 0}};
        writeCalibration(path("own.h5"), std::string(64, 'a'), "rows", 9, {own, bare});
        for (const std::int64_t piece : {1, 3, 7})
            QVERIFY(sameBits(inPieces(*SampleRows::open(path("own.h5"), "a"), piece), own.samples));
        QVERIFY(!SampleRows::open(path("own.h5"), "a", SampleRows::Rows::HeldOutFirst)->heldOut()); // it has none
        own.heldOut = Matrix<float>(3, 2);
        for (std::size_t i = 0; i < 6; ++i)
            own.heldOut.values()[i] = 7 - static_cast<float>(i) / 3;
        writeCalibration(path("both.h5"), std::string(64, 'a'), "rows", 9, {own});
        const auto apart = SampleRows::open(path("both.h5"), "a", SampleRows::Rows::HeldOutFirst);
        QVERIFY(apart->heldOut() && sameBits(inPieces(*apart, 2), own.heldOut));
        QVERIFY(sameBits(inPieces(*SampleRows::open(path("both.h5"), "a"), 7), own.samples));
        Matrix<float> some(3, 2);
        QVERIFY(failure([&] { SampleRows::open(path("own.h5"), "a")->read(5, some.view()); }, ErrorCode::InvalidParameter).contains("from row 5 on, found 7 of 2"));
        QVERIFY(failure([&] { SampleRows::open(path("own.h5"), "c"); }, ErrorCode::InvalidParameter).contains("has no site 'c'"));
        QVERIFY(failure([&] { SampleRows::open(path("own.h5"), "b"); }, ErrorCode::InvalidParameter).contains("found no sample rows"));
    }
};

QTEST_GUILESS_MAIN(TstNpyRows)
#include "tst_npy_rows.moc"
