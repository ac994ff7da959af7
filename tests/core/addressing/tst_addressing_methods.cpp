// SPDX-License-Identifier: GPL-3.0-or-later
// The methods as the program runs them, on the bundled language model: declarations and pages, reports whose numbers hang together, files that are left.
#include "core/addressing/embed_table.h"
#include "core/addressing/io_ring.h"
#include "core/addressing/method.h"
#include "core/base/error.h"
#include "core/inputs/token_file.h"
#include "core/io/checkpoint.h"
#include "core/measure/even_subset.h"
#include "core/measure/token_source.h"
#include "tests/core/method_pages.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <filesystem>

using namespace tamis;
using namespace tamis::addressing;

class TstAddressingMethods : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    Inputs m_inputs;

    std::shared_ptr<const measure::SampleSource> tokens(const char* file, std::size_t limit) const
    {
        auto sequences = inputs::readTokenFile(std::string(TAMIS_SOURCE_DIR "/datasets/tinylm/") + file, m_inputs.model->spec().text.vocabulary);
        return measure::evenSubset(std::make_unique<measure::TokenSource>(std::move(sequences), measure::TokenWindows{128, 0}, file), limit);
    }
    static Parameters with(std::initializer_list<std::pair<const char*, ParameterValue>> values)
    {
        Parameters parameters;
        for (const auto& [name, value] : values)
            parameters.set(name, value);
        return parameters;
    }
    report::AddressingReport run(const char* id, const Parameters& parameters) const { return findMethod(id)->run(m_inputs, parameters, {}); }
    static const report::MemoryQuality& memory(const report::AddressingReport& report, const std::string& name)
    {
        return *std::ranges::find(report.memories, name, &report::MemoryQuality::name);
    }
    void verifyReads(const report::AddressingReport& report) const
    {
        for (const report::TableReads& table : report.tables) {
            QVERIFY(table.pagesPerToken * 4096 >= table.bytesPerToken && table.amplification >= 1); // a page read holds no more than its bytes
            QVERIFY(table.batchPagesPerToken <= table.pagesPerToken);
        }
        for (const report::ReadLatency& latency : report.latencies) {
            if (!latency.failure.empty()) {
                qInfo("%s: %s", latency.reader.c_str(), latency.failure.c_str());
                continue;
            }
            QVERIFY(latency.p50 > 0 && latency.p50 <= latency.p95 && latency.p95 <= latency.p99);
        }
        for (const report::CacheCurve& curve : report.caches)
            QVERIFY(curve.points.size() > 3 && curve.points.front().rows == 1 && curve.points.back().hitRate >= curve.points.front().hitRate);
        QVERIFY(std::filesystem::is_empty(m_inputs.directory)); // what was made to be read is gone
    }

private slots:
    void initTestCase()
    {
        m_inputs.model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm"));
        m_inputs.calibration = tokens("calibration.npy", 24);
        m_inputs.samples = tokens("heldout.npy", 20);
        m_inputs.directory = std::filesystem::path(m_directory.path().toStdString()) / "scratch";
        std::filesystem::create_directory(m_inputs.directory);
    }
    void pagesNameEveryParameter_data() { test::addMethodRows(methods()); }
    void pagesNameEveryParameter()
    {
        QFETCH(QString, id);
        test::verifyPage(findMethod(id.toStdString())->declaration);
    }
    void idsAreUnique()
    {
        test::verifyIds(methods(), [](const Method& method) { return static_cast<bool>(method.run); });
        QVERIFY(findMethod("addressing.none") == nullptr);
    }
    void deepEmbedRepairs()
    {
        const auto report = run("addressing.deep-embed", with({{"reads", std::int64_t{20}}}));
        qInfo("perplexity %g whole, %g pruned, %g scale a feature, %g table", report.wholePerplexity, report.perplexity, report.sharedPerplexity, report.tablePerplexity);
        QVERIFY(report.wholePerplexity < report.tablePerplexity && report.tablePerplexity < report.sharedPerplexity && report.sharedPerplexity < report.perplexity);
        QCOMPARE(report.tables.size(), std::size_t{2});
        QCOMPARE(report.tables[0].layout, std::string("token-major"));
        QCOMPARE(report.tables[0].bytesPerToken, 6 * 128 * 2.0);
        QCOMPARE(report.tables[1].pagesPerToken, 6.0); // layers lie 256 KiB apart, rows of 256 bytes on one page each
        QVERIFY(report.tables[0].pagesPerToken < 2);
        QCOMPARE(report.latencies.size(), std::size_t{16});
        QCOMPARE(report.traceTokens, std::uint64_t{20 * 128});
        verifyReads(report);
    }
    void noCompressionNeedsNoTable()
    {
        m_inputs.latency = false;
        const auto report = run("addressing.deep-embed", with({{"compression", std::string("none")}, {"type", std::string("f32")}}));
        m_inputs.latency = true;
        QCOMPARE(report.tablePerplexity, report.wholePerplexity); // ones, to the last bit
        QCOMPARE(report.sharedPerplexity, report.wholePerplexity);
        QVERIFY(report.latencies.empty());
    }
    void aSavedTableIsReadAgain()
    {
        Inputs inputs = m_inputs;
        inputs.latency = false;
        inputs.save = std::filesystem::path(m_directory.path().toStdString()) / "table.safetensors";
        const Parameters settings = with({{"compression", std::string("low-rank")}, {"layout", std::string("layer-major")}});
        const auto& method = *findMethod("addressing.deep-embed");
        const auto fitted = method.run(inputs, settings, {});
        QCOMPARE(EmbedTable::open(inputs.save).shape(), (TableShape{6, 1024, 128, tensor::DType::F16, TableLayout::LayerMajor}));
        std::swap(inputs.save, inputs.table);
        inputs.calibration = nullptr;
        for (const char* reader : {"mmap", "pread", "io_uring"}) {
            Parameters again = settings;
            again.set("reader", std::string(reader));
            if (std::string_view(reader) == "io_uring" && !IoRing::unavailable().empty())
                continue;
            const auto read = method.run(inputs, again, {});
            QCOMPARE(read.tablePerplexity, fitted.tablePerplexity);
            QVERIFY(std::isnan(read.sharedPerplexity));
        }
        Parameters other = settings;
        other.set("layout", std::string("token-major"));
        QCOMPARE(method.run(inputs, other, {}).warnings.size(), std::size_t{1});
    }
    void productKeysBeatTheMean()
    {
        const auto report = run("addressing.product-key", with({{"sub-keys", std::int64_t{12}}, {"rows", std::int64_t{3000}}, {"reads", std::int64_t{20}}}));
        const auto& chosen = report.memories.back();
        QCOMPARE(chosen.name, std::string("product keys, k = 8"));
        QVERIFY(chosen.heldOut < memory(report, "product keys, nearest cell").heldOut && chosen.heldOut < 0.95 && memory(report, "mean output").heldOut >= 1);
        QCOMPARE(chosen.valueBytesPerToken, std::uint64_t{8 * 128 * 2});
        QCOMPARE(chosen.keyMacs, std::uint64_t{12 * 128});
        QCOMPARE(report.routers.front().load.size(), std::size_t{144});
        QCOMPARE(report.tables.front().bytesPerToken, 8 * 256.0);
        verifyReads(report);
    }
    void mixturesRouteThreeWays()
    {
        const auto report = run("addressing.mixture", with({{"experts", std::int64_t{24}}, {"rows", std::int64_t{3000}}, {"routing", std::string("relu")}, {"reads", std::int64_t{20}}}));
        QCOMPARE(report.routers.size(), std::size_t{3});
        QCOMPARE(report.routers.front().routing, std::string("relu")); // the chosen one first
        for (const report::RouterReport& router : report.routers) {
            QVERIFY(memory(report, router.routing).heldOut < memory(report, "mean output").heldOut);
            QVERIFY(router.gini >= 0 && router.gini < 1 && router.maxOverMean >= 1 && router.loadEntropy > 0 && router.loadEntropy <= 1 && router.jaccard >= 0 && router.jaccard <= 1);
            std::uint64_t rows = 0;
            for (const std::uint64_t count : router.expertsPerToken)
                rows += count;
            QCOMPARE(rows, std::uint64_t{20 * 128});
        }
        QVERIFY(std::abs(report.routers.front().meanExperts - 4) < 1); // four over the calibration rows
        QCOMPARE(std::ranges::find(report.routers, "top-e", &report::RouterReport::routing)->expertsPerToken.back(), std::uint64_t{20 * 128});
        QVERIFY(std::abs(report.tables.front().bytesPerToken - report.routers.front().meanExperts * 256) < 1e-6);
        verifyReads(report);
    }
    void refusals()
    {
        Inputs inputs = m_inputs;
        inputs.calibration = nullptr;
        for (const Method& method : methods())
            QVERIFY_THROWS_EXCEPTION(Error, method.run(inputs, {}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, run("addressing.product-key", with({{"block", std::int64_t{6}}})));
        QVERIFY_THROWS_EXCEPTION(Error, run("addressing.mixture", with({{"experts", std::int64_t{0}}})));
        inputs = m_inputs;
        inputs.directory = "/nonexistent";
        QVERIFY_THROWS_EXCEPTION(Error, findMethod("addressing.deep-embed")->run(inputs, {}, {}));
        inputs = m_inputs;
        inputs.model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
        for (const Method& method : methods())
            QVERIFY_THROWS_EXCEPTION(Error, method.run(inputs, {}, {}));
        std::stop_source stop;
        stop.request_stop();
        for (const Method& method : methods())
            try {
                method.run(m_inputs, {}, RunContext(stop.get_token()));
                QFAIL("not stopped");
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::Cancelled);
            }
    }
};

QTEST_APPLESS_MAIN(TstAddressingMethods)
#include "tst_addressing_methods.moc"
