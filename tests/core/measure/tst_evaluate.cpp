// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/evaluate.h"

#include "core/base/parallel.h"
#include "core/measure/logit_metrics.h"
#include "core/measure/token_source.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/measure/sample_list.h"

#include <cmath>
#include <map>

using namespace tamis;
using measure::evaluate;
using measure::EvaluateOptions;
using test::refusal;

namespace {

EvaluateOptions quick(std::size_t batch = 4)
{
    EvaluateOptions options;
    options.batch = batch;
    options.latencyRuns = 0;
    return options;
}

/// The model with the operator `name` replaced by its product with noise of 10 %.
std::shared_ptr<const nn::Model> disturbed(const nn::Model& model, const std::vector<std::string>& names)
{
    std::vector<nn::Model::Replacement> replacements;
    std::uint64_t seed = 11;
    for (const std::string& name : names) {
        auto weight = model.find(name)->op->dense();
        const auto noise = test::gaussianFloat(weight.rows(), weight.cols(), seed++);
        for (std::size_t i = 0; i < weight.size(); ++i)
            weight.values()[i] *= 1 + 0.1f * noise.values()[i];
        replacements.push_back({name, nn::denseOp(weight.view(), model.find(name)->op->bias())});
    }
    return model.replaced(replacements);
}

std::vector<tensor::Matrix<float>> outputsOf(const nn::Model& model, const test::SampleList& source, nn::Observer* observer = nullptr)
{
    std::vector<nn::Sample> samples;
    for (const auto& sample : source.samples)
        samples.push_back(sample.view());
    const ThreadLimit one(1); // the observer is called in the order of the samples
    return nn::runBatch(model, samples, {}, observer);
}

/// Everything an evaluation looks at, kept.
class Everything : public nn::Observer {
public:
    std::map<std::pair<std::size_t, int>, tensor::Matrix<float>> outputs;
    std::map<std::tuple<std::size_t, int, std::int64_t, std::int64_t>, tensor::Matrix<float>> maps; ///< sample, block, head, map
    void blockOutput(std::size_t sample, int block, kernels::ConstRows x) override
    {
        tensor::Matrix<float> copy(x.rows, x.cols);
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::copy_n(x.data + i * x.stride, x.cols, copy.data() + i * x.cols);
        outputs[{sample, block}] = std::move(copy);
    }
    void attentionInput(std::size_t sample, int block, const nn::Block& layer, const nn::AttentionInput& input) override
    {
        for (std::int64_t head = 0; head < layer.attention->heads(); ++head)
            for (std::int64_t map = 0; map < layer.attention->maps(input.q.rows); ++map)
                maps[{sample, block, head, map}] = layer.attention->map(input, head, map);
    }
};

bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance; }

bool sameBits(const report::Measured& a, const report::Measured& b)
{
    const auto same = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
    return same(a.mean, b.mean) && same(a.deviation, b.deviation);
}

std::filesystem::path golden(const char* name) { return nn::golden::folder(name); }

} // namespace

class TstEvaluate : public QObject
{
    Q_OBJECT
private slots:
    void classesAgreeWithPyTorch()
    {
        const auto model = test::modelAt(golden("timm_vit"));
        const nn::golden::Golden file(golden("timm_vit") / "golden.npz");
        auto source = test::listOf(nn::golden::Inputs(file));
        const auto logits = file.read("logits");
        for (std::size_t i = 0; i < source.samples.size(); ++i) { // the second sample's label is its second-best class
            const std::span row(logits.values.data() + static_cast<std::int64_t>(i) * logits.cols(), static_cast<std::size_t>(logits.cols()));
            source.samples[i].label = measure::bestClasses(row, 2)[i];
        }
        const auto report = evaluate(*model, nullptr, source, quick(), {});
        QCOMPARE(report.quality.top1.mean, 0.5);
        QCOMPARE(report.quality.top5.mean, 1.0);
        QCOMPARE(report.quality.correct, 1u);
        QCOMPARE(report.quality.samples, 2u);
        QVERIFY(!report.quality.perplexity.present() && !report.fidelity.agreement.present());
        QVERIFY(report.layers.empty() && report.heads.empty());
        QCOMPARE(report.predictions.size(), 2u);
        for (std::size_t i = 0; i < 2; ++i) {
            const std::span row(logits.values.data() + static_cast<std::int64_t>(i) * logits.cols(), static_cast<std::size_t>(logits.cols()));
            QCOMPARE(report.predictions[i].classes, measure::bestClasses(row, 5));
            QCOMPARE(report.predictions[i].label, source.samples[i].label);
        }
    }

    void perplexityAgreesWithPyTorch_data()
    {
        QTest::addColumn<QString>("variant");
        for (const char* name : {"llama_yarn_rope", "qwen3", "gpt2", "opt_post_norm_projected", "mistral_sliding_window"})
            QTest::newRow(name) << QString(name);
    }
    void perplexityAgreesWithPyTorch()
    {
        QFETCH(QString, variant);
        const auto folder = golden(qPrintable(variant));
        const auto model = test::modelAt(folder);
        const nn::golden::Golden file(folder / "golden.npz");
        auto source = test::listOf(nn::golden::Inputs(file));
        const auto logits = file.read("logits");
        const auto vocabulary = static_cast<std::size_t>(logits.cols());
        double nll = 0;
        std::uint64_t tokens = 0, bytes = 0;
        std::size_t row = 0;
        for (auto& sample : source.samples) {
            sample.firstScored = 3;
            sample.scoredBytes = 5 * (sample.tokens.size() - 3);
            bytes += sample.scoredBytes;
            for (std::size_t t = 0; t < sample.tokens.size(); ++t, ++row)
                if (t + 1 >= 3 && t + 1 < sample.tokens.size()) {
                    double sum = 0;
                    const float* at = logits.values.data() + row * vocabulary;
                    for (std::size_t c = 0; c < vocabulary; ++c)
                        sum += std::exp(static_cast<double>(at[c]));
                    nll += std::log(sum) - static_cast<double>(at[sample.tokens[t + 1]]);
                    ++tokens;
                }
        }
        const auto report = evaluate(*model, nullptr, source, quick(), {});
        QCOMPARE(report.quality.tokens, tokens);
        // logits are within 2e-5 of the largest (tst_models), so the mean is within twice that
        double largest = 0;
        for (const float value : logits.values)
            largest = std::max(largest, std::abs(static_cast<double>(value)));
        QVERIFY(near(std::log(report.quality.perplexity.mean), nll / static_cast<double>(tokens), 4e-5 * largest));
        QVERIFY(near(report.quality.bitsPerByte.mean, nll / std::log(2.0) / static_cast<double>(bytes), 4e-5 * largest));
        QVERIFY(!report.quality.top1.present() && report.predictions.empty());
    }

    void aModelAgreesWithItself()
    {
        const auto model = test::vit20();
        const auto report = evaluate(*model, model.get(), test::noise(3, 64, 1), quick(2), {});
        QCOMPARE(report.fidelity.agreement.mean, 1.0);
        QCOMPARE(report.fidelity.agreement.deviation, 0.0);
        QCOMPARE(report.fidelity.kl.mean, 0.0);
        QVERIFY(near(report.fidelity.logitCosine.mean, 1, 1e-15));
        QCOMPARE(report.layers.size(), 6u);
        for (const auto& layer : report.layers)
            QVERIFY(layer.relativeError == 0 && layer.cosine == 1 && layer.ownError == 0);
        QCOMPARE(report.heads.size(), 24u);
        for (const auto& head : report.heads)
            QCOMPARE(head.mapError, 0.0);
        QCOMPARE(report.batches, 2u);
    }

    void errorsAgreeWithTheirDefinition_data()
    {
        QTest::addColumn<QString>("variant");
        for (const char* name : {"timm_vit", "timm_swin_padded", "llama_yarn_rope", "hf_deit_distilled", "bert_masked"})
            QTest::newRow(name) << QString(name);
    }
    /// Everything once more, in the simplest way, from outputs, block outputs and attention maps of both models.
    void errorsAgreeWithTheirDefinition()
    {
        QFETCH(QString, variant);
        const auto folder = golden(qPrintable(variant));
        const nn::golden::Inputs inputs(nn::golden::Golden(folder / "golden.npz"));
        const auto dense = nn::Model::load(*io::Checkpoint::open(folder), {}, inputs.height(), inputs.width());
        const auto source = test::listOf(inputs);
        std::vector<std::string> names;
        for (const auto* slot : dense->linears())
            if (slot->layer >= 0)
                names.push_back(slot->name);
        const auto compressed = disturbed(*dense, names);
        const auto report = evaluate(*dense, compressed.get(), source, quick(), {});

        Everything first, second;
        const auto expected = outputsOf(*dense, source, &first), found = outputsOf(*compressed, source, &second);
        const bool decoder = dense->spec().task == nn::Task::CausalLanguage;
        double agree = 0, kl = 0, cosine = 0, rows = 0;
        for (std::size_t i = 0; i < expected.size(); ++i)
            for (std::int64_t row = 0; row < expected[i].rows() - (decoder ? 1 : 0); ++row, ++rows) {
                const auto difference = measure::compareLogits(expected[i].view().row(row), found[i].view().row(row));
                agree += difference.agree;
                kl += difference.kl;
                cosine += difference.cosine;
            }
        QVERIFY(kl > 0);
        QVERIFY(near(report.fidelity.agreement.mean, agree / rows, 1e-12));
        QVERIFY(near(report.fidelity.kl.mean, kl / rows, 1e-12 * kl));
        QVERIFY(near(report.fidelity.logitCosine.mean, cosine / rows, 1e-12));
        QCOMPARE(report.fidelity.predictions, static_cast<std::uint64_t>(rows));
        QCOMPARE(report.layers.size(), dense->blocks().size());
        for (const auto& layer : report.layers) {
            double difference = 0, squares = 0, others = 0, product = 0;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                const auto& a = first.outputs.at({i, layer.block});
                const auto& b = second.outputs.at({i, layer.block});
                for (std::size_t k = 0; k < a.size(); ++k) {
                    const double x = static_cast<double>(a.values()[k]), y = static_cast<double>(b.values()[k]);
                    difference += (x - y) * (x - y);
                    squares += x * x;
                    others += y * y;
                    product += x * y;
                }
            }
            QVERIFY(difference > 0);
            QVERIFY(near(layer.relativeError, std::sqrt(difference / squares), 1e-12));
            QVERIFY(near(layer.cosine, product / std::sqrt(squares * others), 1e-12));
            QVERIFY(layer.ownError > 0);
        }
        QVERIFY(near(report.layers[0].ownError, report.layers[0].relativeError, 1e-12)); // the first block's input is the same
        std::map<std::pair<int, std::int64_t>, std::pair<double, double>> heads;
        for (const auto& [key, p] : first.maps) {
            const auto& q = second.maps.at(key);
            auto& [sum, queries] = heads[{std::get<1>(key), std::get<2>(key)}];
            for (std::size_t k = 0; k < p.size(); ++k)
                sum += std::abs(static_cast<double>(p.values()[k]) - static_cast<double>(q.values()[k])) / 2;
            queries += static_cast<double>(p.rows());
        }
        QCOMPARE(report.heads.size(), heads.size());
        for (const auto& head : report.heads) {
            const auto& [sum, queries] = heads.at({head.block, head.head});
            QVERIFY(near(head.mapError, sum / queries, 1e-12) && head.mapError > 0 && head.mapError <= 1);
        }
    }

    void ownErrorsAreThoseOfTheBlockAlone()
    {
        for (const char* name : {"timm_vit", "timm_swin_padded"}) {
            const nn::golden::Inputs inputs(nn::golden::Golden(golden(name) / "golden.npz"));
            const auto dense = nn::Model::load(*io::Checkpoint::open(golden(name)), {}, inputs.height(), inputs.width());
            const auto source = test::listOf(inputs);
            for (std::size_t changed = 0; changed < dense->blocks().size(); ++changed) {
                const auto compressed = disturbed(*dense, {dense->blocks()[changed].down.name});
                const auto report = evaluate(*dense, compressed.get(), source, quick(), {});
                for (std::size_t block = 0; block < report.layers.size(); ++block) {
                    const auto& layer = report.layers[block];
                    if (block < changed)
                        QVERIFY(layer.relativeError == 0 && layer.ownError == 0);
                    else if (block == changed)
                        QVERIFY(layer.relativeError > 0 && near(layer.ownError, layer.relativeError, 1e-12));
                    else
                        QVERIFY(layer.relativeError > 0 && layer.ownError == 0); // carried along, nothing of its own
                }
            }
        }
    }

    void threadsDoNotMatterAndBatchesOnlyForTheSpread()
    {
        const auto dense = test::vit20();
        const auto compressed = disturbed(*dense, {"blocks.1.attn.qkv", "blocks.3.mlp.fc1"});
        auto source = test::noise(7, 64, 2);
        for (std::size_t i = 0; i < 7; ++i)
            source.samples[i].label = static_cast<int>(i);
        const auto run = [&](std::size_t batch) { return evaluate(*dense, compressed.get(), source, quick(batch), {}); };
        const auto all = run(3);
        {
            const ThreadLimit one(1);
            const auto single = run(3);
            QVERIFY(sameBits(all.fidelity.kl, single.fidelity.kl) && sameBits(all.fidelity.logitCosine, single.fidelity.logitCosine)
                    && sameBits(all.quality.top5, single.quality.top5));
            for (std::size_t i = 0; i < all.layers.size(); ++i)
                QVERIFY(all.layers[i].relativeError == single.layers[i].relativeError && all.layers[i].ownError == single.layers[i].ownError);
            for (std::size_t i = 0; i < all.heads.size(); ++i)
                QCOMPARE(all.heads[i].mapError, single.heads[i].mapError);
        }
        const auto alone = run(1); // every sample spreads over the threads itself
        QCOMPARE(alone.batches, 7u);
        QVERIFY(near(alone.fidelity.kl.mean, all.fidelity.kl.mean, 1e-14) && alone.fidelity.kl.deviation > 0);
        QCOMPARE(alone.quality.top1.mean, all.quality.top1.mean);
        QVERIFY(std::isnan(run(7).fidelity.kl.deviation)); // one batch has no spread
        for (std::size_t i = 0; i < all.layers.size(); ++i)
            QVERIFY(all.layers[i].relativeError == alone.layers[i].relativeError); // samples are summed in order either way
    }

    void boundedKeepsAndLatency()
    {
        const auto model = test::vit20();
        auto options = quick();
        options.mapSamples = 2;
        options.predictions = 3;
        options.ownErrors = false;
        options.latencyRuns = 3;
        const auto report = evaluate(*model, model.get(), test::noise(5, 64, 1), options, {});
        QCOMPARE(report.mapSamples, 2u);
        QCOMPARE(report.predictions.size(), 3u);
        QCOMPARE(report.predictions[0].sample, std::string("sample 0"));
        QVERIFY(report.predictions[0].classes == report.predictions[0].compressedClasses);
        QVERIFY(std::isnan(report.layers[0].ownError));
        QVERIFY(report.cost.latencyMs > 0 && report.baselineCost.latencyMs > 0);
        QVERIFY(!report.quality.top1.present()); // no labels
        QCOMPARE(report.quality.samples, 0u);
    }

    void refusals()
    {
        const auto model = test::vit20();
        auto source = test::noise(2, 64, 1);
        QVERIFY(refusal([&] { evaluate(*model, nullptr, test::SampleList(), quick(), {}); }).contains("found no sample"));
        source.samples[1].label = 20;
        QCOMPARE(refusal([&] { evaluate(*model, nullptr, source, quick(), {}); }),
                 QString("invalid parameter: sample 1: label: found the class 20, expected 0 to 19"));
        source.samples[1].label = 3;
        source.samples[1].image[5] = std::nanf("");
        QVERIFY(refusal([&] { evaluate(*model, nullptr, source, quick(), {}); }).contains("sample 1: the model's output 0 is NaN"));
        source.samples[1].image.pop_back();
        QVERIFY(refusal([&] { evaluate(*model, nullptr, source, quick(), {}); }).contains("sample 1: "));
        const auto other = test::modelAt(golden("timm_vit"));
        QVERIFY(refusal([&] { evaluate(*model, other.get(), test::noise(1, 64, 1), quick(), {}); }).contains("cannot be compared"));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(refusal([&] { evaluate(*model, nullptr, test::noise(2, 64, 1), quick(), RunContext(stop.get_token())); }).startsWith("cancelled"));
        const auto text = test::modelAt(golden("gpt2"));
        const measure::TokenSource tokens({{0, 1, 100000}}, {}, "tokens");
        const QString beyond = refusal([&] { evaluate(*text, nullptr, tokens, quick(), {}); });
        QVERIFY2(beyond.contains("sequence 0, tokens 0 to 2: token id 100000 at position 2 is beyond the vocabulary"), qPrintable(beyond));
    }
};

TAMIS_BLAS_TEST_MAIN(TstEvaluate)
#include "tst_evaluate.moc"
