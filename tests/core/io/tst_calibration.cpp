// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/io/calibration.h"
#include "core/io/npz.h"
#include "tests/core/io/corpus.h"

#include <QDir>
#include <QElapsedTimer>
#include <QTemporaryDir>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <unistd.h>

using namespace tamis;
using namespace tamis::io;
using test::sourcePath;

namespace {

std::vector<double> values(const NpzArchive& golden, const std::string& name) { return golden.read(name).toDoubles(); }

template <class T> std::vector<double> widened(std::span<const T> values) { return {values.begin(), values.end()}; }

CalibrationSite site(const std::string& name, std::int64_t n)
{
    CalibrationSite result{.name = name, .count = 9, .gram = {n, n}, .mean = std::vector<double>(static_cast<std::size_t>(n), 0.25), .samples = {3, n}};
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            result.gram(i, j) = i == j ? static_cast<double>(n) : std::cos(static_cast<double>(i * j));
    for (std::int64_t k = 0; k < 3 * n; ++k)
        result.samples.values()[static_cast<std::size_t>(k)] = static_cast<float>(k) / 7;
    return result;
}

QString refusal(const std::function<void()>& action, ErrorCode code)
{
    try {
        action();
    } catch (const Error& error) {
        return error.code() == code ? QString(error.what()) : QString("other code: ") + error.what();
    }
    return "accepted";
}

} // namespace

class TstCalibration : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }

private slots:
    /// Values are copied or widened, never computed: they must be equal, bit for bit.
    void readsWhatH5pyWrote()
    {
        const auto set = CalibrationSet::open(sourcePath("tests/golden/io_calibration.h5"));
        QCOMPARE(set->siteNames(), (std::vector<std::string>{"h.2.fc", "h.2.gate", "h.2.up", "h.10.fc"})); // natural order
        QCOMPARE(set->modelSha256(), QByteArray("ab").repeated(32).toStdString());
        QCOMPARE(set->inputs(), std::string("random rows, na\xc3\xafve"));
        QCOMPARE(set->tokens(), std::uint64_t{300});
        const auto golden = NpzArchive::open(sourcePath("tests/golden/io_calibration.npz"));
        for (const std::string name : {"h.2.fc", "h.10.fc"}) {
            const CalibrationSite read = set->read(name);
            QCOMPARE(read.count, std::uint64_t{300});
            QCOMPARE(read.gram.rows(), set->features(name).value());
            QCOMPARE(widened<double>(read.gram.values()), values(*golden, name + "/gram"));
            QCOMPARE(read.mean, values(*golden, name + "/mean"));
            QCOMPARE(widened<float>(read.samples.values()), values(*golden, name + "/samples"));
            QCOMPARE(widened<float>(read.heldOut.values()), values(*golden, name + "/heldout"));
        }
        QCOMPARE(set->read("h.2.fc").outputGradSq, values(*golden, "h.2.fc/output_grad_sq"));
        QVERIFY(set->read("h.10.fc").outputGradSq.empty());
    }
    void linkedSitesAreTheSameSite()
    {
        const auto set = CalibrationSet::open(sourcePath("tests/golden/io_calibration.h5"));
        for (const char* link : {"h.2.gate", "h.2.up"})
            QVERIFY(set->read(link).gram == set->read("h.2.fc").gram);
    }
    void readsTheBundledSet()
    {
        const auto golden = NpzArchive::open(sourcePath("tests/golden/io_vit20.npz"));
        QElapsedTimer clock;
        clock.start();
        const auto set = CalibrationSet::open(sourcePath("datasets/vit20/calibration.h5"));
        const double opened = static_cast<double>(clock.nsecsElapsed()) / 1e6;
        QCOMPARE(set->tokens(), std::uint64_t{41120});
        QCOMPARE(set->siteNames().size(), std::size_t{25});
        QCOMPARE(set->siteNames().front(), std::string("blocks.0.attn.proj"));
        QCOMPARE(set->siteNames().back(), std::string("head"));
        clock.restart();
        std::vector<CalibrationSite> sites;
        for (const std::string& name : set->siteNames())
            sites.push_back(set->read(name));
        qInfo("vit20: opened in %.1f ms, 25 sites read and checked in %.1f ms", opened, static_cast<double>(clock.nsecsElapsed()) / 1e6);
        for (const CalibrationSite& read : sites) {
            const auto count = static_cast<std::uint64_t>(values(*golden, read.name + "/count").at(0));
            QCOMPARE(read.count, count);
            QCOMPARE(count, std::uint64_t{read.name == "head" ? 160u : 41120u});
            QCOMPARE(read.mean, values(*golden, read.name + "/mean"));
            QCOMPARE(widened<const double>(read.gram.view().row(3)), values(*golden, read.name + "/gram_row"));
            QCOMPARE(widened<const float>(read.samples.view().row(read.samples.rows() - 1)), values(*golden, read.name + "/samples_last"));
            QCOMPARE(widened<const float>(read.heldOut.view().row(0)), values(*golden, read.name + "/heldout_first"));
        }
    }
    /// The sum of x over the tokens obeys Cauchy-Schwarz: (count * mean_i)^2 <= count * gram_ii. Rounding of sums over
    /// 41120 terms in double is below 1e-9 of the result.
    void bundledMeansAgreeWithTheirGrams()
    {
        const auto set = CalibrationSet::open(sourcePath("datasets/vit20/calibration.h5"));
        for (const std::string& name : set->siteNames()) {
            const CalibrationSite read = set->read(name);
            for (std::int64_t i = 0; i < read.gram.rows(); ++i) {
                const double mean = read.mean[static_cast<std::size_t>(i)], square = read.gram(i, i) / static_cast<double>(read.count);
                QVERIFY(mean * mean <= square * (1 + 1e-9));
            }
        }
    }
    void roundTrips()
    {
        std::vector<CalibrationSite> sites{site("b", 4), site("a.10", 1), site("a.9", 130)};
        sites[2].heldOut = {2, 130};
        sites[2].outputGradSq = {1, 2, 3};
        writeCalibration(path("round.h5"), "cafe", "some words", 77, sites);
        const auto set = CalibrationSet::open(path("round.h5"));
        QCOMPARE(set->siteNames(), (std::vector<std::string>{"a.9", "a.10", "b"}));
        QCOMPARE(set->modelSha256(), std::string("cafe"));
        QCOMPARE(set->inputs(), std::string("some words"));
        QCOMPARE(set->tokens(), std::uint64_t{77});
        for (const CalibrationSite& written : sites) {
            const CalibrationSite read = set->read(written.name);
            QCOMPARE(read.count, written.count);
            QVERIFY(read.gram == written.gram);
            QVERIFY(read.mean == written.mean);
            QVERIFY(read.samples == written.samples);
            QVERIFY(widened<float>(read.heldOut.values()) == widened<float>(written.heldOut.values()));
            QVERIFY(read.outputGradSq == written.outputGradSq);
        }
        QCOMPARE(set->sha256(), sha256OfFiles({path("round.h5")}));
        // No time stamps: the same contents give the same bytes.
        writeCalibration(path("again.h5"), "cafe", "some words", 77, sites);
        QCOMPARE(sha256OfFiles({path("again.h5")}), sha256OfFiles({path("round.h5")}));
    }
    void sitesWithSeveralNames()
    {
        const std::vector<CalibrationSite> sites{site("q", 4), site("o", 3)};
        writeCalibration(path("links.h5"), {"cafe", "words", "beef", 5}, sites, {{"k", "q", {}}, {"v", "q", {}}});
        const auto set = CalibrationSet::open(path("links.h5"));
        QCOMPARE(set->siteNames(), (std::vector<std::string>{"k", "o", "q", "v"}));
        QCOMPARE(set->inputsSha256(), std::string("beef"));
        QVERIFY(set->read("k").gram == sites[0].gram && set->read("v").samples == sites[0].samples);
        writeCalibration(path("alone.h5"), {"cafe", "words", {}, 5}, sites);
        QCOMPARE(CalibrationSet::open(path("alone.h5"))->inputsSha256(), std::string());
        QVERIFY(std::filesystem::file_size(path("links.h5")) < std::filesystem::file_size(path("alone.h5")) + 2048); // names, no copies
        auto weighted = sites; // gradients of the outputs are each operator's own
        weighted[0].outputGradSq = {1, 2};
        writeCalibration(path("weighted.h5"), {"cafe", "words", {}, 5}, weighted, {{"k", "q", {3, 4, 5}}, {"v", "q", {}}});
        const auto own = CalibrationSet::open(path("weighted.h5"));
        QVERIFY(own->read("k").gram == sites[0].gram && own->read("v").samples == sites[0].samples);
        QCOMPARE(own->read("q").outputGradSq, (std::vector<double>{1, 2}));
        QCOMPARE(own->read("k").outputGradSq, (std::vector<double>{3, 4, 5}));
        QVERIFY(own->read("v").outputGradSq.empty());
        const auto refused = [&](const std::vector<CalibrationLink>& links) {
            return refusal([&] { writeCalibration(path("bad.h5"), {"", "", "", 1}, sites, links); }, ErrorCode::InvalidParameter);
        };
        QVERIFY(refused({{"k", "nobody", {}}}).endsWith("is another name for 'nobody', which is not written"));
        QVERIFY(refused({{"o", "q", {}}}).endsWith("is there twice"));
        QVERIFY(refused({{"a/b", "q", {}}}).contains("cannot be the name of a site"));
        QVERIFY(!std::filesystem::exists(path("bad.h5")));
    }
    void emptyTextsAndNoSites()
    {
        writeCalibration(path("empty.h5"), "", "", 0, {});
        const auto set = CalibrationSet::open(path("empty.h5"));
        QCOMPARE(set->inputs(), std::string());
        QVERIFY(set->siteNames().empty());
        QVERIFY(!set->features("x"));
        QVERIFY(refusal([&] { set->read("x"); }, ErrorCode::InvalidParameter).endsWith("has no site 'x'"));
    }
    void writesNothingThatItWouldNotRead()
    {
        const auto refused = [&](CalibrationSite bad) {
            return refusal([&] { writeCalibration(path("bad.h5"), "", "", 1, {std::move(bad)}); }, ErrorCode::InvalidParameter);
        };
        CalibrationSite bad = site("s", 4);
        bad.gram(1, 2) += 1e-3;
        QVERIFY2(refused(bad).contains("not symmetric"), qPrintable(refused(bad)));
        bad = site("s", 4);
        bad.gram(2, 2) = std::numeric_limits<double>::quiet_NaN();
        QVERIFY2(refused(bad).contains("1 NaN"), qPrintable(refused(bad)));
        bad = site("s", 4);
        bad.mean.pop_back();
        QVERIFY(refused(bad).contains("same number of features"));
        bad = site("a/b", 4);
        QVERIFY(refused(bad).contains("without '/'"));
        bad = site("s", 4);
        bad.count = 0;
        QVERIFY(refused(bad).contains("no token"));
        QVERIFY(!std::filesystem::exists(path("bad.h5")));
        QVERIFY(QDir(m_dir.path()).entryList({"bad.h5*"}, QDir::Files).isEmpty());
    }
    /// One in a hundred million is the stated tolerance: half of it passes, twice it does not.
    void symmetryIsJudgedRelatively()
    {
        for (const double factor : {0.5, 2.0}) {
            CalibrationSite nearly = site("s", 4);
            nearly.gram(0, 1) = 3 * (1 + factor * 1e-8);
            nearly.gram(1, 0) = 3;
            nearly.gram(0, 0) = nearly.gram(1, 1) = 1; // so that the element itself is the scale
            const QString answer = refusal([&] { writeCalibration(path("nearly.h5"), "", "", 1, {nearly}); }, ErrorCode::InvalidParameter);
            QCOMPARE(answer == "accepted", factor < 1);
        }
    }
    void manyThreadsReadOneSet()
    {
        const auto set = CalibrationSet::open(sourcePath("datasets/vit20/calibration.h5"));
        const CalibrationSite expected = set->read("blocks.3.mlp.fc1");
        std::atomic<int> equal = 0;
        {
            std::vector<std::jthread> threads;
            for (int t = 0; t < 4; ++t)
                threads.emplace_back([&] {
                    for (int k = 0; k < 5; ++k) {
                        const auto other = CalibrationSet::open(sourcePath("tests/golden/io_calibration.h5"));
                        equal += set->read("blocks.3.mlp.fc1").gram == expected.gram && other->read("h.2.fc").count == 300;
                    }
                });
        }
        QCOMPARE(equal.load(), 20);
    }
    void aFileThatShrinksAfterOpeningIsAnError()
    {
        const std::filesystem::path copy = path("shrinks.h5");
        std::filesystem::copy_file(sourcePath("datasets/vit20/calibration.h5"), copy);
        const auto set = CalibrationSet::open(copy);
        std::filesystem::resize_file(copy, 10'000);
        int refused = 0;
        for (const std::string& name : set->siteNames())
            try {
                set->read(name);
            } catch (const Error& error) {
                ++refused;
                QVERIFY2(QString(error.what()).startsWith(QString::fromStdString(copy.string())), error.what());
            }
        QCOMPARE(refused, 25);
    }
    void directoriesAndForbiddenFilesAreNamed()
    {
        QVERIFY(refusal([&] { CalibrationSet::open(m_dir.path().toStdString()); }, ErrorCode::IoFailure).contains("is a directory"));
        QVERIFY(refusal([&] { CalibrationSet::open(path("missing.h5")); }, ErrorCode::IoFailure).contains("No such file"));
        if (geteuid() == 0)
            QSKIP("root may read everything");
        std::filesystem::copy_file(sourcePath("tests/golden/io_calibration.h5"), path("forbidden.h5"));
        std::filesystem::permissions(path("forbidden.h5"), std::filesystem::perms::none);
        QVERIFY(refusal([&] { CalibrationSet::open(path("forbidden.h5")); }, ErrorCode::IoFailure).contains("Permission denied"));
    }
    void openingCanBeStopped()
    {
        std::stop_source stop;
        stop.request_stop();
        QCOMPARE(refusal([&] { CalibrationSet::open(sourcePath("datasets/vit20/calibration.h5"), RunContext(stop.get_token())); }, ErrorCode::Cancelled),
                 QString("stopped on request"));
    }
    void refusesEveryMalformedFile_data() { test::corpusTable("hdf5"); }
    void refusesEveryMalformedFile()
    {
        test::expectRefusal([](const std::filesystem::path& file) {
            const auto set = CalibrationSet::open(file);
            for (const std::string& name : set->siteNames())
                set->read(name);
        });
    }
};

QTEST_GUILESS_MAIN(TstCalibration)
#include "tst_calibration.moc"
