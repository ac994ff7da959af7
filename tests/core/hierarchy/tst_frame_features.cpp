// SPDX-License-Identifier: GPL-3.0-or-later
// Features of frames through the bundled vision model: what the model gives, motion that is known, keys that find moved content again, predictors that
// name what comes, and what stored types lose.
#include "core/base/error.h"
#include "core/cache/policy.h"
#include "core/hierarchy/feature_stream.h"
#include "core/hierarchy/feature_types.h"
#include "core/io/checkpoint.h"
#include "core/measure/sample_run.h"
#include "tests/core/hierarchy/mid_run_stop.h"
#include "tests/core/hierarchy/moving_noise.h"
#include "tests/core/hierarchy/noise_frames.h"

#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::hierarchy;

class TstFrameFeatures : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_model;
    std::shared_ptr<const FrameFeatures> m_right; ///< one patch to the right a frame

private slots:
    void initTestCase()
    {
        m_model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
        m_right = computeFrames(*m_model, MovingNoise(4, 4, 0), {});
    }
    void featuresAreTheModels()
    {
        QCOMPARE(m_right->gridRows, 16);
        QCOMPARE(m_right->layers, 6);
        QCOMPARE(m_right->width, 128);
        QVERIFY(m_right->encodeNs > 0);
        const MovingNoise source(4, 4, 0);
        measure::LoadedSample sample;
        source.load(2, sample);
        measure::SampleRun run{.model = m_model, .blockInputs = {}, .blockOutputs = {}, .features = {}};
        measure::RunRecorder recorder({}, run);
        measure::recordRun(run, sample, recorder, {});
        for (std::size_t layer = 0; layer < 6; ++layer)
            for (std::size_t cell = 0; cell < 256; ++cell) {
                const auto is = m_right->feature(2, layer, cell);
                QVERIFY(std::ranges::equal(is, std::as_const(run.blockOutputs[layer]).view().row(1 + static_cast<std::int64_t>(cell)))); // the class token is first
            }
    }
    void motionIsFound_data()
    {
        QTest::addColumn<int>("across");
        QTest::addColumn<int>("down");
        QTest::newRow("still") << 0 << 0;
        QTest::newRow("right") << 4 << 0;
        QTest::newRow("up and left") << -3 << -5;
        QTest::newRow("far") << 8 << -8;
    }
    void motionIsFound()
    {
        QFETCH(int, across);
        QFETCH(int, down);
        const MovingNoise source(2, across, down);
        measure::LoadedSample before, now;
        source.load(0, before);
        source.load(1, now);
        const auto shifts = blockMotion(std::span(before.image).first(4096), std::span(now.image).first(4096), {.height = 64, .width = 64, .rows = 16, .columns = 16}, {});
        for (int row = 3; row < 13; ++row) // what came round the edge came from nowhere near
            for (int column = 3; column < 13; ++column)
                QCOMPARE(shifts[static_cast<std::size_t>(row * 16 + column)], (Shift{static_cast<std::int8_t>(across), static_cast<std::int8_t>(down)}));
        const std::vector<float> flat(4096, 0.5F); // everything is alike: the shortest
        for (const Shift& shift : blockMotion(flat, flat, {.height = 64, .width = 64, .rows = 16, .columns = 16}, {}))
            QCOMPARE(shift, Shift{});
    }
    /// Content that comes round again: with entries of any place there are as many as the first frame has cells, in every block.
    void movedContentIsFoundAgain()
    {
        const FeatureStream anywhere = featureStream(*m_right, {.tolerance = 0, .sameCell = false}, {});
        QCOMPARE(anywhere.requests.requests(), std::size_t{4 * 6 * 256});
        QCOMPARE(anywhere.requested, std::size_t{6 * 256});
        QCOMPARE(anywhere.requests.ids.size(), std::size_t{6 * 256}); // motion names what is there already
        const auto& objects = anywhere.requests.objects;
        for (std::size_t cell = 1; cell < 16; ++cell) // to the right by one cell
            QCOMPARE(objects[(1 * 6 + 2) * 256 + 5 * 16 + cell], objects[(0 * 6 + 2) * 256 + 5 * 16 + cell - 1]);
        const FeatureStream placed = featureStream(*m_right, {.tolerance = 0, .sameCell = true}, {});
        QCOMPARE(placed.requested, placed.requests.requests());
        QVERIFY(!(placed.reuseError > 0)); // nothing comes again: there is none
        // Other neighbours, other positions: what is found again is not the same.
        QVERIFY(anywhere.reuseError > 0.01 && anywhere.reuseError < 2);
    }
    void stillFramesAreFoundAgain()
    {
        const auto still = computeFrames(*m_model, MovingNoise(3, 0, 0), {});
        const FeatureStream stream = featureStream(*still, {.tolerance = 0.25, .sameCell = true}, {});
        QCOMPARE(stream.requested, std::size_t{6 * 256});
        QCOMPARE(stream.reuseError, 0.0); // the same frame gives the same features
        const auto& objects = stream.requests.objects;
        std::size_t named = 0;
        for (std::size_t i = 256 * 6; i < objects.size(); ++i)
            for (const std::uint32_t candidate : stream.neighbours.at(i, objects[i]))
                named += candidate != cache::kNever ? 1U : 0U;
        QCOMPARE(named, std::size_t{2 * 6 * 4 * 16 * 15}); // four ways, but over the edges
        QCOMPARE(stream.neighbours.at(256 * 6 + 17, objects[17])[0], objects[18]);
        QCOMPARE(stream.neighbours.at(256 * 6 + 17, objects[17])[3], objects[1]);
        QCOMPARE(stream.neighbours.at(5, objects[5])[0], cache::kNever); // never asked for before
    }
    void predictorsNameWhatComes()
    {
        const FeatureStream stream = featureStream(*m_right, {.tolerance = 0, .sameCell = false}, {});
        const auto& objects = stream.requests.objects;
        for (std::size_t frame = 1; frame < 3; ++frame)
            for (std::size_t layer = 0; layer < 6; ++layer)
                for (std::size_t row = 3; row < 13; ++row)
                    for (std::size_t column = 3; column < 13; ++column) {
                        const std::size_t i = (frame * 6 + layer) * 256 + row * 16 + column;
                        QCOMPARE(stream.motion.at(i, objects[i])[0], objects[i + 6 * 256]);
                        QCOMPARE(stream.layers.at(i, objects[i])[0], layer < 5 ? objects[i + 256] : cache::kNever);
                    }
        // A first frame has no motion: what is there stays.
        QCOMPARE(stream.motion.at(100, objects[100])[0], objects[100]);
    }
    /// Who predicts does not know which of the keys ever come: all are named, those that never come with numbers behind the others.
    void motionDoesNotKnowTheFuture()
    {
        const auto frames = noiseFrames(3, 8); // every frame is new, and said to have moved by a cell
        const FeatureStream stream = featureStream(frames, {.tolerance = 0, .sameCell = true}, {});
        QCOMPARE(stream.requested, std::size_t{3 * 2 * 64});
        QCOMPARE(stream.requests.ids.size(), std::size_t{3 * 2 * (64 + 56)});
        for (std::size_t i = 0; i < stream.requests.requests(); ++i) {
            const std::uint32_t named = stream.motion.at(i, stream.requests.objects[i])[0];
            if (i % 8 == 0) // nothing is known of what comes in
                QCOMPARE(named, stream.requests.objects[i]);
            else
                QVERIFY(named >= stream.requested && named < stream.requests.ids.size());
        }
    }
    void tolerance()
    {
        std::size_t before = SIZE_MAX;
        for (const double step : {0.0, 0.01, 0.5, 100.0}) { // coarser steps share more; steps of powers of 50 and 200 are no refinements, but these are far apart
            const std::size_t objects = featureStream(*m_right, {.tolerance = step, .sameCell = false}, {}).requested;
            QVERIFY(objects <= before);
            before = objects;
        }
        QVERIFY(before <= 6 * 4096); // signs alone
        const FeatureSource source(m_right);
        const auto stream = source.stream({}, {});
        QCOMPARE(source.stream({}, {}), stream); // kept
        QVERIFY(source.stream({.tolerance = 1}, {}) != stream);
    }
    void storedTypes()
    {
        QCOMPARE(storedBytes(StoredType::F32, 768), std::uint64_t{3072});
        QCOMPARE(storedBytes(StoredType::F16, 768), std::uint64_t{1536});
        QCOMPARE(storedBytes(StoredType::Int8, 128), std::uint64_t{132});
        QVERIFY_EXCEPTION_THROWN(storedTypeNamed("f8"), Error);
        std::uint64_t state = 3;
        std::vector<float> row(128);
        float most = 0;
        for (float& value : row) {
            value = static_cast<float>(nextBits(state) >> 40U) / 1048576.0F - 8;
            most = std::max(most, std::abs(value));
        }
        std::vector<float> bytes = row, halves = row, whole = row, zeros(5, 0.0F);
        roundTrip(StoredType::Int8, bytes);
        roundTrip(StoredType::F16, halves);
        roundTrip(StoredType::F32, whole);
        roundTrip(StoredType::Int8, zeros);
        for (std::size_t i = 0; i < row.size(); ++i) {
            QVERIFY(std::abs(row[i] - bytes[i]) <= most / 254 * 1.00001F); // half a step, and rounding in f32
            QVERIFY(std::abs(row[i] - halves[i]) <= std::abs(row[i]) / 2048); // half of 2^-10
        }
        QVERIFY(whole == row && zeros == std::vector<float>(5, 0.0F) && bytes != row && halves != row);
    }
    void lossOfTypes()
    {
        QCOMPARE(m_right->types.size(), std::size_t{3});
        const auto& f32 = m_right->types[0];
        const auto& f16 = m_right->types[1];
        const auto& int8 = m_right->types[2];
        QCOMPARE(f32.relativeError, 0.0);
        QCOMPARE(f32.kl, 0.0);
        QCOMPARE(f32.agreement, 1.0);
        QVERIFY(f16.relativeError > 0 && f16.relativeError < 1.0 / 2048);
        QVERIFY(int8.relativeError > 3 * f16.relativeError && int8.relativeError < 0.1); // a step is at most 1/127 of the largest of 128 values
        QVERIFY(f16.kl >= 0 && f16.kl < 1e-4 && int8.kl > f16.kl && int8.kl < 0.1);
    }
    void refusals()
    {
        const auto text = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm"));
        QVERIFY_EXCEPTION_THROWN(computeFrames(*text, MovingNoise(1, 0, 0), {}), Error);
        QVERIFY_EXCEPTION_THROWN(computeFrames(*m_model, MovingNoise(0, 0, 0), {}), Error);
        try { // more than any memory
            FrameFeatures frames = noiseFrames(1, 8);
            frames.frames = std::size_t{1} << 40U;
            featureStream(frames, {}, {});
            QFAIL("was taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::OutOfMemory);
        }
    }
    void stops()
    {
        test::verifyStopsMidRun([&](const RunContext& context) { computeFrames(*m_model, MovingNoise(500, 1, 0), context); }, 0.005);
        const auto frames = noiseFrames(600, 16);
        test::verifyStopsMidRun([&](const RunContext& context) { featureStream(frames, {.tolerance = 0}, context); }, 0.1);
        test::verifyStopsMidRun([&](const RunContext& context) { featureStream(frames, {.tolerance = 0}, context); }, 0.6); // while it predicts
        const std::vector<float> picture(1024 * 1024, 0.5F); // a second or more
        test::verifyStopsMidRun([&](const RunContext& context) { blockMotion(picture, picture, {.height = 1024, .width = 1024, .rows = 64, .columns = 64, .reach = 32}, context); }, 0, std::chrono::milliseconds(50));
    }
};

QTEST_APPLESS_MAIN(TstFrameFeatures)
#include "tst_frame_features.moc"
