// SPDX-License-Identifier: GPL-3.0-or-later
// The loop of the lab's trained methods, on a loss whose optimum is known: one number that is to be the mean of the photos' first pixels.
#include "core/base/parallel.h"
#include "core/tokens/token_training.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "tests/core/tokens/image_source.h"

#include <QTest>

#include <atomic>

using namespace tamis;
using namespace tamis::tokens;

namespace {
/// Photos whose first pixel is a number of ours; those of `unreadable` cannot be read.
class Numbers final : public measure::SampleSource {
public:
    Numbers(std::vector<float> values, std::vector<std::size_t> unreadable = {}, std::vector<int> labels = {}) : m_values(std::move(values)), m_unreadable(std::move(unreadable)), m_labels(std::move(labels)) {}
    std::size_t count() const noexcept override { return m_values.size(); }
    std::string name(std::size_t index) const override { return "photo " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        if (std::ranges::find(m_unreadable, index) != m_unreadable.end())
            throw Error(ErrorCode::MalformedFile, "is no picture", name(index));
        sample = {};
        sample.image.assign(3 * 64 * 64, m_values[index]);
        sample.label = index < m_labels.size() ? m_labels[index] : -1;
    }
    std::string description() const override { return "numbers"; }
    std::string sha256(const RunContext&) const override { return {}; }

private:
    std::vector<float> m_values;
    std::vector<std::size_t> m_unreadable;
    std::vector<int> m_labels;
};

Inputs inputsOf(std::shared_ptr<const measure::SampleSource> source)
{
    static const auto checkpoint = test::tokenCheckpoint("vit20");
    static const auto model = test::tokenModel("vit20");
    return {.model = model, .calibration = std::move(source), .checkpoint = checkpoint, .trained = nullptr, .enough = {}};
}

TokenTrainingSettings settingsOf(std::int64_t steps, double rate = 0.05)
{
    TokenTrainingSettings settings;
    settings.steps = steps;
    settings.batch = 4;
    settings.checkEvery = 10;
    settings.patience = 0;
    settings.learningRate = rate;
    settings.weightDecay = 0;
    return settings;
}

struct Run {
    train::ParameterSet<float> set;
    std::vector<TrainingPhotos> seen, checked;
    TokenTrainingResult result;
    float value() const { return set.all().front().values(0, 0); }
};

/// (parameter - first pixel)^2; `weights` times it by step, so that a test can spoil one.
std::unique_ptr<Run> trained(const Inputs& inputs, const TokenTrainingSettings& settings, const std::function<float(std::int64_t, bool)>& weight = {}, const RunContext& context = {})
{
    auto run = std::make_unique<Run>();
    auto& value = run->set.add("value", {1}, {0.0F});
    run->result = trainOnPhotos(run->set, inputs, settings, [&](train::Tape<float>& tape, const TrainingPhotos& photos, std::int64_t step, bool checking) {
        auto copy = photos;
        copy.images.clear();
        (checking ? run->checked : run->seen).push_back(std::move(copy));
        train::Variable<float> sum;
        for (const auto image : photos.images) {
            const auto one = train::meanSquaredError(tape.parameter(value), tape.constant({image.data(), 1, 1, 1}));
            sum = sum ? train::add(sum, one) : one;
        }
        return train::scale(sum, (weight ? weight(step, checking) : 1.0F) / static_cast<float>(photos.images.size()));
    }, context);
    return run;
}

std::shared_ptr<Numbers> sixteen() // the last two, the eighth, are checked: their mean is that of all
{
    return std::make_shared<Numbers>(std::vector<float>{0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2});
}
} // namespace

class TestTokenTraining : public QObject {
    Q_OBJECT
private slots:
    /// The optimum is 1, where both losses are 1; batches differ, so that a step of noise remains, of the order of the last learning rates.
    void findsTheOptimum()
    {
        const auto run = trained(inputsOf(sixteen()), settingsOf(200));
        QVERIFY2(std::abs(run->value() - 1) < 0.05F, qPrintable(QString::number(static_cast<double>(run->value()))));
        QCOMPARE(run->result.steps, 200);
        QCOMPARE(run->result.startLoss, 2.0); // (0 + 4) / 2 at 0
        QVERIFY(run->result.bestLoss < 1.01 && run->result.bestLoss >= 1);
        QCOMPARE(run->result.losses.size(), std::size_t{2});
        QCOMPARE(run->result.losses[1].points.size(), std::size_t{21}); // the start and every tenth step
        QVERIFY(run->result.warnings.empty());
    }
    /// Every photo but the last eighth is trained on, as often as the others; the last eighth never, and it alone is checked.
    void photosAreParted()
    {
        const auto run = trained(inputsOf(sixteen()), settingsOf(7)); // 28 visits: two epochs of 14
        std::vector<int> visits(16);
        for (const auto& photos : run->seen)
            for (const auto place : photos.places)
                ++visits[place];
        QVERIFY(visits == std::vector<int>({2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0}));
        for (const auto& photos : run->checked)
            QVERIFY(photos.places == std::vector<std::size_t>({14, 15}));
    }
    /// A rate that overshoots leaves the best, here that of the start, not the last.
    void theBestIsKept()
    {
        const auto run = trained(inputsOf(sixteen()), settingsOf(20), [](std::int64_t, bool checking) { return checking ? -1.0F : 1.0F; }); // held out asks for the opposite
        QCOMPARE(run->value(), 0.0F);
        QCOMPARE(run->result.bestStep, 0);
    }
    void patienceEndsIt()
    {
        auto settings = settingsOf(500);
        settings.patience = 3;
        const auto run = trained(inputsOf(sixteen()), settings, [](std::int64_t, bool checking) { return checking ? -1.0F : 1.0F; });
        QCOMPARE(run->result.steps, 30);
    }
    void enoughEndsItWithTheBestSoFar()
    {
        std::stop_source enough;
        Inputs inputs = inputsOf(sixteen());
        inputs.enough = enough.get_token();
        const auto run = trained(inputs, settingsOf(500), [&](std::int64_t step, bool) {
            if (step == 14)
                enough.request_stop();
            return 1.0F;
        });
        QCOMPARE(run->result.steps, 15);
        QCOMPARE(run->result.bestStep, 15); // looked at before it ends
        QVERIFY(run->value() > 0.1F); // the rates of 15 of 25 steps of warm-up add up to 0.24, which AdamW moves at most
    }
    /// A loss that is no number: a warning and the best so far. At the start: refused.
    void lossesThatAreNoNumbers()
    {
        const auto run = trained(inputsOf(sixteen()), settingsOf(100), [](std::int64_t step, bool checking) { return step >= 25 && !checking ? NAN : 1.0F; });
        QCOMPARE(run->result.steps, 25);
        QCOMPARE(run->result.bestStep, 20);
        QCOMPARE(run->result.warnings.size(), std::size_t{1});
        QVERIFY(QString::fromStdString(run->result.warnings[0]).contains("after 25 of 100 steps"));
        QVERIFY(std::isfinite(run->value()));
        try {
            (void)trained(inputsOf(sixteen()), settingsOf(10), [](std::int64_t, bool) { return NAN; });
            QFAIL("accepted");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::NonFinite);
        }
    }
    void photosThatCannotBeReadAreLeftOut()
    {
        const auto run = trained(inputsOf(std::make_shared<Numbers>(std::vector<float>{1, 9, 1, 1, 9, 1}, std::vector<std::size_t>{1, 4})), settingsOf(60));
        QCOMPARE(run->result.warnings.size(), std::size_t{1});
        QVERIFY2(QString::fromStdString(run->result.warnings[0]).startsWith("2 of 6 photos cannot be read and are left out; the first: photo 1: is no picture"), run->result.warnings[0].c_str());
        for (const auto& photos : run->seen)
            for (const auto place : photos.places)
                QVERIFY(place != 1 && place != 4);
    }
    void labelsGoWithTheirPhotos()
    {
        const auto run = trained(inputsOf(std::make_shared<Numbers>(std::vector<float>{1, 2, 3, 4}, std::vector<std::size_t>{}, std::vector<int>{5, -1, 7, 8})), settingsOf(4));
        for (const auto& photos : run->seen)
            for (std::size_t i = 0; i < photos.places.size(); ++i)
                QCOMPARE(photos.labels[i], (std::vector<std::int32_t>{5, train::kIgnored, 7, 8})[photos.places[i]]);
    }
    void theSameBitsForAnyNumberOfThreads()
    {
        const auto many = trained(inputsOf(sixteen()), settingsOf(30));
        const ThreadLimit limit(1);
        const auto one = trained(inputsOf(sixteen()), settingsOf(30));
        QCOMPARE(many->value(), one->value());
        QCOMPARE(many->result.bestLoss, one->result.bestLoss);
    }
    void curvesAreSeenAndAStopIsHeard()
    {
        Inputs inputs = inputsOf(sixteen());
        std::vector<report::Series> last;
        inputs.trainingSeen = [&](const std::vector<report::Series>& losses) { last = losses; };
        const auto run = trained(inputs, settingsOf(10));
        QCOMPARE(last.size(), std::size_t{2});
        QVERIFY(last[0].name == "training" && last[1].name == "held out" && last[1].dashed);
        QCOMPARE(last[0].points.size(), std::size_t{10});
        std::stop_source stop;
        try {
            (void)trained(inputs, settingsOf(1000), [&](std::int64_t step, bool) {
                if (step == 3)
                    stop.request_stop();
                return 1.0F;
            }, RunContext(stop.get_token()));
            QFAIL("not stopped");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
    }
    void whatCannotBeTrainedOnIsRefused()
    {
        const auto refusal = [](const auto& ask) {
            try {
                ask();
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter ? QString::fromStdString(error.what()) : QString("another code");
            }
            return QString("accepted");
        };
        QVERIFY(refusal([] { (void)trained(inputsOf(std::make_shared<Numbers>(std::vector<float>{1})), settingsOf(3)); }).contains("found 1 photos that can be read, expected at least 2"));
        QVERIFY(refusal([] { (void)trained(inputsOf(sixteen()), settingsOf(0)); }).contains("0 steps"));
        QVERIFY(refusal([] { (void)trained(inputsOf(std::make_shared<Numbers>(std::vector<float>{1, 2}, std::vector<std::size_t>{}, std::vector<int>{20, 0})), settingsOf(3)); }).contains("found class 20, expected one below 20"));
        Inputs inputs = inputsOf(nullptr);
        QVERIFY(refusal([&] { requireTrainable(inputs, "tokens.x"); }).contains("no photos"));
        QVERIFY(refusal([&] { (void)requireTrained(inputs, "tokens.x", {}); }).contains("nothing trained"));
        inputs.trained = std::make_shared<const TrainedParts>(partsOf("tokens.x", {}, inputs, {}, {}, {}));
        QCOMPARE(refusal([&] { (void)requireTrained(inputs, "tokens.x", {}); }), "accepted");
        QVERIFY(refusal([&] { (void)requireTrained(inputs, "tokens.y", {}); }).contains("trained by tokens.x"));
    }
};

QTEST_GUILESS_MAIN(TestTokenTraining)
#include "tst_token_training.moc"
