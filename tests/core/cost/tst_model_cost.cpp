// SPDX-License-Identifier: GPL-3.0-or-later
// References: parameter counts and multiply-adds as the models' authors and their reference implementations publish them.
#include "core/cost/model_cost.h"

#include "core/base/error.h"
#include "core/cost/layer_chain.h"
#include "core/cost/published_architectures.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::cost;

namespace {

const report::LayerCost& layerOf(const report::ModelCostReport& report, const std::string& name)
{
    const auto found = std::find_if(report.layers.begin(), report.layers.end(), [&](const auto& layer) { return layer.name == name; });
    if (found == report.layers.end())
        throw std::runtime_error("no layer " + name);
    return *found;
}

report::ModelCostReport costOf(const nn::ModelSpec& spec, std::int64_t tokens = 0, std::int64_t batch = 1, bool fused = true)
{
    CostOptions options;
    options.tokens = tokens;
    options.batch = batch;
    options.fused = fused;
    return modelCost(spec, options);
}

using Factory = nn::ModelSpec (*)();

} // namespace

class TstModelCost : public QObject
{
    Q_OBJECT
private slots:
    void publishedParameters_data()
    {
        QTest::addColumn<Factory>("factory");
        QTest::addColumn<quint64>("parameters");
        const auto row = [](const char* name, Factory factory, quint64 parameters) { QTest::newRow(name) << factory << parameters; };
        row("DeiT-T", deitTiny16, 5'717'416);
        row("DeiT-S", deitSmall16, 22'050'664);
        row("ViT-B/16", +[] { return vitBase16(); }, 86'567'656);
        row("ViT-B/16 at 384", +[] { return vitBase16(384); }, 86'859'496);
        row("ViT-B/32", vitBase32, 88'224'232);
        row("ViT-L/16", vitLarge16, 304'326'632);
        row("ViT-H/14", vitHuge14, 632'045'800);
        row("DeiT-T distilled", deitTinyDistilled16, 5'910'800);
        row("DeiT-S distilled", deitSmallDistilled16, 22'436'432);
        row("DeiT-B distilled", deitBaseDistilled16, 87'338'192);
        row("DINOv2-S/14", dinov2Small14, 22'056'576 - 384); // published with the mask token
        row("CLIP ViT-B/32, image tower", clipVisionBase32, 87'456'000);
        row("Swin-T", swinTiny, 28'288'354);
        row("Swin-S", swinSmall, 49'606'258);
        row("Swin-B", swinBase, 87'768'224);
        row("LLaMA-2-7B", llama2With7B, 6'738'415'616);
        row("LLaMA-2-13B", llama2With13B, 13'015'864'320);
        row("LLaMA-3-8B", llama3With8B, 8'030'261'248);
        row("TinyLlama-1.1B", tinyLlama1B, 1'100'048'384);
        row("Mistral-7B", mistral7B, 7'241'732'096);
        row("Qwen2-0.5B", qwen2With0_5B, 494'032'768);
        row("Qwen3-0.6B", qwen3With0_6B, 596'049'920);
        row("GPT-2", gpt2, 124'439'808);
        row("GPT-2 medium", gpt2Medium, 354'823'168);
        row("GPT-2 XL", gpt2Xl, 1'557'611'200);
        row("OPT-125M", opt125M, 125'239'296);
        row("OPT-350M", opt350M, 331'196'416);
        row("BERT-base", bertBase, 109'482'240);
        row("BERT-base, masked language", bertBaseMasked, 109'514'298);
        row("BERT-large", bertLarge, 335'141'888);
    }
    void publishedParameters()
    {
        QFETCH(Factory, factory);
        QFETCH(quint64, parameters);
        const auto report = costOf(factory());
        QCOMPARE(quint64{report.parameters}, parameters);
        QCOMPARE(quint64{report.weightBytes}, 4 * parameters);
        QVERIFY(report.warnings.empty());
    }
    void publishedMacs_data()
    {
        QTest::addColumn<Factory>("factory");
        QTest::addColumn<double>("giga");
        QTest::addColumn<double>("tolerance"); // half a unit of the published figure's last digit
        const auto row = [](const char* name, Factory factory, double giga, double tolerance) { QTest::newRow(name) << factory << giga << tolerance; };
        row("ViT-B/16", +[] { return vitBase16(); }, 17.564, 0.0005);
        row("ViT-B/16 at 384", +[] { return vitBase16(384); }, 55.48, 0.005);
        row("DeiT-S", deitSmall16, 4.599, 0.0005);
        row("DeiT-T", deitTiny16, 1.254, 0.0005);
        row("ViT-L/16", vitLarge16, 61.6, 0.05);
        row("Swin-T", swinTiny, 4.5, 0.05);
        row("Swin-S", swinSmall, 8.7, 0.05);
        row("Swin-B", swinBase, 15.4, 0.05);
    }
    void publishedMacs()
    {
        QFETCH(Factory, factory);
        QFETCH(double, giga);
        QFETCH(double, tolerance);
        const double macs = static_cast<double>(costOf(factory()).macs) * 1e-9;
        QVERIFY2(std::abs(macs - giga) <= tolerance, qPrintable(QString::number(macs, 'g', 8)));
    }
    void visionFormula()
    {
        // n P^2 3 d + L (4 N d^2 + 2 N^2 d + 8 N d^2) + d classes: the formula that EViT's, DiffRate's and ToMe's figures follow
        const auto report = costOf(vitBase16());
        const std::uint64_t n = 197, d = 768;
        QCOMPARE(report.macs, 196 * 768 * d + 12 * (12 * n * d * d + 2 * n * n * d) + d * 1000);
        QCOMPARE(report.attentionMacs, 12 * 2 * n * n * d);
        QCOMPARE(report.linearMacs + report.attentionMacs, report.macs);
        QCOMPARE(report.tokens, std::int64_t{197});
        QCOMPARE(layerOf(report, "patch").macs, std::uint64_t{115'605'504});
    }
    void swinAttentionLayers()
    {
        // multiply-adds of one window attention with its projections (4 h w C^2 + 2 M^2 h w C), millions, stage by stage
        const auto report = costOf(swinTiny());
        const std::vector<std::pair<int, double>> published{{0, 145.1}, {2, 130.4}, {4, 123.0}, {10, 119.3}};
        for (const auto& [index, millions] : published) {
            const std::string block = "blocks." + std::to_string(index);
            const double macs = static_cast<double>(layerOf(report, block + ".qkv").macs + layerOf(report, block + ".attention").macs +
                                                    layerOf(report, block + ".output").macs);
            QVERIFY2(std::abs(macs * 1e-6 - millions) < 0.05, qPrintable(QString::number(macs)));
        }
        QCOMPARE(layerOf(report, "blocks.0.attention").form, std::string("window"));
        QCOMPARE(layerOf(report, "blocks.0.attention").parameters, std::uint64_t{13 * 13 * 3});
    }
    void windowsThatDoNotFitAreCountedWhole()
    {
        nn::ModelSpec spec = swinTiny();
        for (auto& block : spec.blocks)
            if (block.gridHeight == 56)
                block.attention.window = block.attention.windowAcross = 12; // 5 x 5 windows of 60 x 60 padded tokens
        QCOMPARE(layerOf(costOf(spec), "blocks.0.attention").macs, std::uint64_t{2} * 25 * 144 * 144 * 96);
        for (auto& block : spec.blocks)
            if (block.gridHeight == 56)
                block.attention.windowAcross = 7; // 5 x 8 windows of 12 x 7
        QCOMPARE(layerOf(costOf(spec), "blocks.0.attention").macs, std::uint64_t{2} * 40 * 84 * 84 * 96);
        QCOMPARE(layerOf(costOf(spec), "blocks.0.attention").parameters, std::uint64_t{23 * 13 * 3});
    }
    void causalPairsByEnumeration()
    {
        nn::BlockSpec block;
        block.attention.causal = true;
        for (const std::int64_t tokens : {1, 2, 7, 30})
            for (const std::int64_t window : {0, 1, 3, 7, 29, 30, 100}) {
                block.attention.slidingWindow = window;
                std::uint64_t pairs = 0;
                for (std::int64_t i = 0; i < tokens; ++i)
                    for (std::int64_t j = 0; j <= i; ++j)
                        pairs += window == 0 || i - j < window;
                QCOMPARE(attentionPairs(block, tokens), pairs);
            }
        block.attention.causal = false;
        block.attention.slidingWindow = 0;
        QCOMPARE(attentionPairs(block, 9), std::uint64_t{81});
    }
    void keyValueCache()
    {
        // 2 x layers x kv heads x head width x tokens x 2 bytes
        QCOMPARE(costOf(llama2With7B(), 4096).keyValueCacheBytes, std::uint64_t{2} << 30); // 2 GiB
        QCOMPARE(costOf(llama3With8B(), 8192).keyValueCacheBytes, std::uint64_t{1} << 30); // a quarter of the heads
        QCOMPARE(costOf(mistral7B(), 4096).keyValueCacheBytes, std::uint64_t{512} << 20);
        QCOMPARE(costOf(mistral7B(), 16384).keyValueCacheBytes, std::uint64_t{512} << 20); // the window caps it
        QCOMPARE(costOf(bertBase(), 128).keyValueCacheBytes, std::uint64_t{0});
        QCOMPARE(costOf(vitBase16()).keyValueCacheBytes, std::uint64_t{0});
    }
    void intensityOfAttention()
    {
        // ViT-B/16, float32: 4 N^2 d FLOP over the traffic of q, k, v, out (4 N d numbers); not fused, also 4 N^2 heads.
        // 49 and 12 FLOP a byte.
        const double n = 197, d = 768, flops = 4 * n * n * d;
        const double fused = layerOf(costOf(vitBase16()), "blocks.0.attention").intensity;
        const double eager = layerOf(costOf(vitBase16(), 0, 1, false), "blocks.0.attention").intensity;
        QVERIFY(std::abs(fused - flops / (16 * n * d)) < 1e-9 * fused);
        QVERIFY(std::abs(eager - flops / (16 * n * d + 16 * n * n * 12)) < 1e-9 * eager);
        QCOMPARE(std::round(fused), 49.0);
        QCOMPARE(std::round(eager), 12.0);
        // no weights: the batch changes nothing
        QCOMPARE(layerOf(costOf(vitBase16(), 0, 32), "blocks.0.attention").intensity, fused);
    }
    void intensityOfAProductGrowsWithTheBatch()
    {
        const double n = 197, d = 768;
        for (const std::int64_t batch : {1, 8, 64}) {
            const auto report = costOf(vitBase16(), 0, batch);
            const double b = static_cast<double>(batch);
            const double expected = 2 * b * n * d * 4 * d / (4 * (4 * d * d + 4 * d) + b * 4 * (n * d + n * 4 * d));
            const double found = layerOf(report, "blocks.3.up").intensity;
            QVERIFY(std::abs(found - expected) < 1e-9 * expected);
        }
    }
    void rooflineIsTheLargerOfTheTwoTimes()
    {
        CostOptions options;
        options.batch = 4;
        options.ceilings = {"test", 100, 10, false, ""};
        const auto report = modelCost(vitBase16(), options);
        double total = 0;
        for (const auto& layer : report.layers) {
            const double compute = 2.0 * 4 * static_cast<double>(layer.macs) / 100e9 * 1e3;
            const double traffic = (static_cast<double>(layer.weightReadBytes) + 4.0 * static_cast<double>(layer.activationBytes)) / 10e9 * 1e3;
            QVERIFY(std::abs(layer.predictedMs - std::max(compute, traffic)) <= 1e-12 + 1e-12 * layer.predictedMs);
            total += layer.predictedMs;
        }
        QVERIFY(std::abs(report.predictedMs - total) < 1e-9 * total);
        QVERIFY(layerOf(report, "blocks.0.attentionNorm").predictedMs > 0); // no MAC, but bytes
        QVERIFY(std::isnan(costOf(vitBase16()).predictedMs));
    }
    void namesAndFormsReplaceWhatIsCounted()
    {
        CostOptions options;
        options.names = {{"model.blocks.0.attn.qkv", 0, io::Role::QueryKeyValue, 2304, 768, true}, {"classifier", -1, io::Role::Head, 1000, 768, true}};
        options.operators["model.blocks.0.attn.qkv"] = {"factors", 300'000, 1'200'000, 299'000};
        options.attentions[1] = {"linear", 7, 1234, 5};
        const auto dense = costOf(vitBase16()), report = modelCost(vitBase16(), options);
        const auto& qkv = layerOf(report, "model.blocks.0.attn.qkv");
        QCOMPARE(qkv.form, std::string("factors"));
        QCOMPARE(qkv.parameters, std::uint64_t{300'000});
        QCOMPARE(qkv.weightBytes, std::uint64_t{1'200'000});
        QCOMPARE(qkv.macs, std::uint64_t{197} * 299'000);
        QCOMPARE(layerOf(report, "blocks.1.attention").macs, std::uint64_t{1234});
        QCOMPARE(layerOf(report, "classifier").role, std::string("head"));
        QCOMPARE(report.parameters, dense.parameters - (2304 * 768 + 2304) + 300'000 + 7);
        QCOMPARE(report.macs, dense.macs - 197 * 2304 * 768 + 197 * 299'000 - 2 * 197 * 197 * 768 + 1234);
        QVERIFY(report.warnings.empty());
        options.operators["nowhere"] = {"factors", 1, 4, 1};
        options.names.push_back({"blocks.0.attn.q", 0, io::Role::Query, 768, 768, true});
        options.attentions[12] = {"linear", 0, 0, 0};
        QCOMPARE(modelCost(vitBase16(), options).warnings.size(), std::size_t{3});
    }
    void aTiedHeadIsReadButNotStored()
    {
        const auto report = costOf(gpt2(), 100);
        const auto& head = layerOf(report, "head");
        QCOMPARE(head.parameters, std::uint64_t{0});
        QCOMPARE(head.weightReadBytes, std::uint64_t{4} * 50257 * 768);
        QCOMPARE(head.macs, std::uint64_t{100} * 50257 * 768);
        QCOMPARE(layerOf(report, "tokens").weightReadBytes, std::uint64_t{0}); // 100 rows are fetched, as activations
        QCOMPARE(layerOf(report, "tokens").activationBytes, std::uint64_t{2} * 4 * 100 * 768);
    }
    void totalsAreSums()
    {
        for (const auto& spec : {vitBase16(), swinTiny(), llama2With7B(), opt350M(), bertBase()})
            for (const bool fused : {true, false}) {
                const auto report = costOf(spec, 0, 1, fused);
                std::uint64_t parameters = 0, macs = 0;
                for (const auto& layer : report.layers) {
                    parameters += layer.parameters;
                    macs += layer.macs;
                    QVERIFY(layer.kind == "linear" || layer.kind == "attention" || layer.kind == "patch" || layer.kind == "merge" ||
                            layer.kind == "head" || layer.macs == 0);
                }
                QCOMPARE(report.parameters, parameters);
                QCOMPARE(report.macs, macs);
                QCOMPARE(report.parameters, costOf(spec).parameters); // fused or not, the model is the same
                QCOMPARE(report.macs, costOf(spec).macs);
            }
    }
    void refusesWhatCannotBe()
    {
        const auto refused = [](const nn::ModelSpec& spec, const CostOptions& options, ErrorCode code) {
            try {
                modelCost(spec, options);
            } catch (const Error& error) {
                return error.code() == code && !error.message().empty();
            }
            return false;
        };
        CostOptions options;
        options.batch = 0;
        QVERIFY(refused(vitBase16(), options, ErrorCode::InvalidParameter));
        options = {};
        options.tokens = 1025;
        QVERIFY(refused(gpt2(), options, ErrorCode::InvalidParameter));
        QVERIFY(!refused(llama2With7B(), options, ErrorCode::InvalidParameter)); // rotary positions have no table to run out of
        nn::ModelSpec spec = vitBase16();
        spec.blocks[4].width = 512;
        QVERIFY(refused(spec, {}, ErrorCode::InvalidParameter));
        spec = vitBase16();
        spec.blocks[4].attention.heads = -1;
        QVERIFY(refused(spec, {}, ErrorCode::InvalidParameter));
        spec = swinTiny();
        spec.blocks[0].gridHeight = 55;
        QVERIFY(refused(spec, {}, ErrorCode::InvalidParameter));
        spec = vitBase16();
        spec.patch.gridHeight = spec.patch.gridWidth = 40000; // 1.6e9 tokens: N^2 d does not fit
        QVERIFY(refused(spec, {}, ErrorCode::LimitExceeded));
        spec = vitBase16();
        spec.patch.gridHeight = spec.patch.gridWidth = std::int64_t{1} << 40;
        QVERIFY(refused(spec, {}, ErrorCode::InvalidParameter));
    }
};

QTEST_APPLESS_MAIN(TstModelCost)
#include "tst_model_cost.moc"
