// SPDX-License-Identifier: GPL-3.0-or-later
// The recall surface without a window: its grid, first and whole pictures, agreement with the encoders it speaks of.
#include "app/window/surface_work.h"
#include "core/base/error.h"
#include "core/encoder/encoder_quality.h"
#include "tests/core/linalg/blas_main.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace tamis;
using namespace tamis::app;
namespace fs = std::filesystem;

class TstSurfaceWork : public QObject {
    Q_OBJECT
    SourcesPointer m_sources;

    EncoderRequest request(const char* method = "encoder.two-stage") const { return {m_sources, 0, method, {}, 0}; }

private slots:
    void initTestCase()
    {
        auto sources = std::make_shared<EncoderSources>(*openEncoderSources({fs::path(TAMIS_SOURCE_DIR) / "datasets" / "sae" / "vit20.block3.k16" / "sparsify", {}, {}}, {}));
        sources->measured = someRows(sources->measured, 0, sources->measured.rows(), 120);
        m_sources = sources;
    }

    void theGridEndsWhereNothingIsSaved()
    {
        const auto ranks = surfaceRanks(128, 2048);
        QCOMPARE(ranks.front(), std::int64_t(1));
        QVERIFY(std::ranges::is_sorted(ranks) && std::ranges::adjacent_find(ranks) == ranks.end());
        QVERIFY(ranks.back() * (128 + 2048) <= 128 * 2048 && (ranks.back() + ranks.back() / 4) * (128 + 2048) > 128 * 2048);
        const auto candidates = surfaceCandidates(16, 2048);
        QCOMPARE(candidates.front(), std::int64_t(16));
        QCOMPARE(candidates.back(), std::int64_t(2048));
        QVERIFY(std::ranges::is_sorted(candidates) && std::ranges::adjacent_find(candidates) == candidates.end());
        QCOMPARE(surfaceCandidates(5, 5), (std::vector<std::int64_t>{5}));
        QCOMPARE(surfaceRanks(1, 4), (std::vector<std::int64_t>{1}));
    }
    void whatDecidesASurface()
    {
        auto of = request();
        of.parameters.set("rank", std::int64_t{7});
        of.parameters.set("ridge", 0.5);
        const auto first = surfaceBeside(of);
        QCOMPARE(first.coarse, std::string("low-rank"));
        QCOMPARE(first.parameters.real("ridge"), 0.5);
        of.parameters.set("rank", std::int64_t{70});
        of.parameters.set("candidates", std::int64_t{99});
        QVERIFY(surfaceBeside(of) == first); // marks on the same one
        of.parameters.set("ridge", 0.25);
        QVERIFY(!(surfaceBeside(of) == first));
        auto low = request("encoder.low-rank");
        low.parameters.set("ridge", 0.5);
        QVERIFY(surfaceBeside(low) == first); // weighs as it does
        of.parameters.set("coarse", std::string("random"));
        QCOMPARE(surfaceBeside(of).coarse, std::string("random"));
        of.parameters.set("coarse", std::string("int8")); // has no rank
        QCOMPARE(surfaceBeside(of).coarse, std::string("low-rank"));
        of.parameters.set("ridge", std::string("much")); // a session may say anything
        QCOMPARE(surfaceBeside(of).parameters.real("ridge"), surfaceBeside(request()).parameters.real("ridge"));
    }
    void theFirstPictureComesSoonTheLastIsWhole()
    {
        SurfaceWork work;
        const auto asked = surfaceBeside(request());
        const auto first = work.coarse(asked);
        QVERIFY(first && !first->complete);
        QVERIFY(first->surface->ranks.size() > 1 && first->surface->tokens < m_sources->measured.rows());
        std::vector<std::size_t> ranks;
        const auto whole = work.refine(asked, {}, [&](const auto& picture) {
            ranks.push_back(picture->surface->ranks.size());
            QVERIFY(!picture->complete);
            QVERIFY(std::ranges::is_sorted(picture->surface->ranks));
            QCOMPARE(picture->surface->points.size(), picture->surface->ranks.size() * picture->surface->candidates.size());
        });
        QVERIFY(whole->complete);
        QVERIFY(std::ranges::is_sorted(ranks) && ranks.front() == 2);
        QCOMPARE(whole->surface->ranks, surfaceRanks(128, 2048));
        QCOMPARE(whole->surface->tokens, m_sources->measured.rows());
        QCOMPARE(work.coarse(asked), whole); // remembered
        // More of either never finds less; with all latents as candidates everything is found.
        const auto& s = *whole->surface;
        for (std::size_t r = 0; r < s.ranks.size(); ++r) {
            for (std::size_t c = 1; c < s.candidates.size(); ++c)
                QVERIFY(s.points[r * s.candidates.size() + c].recallMean >= s.points[r * s.candidates.size() + c - 1].recallMean);
            QCOMPARE(s.points[(r + 1) * s.candidates.size() - 1].recallMin, 1.0);
        }
    }
    /// A point of the surface is what the method itself finds with these settings, on the same tokens, and costs.
    void pointsAreTheEncodersThemselves()
    {
        SurfaceWork work;
        for (const char* coarse : {"low-rank", "random"}) {
            auto of = request();
            of.parameters.set("coarse", std::string(coarse));
            const auto surface = work.refine(surfaceBeside(of), {}, {})->surface;
            const auto dictionary = dictionaryOf(of);
            const auto exact = encoder::exactTokens(dictionary, m_sources->measured);
            for (const std::size_t at : {std::size_t{3}, surface->points.size() / 2, surface->points.size() - 9}) {
                const auto& point = surface->points[at];
                auto parameters = surfaceBeside(of).parameters;
                parameters.set("rank", point.rank);
                parameters.set("candidates", point.candidates);
                const auto built = encoder::findMethod("encoder.two-stage")->build(inputsOf(of, dictionary), parameters, {});
                const auto report = encoder::measureEncoder(*exact, *built.encoder, "encoder.two-stage", parameters, {});
                QCOMPARE(point.recallMean, report.quality.recallMean);
                QCOMPARE(point.recallMin, report.quality.recallMin);
                QCOMPARE(point.macs, report.cost.macs);
                QCOMPARE(point.bytesRead, report.cost.bytesRead);
            }
        }
    }
    void itStopsAndFailsAsItShould()
    {
        SurfaceWork work;
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN((void)work.refine(surfaceBeside(request()), RunContext(stop.get_token()), {}), Error);
        auto bad = request();
        bad.k = 5000; // of 2048 latents
        QVERIFY(!work.coarse(surfaceBeside(bad)));
        QVERIFY_EXCEPTION_THROWN((void)work.refine(surfaceBeside(bad), {}, {}), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TstSurfaceWork)
#include "tst_surface_work.moc"
