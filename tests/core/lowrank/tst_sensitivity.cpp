// SPDX-License-Identifier: GPL-3.0-or-later
// The table against whole evaluations of models with one matrix replaced, block influence against a walk block by block.
#include "core/base/parallel.h"
#include "core/lowrank/block_influence.h"
#include "core/lowrank/sensitivity.h"
#include "core/lowrank/targets.h"
#include "core/measure/evaluate.h"
#include "core/spectrum/method.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/lowrank/lab_models.h"

#include <QTemporaryDir>

#include <algorithm>
#include <cmath>

using namespace tamis;

namespace {
/// Noise, the first half of it with labels.
std::shared_ptr<const measure::SampleSource> images(std::size_t count)
{
    auto list = std::make_shared<test::SampleList>(test::noise(count, 64, 7));
    for (std::size_t i = 0; i < count / 2; ++i)
        list->samples[i].label = static_cast<int>(3 * i);
    return list;
}
lowrank::Inputs vit20(std::vector<std::string> matrices, std::size_t samples)
{
    auto inputs = test::vit20Inputs();
    inputs.samples = images(samples);
    inputs.matrices = std::move(matrices);
    return inputs;
}
lowrank::Inputs tinylm(std::size_t windows)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm");
    inputs.model = nn::Model::load(*inputs.checkpoint);
    auto sequences = inputs::readTokenFile(TAMIS_SOURCE_DIR "/datasets/tinylm/heldout.npy", 0);
    sequences.resize(1);
    sequences[0].resize(windows * 48);
    inputs.samples = std::make_shared<measure::TokenSource>(std::move(sequences), measure::TokenWindows{.context = 48, .stride = 0}, "windows of a test");
    inputs.matrices = {"model.layers.0.mlp.down_proj", "model.layers.4.self_attn.k_proj"};
    return inputs;
}
std::vector<const io::MatrixRef*> targetsOf(const lowrank::Inputs& inputs)
{
    std::vector<std::string> warnings;
    return lowrank::targets(inputs, warnings);
}
report::EvaluationReport evaluated(const lowrank::Inputs& inputs, const std::string& matrix, std::int64_t rank)
{
    const auto* method = spectrum::findMethod(inputs.calibration ? "spectrum.whitened" : "spectrum.plain");
    const auto factors = method->factors({inputs.checkpoint, inputs.calibration, {matrix}}, matrix, rank, method->declaration.schema.defaults(), {});
    const auto op = nn::factorsOp(lowrank::rounded(factors.b).view(), lowrank::rounded(factors.a).view(), inputs.model->find(matrix)->op->bias());
    const auto model = inputs.model->replaced({{matrix, op}});
    return measure::evaluate(*inputs.model, model.get(), *inputs.samples, {.mapSamples = 0, .predictions = 0, .ownErrors = false, .latencyRuns = 0}, {});
}
// The same floats go in; sums of some hundred doubles differ by their order. A truncated decomposition's factors are the first
// ones of a larger one to rounding of the products, and so are the floats but for the odd last bit: 6e-8 of a logit, which
// moves a KL of 1e-3 by some 1e-6 of itself.
bool same(double found, double expected) { return std::abs(found - expected) <= 1e-5 * std::abs(expected) + 1e-9; }

bool equal(const report::SensitivityReport& a, const report::SensitivityReport& b)
{
    if (a.matrices.size() != b.matrices.size())
        return false;
    for (std::size_t i = 0; i < a.matrices.size(); ++i) {
        if (a.matrices[i].points.size() != b.matrices[i].points.size())
            return false;
        for (std::size_t k = 0; k < a.matrices[i].points.size(); ++k)
            if (a.matrices[i].points[k].kl != b.matrices[i].points[k].kl || a.matrices[i].points[k].rank != b.matrices[i].points[k].rank)
                return false;
    }
    return true;
}
} // namespace

class TestSensitivity : public QObject {
    Q_OBJECT
private slots:
    void photosAgainstWholeEvaluations()
    {
        const auto inputs = vit20({"blocks.0.attn.qkv", "blocks.3.mlp.fc1"}, 6);
        lowrank::SensitivityCache cache;
        lowrank::SensitivityOptions options{{0.4, 0.15}, plan::Accounting::Factors, 0, true, nullptr, &cache};
        std::size_t finished = 0;
        const auto table = lowrank::measureSensitivity(inputs, targetsOf(inputs), options, {}, [&](const auto& soFar) { QCOMPARE(soFar.matrices.size(), ++finished); });
        QCOMPARE(finished, std::size_t(2));
        QVERIFY((table.keeps == std::vector<double>{0.15, 0.4}));
        QCOMPARE(table.planned, std::size_t(2));
        QCOMPARE(table.predictions, std::uint64_t(6));
        QCOMPARE(table.blocks.size(), std::size_t(6));
        QVERIFY(std::isnan(table.perplexity));
        for (const auto& matrix : table.matrices) {
            QCOMPARE(matrix.points.size(), std::size_t(2));
            for (std::size_t k = 0; k < 2; ++k) {
                const auto& point = matrix.points[k];
                QCOMPARE(point.rank, plan::rankForKeep(plan::Accounting::Factors, matrix.rows, matrix.cols, table.keeps[k]));
                const auto direct = evaluated(inputs, matrix.name, point.rank);
                QVERIFY2(same(point.kl, direct.fidelity.kl.mean) && point.kl > 1e-6, qPrintable(QString::number(point.kl) + " against " + QString::number(direct.fidelity.kl.mean)));
                QVERIFY(same(1 - point.cosineLoss, direct.fidelity.logitCosine.mean));
                QVERIFY(std::isfinite(point.nllChange) && std::isnan(point.perplexity) && std::isnan(point.relativeLoss));
            }
            QVERIFY(matrix.points[0].kl > matrix.points[1].kl);
        }
    }
    void textAgainstWholeEvaluations()
    {
        const auto inputs = tinylm(3);
        lowrank::SensitivityCache cache;
        lowrank::SensitivityOptions options{{0.5}, plan::Accounting::BlockIdentity, 0, false, nullptr, &cache};
        const auto table = lowrank::measureSensitivity(inputs, targetsOf(inputs), options, {});
        QCOMPARE(table.method, std::string("spectrum.plain"));
        QCOMPARE(table.predictions, std::uint64_t(3 * 47));
        QVERIFY(table.blocks.empty());
        for (const auto& matrix : table.matrices) {
            const auto& point = matrix.points.at(0);
            const auto direct = evaluated(inputs, matrix.name, point.rank);
            QVERIFY(same(table.perplexity, direct.baselineQuality.perplexity.mean));
            QVERIFY(same(point.perplexity, direct.quality.perplexity.mean));
            QVERIFY(same(point.nllChange, std::log(direct.quality.perplexity.mean / direct.baselineQuality.perplexity.mean)));
            QVERIFY(same(point.kl, direct.fidelity.kl.mean));
        }
    }
    void predictedLossesComeFromTheSpectra()
    {
        const auto inputs = vit20({"blocks.1.attn.proj"}, 2);
        const auto* method = spectrum::findMethod("spectrum.whitened");
        const auto spectra = method->run({inputs.checkpoint, inputs.calibration, inputs.matrices}, method->declaration.schema.defaults(), {});
        lowrank::SensitivityCache cache;
        const auto table = lowrank::measureSensitivity(inputs, targetsOf(inputs), {{0.5}, plan::Accounting::Factors, 0, false, &spectra, &cache}, {});
        const auto& point = table.matrices.at(0).points.at(0);
        QCOMPARE(point.rank, std::int64_t(32));
        QCOMPARE(point.relativeLoss, spectra.matrices[0].loss[32] / spectra.matrices[0].loss[0]);
    }
    void measuredOnceForTheSameContent()
    {
        const auto inputs = vit20({"blocks.2.attn.proj"}, 2);
        lowrank::SensitivityCache cache;
        lowrank::SensitivityOptions options{{0.4, 0.6}, plan::Accounting::Factors, 0, false, nullptr, &cache};
        const auto first = lowrank::measureSensitivity(inputs, targetsOf(inputs), options, {});
        QCOMPARE(cache.size(), std::size_t(2));
        options.keeps = {0.4, 0.6, 0.8};
        const auto second = lowrank::measureSensitivity(inputs, targetsOf(inputs), options, {});
        QCOMPARE(cache.size(), std::size_t(3)); // one more point, not three
        QCOMPARE(second.matrices[0].points[0].kl, first.matrices[0].points[0].kl);
        auto other = inputs;
        other.samples = images(3); // other content
        lowrank::measureSensitivity(other, targetsOf(other), options, {});
        QCOMPARE(cache.size(), std::size_t(6));
    }
    void notOfTheNumberOfThreads()
    {
        const auto inputs = vit20({"blocks.4.mlp.fc2"}, 4);
        lowrank::SensitivityCache one, many;
        lowrank::SensitivityOptions options{{0.3, 0.5}, plan::Accounting::Factors, 0, true, nullptr, &many};
        const auto parallel = lowrank::measureSensitivity(inputs, targetsOf(inputs), options, {});
        const ThreadLimit limit(1);
        options.cache = &one;
        const auto single = lowrank::measureSensitivity(inputs, targetsOf(inputs), options, {});
        QVERIFY(equal(parallel, single));
        for (std::size_t b = 0; b < 6; ++b)
            QCOMPARE(parallel.blocks[b].influence, single.blocks[b].influence);
    }
    void aStopKeepsWhatIsFinished()
    {
        const auto inputs = vit20({"blocks.0.attn.proj", "blocks.1.attn.proj", "blocks.2.attn.proj"}, 2);
        lowrank::SensitivityCache cache;
        std::stop_source stop;
        const lowrank::SensitivityOptions options{{0.5}, plan::Accounting::Factors, 0, false, nullptr, &cache};
        const auto refusal = test::refusal([&] {
            lowrank::measureSensitivity(inputs, targetsOf(inputs), options, RunContext(stop.get_token()), [&](const auto&) { stop.request_stop(); });
        });
        QVERIFY2(refusal.startsWith("cancelled"), qPrintable(refusal));
        QCOMPARE(cache.size(), std::size_t(1));
    }
    // 1 - mean cosine of each block's input and output, walking the blocks one by one.
    void influenceBlockByBlock()
    {
        const auto inputs = tinylm(2);
        const auto influences = lowrank::blockInfluence(*inputs.model, *inputs.samples, 0);
        std::vector<double> sums(inputs.model->blocks().size());
        std::size_t tokens = 0;
        for (std::size_t s = 0; s < 2; ++s) {
            measure::LoadedSample sample;
            inputs.samples->load(s, sample);
            nn::Scratch scratch;
            tensor::Matrix<float> x(static_cast<std::int64_t>(sample.tokens.size()), inputs.model->spec().width);
            inputs.model->embed(sample.view(), x.view(), scratch);
            tokens += sample.tokens.size();
            for (std::size_t b = 0; b < sums.size(); ++b) {
                const tensor::Matrix<float> before = x;
                inputs.model->runBlock(static_cast<int>(b), x.view(), scratch);
                for (std::int64_t i = 0; i < x.rows(); ++i) {
                    double xy = 0, xx = 0, yy = 0;
                    for (std::int64_t j = 0; j < x.cols(); ++j) {
                        xy += double(before(i, j)) * double(x(i, j));
                        xx += double(before(i, j)) * double(before(i, j));
                        yy += double(x(i, j)) * double(x(i, j));
                    }
                    sums[b] += xy / std::sqrt(xx * yy);
                }
            }
        }
        QCOMPARE(influences.size(), sums.size());
        for (std::size_t b = 0; b < sums.size(); ++b) {
            QCOMPARE(influences[b].block, static_cast<int>(b));
            const double expected = 1 - sums[b] / static_cast<double>(tokens);
            QVERIFY2(std::abs(influences[b].influence - expected) < 1e-12, "sums of 96 doubles in another order"); // the same floats
            QVERIFY(influences[b].influence > 0 && influences[b].influence < 2);
        }
    }
    void evenIndicesSpread()
    {
        QVERIFY((lowrank::evenIndices(10, 5) == std::vector<std::size_t>{0, 2, 4, 6, 8}));
        QVERIFY((lowrank::evenIndices(3, 5) == std::vector<std::size_t>{0, 1, 2}));
        QCOMPARE(lowrank::evenIndices(7, 0).size(), std::size_t(7));
        QVERIFY(lowrank::evenIndices(0, 4).empty());
    }
    void refusals()
    {
        auto inputs = vit20({"blocks.0.attn.proj"}, 2);
        const auto says = [&](const char* text, const lowrank::SensitivityOptions& options = {}) {
            const auto refusal = test::refusal([&] { lowrank::measureSensitivity(inputs, targetsOf(inputs), options, {}); });
            return refusal.startsWith("invalid parameter") && refusal.contains(text);
        };
        lowrank::SensitivityOptions options;
        options.keeps = {0.5, 1.0};
        QVERIFY(says("keeps: expected a keep above 0 and below 1", options));
        inputs.samples = nullptr;
        QVERIFY(says("sensitivity: is measured by running the model on samples"));
        inputs.samples = images(0);
        QVERIFY(says("at least one sample"));
    }
};

TAMIS_BLAS_TEST_MAIN(TestSensitivity)
#include "tst_sensitivity.moc"
