// SPDX-License-Identifier: GPL-3.0-or-later
// The cost model against models that run: the reference checkpoints of every family, and what their operators say.
#include "core/cost/checkpoint_cost.h"
#include "core/cost/measure_layers.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/safetensors.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/linalg/matrices.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>

using namespace tamis;
using namespace tamis::cost;

namespace {

QString models() { return QStringLiteral(TAMIS_SOURCE_DIR "/tests/golden/models"); }

std::shared_ptr<const io::Checkpoint> checkpointOf(const QString& name)
{
    return io::Checkpoint::open((models() + '/' + name).toStdString());
}

std::shared_ptr<const io::Checkpoint> vit20() { return io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"); }

/// Sums what was asked for: every tensor of a checkpoint that a model reads, once.
class CountingSource final : public nn::TensorSource {
public:
    explicit CountingSource(const io::Checkpoint& checkpoint) : m_source(checkpoint) {}
    bool has(std::string_view tensor) const override { return m_source.has(tensor); }
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>& expected) const override
    {
        return m_source.shape(tensor, expected);
    }
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>& shape) const override
    {
        auto values = m_source.values(tensor, shape);
        if (m_seen.insert(std::string(tensor)).second)
            numbers += values.size();
        return values;
    }
    std::string subject() const override { return m_source.subject(); }

    mutable std::uint64_t numbers = 0;

private:
    nn::CheckpointSource m_source;
    mutable std::set<std::string> m_seen;
};

/// A sample that the model takes: grey values, or the token ids 0, 1, 2 ...
struct Input {
    std::vector<float> image;
    std::vector<std::int32_t> tokens;
    nn::Sample sample;

    Input(const nn::ModelSpec& spec, std::int64_t count)
    {
        const auto& patch = spec.patch;
        if (spec.vision())
            image.assign(static_cast<std::size_t>(patch.channels * patch.imageHeight * patch.imageWidth), 0.25f);
        else
            for (std::int64_t i = 0; i < count; ++i)
                tokens.push_back(static_cast<std::int32_t>(i % spec.text.vocabulary));
        sample.image = image;
        sample.tokens = tokens;
    }
};

const report::LayerCost& layerOf(const report::ModelCostReport& report, const std::string& name)
{
    const auto found = std::find_if(report.layers.begin(), report.layers.end(), [&](const auto& layer) { return layer.name == name; });
    if (found == report.layers.end())
        throw std::runtime_error("no layer " + name);
    return *found;
}

bool sameCosts(const report::ModelCostReport& a, const report::ModelCostReport& b)
{
    return std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(), [](const auto& x, const auto& y) {
        return x.name == y.name && x.form == y.form && x.parameters == y.parameters && x.weightBytes == y.weightBytes && x.macs == y.macs &&
               x.weightReadBytes == y.weightReadBytes && x.activationBytes == y.activationBytes;
    }) && a.peakActivationBytes == b.peakActivationBytes;
}

/// The model with one operator of every form, written as an export would be, beside the original's config.
void writeWithForms(const io::Checkpoint& original, const std::vector<nn::Model::Replacement>& replacements, const QString& directory)
{
    std::vector<nn::NamedTensor> tensors;
    std::set<std::string> gone;
    for (const auto& replacement : replacements) {
        gone.insert(replacement.name + ".weight");
        gone.insert(replacement.name + ".bias");
        for (auto& tensor : replacement.op->tensors(replacement.name))
            tensors.push_back(std::move(tensor));
    }
    for (const auto& entry : original.tensors())
        if (!gone.contains(entry.name))
            tensors.push_back({entry.name, entry.shape, original.readFloats(entry), {}});
    std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.values.empty() > b.values.empty(); });
    std::vector<io::TensorDeclaration> declared;
    for (const auto& tensor : tensors)
        declared.push_back({tensor.name, tensor.values.empty() ? tensor::DType::I64 : tensor::DType::F32, tensor.shape});
    io::SafetensorsWriter writer((directory + "/model.safetensors").toStdString(), declared);
    for (const auto& tensor : tensors)
        if (tensor.values.empty())
            writer.append(tensor.name, std::as_bytes(std::span(tensor.indices)));
        else
            writer.append(tensor.name, std::as_bytes(std::span(tensor.values)));
    writer.commit();
    QVERIFY(QFile::copy(QString::fromStdString(original.path().string()) + "/config.json", directory + "/config.json"));
}

std::vector<nn::Model::Replacement> oneOfEveryForm()
{
    using test::gaussianFloat;
    const std::vector<float> bias384(384, 0.1f), bias512(512, 0.2f), bias128(128, 0.3f);
    std::vector<std::int64_t> reversed(128);
    for (std::int64_t i = 0; i < 128; ++i)
        reversed[static_cast<std::size_t>(i)] = 127 - i;
    const auto b = gaussianFloat(384, 20, 1), a = gaussianFloat(20, 128, 2), b2 = gaussianFloat(512, 30, 3), c = gaussianFloat(30, 98, 4);
    return {{"blocks.0.attn.qkv", nn::factorsOp(b.view(), a.view(), bias384)},
            {"blocks.1.mlp.fc1", nn::blockIdentityOp(b2.view(), c.view(), reversed, bias512)},
            {"blocks.2.attn.proj", nn::tiledOp({gaussianFloat(64, 64, 5), gaussianFloat(64, 64, 6)}, reversed, bias128)},
            {"blocks.3.mlp.fc2", nn::tiledFactorsOp({{gaussianFloat(64, 8, 7), gaussianFloat(8, 256, 8)}, {gaussianFloat(64, 8, 9), gaussianFloat(8, 256, 10)}},
                                                    {}, bias128)},
            {"blocks.4.attn.qkv", nn::stackedOp({nn::denseOp(gaussianFloat(128, 128, 11).view(), bias128),
                                                 nn::factorsOp(gaussianFloat(128, 9, 12).view(), gaussianFloat(9, 128, 13).view(), bias128),
                                                 nn::blockIdentityOp(gaussianFloat(128, 30, 14).view(), c.view(), reversed, bias128)})},
            {"blocks.4.attn.proj", nn::selectedOp(gaussianFloat(128, 3, 15).view(), {}, {5, 60, 7}, 128, bias128)}};
}

} // namespace

class TstModelForms : public QObject
{
    Q_OBJECT
private slots:
    void everyFamily_data()
    {
        QTest::addColumn<QString>("name");
        const auto names = QDir(models()).entryList(QDir::Dirs | QDir::NoDotAndDotDot);
        QVERIFY(names.size() > 30);
        for (const auto& name : names)
            QTest::newRow(qPrintable(name)) << name;
    }
    void everyFamily()
    {
        QFETCH(QString, name);
        const auto checkpoint = checkpointOf(name);
        const CountingSource source(*checkpoint);
        const auto model = nn::Model::load(checkpoint->config(), source);
        CostOptions options;
        options.tokens = model->spec().vision() ? 0 : 13;
        const auto report = modelCost(*model, options);
        QVERIFY2(report.warnings.empty(), report.warnings.empty() ? "" : report.warnings.front().c_str());
        // from shapes alone, the same: names, forms, all figures
        QVERIFY(sameCosts(report, modelCost(*checkpoint, options)));
        // every number that the model reads is a parameter of one layer, none is counted twice
        QCOMPARE(quint64{report.parameters}, quint64{source.numbers});
        // what each operator and attention says of itself
        for (const nn::LinearSlot* slot : model->linears()) {
            const auto& layer = layerOf(report, slot->name);
            QCOMPARE(layer.macs, slot->op->cost().macsPerToken * static_cast<std::uint64_t>(layer.outputShape.front()));
            QCOMPARE(layer.weightReadBytes, slot->op->cost().bytes);
        }
        for (std::size_t i = 0; i < model->blocks().size(); ++i) {
            const auto& layer = layerOf(report, "blocks." + std::to_string(i) + ".attention");
            QCOMPARE(layer.macs, model->blocks()[i].attention->cost(layer.inputShape.front()).macs);
        }
    }
    void peakMemoryAgainstAForwardPass_data() { everyFamily_data(); }
    void peakMemoryAgainstAForwardPass()
    {
        // A pass takes its buffers in stack order, so that some outlive their last use (the normed copy, q, k and v until
        // the output product is done, the last norm's target all along): never less than the planner's bound, and at most
        // three more copies of the residual stream. Both without the output, which the caller owns.
        QFETCH(QString, name);
        const auto model = nn::Model::load(*checkpointOf(name));
        const Input input(model->spec(), 13);
        nn::Scratch scratch(false);
        tensor::Matrix<float> output(model->outputRows(input.sample), model->outputWidth());
        model->run(input.sample, output.view(), scratch);
        CostOptions options;
        options.tokens = 13;
        const auto report = modelCost(*model, options);
        std::uint64_t planned = 0; // head steps hold the output
        for (std::size_t i = 0; i < report.layers.size(); ++i)
            if (report.layers[i].kind != "head")
                planned = std::max(planned, report.memory[i].liveBytes);
        const std::uint64_t measured = 4 * scratch.peakFloats(), residual = 4 * static_cast<std::uint64_t>(report.tokens * model->spec().width);
        qInfo("planned %llu, measured %llu bytes", static_cast<unsigned long long>(planned), static_cast<unsigned long long>(measured));
        QVERIFY(measured >= planned);
        QVERIFY(measured <= planned + 3 * residual);
    }
    void replacedOperators()
    {
        const auto checkpoint = vit20();
        const auto dense = nn::Model::load(*checkpoint);
        const auto replacements = oneOfEveryForm();
        const auto model = dense->replaced(replacements);
        const auto before = modelCost(*dense), after = modelCost(*model);
        std::int64_t parameters = 0, macs = 0;
        for (const auto& [name, form, weights] : {std::tuple{"blocks.0.attn.qkv", "factors", 20 * (384 + 128)},
                                                  {"blocks.1.mlp.fc1", "block-identity", 30 * (512 + 98)},
                                                  {"blocks.2.attn.proj", "tiled", 2 * 64 * 64},
                                                  {"blocks.3.mlp.fc2", "tiled-factors", 2 * 8 * (64 + 256)},
                                                  {"blocks.4.attn.qkv", "stacked", 128 * 128 + 9 * 256 + 30 * (128 + 98)},
                                                  {"blocks.4.attn.proj", "selected", 128 * 3}}) {
            const auto &layer = layerOf(after, name), &original = layerOf(before, name);
            QCOMPARE(layer.form, std::string(form));
            QCOMPARE(original.form, std::string("dense"));
            QCOMPARE(layer.macs, std::uint64_t{257} * static_cast<std::uint64_t>(weights));
            QCOMPARE(layer.parameters, static_cast<std::uint64_t>(weights + layer.outputShape.back()));
            parameters += static_cast<std::int64_t>(original.parameters - layer.parameters);
            macs += static_cast<std::int64_t>(original.macs - layer.macs);
        }
        QCOMPARE(static_cast<std::int64_t>(before.parameters - after.parameters), parameters);
        QCOMPARE(static_cast<std::int64_t>(before.macs - after.macs), macs);
        QCOMPARE(layerOf(after, "blocks.1.mlp.fc1").weightBytes, std::uint64_t{4} * (30 * 610 + 512) + 8 * 128);

        QTemporaryDir directory;
        writeWithForms(*checkpoint, replacements, directory.path());
        const auto stored = io::Checkpoint::open(directory.path().toStdString());
        QVERIFY(sameCosts(after, modelCost(*stored)));
        QVERIFY(sameCosts(after, modelCost(*nn::Model::load(*stored))));
    }
    void bundledModel()
    {
        const auto checkpoint = vit20();
        const auto report = modelCost(*checkpoint);
        QCOMPARE(report.parameters, checkpoint->parameters());
        // 256 patches of 4 x 4 x 3, 257 tokens of 128, 6 blocks with an MLP of 512, 20 classes on one token
        const std::uint64_t n = 257, d = 128;
        QCOMPARE(report.macs, 256 * 48 * d + 6 * (12 * n * d * d + 2 * n * n * d) + d * 20);
        // at another image size: more tokens, the same parameters
        const auto larger = modelCost(*checkpoint, {}, 96, 64);
        QCOMPARE(larger.tokens, std::int64_t{24 * 16 + 1});
        QCOMPARE(larger.parameters, report.parameters);
    }
    void measuresEveryOperator()
    {
        const auto model = nn::Model::load(*checkpointOf("llama_llama3_rope"));
        for (const std::int64_t batch : {1, 5}) {
            CostOptions options;
            options.tokens = 16;
            options.batch = batch;
            auto report = modelCost(*model, options);
            MeasureOptions measure;
            measure.secondsPerLayer = 0.001;
            measureLayers(report, *model, measure);
            for (const auto& layer : report.layers) {
                const bool alone = layer.kind == "linear" || layer.kind == "attention" || layer.kind == "head" || layer.kind == "norm";
                QVERIFY2(alone == (layer.measuredMs > 0), layer.name.c_str());
            }
            QVERIFY(report.measuredMs > 0);
        }
    }
    void moreWorkTakesMoreTime()
    {
        // fc1 multiplies 170 times as much as the head's one row, with the same threads: an order of magnitude must show
        const auto model = nn::Model::load(*vit20());
        auto report = modelCost(*model);
        MeasureOptions measure;
        measure.wholeForward = false;
        measure.secondsPerLayer = 0.005;
        measureLayers(report, *model, measure);
        QVERIFY(layerOf(report, "blocks.0.mlp.fc1").measuredMs > 10 * layerOf(report, "head").measuredMs);
        QVERIFY(std::isnan(report.measuredMs));
    }
    void measuringStops()
    {
        const auto model = nn::Model::load(*vit20());
        CostOptions options;
        options.batch = 16;
        auto report = modelCost(*model, options);
        std::stop_source stop;
        test::StopClock clock;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(150));
            clock.ask(stop);
        });
        try {
            measureLayers(report, *model, {}, RunContext(stop.get_token()));
            QFAIL("was not stopped");
        } catch (const Error& error) {
            const double took = clock.seconds();
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(took < test::kSoonSeconds, qPrintable(QString::number(took)));
        }
    }
    void refusesAnotherModelsReport()
    {
        auto report = modelCost(*vit20());
        const auto other = nn::Model::load(*checkpointOf("timm_vit"));
        QVERIFY_THROWS_EXCEPTION(Error, measureLayers(report, *other));
    }
};

QTEST_GUILESS_MAIN(TstModelForms)
#include "tst_model_forms.moc"
