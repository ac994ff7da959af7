// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/io/checkpoint.h"
#include "core/io/npz.h"
#include "core/io/safetensors.h"
#include "tests/core/io/corpus_case.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <fcntl.h>
#include <limits>
#include <numeric>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace tamis;
using namespace tamis::io;
using tensor::DType;

namespace {
const std::filesystem::path kVit20 = TAMIS_SOURCE_DIR "/datasets/vit20";

void writeModel(const std::filesystem::path& file, const std::vector<std::pair<TensorDeclaration, std::vector<float>>>& tensors)
{
    std::vector<TensorDeclaration> declared;
    for (const auto& [declaration, values] : tensors)
        declared.push_back(declaration);
    SafetensorsWriter writer(file, declared);
    for (const auto& [declaration, values] : tensors)
        writer.appendValues(declaration.name, std::span<const float>(values));
    writer.commit();
}

std::vector<float> counted(std::size_t count)
{
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), 1.0f);
    return values;
}
} // namespace

class TstCheckpoint : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }
    template <class Use> static void fails(Use use, ErrorCode code, const std::string& part)
    {
        try {
            use();
            QFAIL(qPrintable("accepted, expected " + QString::fromStdString(part)));
        } catch (const Error& error) {
            QVERIFY2(error.code() == code, error.what());
            QVERIFY2(std::string_view(error.what()).find(part) != std::string_view::npos, error.what());
        }
    }

private slots:
    void shardedCorpus_data()
    {
        QTest::addColumn<int>("number");
        const auto cases = test::readCorpus("sharded");
        for (int i = 0; i < cases.size(); ++i)
            QTest::newRow(qPrintable(cases[i].path.section('/', -1))) << i;
    }
    void shardedCorpus()
    {
        QFETCH(int, number);
        const test::CorpusCase each = test::readCorpus("sharded")[number];
        const QString verdict = test::corpusVerdict(each, [&] {
            const auto checkpoint = Checkpoint::open(each.path.toStdString());
            for (const TensorEntry& entry : checkpoint->tensors())
                checkpoint->readFloats(entry);
        });
        QVERIFY2(verdict.isEmpty(), qPrintable(verdict));
    }
    void corpusIsListed() { QVERIFY(test::corpusIsComplete("sharded")); }

    void opensTheBundledModel()
    {
        const auto model = Checkpoint::open(kVit20);
        QCOMPARE(model->format(), std::string("safetensors"));
        QCOMPARE(model->tensors().size(), 80u);
        QCOMPARE(model->parameters(), 1'231'764u);
        QCOMPARE(model->bytes(), 4u * 1'231'764u);
        QVERIFY(model->path() == kVit20 && model->files() == std::vector{kVit20 / "model.safetensors"});
        QVERIFY(model->config().heads == 4);
        QVERIFY(model->layout().family == Family::TimmVit && model->layout().layers == 6);
        QCOMPARE(model->sha256(), sha256OfFiles({kVit20 / "model.safetensors"}));
        QCOMPARE(model->sha256(), model->sha256()); // kept
        // The file itself is the reference: F32 values lie in it as they are.
        QFile file(QString::fromStdString((kVit20 / "model.safetensors").string()));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QByteArray all = file.readAll();
        for (const TensorEntry& entry : model->tensors()) {
            QVERIFY(model->find(entry.name) == &entry);
            const auto values = model->readFloats(entry);
            QVERIFY(std::memcmp(values.data(), all.constData() + entry.offset, entry.bytes) == 0);
        }
        QVERIFY(model->find("blocks.0") == nullptr && model->find("") == nullptr && model->find("zzz") == nullptr);
        // By file, the same, with the configuration beside it.
        const auto byFile = Checkpoint::open(kVit20 / "model.safetensors");
        QVERIFY(byFile->tensors() == model->tensors() && byFile->config().heads == 4);
    }
    void shardsAreOneModel()
    {
        const auto model = Checkpoint::open(TAMIS_SOURCE_DIR "/tests/corpus/sharded/good");
        QCOMPARE(model->format(), std::string("safetensors-sharded"));
        QCOMPARE(model->files().size(), 2u);
        QCOMPARE(model->tensors().size(), 2u);
        QCOMPARE(model->readFloats(*model->find("a.weight")), (std::vector<float>{0, 0.5f, 1, 1.5f}));
        QCOMPARE(model->readFloats(*model->find("b.weight")), (std::vector<float>{0, 0.5f}));
        QCOMPARE(model->find("b.weight")->file, 1u);
        QCOMPARE(model->sha256(), sha256OfFiles(model->files()));
        const auto byIndex = Checkpoint::open(TAMIS_SOURCE_DIR "/tests/corpus/sharded/good/model.safetensors.index.json");
        QVERIFY(byIndex->tensors() == model->tensors());
    }
    void whatAnIndexGetsWrongHarmlesslyIsSaid()
    {
        std::vector<std::string> log;
        const RunContext context({}, [&](LogLevel, const std::string& text) { log.push_back(text); });
        const QString from = TAMIS_SOURCE_DIR "/tests/corpus/sharded/good/";
        QVERIFY(QDir().mkpath(m_dir.filePath("unlisted")));
        for (const QString& name : QDir(from).entryList(QDir::Files))
            QVERIFY(QFile::copy(from + name, m_dir.filePath("unlisted/") + name));
        writeModel(path("unlisted/model-00002-of-00002.safetensors"),
                   {{{"b.weight", DType::F32, {1, 2}}, counted(2)}, {{"extra", DType::F32, {3}}, counted(3)}});
        const auto model = Checkpoint::open(path("unlisted"), context);
        QVERIFY(model->find("extra") != nullptr);
        QCOMPARE(log.size(), 2u);
        QVERIFY2(log[0].find("the shards hold 1 tensors that weight_map does not list") != std::string::npos, log[0].c_str());
        QVERIFY2(log[1].find("total_size is 24, the tensors have 36 bytes") != std::string::npos, log[1].c_str());
    }
    void everyTypeIsDecoded()
    {
        const auto model = Checkpoint::open(TAMIS_SOURCE_DIR "/tests/corpus/safetensors/good_every_dtype.safetensors");
        // The bytes are 0, 1, 0, 1 ...; the tensors are three elements each.
        const std::map<std::string, std::vector<float>> expected{{"t.I16", {256, 256, 256}}, {"t.I8", {0, 1, 0}}, {"t.U8", {1, 0, 1}}, {"t.BOOL", {0, 1, 0}},
                                                                 {"t.I32", {16777472, 16777472, 16777472}}};
        for (const auto& [name, values] : expected)
            QCOMPARE(model->readFloats(*model->find(name)), values);
        QCOMPARE(model->tensors().size(), 10u);
    }
    void conv1dIsTransposed()
    {
        writeModel(path("gpt2.safetensors"), {{{"h.0.attn.c_attn.weight", DType::F16, {70, 210}}, counted(70 * 210)}});
        const auto model = Checkpoint::open(path("gpt2.safetensors"));
        const MatrixRef& matrix = model->layout().matrices.front();
        QVERIFY(matrix.transposed && matrix.rows == 210 && matrix.cols == 70);
        const auto stored = model->readFloats(*model->find(matrix.tensor)); // [in, out]
        const auto asFloat = model->readMatrix(matrix);
        const auto asDouble = model->readMatrixDouble(matrix);
        for (std::int64_t i = 0; i < 210; ++i)
            for (std::int64_t j = 0; j < 70; ++j) {
                QCOMPARE(asFloat(i, j), stored[static_cast<std::size_t>(j * 210 + i)]);
                QCOMPARE(asDouble(i, j), static_cast<double>(asFloat(i, j)));
            }
    }
    void convolutionsAreFlattened()
    {
        const auto model = Checkpoint::open(kVit20);
        const MatrixRef& patch = model->layout().matrices.front();
        QVERIFY(patch.role == Role::Patch && patch.rows == 128 && patch.cols == 48);
        const auto stored = model->readFloats(*model->find("patch_embed.proj.weight"));
        QVERIFY(std::ranges::equal(model->readMatrix(patch).values(), stored));
    }
    void nonFiniteWeightsAreReadAndCounted()
    {
        const auto model = Checkpoint::open(TAMIS_SOURCE_DIR "/tests/corpus/safetensors/good_nan.safetensors");
        const auto values = model->readMatrix(model->layout().matrices.front());
        QVERIFY(tensor::countNonFinite(std::span<const float>(values.values())) == (tensor::FiniteCount{.nan = 1, .infinite = 2}));
        QVERIFY(std::isnan(values(0, 0)) && values(0, 1) > 0 && std::isinf(values(1, 0)) && values(1, 1) == 1);
    }
    void numPyArraysAreModelsOfOneMatrix_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"io_f4_little", "io_f4_big", "io_f8_little", "io_f2_big", "io_i2_big", "io_u1", "io_fortran2", "io_fortran2_big", "io_fortran3",
                                 "io_vector", "io_scalar", "io_empty"})
            QTest::newRow(name) << name;
    }
    void numPyArraysAreModelsOfOneMatrix()
    {
        QFETCH(QString, name);
        const std::filesystem::path file = (QString(TAMIS_SOURCE_DIR "/tests/golden/") + name + ".npy").toStdString();
        const NpyArray expected = readNpy(file); // compared with NumPy in its own test
        const auto model = Checkpoint::open(file);
        QCOMPARE(model->format(), std::string("npy"));
        QCOMPARE(model->tensors().size(), 1u);
        const TensorEntry& entry = model->tensors().front();
        QVERIFY(entry.name == name.toStdString() && entry.shape == expected.shape && entry.dtype == expected.dtype);
        QCOMPARE(model->readFloats(entry), expected.toFloats());
        QVERIFY(model->readBytes(entry) == expected.bytes);
        for (const MatrixRef& matrix : model->layout().matrices)
            QVERIFY(std::ranges::equal(model->readMatrixDouble(matrix).values(), expected.toDoubles()));
        QCOMPARE(model->sha256(), sha256OfFiles({file}));
        QVERIFY(looksLikeCheckpoint(file));
    }
    void numPyArchivesAreModels_data()
    {
        QTest::addColumn<QString>("name");
        QTest::newRow("stored") << "io_arrays.npz";
        QTest::newRow("deflated") << "io_arrays_deflated.npz";
    }
    void numPyArchivesAreModels()
    {
        QFETCH(QString, name);
        const std::filesystem::path file = (QString(TAMIS_SOURCE_DIR "/tests/golden/") + name).toStdString();
        const auto archive = NpzArchive::open(file);
        const auto model = Checkpoint::open(file);
        QCOMPARE(model->format(), std::string("npz"));
        QVERIFY(archive->members().size() > 1);
        QCOMPARE(model->tensors().size(), archive->members().size());
        std::size_t matrices = 0;
        for (const NpzMember& member : archive->members()) {
            const TensorEntry* entry = model->find(member.name);
            QVERIFY(entry != nullptr && entry->shape == member.header.shape);
            QCOMPARE(model->readFloats(*entry), archive->read(member).toFloats());
        }
        for (const MatrixRef& matrix : model->layout().matrices) {
            QVERIFY(std::ranges::equal(model->readMatrix(matrix).values(), archive->read(matrix.tensor).toFloats()));
            ++matrices;
        }
        QVERIFY(matrices > 0);
        QVERIFY(looksLikeCheckpoint(file));
    }
    void aNumPyFileThatIsCutIsAnError()
    {
        for (const char* name : {"io_fortran2_big.npy", "io_f8_little.npy", "io_arrays_deflated.npz"}) {
            QFile::remove(m_dir.filePath(name));
            QVERIFY(QFile::copy(QString(TAMIS_SOURCE_DIR "/tests/golden/") + name, m_dir.filePath(name)));
            QVERIFY(QFile::setPermissions(m_dir.filePath(name), QFile::ReadOwner | QFile::WriteOwner));
            const auto model = Checkpoint::open(path(name));
            const auto size = static_cast<off_t>(std::filesystem::file_size(path(name)));
            QCOMPARE(truncate(path(name).c_str(), std::min<off_t>(size - 1, 60)), 0);
            fails([&] { model->readFloats(model->tensors().front()); }, ErrorCode::IoFailure, "shrank after it was opened");
            fails([&] { Checkpoint::open(path(name)); }, ErrorCode::MalformedFile, name);
        }
    }
    void aFileThatShrinksAfterOpeningIsAnError()
    {
        writeModel(path("shrinks.safetensors"), {{{"a", DType::F32, {100'000}}, counted(100'000)}, {{"b", DType::F32, {2}}, counted(2)}});
        const auto model = Checkpoint::open(path("shrinks.safetensors"));
        QCOMPARE(truncate(path("shrinks.safetensors").c_str(), 300'000), 0);
        const std::string part = "shrinks.safetensors: tensor \"a\": the file shrank after it was opened: found 300000 bytes";
        fails([&] { model->readFloats(*model->find("a")); }, ErrorCode::IoFailure, part);
        fails([&] { model->readBytes(*model->find("a")); }, ErrorCode::IoFailure, part);
        fails([&] { model->sha256(); }, ErrorCode::IoFailure, "the file shrank after it was opened");
        fails([&] { Checkpoint::open(path("shrinks.safetensors")); }, ErrorCode::MalformedFile, "reach beyond the end of the file");
    }
    void aReplacedFileIsStillTheOneThatWasOpened()
    {
        writeModel(path("replaced.safetensors"), {{{"a", DType::F32, {3}}, {1, 2, 3}}});
        const auto model = Checkpoint::open(path("replaced.safetensors"));
        const std::string before = sha256OfFiles({path("replaced.safetensors")});
        writeModel(path("replaced.safetensors"), {{{"a", DType::F32, {3}}, {7, 8, 9}}}); // renamed over it
        QCOMPARE(model->readFloats(*model->find("a")), (std::vector<float>{1, 2, 3}));
        QCOMPARE(model->sha256(), before);
    }
    void withoutPermissionNothingOpens()
    {
        writeModel(path("secret.safetensors"), {{{"a", DType::F32, {1}}, {1}}});
        QCOMPARE(chmod(path("secret.safetensors").c_str(), 0), 0);
        QCOMPARE(chmod(m_dir.path().toStdString().c_str(), 0755), 0);
        const auto attempt = [&] {
            try {
                Checkpoint::open(path("secret.safetensors"));
                return 1;
            } catch (const Error& error) {
                return error.code() == ErrorCode::IoFailure && error.message() == "cannot be opened: Permission denied" ? 0 : 2;
            }
        };
        if (geteuid() != 0) {
            QCOMPARE(attempt(), 0);
            return;
        }
        const pid_t child = fork(); // the superuser may read everything: ask as nobody
        if (child == 0)
            _exit(setgid(65534) != 0 || setuid(65534) != 0 ? 77 : attempt());
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            QSKIP("running as the superuser, who may read everything, and cannot become another user");
        QVERIFY(WIFEXITED(status));
        QCOMPARE(WEXITSTATUS(status), 0);
    }
    void whatIsNoCheckpointIsSaidToBeNone()
    {
        fails([&] { Checkpoint::open(path("nowhere")); }, ErrorCode::IoFailure, "nowhere: cannot be opened: No such file or directory");
        fails([&] { Checkpoint::open(kVit20 / "labels.txt"); }, ErrorCode::UnsupportedFeature, "is no kind of file that holds weights");
        QVERIFY(QDir().mkpath(m_dir.filePath("folder.safetensors")));
        fails([&] { Checkpoint::open(path("folder.safetensors")); }, ErrorCode::UnsupportedFeature, "the directory holds no weights");
        QVERIFY(looksLikeCheckpoint(kVit20) && looksLikeCheckpoint(kVit20 / "model.safetensors"));
        QVERIFY(looksLikeCheckpoint(TAMIS_SOURCE_DIR "/tests/corpus/sharded/good"));
        QVERIFY(!looksLikeCheckpoint(kVit20 / "labels.txt") && !looksLikeCheckpoint(path("nowhere")));
        QVERIFY(!looksLikeCheckpoint(TAMIS_SOURCE_DIR "/tests/corpus/safetensors/empty.safetensors"));
        QVERIFY(!looksLikeCheckpoint(TAMIS_SOURCE_DIR "/tests/corpus/safetensors/text_file.safetensors"));
        for (const char* name : {"fifo.safetensors", "fifo.npy"}) { // neither waits for a writer
            QCOMPARE(mkfifo(path(name).c_str(), 0600), 0);
            QVERIFY(!looksLikeCheckpoint(path(name)));
            fails([&] { Checkpoint::open(path(name)); }, ErrorCode::IoFailure, "is not a regular file");
        }
    }
    void strangersAreRefused()
    {
        const auto model = Checkpoint::open(kVit20);
        TensorEntry entry = *model->find("head.weight");
        entry.file = 7;
        fails([&] { model->readFloats(entry); }, ErrorCode::InvalidParameter, "is not a tensor of this checkpoint");
        entry = *model->find("head.weight");
        entry.offset += 1'000'000'000;
        fails([&] { model->readFloats(entry); }, ErrorCode::InvalidParameter, "were asked for");
        MatrixRef matrix = model->layout().matrices.back();
        matrix.rows = 7;
        fails([&] { model->readMatrix(matrix); }, ErrorCode::InvalidParameter, "was asked for as 7 x");
        matrix.tensor = "nobody";
        fails([&] { model->readMatrixDouble(matrix); }, ErrorCode::InvalidParameter, "has no tensor nobody");
    }
    void aTensorThatCannotFitIsRefusedBeforeAllocation()
    {
        // 4 TiB of hole: a valid file, on file systems that allow it.
        const std::uint64_t elements = std::uint64_t{1} << 40;
        const std::string header = R"({"a":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}})";
        const std::uint64_t length = header.size();
        const int descriptor = ::open(path("vast.safetensors").c_str(), O_WRONLY | O_CREAT, 0600);
        QVERIFY(write(descriptor, &length, 8) == 8 && write(descriptor, header.data(), header.size()) == static_cast<ssize_t>(length));
        const bool sparse = ftruncate(descriptor, static_cast<off_t>(8 + length + 4 * elements)) == 0;
        ::close(descriptor);
        if (!sparse)
            QSKIP("the file system holds no file of 4 TiB");
        const auto model = Checkpoint::open(path("vast.safetensors"));
        QCOMPARE(model->parameters(), elements);
        fails([&] { model->readMatrix(model->layout().matrices.front()); }, ErrorCode::OutOfMemory, "tensor \"a\": needs about");
        fails([&] { model->readFloats(model->tensors().front()); }, ErrorCode::OutOfMemory, "needs about");
        fails([&] { model->readBytes(model->tensors().front()); }, ErrorCode::OutOfMemory, "needs about");
    }
    void aStopIsHeeded()
    {
        std::stop_source stop;
        stop.request_stop();
        const RunContext context(stop.get_token());
        fails([&] { Checkpoint::open(TAMIS_SOURCE_DIR "/tests/corpus/sharded/good", context); }, ErrorCode::Cancelled, "");
        const auto model = Checkpoint::open(kVit20);
        fails([&] { model->sha256(context); }, ErrorCode::Cancelled, "");
        QVERIFY(model->sha256().size() == 64); // a later call starts again
    }
    void threadsMayShareIt()
    {
        const auto model = Checkpoint::open(kVit20);
        const std::string expected = sha256OfFiles({kVit20 / "model.safetensors"});
        const auto reference = model->readMatrix(model->layout().matrices[2]);
        std::atomic<int> wrong = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                wrong += model->sha256() == expected ? 0 : 1;
                for (int round = 0; round < 20; ++round)
                    wrong += model->readMatrix(model->layout().matrices[2]) == reference ? 0 : 1;
            });
        for (std::thread& thread : threads)
            thread.join();
        QCOMPARE(wrong.load(), 0);
    }
};

QTEST_GUILESS_MAIN(TstCheckpoint)
#include "tst_checkpoint.moc"
