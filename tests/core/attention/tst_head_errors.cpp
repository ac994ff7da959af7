// SPDX-License-Identifier: GPL-3.0-or-later
// Errors of heads on the bundled model: nothing for the exact operator, what must come out for the trivial ones.
#include "core/attention/head_errors.h"
#include "core/base/error.h"
#include "core/io/checkpoint.h"

#include <QTest>

#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::attention;

namespace {
class Noise final : public measure::SampleSource {
public:
    std::size_t count() const noexcept override { return 2; }
    std::string name(std::size_t index) const override { return "noise " + std::to_string(index); }
    std::string description() const override { return "noise"; }
    std::string sha256(const RunContext&) const override { return {}; }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        std::mt19937 random(static_cast<unsigned>(index) + 1);
        std::normal_distribution<float> normal;
        sample = {};
        sample.image.resize(3 * 64 * 64);
        for (float& value : sample.image)
            value = normal(random);
    }
};
} // namespace

class TstHeadErrors : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_model;

    BlockOperators with(const char* id, std::vector<int> blocks = {}, const Parameters& parameters = {}) const { return operatorsFor(*m_model, everywhere(*m_model, id, parameters, blocks)); }

private slots:
    void initTestCase() { m_model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20")); }
    void exactHasNone()
    {
        Parameters all;
        all.set("reach", std::int64_t{1000});
        const auto errors = headErrors(*m_model, with("attention.band", {}, all), Noise(), 2, {});
        QCOMPARE(errors.size(), std::size_t{24});
        for (const HeadError& error : errors) {
            QVERIFY(error.map < 1e-5 && error.output < 1e-5);
            QVERIFY(std::abs(error.cosine - 1) < 1e-9);
        }
    }
    void nothingLosesAll()
    {
        for (const HeadError& error : headErrors(*m_model, with("attention.zero", {2}), Noise(), 1, {})) {
            QCOMPARE(error.layer, 2);
            QVERIFY(std::abs(error.map - 0.5) < 1e-5); // sum |p - 0| / 2
            QCOMPARE(error.output, 1.0);
            QVERIFY(std::isnan(error.cosine));
        }
    }
    void theMeanIsBetterThanNothingAndWorseThanNeighbours()
    {
        Parameters wide;
        wide.set("reach", std::int64_t{128});
        const auto mean = headErrors(*m_model, with("attention.mean-value"), Noise(), 2, {}), near = headErrors(*m_model, with("attention.band", {}, wide), Noise(), 2, {});
        double meanSum = 0, nearSum = 0;
        for (std::size_t i = 0; i < mean.size(); ++i) {
            QVERIFY(mean[i].map > 0 && mean[i].map <= 1); // two distributions
            meanSum += mean[i].output;
            nearSum += near[i].output;
        }
        QVERIFY(meanSum / 24 < 1 && nearSum < meanSum);
    }
    void aModelWithThemRuns()
    {
        Parameters all;
        all.set("reach", std::int64_t{1000});
        const auto same = replaced(m_model, with("attention.band", {}, all)), other = replaced(m_model, with("attention.zero", {0}));
        measure::LoadedSample sample;
        Noise().load(0, sample);
        const std::vector<nn::Sample> samples{sample.view()};
        const auto expected = nn::runBatch(*m_model, samples), found = nn::runBatch(*same, samples), zero = nn::runBatch(*other, samples);
        double difference = 0, change = 0;
        for (std::int64_t j = 0; j < expected[0].cols(); ++j) {
            difference = std::max(difference, std::abs(static_cast<double>(expected[0](0, j) - found[0](0, j))));
            change = std::max(change, std::abs(static_cast<double>(expected[0](0, j) - zero[0](0, j))));
        }
        QVERIFY(difference < 1e-4 && change > 1e-2);
    }
    void badQuestionsAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(with("attention.band", {6}), Error);
        QVERIFY_EXCEPTION_THROWN(headErrors(*m_model, with("attention.zero"), Noise(), 0, {}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(headErrors(*m_model, with("attention.zero"), Noise(), 1, RunContext(stop.get_token())), Error);
    }
};

QTEST_APPLESS_MAIN(TstHeadErrors)
#include "tst_head_errors.moc"
