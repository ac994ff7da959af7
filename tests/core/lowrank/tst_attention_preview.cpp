// SPDX-License-Identifier: GPL-3.0-or-later
// The attention-map preview against a twin in double that knows nothing but q, k and v of an observer, against the models that it
// says it ran, and against spectrum.whitened.
#include "core/base/error.h"
#include "core/inputs/token_file.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/attention_errors.h"
#include "core/lowrank/attention_preview.h"
#include "core/lowrank/joint_qk.h"
#include "core/lowrank/whitened_rows.h"
#include "core/measure/capture.h"
#include "core/measure/token_source.h"
#include "core/spectrum/method.h"
#include "tests/core/measure/sample_list.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <numeric>

using namespace tamis;
using namespace tamis::lowrank;
using report::MapSource;
using tensor::Matrix;

namespace {
const std::filesystem::path kDatasets = TAMIS_SOURCE_DIR "/datasets";

Inputs opened(const char* model)
{
    Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(kDatasets / model);
    inputs.model = nn::Model::load(*inputs.checkpoint);
    return inputs;
}

Inputs vit20Inputs()
{
    Inputs inputs = opened("vit20");
    inputs.calibration = io::CalibrationSet::open(kDatasets / "vit20" / "calibration.h5");
    inputs.samples = std::make_shared<test::SampleList>(test::noise(3, 64, 20));
    return inputs;
}

/// Windows of 96 of the first held-out tokens, and second moments of all of them.
Inputs tinylmInputs(const QTemporaryDir& directory)
{
    Inputs inputs = opened("tinylm");
    auto sequences = inputs::readTokenFile(kDatasets / "tinylm" / "heldout.npy", 0);
    for (auto& sequence : sequences)
        sequence.resize(std::min<std::size_t>(sequence.size(), 96 * 12));
    sequences.resize(1);
    const auto source = std::make_shared<measure::TokenSource>(sequences, measure::TokenWindows{.context = 96, .stride = 0}, "held-out tokens");
    measure::CaptureOptions options;
    options.out = std::filesystem::path(directory.filePath("tinylm.h5").toStdString());
    options.stateSeconds = -1;
    options.modelSha256 = inputs.checkpoint->sha256();
    measure::captureCalibration(*inputs.model, *source, options, RunContext());
    inputs.calibration = io::CalibrationSet::open(options.out);
    inputs.samples = source;
    return inputs;
}

AttentionMapRequest asking(std::int64_t queryRank, std::int64_t keyRank, int layer = 2, std::int64_t head = 1)
{
    AttentionMapRequest request{.sample = 1, .layer = layer, .head = head, .map = 0, .source = MapSource::Joint, .parameters = {}, .plan = nullptr};
    request.parameters.set("query-rank", queryRank);
    request.parameters.set("key-rank", keyRank);
    return request;
}

/// softmax(scale q k^T) of one head in double; what may not be seen is 0 in both.
struct Twin {
    Matrix<double> scores, map, output;
    Twin(const AttentionCopy& attention, std::int64_t head)
    {
        const auto& block = *attention.block;
        const auto& spec = block.spec.attention;
        const auto input = attention.input();
        const std::int64_t tokens = input.q.rows, dim = spec.headDim, group = head * spec.keyValueHeads / spec.heads;
        const auto w = block.output.op->dense();
        scores = map = Matrix<double>(tokens, tokens);
        output = Matrix<double>(tokens, w.rows());
        for (std::int64_t i = 0; i < tokens; ++i) {
            const std::int64_t seen = spec.causal ? i + 1 : tokens;
            double most = -INFINITY, sum = 0;
            for (std::int64_t j = 0; j < seen; ++j) {
                for (std::int64_t f = 0; f < dim; ++f)
                    scores(i, j) += double(input.q(i, head * dim + f)) * double(input.k(j, group * dim + f)) * double(spec.scale);
                most = std::max(most, scores(i, j));
            }
            for (std::int64_t j = 0; j < seen; ++j)
                sum += map(i, j) = std::exp(scores(i, j) - most);
            std::vector<double> mixed(static_cast<std::size_t>(dim));
            for (std::int64_t j = 0; j < seen; ++j) {
                map(i, j) /= sum;
                for (std::int64_t f = 0; f < dim; ++f)
                    mixed[static_cast<std::size_t>(f)] += map(i, j) * double(input.v(j, group * dim + f));
            }
            for (std::int64_t o = 0; o < w.rows(); ++o)
                for (std::int64_t f = 0; f < dim; ++f)
                    output(i, o) += double(w(o, head * dim + f)) * mixed[static_cast<std::size_t>(f)];
        }
    }
};

double relative(const Matrix<double>& a, const Matrix<double>& b)
{
    double difference = 0, energy = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a.data()[i] - b.data()[i]) * (a.data()[i] - b.data()[i]);
        energy += a.data()[i] * a.data()[i];
    }
    return std::sqrt(difference / energy);
}

report::MapErrors twinErrors(const Twin& a, const Twin& b)
{
    double sum = 0;
    for (std::size_t i = 0; i < a.map.size(); ++i)
        sum += std::abs(a.map.data()[i] - b.map.data()[i]) / 2;
    return {sum / double(a.map.rows()), relative(a.scores, b.scores), relative(a.output, b.output)};
}

double worst(const std::vector<float>& a, const std::vector<float>& b)
{
    double most = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
    for (std::size_t i = 0; i < a.size(); ++i)
        most = std::max(most, std::abs(double(a[i]) - double(b[i])));
    return most;
}
} // namespace

class TestAttentionPreview : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void fullRankGivesTheExactMaps_data() { models(); }
    void fullRankGivesTheExactMaps();
    void errorsEqualATwinInDouble_data() { models(); }
    void errorsEqualATwinInDouble();
    void everyHeadsEntryIsThatOfTheShownHead_data() { models(); }
    void everyHeadsEntryIsThatOfTheShownHead();
    void moreRankLosesLess();
    void separateFactorsAreThoseOfTheSpectrumLab();
    void effectIsThatOfTheReplacedModel();
    void ownStatesCarryTheErrorsOfEarlierLayers();
    void averageIsTheMeanOverSamples();
    void planIsComparedToo();
    void firstPictureWaitsForTheSample();
    void settingsOutOfRangeAreRefusedAndAStopIsSeen();

private:
    static void models();
    const Inputs& inputsOf(const QString& name) const { return name == "vit20" ? m_vit : m_lm; }
    QTemporaryDir m_directory;
    Inputs m_vit, m_lm;
};

void TestAttentionPreview::models()
{
    QTest::addColumn<QString>("model");
    QTest::newRow("vit20: fused, biases") << "vit20";
    QTest::newRow("tinylm: rotary, grouped, causal") << "tinylm";
}

void TestAttentionPreview::initTestCase()
{
    m_vit = vit20Inputs();
    m_lm = tinylmInputs(m_directory);
}

void TestAttentionPreview::fullRankGivesTheExactMaps()
{
    QFETCH(QString, model);
    AttentionPreview preview(inputsOf(model));
    for (const MapSource source : {MapSource::Joint, MapSource::Separate}) {
        auto request = asking(1 << 20, 1 << 20);
        request.parameters.set("query-rank", std::int64_t(preview.schema().find("query-rank")->maximum));
        request.parameters.set("key-rank", std::int64_t(preview.schema().find("key-rank")->maximum));
        request.source = source;
        const auto report = preview.whole(request, RunContext());
        QCOMPARE(report.exact.size(), std::size_t(report.tokens * report.tokens));
        // factors rounded to float and one more float product: some 1e-6 on probabilities of at most 1
        QVERIFY2(worst(report.exact, report.approximate) < 1e-5, qPrintable(QString::number(worst(report.exact, report.approximate))));
        for (const auto& head : report.allHeads) {
            QVERIFY(head.of(source).map < 1e-5);
            QVERIFY(head.of(source).logit < 1e-4);
            QVERIFY(head.of(source).output < 1e-4);
        }
        for (const auto& effect : report.effects) {
            QVERIFY(effect.kl < 1e-6);
            QCOMPARE(effect.agreement, 1.0);
        }
        for (const auto* map : {&report.exact, &report.approximate})
            for (std::int64_t i = 0; i < report.tokens; ++i)
                QVERIFY(std::abs(std::accumulate(map->begin() + i * report.tokens, map->begin() + (i + 1) * report.tokens, 0.0) - 1) < 1e-5);
    }
}

void TestAttentionPreview::errorsEqualATwinInDouble()
{
    QFETCH(QString, model);
    const Inputs& inputs = inputsOf(model);
    AttentionPreview preview(inputs);
    const auto report = preview.whole(asking(9, 7), RunContext());
    measure::LoadedSample sample;
    inputs.samples->load(1, sample);
    const auto dense = runSample(inputs.model, sample, RunContext());
    for (const int layer : {0, 2, 5}) {
        const JointQk joint = JointQk::prepare(inputs, layer, report.parameters);
        std::vector<nn::Model::Replacement> operators;
        for (auto& [name, op] : joint.solve(9, 7).operators)
            operators.push_back({name, op});
        const auto approximate = inputs.model->replaced(operators);
        const auto other = runBlockOn(*approximate, *dense, layer, RunContext());
        for (std::int64_t head = 0; head < report.heads; ++head) {
            const Twin exact(dense->attention[std::size_t(layer)], head), approximated(other.attention, head);
            const auto twin = twinErrors(exact, approximated);
            const auto& entry = report.allHeads[std::size_t(layer * report.heads + head)].joint;
            QVERIFY(twin.map > 1e-3); // there is something to compare
            // float softmax and mixing against double: relative 1e-5 of sums of positive terms
            QVERIFY2(std::abs(entry.map - twin.map) < 2e-5, qPrintable(QString("%1 %2").arg(entry.map).arg(twin.map)));
            QVERIFY2(std::abs(entry.logit - twin.logit) < 1e-9 * (1 + twin.logit), qPrintable(QString("%1 %2").arg(entry.logit).arg(twin.logit)));
            QVERIFY2(std::abs(entry.output - twin.output) < 2e-5 * (1 + twin.output), qPrintable(QString("%1 %2").arg(entry.output).arg(twin.output)));
        }
    }
}

void TestAttentionPreview::everyHeadsEntryIsThatOfTheShownHead()
{
    QFETCH(QString, model);
    AttentionPreview preview(inputsOf(model));
    const auto report = preview.whole(asking(12, 8), RunContext());
    QVERIFY(report.complete);
    QCOMPARE(report.allHeads.size(), std::size_t(report.layers * report.heads));
    for (const MapSource source : {MapSource::Joint, MapSource::Separate})
        for (int layer = 0; layer < report.layers; layer += 3)
            for (std::int64_t head = 0; head < report.heads; ++head) {
                auto request = asking(12, 8, layer, head);
                request.source = source;
                const auto single = preview.first(request);
                QVERIFY(single.has_value());
                const auto& entry = report.allHeads[std::size_t(layer * report.heads + head)];
                QCOMPARE(entry.layer, layer);
                QCOMPARE(entry.head, head);
                QCOMPARE(single->shown.of(source).map, entry.of(source).map);
                QCOMPARE(single->shown.of(source).logit, entry.of(source).logit);
                QCOMPARE(single->shown.of(source).output, entry.of(source).output);
                double sum = 0;
                for (std::size_t i = 0; i < single->exact.size(); ++i)
                    sum += std::abs(double(single->exact[i]) - double(single->approximate[i])) / 2;
                QVERIFY(std::abs(sum / double(single->tokens) - entry.of(source).map) < 1e-12);
            }
}

void TestAttentionPreview::moreRankLosesLess()
{
    // Over all heads of a layer: the joint objective is nested in the rank, the errors on one sample follow it as a mean.
    AttentionPreview preview(m_lm);
    double before = INFINITY;
    for (const std::int64_t rank : {4, 16, 48, 64}) {
        const auto report = preview.whole(asking(2 * rank, rank), RunContext());
        double mean = 0;
        for (const auto& head : report.allHeads)
            mean += head.joint.logit / double(report.allHeads.size());
        QVERIFY2(mean < before, qPrintable(QString::number(mean)));
        before = mean;
        QCOMPARE(report.cost.dense, std::int64_t(128 * (128 + 64)));
        QCOMPARE(report.cost.approximate, 2 * rank * 256 + rank * 192);
    }
}

void TestAttentionPreview::separateFactorsAreThoseOfTheSpectrumLab()
{
    const std::string name = "model.layers.3.self_attn.k_proj";
    const JointQk joint = JointQk::prepare(m_lm, 3, {});
    Parameters parameters;
    parameters.set("ridge", 1e-3);
    const auto reference = spectrum::findMethod("spectrum.whitened")->factors({m_lm.checkpoint, m_lm.calibration, {}}, name, 11, parameters, RunContext());
    const WhitenedRows rows(joint.parts().key.weight, inputStatistics(*m_lm.calibration, name, 128, false, 1e-3).c, RunContext());
    const auto ours = rows.factors(11);
    const auto a = linalg::product(ours.b.view(), ours.a.view()), b = linalg::product(reference.b.view(), reference.a.view());
    QVERIFY2(relative(b, a) < 1e-8, qPrintable(QString::number(relative(b, a)))); // the same subspace by another route
    QCOMPARE(rows.mostRank(), std::int64_t(64));
    QVERIFY(test::refusal([&] { (void)rows.factors(65); }).contains("expected 1 to 64"));
}

void TestAttentionPreview::effectIsThatOfTheReplacedModel()
{
    AttentionPreview preview(m_lm);
    auto request = asking(10, 10, 3);
    request.parameters.set("scope", std::string("this layer"));
    const auto report = preview.whole(request, RunContext());
    QCOMPARE(report.effects.size(), std::size_t(2));
    const auto& effect = report.effects[0];
    QCOMPARE(effect.source, MapSource::Joint);
    for (int layer = 0; layer < 3; ++layer) { // layers before the replaced one do not change at all
        QCOMPARE(effect.layers[std::size_t(layer)].relativeError, 0.0);
        QCOMPARE(effect.layers[std::size_t(layer)].cosine, 1.0);
    }
    QVERIFY(effect.layers[3].relativeError > 1e-3);
    QCOMPARE(effect.layers[3].relativeError, effect.layers[3].ownError); // its input is the dense model's
    std::vector<nn::Model::Replacement> operators;
    for (auto& [name, op] : JointQk::prepare(m_lm, 3, {}).solve(10, 10).operators)
        operators.push_back({name, op});
    const auto replaced = m_lm.model->replaced(operators);
    measure::LoadedSample sample;
    m_lm.samples->load(1, sample);
    const nn::Sample view = sample.view();
    const auto before = nn::runBatch(*m_lm.model, {&view, 1}).front(), after = nn::runBatch(*replaced, {&view, 1}).front();
    double kl = 0, agreed = 0;
    for (std::int64_t i = 0; i < before.rows(); ++i) {
        double a = 0, b = 0;
        for (std::int64_t j = 0; j < before.cols(); ++j) {
            a += std::exp(double(before(i, j)));
            b += std::exp(double(after(i, j)));
        }
        for (std::int64_t j = 0; j < before.cols(); ++j)
            kl += std::exp(double(before(i, j))) / a * (double(before(i, j)) - std::log(a) - double(after(i, j)) + std::log(b));
        const auto best = [i](const Matrix<float>& m) { return std::max_element(&m(i, 0), &m(i, 0) + m.cols()) - &m(i, 0); };
        agreed += best(before) == best(after) ? 1 : 0;
        if (i + 1 == before.rows()) {
            QCOMPARE(effect.before.front().index, int(best(before)));
            QCOMPARE(effect.after.front().index, int(best(after)));
            QVERIFY(std::abs(effect.after.front().probability - std::exp(double(after(i, best(after)))) / b) < 1e-5);
        }
    }
    QVERIFY(effect.kl > 1e-5);
    QVERIFY(std::abs(effect.kl - kl / double(before.rows())) < 1e-6 + 1e-4 * effect.kl);
    QCOMPARE(effect.agreement, agreed / double(before.rows()));
}

void TestAttentionPreview::ownStatesCarryTheErrorsOfEarlierLayers()
{
    AttentionPreview preview(m_vit);
    auto request = asking(16, 16);
    const auto same = preview.whole(request, RunContext());
    request.parameters.set("states", std::string("own"));
    QVERIFY(!preview.first(request).has_value());
    const auto own = preview.whole(request, RunContext());
    for (std::size_t head = 0; head < 4; ++head) // layer 0 reads the embedding in both
        QVERIFY(std::abs(own.allHeads[head].joint.map - same.allHeads[head].joint.map) < 1e-9);
    QVERIFY(std::abs(own.allHeads.back().joint.map - same.allHeads.back().joint.map) > 1e-4);
    QVERIFY(worst(own.exact, same.exact) < 1e-12);
    QVERIFY(worst(own.approximate, same.approximate) > 1e-4);
}

void TestAttentionPreview::averageIsTheMeanOverSamples()
{
    AttentionPreview preview(m_vit);
    auto request = asking(16, 16);
    std::vector<report::AttentionMapReport> singles;
    for (const std::size_t sample : {0u, 1u, 2u}) {
        request.sample = sample;
        singles.push_back(preview.whole(request, RunContext()));
    }
    request.sample = 1;
    request.parameters.set("average", std::int64_t(3));
    std::size_t published = 0;
    const auto mean = preview.whole(request, RunContext(), [&](const report::AttentionMapReport& partial) { published = partial.averagedSamples; });
    QCOMPARE(published, std::size_t(3));
    QCOMPARE(mean.averagedSamples, std::size_t(3));
    QCOMPARE(mean.shown.joint.map, singles[1].shown.joint.map); // the shown head stays the shown sample's
    for (std::size_t i = 0; i < mean.allHeads.size(); ++i) {
        double map = 0, output = 0;
        for (const auto& single : singles) {
            map += single.allHeads[i].joint.map / 3;
            output += single.allHeads[i].separate.output / 3;
        }
        QVERIFY(std::abs(mean.allHeads[i].joint.map - map) < 1e-12);
        QVERIFY(std::abs(mean.allHeads[i].separate.output - output) < 1e-12);
    }
}

void TestAttentionPreview::planIsComparedToo()
{
    AttentionPreview preview(m_vit);
    auto request = asking(16, 16);
    request.plan = m_vit.model;
    request.source = MapSource::Plan;
    const auto report = preview.whole(request, RunContext());
    QCOMPARE(report.effects.size(), std::size_t(3));
    QCOMPARE(report.effects[2].source, MapSource::Plan);
    QCOMPARE(report.effects[2].agreement, 1.0);
    QCOMPARE(worst(report.exact, report.approximate), 0.0); // the dense model itself
    for (const auto& head : report.allHeads)
        QCOMPARE(head.plan.map, 0.0);
    request.plan = nullptr;
    QCOMPARE(preview.whole(request, RunContext()).source, MapSource::Joint);
}

void TestAttentionPreview::firstPictureWaitsForTheSample()
{
    AttentionPreview preview(m_vit);
    QVERIFY(!preview.first(asking(16, 16)).has_value());
    bool early = false;
    const auto whole = preview.whole(asking(16, 16), RunContext(), [&](const report::AttentionMapReport& partial) { early = early || !partial.complete; });
    QVERIFY(early);
    const auto first = preview.first(asking(16, 16));
    QVERIFY(first.has_value());
    QVERIFY(!first->complete && first->allHeads.empty());
    QCOMPARE(first->shown.joint.map, whole.shown.joint.map);
    QCOMPARE(worst(first->approximate, whole.approximate), 0.0);
    QVERIFY(first->planes.size() == 2 && first->planes[0].energy.size() == 128 && first->planes[0].rank == 16);
    auto ridged = asking(16, 16);
    ridged.parameters.set("ridge", 0.1);
    QVERIFY(worst(preview.first(ridged)->approximate, whole.approximate) > 1e-4); // prepared anew
}

void TestAttentionPreview::settingsOutOfRangeAreRefusedAndAStopIsSeen()
{
    AttentionPreview preview(m_vit);
    QVERIFY(test::refusal([&] { (void)preview.whole(asking(0, 16), RunContext()); }).contains("query-rank"));
    Inputs bare = m_vit;
    bare.calibration = nullptr;
    QVERIFY(test::refusal([&] { AttentionPreview nothing(bare); }).contains("need a model, a calibration set and at least one sample"));
    Inputs foreign = m_vit;
    foreign.calibration = m_lm.calibration;
    QVERIFY(test::refusal([&] { (void)AttentionPreview(foreign).whole(asking(16, 16), RunContext()); }).contains("expected"));
    std::stop_source stop;
    stop.request_stop();
    QVERIFY(test::refusal([&] { (void)preview.whole(asking(16, 16), RunContext(stop.get_token())); }).contains("cancelled"));
    QCOMPARE(preview.whole(asking(16, 16), RunContext()).averagedSamples, std::size_t(1)); // goes on after a stop
    QVERIFY(!preview.schema().find("window"));
    QVERIFY(AttentionPreview(m_lm).schema().find("window"));
}

QTEST_GUILESS_MAIN(TestAttentionPreview)
#include "tst_attention_preview.moc"
