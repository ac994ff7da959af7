// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/encoder_bench.h"

#include "core/base/error.h"
#include "core/bench/encoder_recall_bench.h"

#include <QTest>

#include <cmath>
#include <string>

using namespace tamis;

/// Speeds are for runs by hand: here that a small bench is complete, that certified sets are the dense ones (it throws otherwise), and that
/// it can be left.
class TestEncoderBench : public QObject {
    Q_OBJECT
private slots:
    void aSmallOneIsComplete()
    {
        const auto results = bench::benchEncoder({}, {.shapes = {{96, 3000, 16, 30}, {200, 2500, 32, 1}}, .tokens = 8, .peers = false});
        QCOMPARE(results.size(), std::size_t{8});
        for (std::size_t i = 0; i < results.size(); ++i) {
            const auto& r = results[i];
            QVERIFY2(r.oursSeconds > 0 && r.boundFraction > 0, r.name.c_str());
            if (i % 4 < 2) {
                QVERIFY(std::isnan(r.peerSeconds) && r.peerName.starts_with("none"));
                continue;
            }
            QVERIFY2(std::abs(r.ratio - r.peerSeconds / r.oursSeconds) <= 1e-12 * r.ratio, r.name.c_str());
            QCOMPARE(r.peerSeconds, results[i / 4 * 4].oursSeconds);
            QVERIFY2(r.note.starts_with("sets and values differ for 0 of 8 tokens"), r.note.c_str());
        }
    }
    /// The peer is asked for the very shape; where it is not installed its name says so.
    void thePeerIsPyTorch()
    {
        const auto results = bench::benchEncoder({}, {.shapes = {{16, 500, 4, 1}}, .tokens = 2});
        for (std::size_t i = 0; i < 2; ++i)
            QVERIFY2(results[i].peerSeconds > 0 ? results[i].peerName.starts_with("PyTorch") : results[i].peerName.starts_with("none: "), results[i].peerName.c_str());
    }
    /// A line for each batch size, whose encoder has the recall that was asked for; no line where nothing can have it.
    void theFastestHasTheRecall()
    {
        const std::filesystem::path sae = std::filesystem::path(TAMIS_SOURCE_DIR) / "datasets/sae";
        bench::EncoderRecallInputs inputs{.autoencoders = {{"vit20", sae / "vit20.block3.k16/sparsify", sae / "vit20.block3.heldout.npy"}},
                                          .synthetic = {96, 3000, 16, 30}, .recall = 0.99, .mostCandidates = 64, .latencySeconds = 0};
        const auto results = bench::benchEncoderRecall({}, inputs);
        QCOMPARE(results.size(), std::size_t{4});
        for (const auto& r : results) {
            QVERIFY2(r.note.starts_with("recall ") && std::stod(r.note.substr(7)) >= 0.99, r.note.c_str());
            QVERIFY2(r.oursSeconds > 0 && r.peerSeconds > 0 && std::abs(r.ratio - r.peerSeconds / r.oursSeconds) <= 1e-12 * r.ratio, r.name.c_str());
        }
        QVERIFY2(results[0].name.find("vit20, batch 1: ") != std::string::npos && results[3].name.find("synthetic 96 x 3000, batch 64: ") != std::string::npos, results[3].name.c_str());
        inputs.recall = 1.5;
        QVERIFY(bench::benchEncoderRecall({}, inputs).empty());
    }
    void aStopEndsIt()
    {
        std::stop_source stop;
        stop.request_stop();
        try {
            (void)bench::benchEncoder(RunContext(stop.get_token()));
            QFAIL("went on after a stop");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TestEncoderBench)
#include "tst_encoder_bench.moc"
