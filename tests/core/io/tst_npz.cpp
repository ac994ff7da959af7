// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "core/io/npz.h"
#include "tests/core/io/corpus.h"

#include <QFile>
#include <QTemporaryDir>

#include <algorithm>
#include <numeric>

using namespace tamis;
using namespace tamis::io;
using test::sourcePath;

namespace {

QByteArray fileBytes(const std::filesystem::path& path)
{
    QFile file(QString::fromStdString(path.string()));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

std::span<const std::byte> view(const QByteArray& bytes) { return std::as_bytes(std::span(bytes.data(), static_cast<std::size_t>(bytes.size()))); }

} // namespace

class TstNpz : public QObject
{
    Q_OBJECT

private slots:
    void readsWhatNumpyWrote_data()
    {
        QTest::addColumn<QString>("file");
        QTest::addColumn<bool>("deflated");
        QTest::newRow("np.savez") << "io_arrays.npz" << false;
        QTest::newRow("np.savez_compressed") << "io_arrays_deflated.npz" << true;
    }
    void readsWhatNumpyWrote()
    {
        QFETCH(QString, file);
        QFETCH(bool, deflated);
        const auto archive = NpzArchive::open(sourcePath("tests/golden/" + file.toStdString()));
        std::vector<std::string> names;
        for (const NpzMember& member : archive->members()) {
            names.push_back(member.name);
            QCOMPARE(member.deflated, deflated);
            QCOMPARE(archive->find(member.name), &member);
        }
        QCOMPARE(names, (std::vector<std::string>{"weights", "steps", "scale", "mask", "columns"}));
        std::vector<double> steps(1000);
        std::iota(steps.begin(), steps.end(), 0.0);
        QCOMPARE(archive->read("steps").toDoubles(), steps);
        QCOMPARE(archive->read("scale").toDoubles(), std::vector<double>{0.5});
        QVERIFY(archive->find("columns")->header.fortranOrder);
        const std::vector<double> mask = archive->read("mask").toDoubles();
        for (std::size_t i = 0; i < mask.size(); ++i)
            QCOMPARE(mask[i], i % 2 == 0 ? 1.0 : 0.0);
        const NpyArray weights = archive->read("weights");
        QCOMPARE(weights.shape, (std::vector<std::int64_t>{20, 30}));
        QCOMPARE(weights.dtype, tensor::DType::F32);
        // Printed by NumPy from the same file; decoding is exact.
        const tensor::Matrix<double> matrix = weights.toDoubleMatrix();
        QCOMPARE(matrix(0, 0), 0.001230153371579945);
        QCOMPARE(matrix(3, 17), 0.49301329255104065);
        QCOMPARE(matrix(19, 29), -1.0025951862335205);
        QCOMPARE(archive->read("columns").toDoubleMatrix()(1, 2), -2.25501500646246);
    }
    /// Two ways to the same values: stored and deflated, and a plain .npy for one that both hold.
    void storedAndDeflatedAgree()
    {
        const auto stored = NpzArchive::open(sourcePath("tests/golden/io_arrays.npz"));
        const auto deflated = NpzArchive::open(sourcePath("tests/golden/io_arrays_deflated.npz"));
        for (const NpzMember& member : stored->members())
            QCOMPARE(stored->read(member).bytes, deflated->read(member.name).bytes);
        QVERIFY(deflated->find("steps")->storedBytes < stored->find("steps")->storedBytes);
    }
    void memoryAndFileAgree()
    {
        const auto path = sourcePath("datasets/vit20/golden.npz");
        const QByteArray bytes = fileBytes(path);
        const auto memory = NpzArchive::parse(view(bytes), "memory");
        const auto file = NpzArchive::open(path);
        int compared = 0;
        for (const NpzMember& member : file->members())
            if (member.unsupported.empty()) {
                QCOMPARE(file->read(member).bytes, memory->read(member.name).bytes);
                ++compared;
            }
        QVERIFY(compared > 5);
    }
    void aTextMemberDoesNotSpoilTheOthers()
    {
        const auto archive = NpzArchive::open(sourcePath("datasets/vit20/golden.npz"));
        const NpzMember* photos = archive->find("photos");
        QVERIFY(photos != nullptr && !photos->unsupported.empty());
        try {
            archive->read(*photos);
            QFAIL("read");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::UnsupportedFeature);
            QVERIFY2(QString(error.what()).contains("member 'photos': NumPy header: found the dtype '<U15'"), error.what());
        }
    }
    void aCheckpointLeavesTextsOut()
    {
        const auto checkpoint = Checkpoint::open(sourcePath("datasets/vit20/golden.npz"));
        QVERIFY(checkpoint->find("photos") == nullptr);
        const auto archive = NpzArchive::open(sourcePath("datasets/vit20/golden.npz"));
        const auto readable = std::count_if(archive->members().begin(), archive->members().end(), [](const NpzMember& m) { return m.unsupported.empty(); });
        QCOMPARE(checkpoint->tensors().size(), static_cast<std::size_t>(readable));
    }
    void everyPrefixIsRefused()
    {
        const QByteArray whole = fileBytes(sourcePath("tests/golden/io_arrays_deflated.npz"));
        for (qsizetype size = 0; size < whole.size(); size += 7) // a prime step keeps this in milliseconds
            QVERIFY_EXCEPTION_THROWN(NpzArchive::parse(view(whole).first(static_cast<std::size_t>(size)), "prefix"), Error);
    }
    /// Each single byte of the file changed: either an error, or the values are what they were. (The CRC covers the arrays,
    /// the strict directory the rest; bytes that say nothing, such as times and versions, may change.)
    void aChangedByteNeverChangesAValue()
    {
        const QByteArray whole = fileBytes(sourcePath("tests/golden/io_calibration.npz"));
        const auto original = NpzArchive::parse(view(whole), "original");
        int refused = 0, read = 0;
        for (qsizetype at = 0; at < whole.size(); at += 3) {
            QByteArray changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ 0x41);
            try {
                const auto archive = NpzArchive::parse(view(changed), "changed");
                for (const NpzMember& member : archive->members())
                    if (const NpzMember* known = original->find(member.name))
                        QCOMPARE(archive->read(member).bytes, original->read(*known).bytes);
                ++read;
            } catch (const Error&) {
                ++refused;
            }
        }
        QVERIFY(refused > read);
    }
    void anUnknownNameIsAnInvalidParameter()
    {
        try {
            NpzArchive::open(sourcePath("tests/golden/io_arrays.npz"))->read("nothing");
            QFAIL("read");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::InvalidParameter);
            QVERIFY(QString(error.what()).endsWith("has no array 'nothing'"));
        }
    }
    void limitsAreKept()
    {
        const auto path = sourcePath("tests/golden/io_arrays.npz");
        for (const NpzLimits limits : {NpzLimits{.members = 4}, NpzLimits{.memberBytes = 1000}, NpzLimits{.totalBytes = 9000}})
            try {
                NpzArchive::open(path, limits);
                QFAIL("opened");
            } catch (const Error& error) {
                QVERIFY2(error.code() == ErrorCode::LimitExceeded, error.what());
            }
        // A ratio that the archive respects, and one that it does not (steps deflates about 4 times).
        const auto deflated = sourcePath("tests/golden/io_arrays_deflated.npz");
        QCOMPARE(NpzArchive::open(deflated, {.ratio = 100, .ratioFreeBytes = 0})->members().size(), std::size_t{5});
        QVERIFY_EXCEPTION_THROWN(NpzArchive::open(deflated, {.ratio = 1, .ratioFreeBytes = 0}), Error);
    }
    void aFileThatShrinksAfterOpeningIsAnError()
    {
        QTemporaryDir dir;
        const std::filesystem::path copy = dir.filePath("shrinks.npz").toStdString();
        std::filesystem::copy_file(sourcePath("datasets/vit20/golden.npz"), copy);
        const auto archive = NpzArchive::open(copy);
        std::filesystem::resize_file(copy, 0);
        for (const NpzMember& member : archive->members())
            try {
                if (member.unsupported.empty()) {
                    archive->read(member);
                    QFAIL("read");
                }
            } catch (const Error& error) {
                QVERIFY2(error.code() == ErrorCode::IoFailure, error.what());
            }
    }
    void refusesEveryMalformedFile_data() { test::corpusTable("npz"); }
    void refusesEveryMalformedFile()
    {
        test::expectRefusal([](const std::filesystem::path& file) {
            const auto archive = NpzArchive::open(file);
            for (const NpzMember& member : archive->members())
                archive->read(member);
        });
    }
};

QTEST_GUILESS_MAIN(TstNpz)
#include "tst_npz.moc"
