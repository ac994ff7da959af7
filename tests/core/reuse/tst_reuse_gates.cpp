// SPDX-License-Identifier: GPL-3.0-or-later
// Gates on patches and eventful transformers: against PyTorch (tests/golden/make_reuse_golden.py), the model where all is computed, and what they cost.
#include "core/io/npz.h"
#include "tests/core/reuse/frames.h"

#include <QFile>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::reuse;
using report::PatchSource;

namespace {
io::NpyArray golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/reuse_golden.npz");
    return archive->read(name);
}

std::size_t computed(const report::FrameResult& frame) { return static_cast<std::size_t>(std::ranges::count(frame.patches, PatchSource::Computed)); }
} // namespace

class TstReuseGates : public QObject {
    Q_OBJECT

private slots:
    void golden_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("id");
        QTest::addColumn<QString>("policy");
        QTest::addColumn<double>("value");
        QTest::newRow("gate, top r") << "gate.top-r" << "reuse.gate" << "top-r" << 3.0;
        QTest::newRow("gate, threshold") << "gate.threshold" << "reuse.gate" << "threshold" << 0.2;
        QTest::newRow("eventful, top r") << "eventful.top-r" << "reuse.eventful" << "top-r" << 3.0;
        QTest::newRow("eventful, all") << "eventful.all" << "reuse.eventful" << "top-r" << 16.0;
        QTest::newRow("eventful, stills, top r") << "eventful.stills.top-r" << "reuse.eventful" << "top-r" << 3.0;
        QTest::newRow("eventful, stills, threshold") << "eventful.stills.threshold" << "reuse.eventful" << "threshold" << 0.097;
        QTest::newRow("eventful, threshold") << "eventful.threshold" << "reuse.eventful" << "threshold" << 0.097;
    }

    /// Sums of tens of float products of values of some units, through two blocks: a few 1e-6 of logits of some units.
    void golden()
    {
        QFETCH(QString, name);
        QFETCH(QString, id);
        QFETCH(QString, policy);
        QFETCH(double, value);
        const auto model = std::make_shared<const TokenModel>(nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/tests/golden/models/timm_vit")));
        Parameters parameters;
        parameters.set("policy", policy.toStdString());
        parameters.set("whole-above", 1.0);
        if (policy == "top-r")
            parameters.set("r", static_cast<std::int64_t>(value));
        else
            parameters.set("threshold", value);
        const auto reuser = findMethod(id.toStdString())->make({model, nullptr}, parameters);
        const auto frames = ::golden(name.contains("stills") ? "frames.stills" : "frames").toFloats(), logits = ::golden(name.toStdString() + ".logits").toFloats();
        const auto passed = ::golden(name.toStdString() + ".computed").toFloats();
        nn::Scratch scratch;
        FrameAnswer answer;
        for (std::size_t i = 0; i < frames.size() / 768; ++i) {
            const Frame frame{"frame", {frames.begin() + static_cast<std::ptrdiff_t>(i * 768), frames.begin() + static_cast<std::ptrdiff_t>((i + 1) * 768)}, {}};
            reuser->next(frame, answer, scratch);
            for (std::size_t c = 0; c < 7; ++c)
                QVERIFY2(std::abs(answer.answer.output[c] - logits[i * 7 + c]) < 1e-5f, qPrintable(QString::number(answer.answer.output[c] - logits[i * 7 + c])));
            for (std::size_t patch = 0; patch < 16; ++patch)
                if (i > 0)
                    QCOMPARE(answer.patches[patch] == PatchSource::Computed, passed[i * 16 + patch] == 1.0f);
        }
    }

    void everythingComputedIsTheModel_data()
    {
        QTest::addColumn<QString>("id");
        QTest::addColumn<QString>("whole");
        for (const char* id : {"reuse.gate", "reuse.eventful"})
            for (const char* whole : {"0", "1"})
                QTest::addRow("%s, whole above %s", id, whole) << id << whole;
    }
    /// All tokens pass every gate: the model, to the rounding of other tiles and of differences. Over a cut, too.
    void everythingComputedIsTheModel()
    {
        QFETCH(QString, id);
        QFETCH(QString, whole);
        const auto run = test::runOne(test::motionPart(28, 31), id.toStdString(), {{"policy", "fraction"}, {"fraction", "1"}, {"whole-above", whole.toStdString()}, {"threshold", "0.000001"}});
        for (const auto& frame : run.frames) {
            QVERIFY2(frame.featureError < 1e-5, qPrintable(QString::number(frame.featureError)));
            QCOMPARE(computed(frame), std::size_t{256});
            QCOMPARE(frame.label, frame.wholeLabel);
        }
    }

    void stillsCostOnlyTheGate_data()
    {
        QTest::addColumn<QString>("id");
        QTest::newRow("gate") << "reuse.gate";
        QTest::newRow("eventful") << "reuse.eventful";
    }
    void stillsCostOnlyTheGate()
    {
        QFETCH(QString, id);
        const auto sequence = test::motionPart(12, 17);
        const auto run = test::runOne(sequence, id.toStdString(), {{"threshold", "0.05"}});
        std::size_t stills = 0;
        for (std::size_t i = 1; i < sequence.frames.size(); ++i) {
            const auto& frame = run.frames[i];
            if (sequence.frames[i].image != sequence.frames[i - 1].image) {
                QVERIFY(computed(frame) > 0);
                continue;
            }
            ++stills;
            if (computed(run.frames[i - 1]) == 0) { // r tokens of the frame before may have left others behind
                QCOMPARE(computed(frame), std::size_t{0});
                QVERIFY(frame.macs < 0.01 * frame.wholeMacs); // embedding: 0.4 %; the gate: a square and a sum a feature
                QCOMPARE(frame.probability, run.frames[i - 1].probability);
            }
        }
        QVERIFY2(stills >= 3, qPrintable(QString::number(stills)));
    }

    /// One frame that changes all, then the same again: so many tokens a frame pass until none waits. Scores of an eventful transformer stay as they were when their key passed, and a gate on
    /// patches leaves what ran over old neighbours: the error falls, but not to nothing.
    void stillsGoOnUntilNothingWaits_data() { stillsCostOnlyTheGate_data(); }
    void stillsGoOnUntilNothingWaits()
    {
        QFETCH(QString, id);
        auto sequence = test::motionPart(0, 6);
        for (std::size_t i = 1; i < 7; ++i)
            sequence.frames[i] = test::motion().frames[20];
        const auto run = test::runOne(sequence, id.toStdString(), {{"policy", "fraction"}, {"fraction", "0.5"}, {"whole-above", "1"}});
        QCOMPARE(computed(run.frames[2]), std::size_t{128});
        QVERIFY(run.frames[1].featureError > 0.01);
        const auto& last = run.frames.back();
        QCOMPARE(computed(last), std::size_t{0});
        QVERIFY2(last.featureError < 0.5 * run.frames[1].featureError, qPrintable(QString::number(last.featureError / run.frames[1].featureError)));
    }

    /// The new shot is computed whole, and from there on the answers are those of its own frames.
    void cutsAreComputedWhole_data() { stillsCostOnlyTheGate_data(); }
    void cutsAreComputedWhole()
    {
        QFETCH(QString, id);
        const auto run = test::runOne(test::motionPart(27, 32), id.toStdString(), {});
        QVERIFY(run.frames[3].keyFrame); // frame 30
        QVERIFY(run.frames[3].featureError < 1e-5);
        QVERIFY(!run.frames[1].keyFrame || run.frames[1].featureError < 1e-5);
    }

    /// A camera at rest: most patches stand still, and the gate beats dropping frames at its cost.
    void realFramesAreMostlyReused()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHARED_DATA", TAMIS_SOURCE_DIR "/../shared/data") + "/frames";
        if (!QFile::exists(folder))
            QSKIP("../shared/data/frames is not there, and is not bundled");
        const auto sequence = app::openFrames({folder.toStdString(), 24, false}, TAMIS_SOURCE_DIR "/datasets/vit20", *test::vit20(), {});
        const Configuration all[] = {test::configured("reuse.gate", {})};
        const auto report = runReuse(test::vit20(), sequence, all, {.baselines = true, .rounds = 1}, {});
        QCOMPARE(report.runs.size(), std::size_t{3});
        const auto &gate = report.runs[0], &drop = report.runs[2];
        QVERIFY2(gate.macsShare < 0.2, qPrintable(QString::number(gate.macsShare)));
        QCOMPARE(gate.agreement, 1.0);
        QVERIFY(gate.worstError < drop.worstError);
    }

    /// Lower thresholds compute more; with a sensible one a good part is saved, at a small error.
    void thresholdsTradeCostForError_data() { stillsCostOnlyTheGate_data(); }
    void thresholdsTradeCostForError()
    {
        QFETCH(QString, id);
        const auto sequence = test::motionPart(0, 7);
        double before = 2;
        for (const char* threshold : {"0.02", "0.1", "0.4"}) {
            const auto run = test::runOne(sequence, id.toStdString(), {{"threshold", threshold}, {"whole-above", "1"}});
            QVERIFY(run.macsShare < before);
            QVERIFY(run.meanError >= 0 && std::isfinite(run.meanError) && run.worstError < 1);
            before = run.macsShare;
        }
        QVERIFY2(before < 0.8, qPrintable(QString::number(before)));
    }
};

QTEST_GUILESS_MAIN(TstReuseGates)
#include "tst_reuse_gates.moc"
