// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/exact.h"
#include "core/encoder/faiss_index.h"
#include "core/encoder/faiss_method.h"
#include "core/encoder/mips.h"
#include "tests/core/base/failure.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

using namespace tamis;
using namespace tamis::encoder;
using tamis::test::failure;
using tensor::Matrix;

namespace {
using Settings = std::vector<std::pair<std::string, ParameterValue>>;

EncoderPtr built(const Method& method, std::shared_ptr<const Dictionary> dictionary, const Settings& settings)
{
    Inputs inputs;
    inputs.dictionary = std::move(dictionary);
    Parameters parameters;
    for (const auto& [name, value] : settings)
        parameters.set(name, value);
    return method.build(inputs, parameters, {}).encoder;
}
EncoderPtr built(std::shared_ptr<const Dictionary> dictionary, const Settings& settings) { return built(faissMethod(), std::move(dictionary), settings); }

ParameterValue text(const QString& value) { return value.toStdString(); }
ParameterValue number(std::int64_t value) { return value; }

void addIndexes()
{
    QTest::addColumn<QString>("index");
    for (const char* index : {"flat", "ivf-flat", "ivf-pq", "pq-fastscan", "sq8"})
        QTest::newRow(index) << index;
}

/// Dead latents with long rows: leaving the bias out brings them in.
std::shared_ptr<const Dictionary> biased()
{
    auto a = test::wholeAutoencoder(400, 20, 6);
    for (std::size_t i = 0; i < 400; i += 2) {
        a.encoderBias[i] = -100;
        for (float& w : a.encoder.view().row(static_cast<std::int64_t>(i)))
            w *= 2;
    }
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)));
}
} // namespace

class TestFaiss : public QObject {
    Q_OBJECT
    std::shared_ptr<const Dictionary> m_dictionary;
    std::shared_ptr<const ExactTokens> m_exact;

    double recall(const Settings& settings) const { return measureEncoder(*m_exact, *built(m_dictionary, settings), "encoder.faiss", {}, {}).quality.recallMean; }

private slots:
    void initTestCase()
    {
        m_dictionary = test::bundledDictionary("tinylm.block3.k16/saelens");
        if (!hasFaiss()) {
            QVERIFY(failure([&] { built(m_dictionary, {}); }, ErrorCode::UnsupportedFeature).contains("found a build without FAISS, expected one with it (libfaiss-dev)"));
            QSKIP("built without FAISS: only its refusal is tested");
        }
        m_exact = exactTokens(m_dictionary, test::bundledRows("tinylm", 0, 100));
    }
    void idleThreadsOfOpenMpSleep()
    {
        QCOMPARE(QByteArray(std::getenv("OMP_WAIT_POLICY")), QByteArray("passive")); // set before the program started again
    }
    /// Every row is compared: rounding may only exchange latents at the edge of 64 candidates, far from the 16 largest; values are Tamis's own.
    void flatSearchIsExact_data()
    {
        QTest::addColumn<QString>("reduction");
        for (const char* reduction : {"inner-product", "euclidean", "cosine"})
            QTest::newRow(reduction) << reduction;
    }
    void flatSearchIsExact()
    {
        QFETCH(QString, reduction);
        for (const char* name : {"vit20.block3.k16/sparsify", "tinylm.block3.k32/sparsify"}) {
            const auto dictionary = test::bundledDictionary(name);
            const Matrix<float> x = dictionary->prepared(test::bundledRows(std::string(name).substr(0, std::string(name).find('.')), 0, 100).view());
            QVERIFY(test::sameCodes(built(dictionary, {{"reduction", text(reduction)}, {"candidates", number(64)}})->encode(x.view()), exactEncoder(dictionary)->encode(x.view())));
        }
    }
    /// The set that a search without the bias returns, latent by latent that of the flat search of encoder.mips, and another one than the exact.
    void withoutTheBiasItIsTheSetThatIgnoresIt()
    {
        const auto x = m_exact->prepared.view();
        const Settings without{{"reduction", std::string("inner-product")}, {"bias", false}, {"candidates", number(24)}};
        const SparseCodes found = built(m_dictionary, without)->encode(x);
        Settings mips = without;
        mips.emplace_back("index", std::string("flat"));
        QVERIFY(test::sameCodes(found, built(mipsMethod(), m_dictionary, mips)->encode(x)));
        QVERIFY(!test::sameCodes(found, m_exact->codes));
        // latents that never fire, with long rows: without the bias they take the places of those that do
        const auto dictionary = biased();
        const Matrix<float> tokens = test::wholeTokens(80, 20);
        const auto exact = exactTokens(dictionary, tokens);
        const auto recallWith = [&](bool bias) {
            return measureEncoder(*exact, *built(dictionary, {{"bias", bias}, {"candidates", number(12)}}), "encoder.faiss", {}, {}).quality.recallMean;
        };
        QCOMPARE(recallWith(true), 1.0);
        QVERIFY2(recallWith(false) < 0.6, qPrintable(QString::number(recallWith(false))));
    }
    void allListsAreTheFlatSearch()
    {
        for (const char* reduction : {"inner-product", "euclidean"}) {
            const Settings base{{"reduction", std::string(reduction)}, {"candidates", number(64)}};
            Settings lists = base;
            lists.insert(lists.end(), {{"index", std::string("ivf-flat")}, {"lists", number(32)}, {"probes", number(32)}});
            QVERIFY(test::sameCodes(built(m_dictionary, lists)->encode(m_exact->prepared.view()), built(m_dictionary, base)->encode(m_exact->prepared.view())));
        }
    }
    /// More lists hold all rows that fewer did: with as many candidates as rows nothing crowds out what was found.
    void recallRisesWithTheProbes()
    {
        double last = 0;
        for (const std::int64_t probes : {1, 4, 16, 64}) {
            const double now = recall({{"index", std::string("ivf-flat")}, {"lists", number(64)}, {"probes", number(probes)}, {"candidates", number(2048)}});
            QVERIFY2(now >= last && (now > last || last == 1), qPrintable(QString::number(now)));
            last = now;
        }
        QCOMPARE(last, 1.0);
    }
    /// The base lists more and the best of these by whole rows stay: what was among the first candidates and in the exact set stays among them.
    void refiningLosesNothing_data() { addIndexes(); }
    void refiningLosesNothing()
    {
        QFETCH(QString, index);
        double last = 0;
        for (const std::int64_t refine : {1, 4, 64}) { // 64 times 32 are all rows
            const double now = recall({{"index", text(index)}, {"lists", number(32)}, {"probes", number(32)}, {"parts", number(16)}, {"candidates", number(32)}, {"refine", number(refine)}});
            QVERIFY2(now >= last, qPrintable(QString("%1 after %2").arg(now).arg(last)));
            last = now;
        }
        QCOMPARE(last, 1.0); // every row was listed, and refined exactly
    }
    /// Above what chance finds: 16 of 32 lists hold half of the rows, 256 candidates are an eighth of them. 8 bits a feature lose next to nothing.
    void indexesFindMost_data()
    {
        QTest::addColumn<QString>("index");
        QTest::addColumn<double>("least");
        QTest::newRow("ivf-flat") << "ivf-flat" << 0.65;
        QTest::newRow("ivf-pq") << "ivf-pq" << 0.65;
        QTest::newRow("pq-fastscan") << "pq-fastscan" << 0.7;
        QTest::newRow("sq8") << "sq8" << 0.999;
    }
    void indexesFindMost()
    {
        QFETCH(QString, index);
        QFETCH(double, least);
        const auto encoder = built(m_dictionary, {{"index", text(index)}, {"lists", number(32)}, {"probes", number(16)}, {"candidates", number(256)}});
        const auto report = measureEncoder(*m_exact, *encoder, "encoder.faiss", {}, {});
        QVERIFY2(report.quality.recallMean >= least, qPrintable(QString::number(report.quality.recallMean)));
        QCOMPARE(report.quality.valueError, 0.0); // whatever is found has its exact value
        QVERIFY(report.cost.macs > 256 * 128 && report.cost.macs < 2048 * 130 + 300 * 130 + 256 * 128.0 * 20 && report.cost.bytes > 4 * 2048 * 129);
    }
    /// One token at a time, all at once, one thread or two: the same codes. So is an index that is built anew.
    void nothingDependsOnBatchesOrThreads_data() { addIndexes(); }
    void nothingDependsOnBatchesOrThreads()
    {
        QFETCH(QString, index);
        const Settings settings{{"index", text(index)}, {"lists", number(32)}, {"probes", number(4)}, {"parts", number(16)}, {"candidates", number(40)}};
        const auto encoder = built(m_dictionary, settings);
        const SparseCodes together = encoder->encode(m_exact->prepared.view());
        for (std::int64_t t = 0; t < 100; ++t) {
            const SparseCodes alone = encoder->encode({m_exact->prepared.view().row(t).data(), 1, 128, 128});
            QVERIFY(std::ranges::equal(alone.latents, together.latentsOf(t)) && std::ranges::equal(alone.values, together.valuesOf(t)));
        }
        const ThreadLimit one(1);
        QVERIFY(test::sameCodes(built(m_dictionary, settings)->encode(m_exact->prepared.view()), together));
    }
    void severalThreadsTakeTurns()
    {
        const auto encoder = built(m_dictionary, {{"index", std::string("sq8")}, {"candidates", number(64)}});
        const SparseCodes expected = encoder->encode(m_exact->prepared.view());
        std::vector<std::thread> threads;
        std::array<bool, 4> fine{};
        for (std::size_t i = 0; i < 4; ++i)
            threads.emplace_back([&, i] { fine[i] = test::sameCodes(encoder->encode(m_exact->prepared.view()), expected); });
        for (auto& thread : threads)
            thread.join();
        QVERIFY(std::ranges::all_of(fine, [](bool each) { return each; }));
    }
    /// Building looks at the stop between pieces and within the library's longer loops; searching between queries.
    void stops_data()
    {
        QTest::addColumn<bool>("building");
        QTest::newRow("building") << true;
        QTest::newRow("searching") << false;
    }
    void stops()
    {
        QFETCH(bool, building);
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(20'000, 256, 16)));
        const auto encoder = building ? nullptr : built(dictionary, {{"index", std::string("flat")}});
        std::stop_source source;
        test::StopClock clock;
        std::thread asker([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(150));
            clock.ask(source);
        });
        double seconds = -1;
        try {
            Inputs inputs;
            inputs.dictionary = dictionary;
            Parameters parameters;
            parameters.set("index", std::string("ivf-pq"));
            parameters.set("lists", std::int64_t{1024});
            if (building)
                faissMethod().build(inputs, parameters, RunContext(source.get_token()));
            else
                encoder->encode(test::wholeTokens(4000, 256).view(), RunContext(source.get_token()));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                seconds = clock.seconds();
        }
        asker.join();
        QVERIFY2(seconds >= 0, "was not stopped");
        QVERIFY2(seconds < test::kSoonSeconds, qPrintable(QString::number(seconds)));
    }
    void badRequestsAreRefused()
    {
        const auto small = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(30, 8, 3)));
        QVERIFY_THROWS_EXCEPTION(Error, built(small, {{"index", std::string("tree")}}));
        QVERIFY_THROWS_EXCEPTION(Error, built(small, {})->encode(test::wholeTokens(2, 9).view()));
        const auto tiny = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(10, 8, 3)));
        QVERIFY(failure([&] { built(tiny, {{"index", std::string("pq-fastscan")}, {"parts", number(4)}}); }, ErrorCode::InvalidParameter).contains("FAISS refuses: ")); // 10 rows for 16 codes
        Inputs inputs;
        inputs.dictionary = small;
        Parameters parameters;
        parameters.set("index", std::string("ivf-flat"));
        const Built clamped = faissMethod().build(inputs, parameters, {});
        QVERIFY(clamped.warnings.size() == 2 && QString::fromStdString(clamped.warnings[0]).contains("are 30, not 256") && QString::fromStdString(clamped.warnings[1]).contains("lists are 30, not 128"));
        parameters.set("index", std::string("ivf-pq"));
        const Built coded = faissMethod().build(inputs, parameters, {});
        QVERIFY(std::ranges::any_of(coded.warnings, [](const std::string& warning) { return warning.starts_with("The bits are 4, not 8:"); })); // 16 values, of 30 rows
    }
};

TAMIS_BLAS_TEST_MAIN(TestFaiss)
#include "tst_faiss.moc"
