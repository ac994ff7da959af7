// SPDX-License-Identifier: GPL-3.0-or-later
// Training around attention operators: the tape's form of a method is the method, steps are PyTorch's (tests/golden/make_tuning_golden.py), what was trained
// comes back from its file.
#include "core/attention/attention_study.h"
#include "core/attention/comparison.h"
#include "core/attention/fine_tuning.h"
#include "core/attention/head_effects.h"
#include "core/attention/head_errors.h"
#include "core/attention/tuning_objective.h"
#include "core/attention/tuning_samples.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/npz.h"
#include "core/measure/evaluate.h"
#include "tests/core/attention/one_head.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::attention;

namespace {
class Listed final : public measure::SampleSource {
public:
    std::vector<measure::LoadedSample> samples;
    std::size_t count() const noexcept override { return samples.size(); }
    std::string name(std::size_t index) const override { return "sample " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override { sample = samples.at(index); }
    std::string description() const override { return "samples of a test"; }
    std::string sha256(const RunContext&) const override { return {}; }
};

Listed noise(std::size_t count, int side)
{
    Listed list;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < count; ++i) {
        measure::LoadedSample sample;
        sample.image.resize(static_cast<std::size_t>(3 * side * side));
        for (float& value : sample.image)
            value = normal(random);
        list.samples.push_back(std::move(sample));
    }
    return list;
}

Listed texts(std::size_t count, int length, int vocabulary)
{
    Listed list;
    std::mt19937 random(2);
    for (std::size_t i = 0; i < count; ++i) {
        measure::LoadedSample sample;
        for (int t = 0; t < length; ++t)
            sample.tokens.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(vocabulary)));
        list.samples.push_back(std::move(sample));
    }
    return list;
}

std::shared_ptr<const io::Checkpoint> small(const char* name) { return io::Checkpoint::open(std::string(TAMIS_SOURCE_DIR "/tests/golden/models/") + name); }
std::shared_ptr<const io::Checkpoint> vit() { return small("timm_vit"); }
std::shared_ptr<const io::Checkpoint> decoder() { return small("qwen2_tied"); }

io::NpyArray golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/tuning_golden.npz");
    return archive->read(name);
}

tensor::Matrix<float> outputOf(const nn::Model& model, const measure::LoadedSample& sample)
{
    const std::vector<nn::Sample> samples{sample.view()};
    return nn::runBatch(model, samples)[0];
}

double largestDifference(const tensor::Matrix<float>& a, const tensor::Matrix<float>& b)
{
    double most = a.size() == b.size() ? 0 : 1e300;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        most = std::max(most, std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])));
    return most;
}

TuningSettings brief(std::int64_t steps)
{
    TuningSettings settings;
    settings.steps = steps;
    settings.batch = 4;
    settings.checkEvery = std::max<std::int64_t>(1, steps);
    return settings;
}

std::vector<HeadChoice> linear(int blocks)
{
    std::vector<HeadChoice> choices;
    for (int block = 0; block < blocks; ++block)
        choices.push_back({block, kAllHeads, "attention.linear", {}});
    return choices;
}

/// Of every method that has a form on the tape: settings that leave something out on 17 and 40 tokens.
Parameters telling(const std::string& method)
{
    Parameters parameters;
    if (method == "attention.joint-qk")
        parameters.set("rank", std::int64_t{3});
    if (method == "attention.linformer" || method == "attention.fitted-linformer")
        parameters.set("rows", std::int64_t{5});
    if (method == "attention.window")
        parameters.set("window", std::int64_t{3});
    if (method == "attention.block-sparse") {
        parameters.set("block", std::int64_t{3});
        parameters.set("pattern", std::string("global:1,random:1"));
    }
    if (method == "attention.band")
        parameters.set("reach", std::int64_t{3});
    if (method == "attention.performer")
        parameters.set("features", std::int64_t{12});
    if (method == "attention.nystrom")
        parameters.set("landmarks", std::int64_t{5});
    if (method == "attention.chosen-windows") {
        parameters.set("window", std::int64_t{2});
        parameters.set("windows", std::int64_t{3});
    }
    return parameters;
}
} // namespace

class TstFineTuning : public QObject {
    Q_OBJECT
private slots:
    /// Logits of some 17 and 40 tokens through two blocks, in float twice: rounding of other orders of sums, some 1e-6 of numbers around 1.
    void theTapeGivesWhatTheOperatorGives_data()
    {
        QTest::addColumn<QString>("id"); // "method", or "method|parameter=value"
        QTest::addColumn<bool>("text");
        QTest::addColumn<bool>("samples");
        for (const Method& method : methods())
            for (const bool text : {false, true})
                for (const bool samples : {false, true}) // what is fitted: without any, too, where weights that were trained will be put in
                    if (method.onTape && (method.fits || !samples))
                        QTest::addRow("%s, %s%s", method.declaration.id.c_str(), text ? "text" : "photo", samples ? ", fitted" : "") << QString::fromStdString(method.declaration.id) << text << samples;
        for (const char* const map : {"relu", "squared-relu"})
            for (const bool text : {false, true})
                QTest::addRow("%s, %s", map, text ? "text" : "photo") << QString("attention.linear|map=%1").arg(map) << text << false;
        for (const char* const setting : {"keys=subspace", "ridge=0.3"})
            QTest::addRow("fitted, %s, photo", setting) << QString("attention.fitted-linformer|%1").arg(setting) << false << true;
        QTest::newRow("trigonometric, photo") << QStringLiteral("attention.performer|map=trigonometric") << false << false; // a text: see cosinesAndSinesOfATextToo
        QTest::addRow("exact, photo") << QString() << false << false;
        QTest::addRow("exact, text") << QString() << true << false;
    }
    void theTapeGivesWhatTheOperatorGives()
    {
        QFETCH(QString, id);
        QFETCH(bool, text);
        QFETCH(bool, samples);
        const auto checkpoint = text ? decoder() : vit();
        const auto model = nn::Model::load(*checkpoint);
        const Listed list = text ? texts(3, 40, 48) : noise(3, 16);
        const std::string method = id.section(u'|', 0, 0).toStdString();
        Parameters settings = telling(method);
        if (const QString extra = id.section(u'|', 1); !extra.isEmpty()) {
            const std::string name = extra.section(u'=', 0, 0).toStdString();
            settings.set(name, findMethod(method)->declaration.schema.parse(name, extra.section(u'=', 1).toStdString()));
        }
        AssignmentInputs with;
        if (samples)
            with.samples = collectSamples(*model, list, 3, {}, {});
        // block 0: all heads; block 1: one head, the others exact
        const std::vector<HeadChoice> choices{{0, kAllHeads, method, settings}, {1, 1, method, settings}};
        TapeOperators operators;
        try {
            operators = tapeOperatorsFor(*model, choices, with);
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::UnsupportedFeature && text); // not for causal attention, as the method itself says
            QVERIFY_EXCEPTION_THROWN(operatorsFor(*model, choices, with), Error);
            return;
        }
        TuningObjective objective(*checkpoint, *model, operators, {}, {});
        train::Tape<float> tape;
        std::vector<const measure::LoadedSample*> all;
        for (const auto& sample : list.samples)
            all.push_back(&sample);
        const auto logits = objective.logits(tape, all).value();
        auto other = model;
        for (std::size_t block = 0; block < operators.size(); ++block)
            if (operators[block])
                other = other->withAttention(static_cast<int>(block), operators[block]->op());
        // What has parameters of its own and nothing to fit to may start elsewhere; what is fitted starts from the method's fit (the heads of these photos share no keys).
        const bool startsAsTheMethod = samples || std::ranges::all_of(operators, [](const auto& op) { return !op || op->parameterSets().empty(); });
        const auto direct = startsAsTheMethod ? replaced(model, operatorsFor(*model, choices, with)) : nullptr;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto expected = outputOf(*other, list.samples[i]);
            if (direct)
                QVERIFY(expected == outputOf(*direct, list.samples[i]));
            double most = 0;
            for (std::int64_t r = 0; r < expected.rows(); ++r)
                for (std::int64_t c = 0; c < expected.cols(); ++c)
                    most = std::max(most, std::abs(static_cast<double>(expected(r, c)) - static_cast<double>(logits(static_cast<std::int64_t>(i) * expected.rows() + r, c))));
            QVERIFY2(most < 2e-5, qPrintable(QString::number(most)));
        }
    }
    /// Estimates by cosines and sines of far queries and keys, which the small text model has, are noise around 0 whose sums cancel, and no two orders of sums agree then.
    /// Near ones (deviation 0.3, |q - k| below 2) have estimates near 1: float's rounding alone, 1e-6 of numbers of size 1. Causal, heads in groups, several draws.
    void cosinesAndSinesOfATextToo()
    {
        const std::int64_t sequences = 2, tokens = 40, heads = 4, keyHeads = 2, dim = 6;
        Inputs inputs;
        inputs.spec = {.heads = heads, .keyValueHeads = keyHeads, .headDim = dim, .scale = 0.7F, .causal = true};
        Parameters parameters;
        parameters.set("map", std::string("trigonometric"));
        parameters.set("features", std::int64_t{64});
        parameters.set("draws", std::int64_t{2});
        const Method& method = *findMethod("attention.performer");
        const auto onTape = method.onTape(inputs, parameters);
        const auto q = test::normalRows(sequences * tokens, heads * dim, 0.3, 1), k = test::normalRows(sequences * tokens, keyHeads * dim, 0.3, 2), v = test::normalRows(sequences * tokens, keyHeads * dim, 1, 3);
        train::Tape<float> tape;
        const auto mixed = onTape->mix(tape, {.x = {}, .q = tape.input(q.view()), .k = tape.input(k.view()), .v = tape.input(v.view()), .sequences = sequences}).value();
        for (std::int64_t s = 0; s < sequences; ++s) {
            const auto own = [&](const tensor::Matrix<float>& x) { return kernels::ConstRows{x.data() + s * tokens * x.cols(), tokens, x.cols(), x.cols()}; };
            tensor::Matrix<float> expected(tokens, heads * dim);
            nn::Scratch scratch(false);
            onTape->op()->apply({.q = own(q), .k = own(k), .v = own(v)}, expected.view(), scratch);
            double most = 0;
            for (std::int64_t i = 0; i < tokens; ++i)
                for (std::int64_t j = 0; j < heads * dim; ++j)
                    most = std::max(most, std::abs(static_cast<double>(expected(i, j)) - static_cast<double>(mixed(s * tokens + i, j))));
            QVERIFY2(most < 2e-5, qPrintable(QString::number(most)));
        }
    }
    /// Two runs from random weights by one seed begin at the same loss, whatever the checkpoint's weights and the length of training are, and learn.
    void fromNothing()
    {
        TuningSettings settings = brief(40);
        settings.teacher = 0;
        settings.labels = 1;
        settings.learningRate = 3e-3;
        settings.fresh = true;
        settings.checkEvery = 10;
        const Listed list = texts(8, 30, 3);
        const Tuned exact = fineTune(*decoder(), {}, {}, list, settings, {});
        // 48 tokens and logits near 0: about ln 48 = 3.87 to begin with, and at best ln 3 = 1.10
        QVERIFY2(exact.startLoss > 3.5 && exact.startLoss < 4.5, qPrintable(QString::number(exact.startLoss)));
        QVERIFY2(exact.bestLoss < 2.0, qPrintable(QString::number(exact.bestLoss)));
        Parameters all;
        all.set("reach", std::int64_t{1000});
        const std::vector<HeadChoice> band{{0, kAllHeads, "attention.band", all}, {1, kAllHeads, "attention.band", all}};
        const Tuned same = fineTune(*decoder(), band, {}, list, settings, {});
        QVERIFY(std::abs(same.startLoss - exact.startLoss) < 1e-5); // the same weights around another form of the same attention
        settings.seed = 1;
        QVERIFY(std::abs(fineTune(*decoder(), {}, {}, list, settings, {}).startLoss - exact.startLoss) > 1e-5);
        settings.part = TrainedPart::Projections;
        QVERIFY_EXCEPTION_THROWN(fineTune(*decoder(), {}, {}, list, settings, {}), Error);
    }
    void nothingTrainedIsTheModel()
    {
        for (const bool text : {false, true}) {
            const auto checkpoint = text ? decoder() : vit();
            const Listed list = text ? texts(3, 40, 48) : noise(3, 16);
            const std::vector<HeadChoice> exact{{0, kAllHeads, "", {}}, {1, 1, "", {}}};
            const Tuned tuned = fineTune(*checkpoint, exact, {}, list, brief(0), {});
            QVERIFY(std::abs(tuned.startLoss) < 1e-6); // KL of the model to itself: what rounding leaves of a sum of probabilities times differences of logarithms, 1e-7 each
            QVERIFY(largestDifference(outputOf(*tuned.apply(*checkpoint), list.samples[0]), outputOf(*nn::Model::load(*checkpoint), list.samples[0])) < 1e-5);
        }
    }
    void everyEighthIsKeptApart()
    {
        const auto model = nn::Model::load(*decoder());
        for (const auto& [count, expected] : std::initializer_list<std::pair<std::size_t, std::vector<std::size_t>>>{{2, {1}}, {3, {1}}, {16, {4, 12}}, {27, {4, 13, 22}}}) {
            const Listed list = texts(count, 8, 48);
            const TuningSamples samples(*model, list, 0.125, 0);
            QCOMPARE(samples.checked(), expected);
            QCOMPARE(samples.trained().size(), count - expected.size());
            for (const std::size_t place : expected)
                QVERIFY(std::ranges::find(samples.trained(), place) == samples.trained().end());
        }
    }
    void stepsArePyTorchs()
    {
        const auto checkpoint = decoder();
        Listed list;
        const io::NpyArray ids = golden("ids");
        const std::vector<float> values = ids.toFloats();
        for (const std::int64_t i : {0, 2, 1}) { // the one that is checked, the last there, is the one in the middle here
            measure::LoadedSample sample;
            for (std::int64_t t = 0; t < ids.shape[1]; ++t)
                sample.tokens.push_back(static_cast<std::int32_t>(values[static_cast<std::size_t>(i * ids.shape[1] + t)]));
            list.samples.push_back(std::move(sample));
        }
        TuningSettings settings = brief(3);
        settings.learningRate = 1e-3;
        settings.warmUp = 0;
        const Tuned tuned = fineTune(*checkpoint, linear(2), {}, list, settings, {});
        const std::vector<float> checks = golden("checks").toFloats(), losses = golden("losses").toFloats();
        // mean KL of some 1e-2 .. 1 in float: 1e-5 of it, and 1e-6 from logits whose own error is 1e-6
        const auto near = [](double found, float expected) { return std::abs(found - static_cast<double>(expected)) < 1e-6 + 1e-5 * std::abs(static_cast<double>(expected)); };
        QVERIFY(near(tuned.startLoss, checks[0]) && near(tuned.bestLoss, checks[1]));
        QCOMPARE(tuned.losses[0].points.size(), std::size_t{3});
        for (std::size_t i = 0; i < 3; ++i)
            QVERIFY(near(tuned.losses[0].points[i].y, losses[i]));
        // A step of Adam is the rate times g / |g| at first: where g is so small that its float error counts, the step may differ by all of the
        // rate. Hence two bounds: of the sum of squares over a tensor, 1 % of the way it went; and of every weight, twice both rates together.
        QCOMPARE(tuned.bestStep, std::int64_t{3});
        for (const io::TrainedTensor& tensor : tuned.weights) {
            const std::vector<float> expected = golden("w." + tensor.name).toFloats();
            const std::vector<float> before = checkpoint->readFloats(*checkpoint->find(tensor.name));
            QCOMPARE(tensor.values.size(), expected.size());
            double difference = 0, way = 0, most = 0;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                const double off = static_cast<double>(tensor.values[i]) - static_cast<double>(expected[i]), gone = static_cast<double>(expected[i]) - static_cast<double>(before[i]);
                difference += off * off;
                way += gone * gone;
                most = std::max(most, std::abs(off));
            }
            QVERIFY2(difference < 1e-4 * way && most < 3e-3, qPrintable(QString("%1: %2 of %3, %4").arg(QString::fromStdString(tensor.name)).arg(difference).arg(way).arg(most)));
        }
    }
    /// Every `redraw` steps a performer meets other directions; what is looked at between has those that run. By whole blocks and by single heads.
    void directionsAreDrawnAgain_data()
    {
        QTest::addColumn<int>("head");
        QTest::newRow("all heads") << static_cast<int>(kAllHeads);
        QTest::newRow("one head") << 1;
    }
    void directionsAreDrawnAgain()
    {
        QFETCH(int, head);
        const auto checkpoint = vit();
        const Listed list = noise(20, 16);
        const auto losses = [&](std::int64_t redraw, std::int64_t checkEvery) {
            Parameters parameters = telling("attention.performer");
            parameters.set("redraw", redraw);
            TuningSettings settings = brief(6);
            settings.checkEvery = checkEvery;
            settings.patience = 0;
            settings.learningRate = 1e-12; // weights stay as they are in float: losses differ by directions alone
            return fineTune(*checkpoint, std::vector<HeadChoice>{{0, head, "attention.performer", parameters}}, {}, list, settings, {});
        };
        const Tuned fixed = losses(0, 1), two = losses(2, 1), late = losses(6, 6);
        const auto at = [](const Tuned& tuned, std::size_t series, std::size_t i) { return tuned.losses[series].points[i].y; };
        QCOMPARE(fixed.losses[0].points.size(), std::size_t{6});
        for (std::size_t step = 0; step < 6; ++step) {
            QVERIFY2((at(fixed, 0, step) == at(two, 0, step)) == (step < 2), qPrintable(QString("step %1: %2, %3").arg(step).arg(at(fixed, 0, step)).arg(at(two, 0, step))));
            QCOMPARE(at(fixed, 0, step), at(late, 0, step)); // the first round is that of all six
        }
        QCOMPARE(two.startLoss, fixed.startLoss);
        for (std::size_t look = 0; look < fixed.losses[1].points.size(); ++look) // between steps with other directions, too
            QVERIFY(std::abs(at(fixed, 1, look) - at(two, 1, look)) <= 1e-9 * std::abs(at(fixed, 1, look)));
        const Tuned again = losses(2, 1);
        for (std::size_t step = 0; step < 6; ++step)
            QCOMPARE(at(again, 0, step), at(two, 0, step));
    }
    void theLossFallsOnWhatIsKeptApart()
    {
        const auto checkpoint = vit();
        const Listed list = noise(40, 16);
        TuningSettings settings = brief(60);
        settings.checkEvery = 10;
        settings.learningRate = 1e-3;
        for (const TrainedPart part : {TrainedPart::All, TrainedPart::Projections}) {
            settings.part = part;
            const Tuned tuned = fineTune(*checkpoint, linear(2), {}, list, settings, {});
            // 35 images of noise teach what a rule does to any image; others of noise gain a fifth at least
            QVERIFY2(tuned.bestLoss < 0.8 * tuned.startLoss, qPrintable(QString("%1 from %2").arg(tuned.bestLoss).arg(tuned.startLoss)));
            if (part == TrainedPart::Projections)
                for (const io::TrainedTensor& tensor : tuned.weights)
                    QVERIFY(tensor.name.find(".attn.qkv.") != std::string::npos || tensor.name.find(".attn.proj.") != std::string::npos);
        }
    }
    void whatWasTrainedComesBackFromItsFile()
    {
        const auto checkpoint = vit();
        const Listed list = noise(10, 16);
        const std::vector<HeadChoice> choices{{0, kAllHeads, "attention.linear", {}}, {1, 2, "attention.performer", telling("attention.performer")}};
        AssignmentInputs with;
        with.seed = 5;
        const Tuned tuned = fineTune(*checkpoint, choices, with, list, brief(3), {});
        QTemporaryDir directory;
        const std::filesystem::path file = directory.filePath("tuned.safetensors").toStdString();
        tuned.write(file);
        const Tuned again = Tuned::read(file);
        QCOMPARE(again.seed, std::uint64_t{5});
        QVERIFY(again.settings == tuned.settings && again.choices.size() == 2 && again.choices[1].head == 2 && again.choices[1].parameters == choices[1].parameters);
        const auto first = outputOf(*tuned.apply(*checkpoint), list.samples[0]);
        QVERIFY(first == outputOf(*again.apply(*checkpoint), list.samples[0]));
        QVERIFY(first != outputOf(*nn::Model::load(*checkpoint), list.samples[0]));
        QVERIFY_EXCEPTION_THROWN(again.apply(*decoder()), Error); // another checkpoint
        Tuned lacking = again;
        lacking.weights[0].name = "no such tensor";
        QVERIFY_EXCEPTION_THROWN(lacking.apply(*checkpoint), Error);
    }
    void whatWasTrainedIsLookedAt_data()
    {
        QTest::addColumn<QString>("method"); // without and with parameters of its own
        QTest::newRow("linear") << "attention.linear";
        QTest::newRow("linformer") << "attention.linformer";
    }
    /// Heads on the trained weights, under the trained operators; the output against the model before: all of it by the parts it is made of.
    void whatWasTrainedIsLookedAt()
    {
        QFETCH(QString, method);
        const auto checkpoint = vit();
        const auto photos = std::make_shared<Listed>(noise(24, 16));
        const std::vector<HeadChoice> choices{{0, kAllHeads, method.toStdString(), telling(method.toStdString())}, {1, kAllHeads, method.toStdString(), telling(method.toStdString())}};
        TuningSettings settings = brief(40);
        settings.checkEvery = 5;
        settings.learningRate = 1e-3;
        const Tuned tuned = fineTune(*checkpoint, choices, {}, *photos, settings, {});
        QVERIFY(tuned.bestStep > 0);
        const auto model = nn::Model::load(*checkpoint);
        const auto made = std::make_shared<const TunedModel>(tuned.parts(*checkpoint));
        QVERIFY(outputOf(*replaced(made->exact, made->operators), photos->samples[0]) == outputOf(*tuned.apply(*checkpoint), photos->samples[0]));
        AttentionRequest asked;
        asked.choices = choices;
        asked.choices[0].parameters = findMethod(choices[0].method)->declaration.schema.complete(choices[0].parameters); // defaults said: the same choice
        asked.average = 1;
        AttentionStudy study(model, photos, nullptr, made), before(model, photos);
        const auto report = study.whole(asked, {}), untrained = before.whole(asked, {});
        const auto rows = captureAttention(made->exact, *photos, 0, {});
        const auto exact = made->exact->blocks()[0].attention->map(rows->attention[0].view(), 0, 0), other = made->operators[0]->map(rows->attention[0].view(), 0, 0);
        QVERIFY(std::ranges::equal(report.view.exact, exact.values()) && std::ranges::equal(report.view.approximate, other.values()));
        QVERIFY(report.view.exact != untrained.view.exact && report.view.approximate != untrained.view.approximate);
        for (const HeadError& error : headErrors(*made->exact, made->operators, *photos, 1, {}))
            QVERIFY(std::abs(report.heads[static_cast<std::size_t>(error.layer * made->exact->spec().blocks[0].attention.heads + error.head)].output - error.output) < 1e-5);
        Listed one;
        one.samples.push_back(photos->samples[0]);
        measure::EvaluateOptions options;
        options.latencyRuns = 0;
        QVERIFY(std::abs(report.effect.kl - measure::evaluate(*model, tuned.apply(*checkpoint).get(), one, options, {}).fidelity.kl.mean) < 1e-6);
        QVERIFY(report.effect.kl < untrained.effect.kl); // what training was for
        // Each head alone is the trained operator's.
        const auto capture = study.capture(0, {});
        const auto ready = logitEffects(made->exact, choices, {}, {&capture, 1}, {}, {}, made->operators), fresh = logitEffects(made->exact, choices, {}, {&capture, 1}, {});
        QCOMPARE(ready.size(), fresh.size());
        double apart = 0, all = 0;
        for (std::size_t i = 0; i < ready.size(); ++i) {
            apart += std::abs(ready[i].logits - fresh[i].logits);
            all += fresh[i].logits;
        }
        QCOMPARE(apart < 1e-3 * all, method == "attention.linear"); // it has nothing of its own to train; a divergence of 1e-4 is known to 1e-7
        // A point of a comparison among the others.
        const auto comparison = compareMethods(made->exact, *photos, {}, {.tuned = made, .latencyRuns = 0});
        QVERIFY(comparison.points.size() == comparison.planned && comparison.points[1].tuned && comparison.points[1].method == choices[0].method && comparison.points[1].kl > 0);
        // Other choices are made for the trained weights.
        asked.choices = everywhere(*model, "attention.zero", {}, {});
        QCOMPARE(study.whole(asked, {}).heads[0].output, 1.0);
    }
    void threadsChangeNothing()
    {
        const auto checkpoint = decoder();
        const Listed list = texts(6, 20, 48);
        const Tuned many = fineTune(*checkpoint, linear(2), {}, list, brief(3), {});
        const ThreadLimit limit(1);
        const Tuned one = fineTune(*checkpoint, linear(2), {}, list, brief(3), {});
        QCOMPARE(one.bestLoss, many.bestLoss);
        QCOMPARE(one.weights.size(), many.weights.size());
        for (std::size_t i = 0; i < one.weights.size(); ++i)
            QVERIFY(one.weights[i].values == many.weights[i].values);
    }
    void itsOwnAttentionLearnsFromLabelsAlone()
    {
        TuningSettings settings = brief(20);
        settings.teacher = 0;
        settings.labels = 1;
        settings.length = 9;
        settings.learningRate = 3e-3;
        Listed list = texts(8, 30, 3); // three of 48 tokens: there is something to learn
        const Tuned tuned = fineTune(*decoder(), {}, {}, list, settings, {});
        QVERIFY(tuned.bestLoss < tuned.startLoss && tuned.own.empty() && !tuned.weights.empty());
        QVERIFY_EXCEPTION_THROWN(fineTune(*vit(), {}, {}, noise(4, 16), settings, {}), Error); // photos without labels
    }
    void enoughIsEnough()
    {
        std::stop_source enough;
        TuningTalk talk;
        talk.enough = enough.get_token();
        enough.request_stop();
        const Tuned tuned = fineTune(*decoder(), linear(1), {}, texts(6, 20, 48), brief(1000), {}, talk);
        QCOMPARE(tuned.steps, std::int64_t{1});
    }
    void badQuestionsAreRefused()
    {
        const auto checkpoint = vit();
        const Listed list = noise(4, 16);
        const std::vector<HeadChoice> zero{{0, kAllHeads, "attention.zero", {}}}, beyond{{2, kAllHeads, "attention.linear", {}}}, none{{0, kAllHeads, "attention.none", {}}};
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, zero, {}, list, brief(1), {}), Error); // no form on the tape
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, beyond, {}, list, brief(1), {}), Error);
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, none, {}, list, brief(1), {}), Error);
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, linear(1), {}, noise(1, 16), brief(1), {}), Error);
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, linear(1), {}, noise(4, 8), brief(1), {}), Error); // another size
        TuningSettings operators = brief(1);
        operators.part = TrainedPart::Operators;
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, linear(1), {}, list, operators, {}), Error); // they have none
        TuningSettings nothing = brief(1);
        nothing.teacher = 0;
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, linear(1), {}, list, nothing, {}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(fineTune(*checkpoint, linear(1), {}, list, brief(1), RunContext(stop.get_token())), Error);
        QVERIFY(TuningSettings(ParameterSchema(tuningParameters()).defaults()).asParameters() == ParameterSchema(tuningParameters()).defaults());
        QVERIFY(TuningSettings().asParameters() == ParameterSchema(tuningParameters()).defaults());
    }
};

QTEST_APPLESS_MAIN(TstFineTuning)
#include "tst_fine_tuning.moc"
