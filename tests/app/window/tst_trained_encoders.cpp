// SPDX-License-Identifier: GPL-3.0-or-later
// Trained encoders without a window: training and its early end, what is remembered, files.
#include "app/window/encoder_work.h"
#include "app/window/trained_match.h"
#include "core/base/error.h"
#include "tests/core/base/failure.h"
#include "tests/app/window/small_autoencoder.h"
#include "tests/core/linalg/blas_main.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

using namespace tamis;
using namespace tamis::app;
namespace fs = std::filesystem;

namespace {
const fs::path kSaes = TAMIS_SOURCE_DIR "/datasets/sae";
constexpr const char* kMethod = "encoder.low-rank-trained";

EncoderRequest training(const SourcesPointer& sources, std::int64_t rank, std::int64_t steps)
{
    EncoderRequest request{sources, 0, kMethod, {}, 0};
    request.parameters.set("rank", rank);
    request.parameters.set("steps", steps);
    request.parameters.set("check-every", std::int64_t{2});
    request.parameters.set("patience", std::int64_t{0});
    return request;
}
} // namespace

class TstTrainedEncoders : public QObject {
    Q_OBJECT
    SourcesPointer m_sources;
    std::optional<TrainedEncoders::Entry> m_entry; ///< rank 8, a few steps

private slots:
    void initTestCase()
    {
        auto sources = std::make_shared<EncoderSources>(*openEncoderSources({kSaes / "vit20.block3.k16" / "sparsify", {}, {}}, {}));
        sources->measured = someRows(sources->measured, 0, sources->measured.rows(), 120); // more than a first picture measures
        m_sources = sources;
        m_entry = buildEncoder(training(m_sources, 8, 6), {});
        QVERIFY(m_entry->built.trained && m_entry->built.encoder);
    }

    void lossesAreToldWhileItTrains()
    {
        std::size_t calls = 0;
        TrainingTalk talk;
        talk.seen = [&](const auto& losses) { calls += !losses.empty(); };
        const auto entry = buildEncoder(training(m_sources, 8, 400), {}, talk);
        QVERIFY(calls > 0);
        QVERIFY(entry.built.training.size() >= 2);
        QVERIFY(entry.seconds > 0);
    }
    void enoughKeepsTheBestSoFar()
    {
        TrainingTalk talk;
        int asked = 0;
        talk.enough = [&] { return ++asked > 5; };
        const auto entry = buildEncoder(training(m_sources, 8, 100'000), {}, talk);
        QVERIFY(entry.built.encoder && entry.built.trained);
        QVERIFY(entry.built.training[0].points.back().x < 100);
    }
    void stoppingKeepsNothing()
    {
        std::stop_source stop;
        std::jthread later([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            stop.request_stop();
        });
        TrainedEncoders kept;
        try {
            kept.keep(buildEncoder(training(m_sources, 8, 1'000'000), RunContext(stop.get_token())));
            QFAIL("it was trained to its end");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        QVERIFY(kept.entries().empty());
    }
    void theyAreFoundBySettingsAndAutoencoder()
    {
        TrainedEncoders kept;
        const int number = kept.keep(*m_entry);
        QVERIFY(number > 0);
        QCOMPARE(kept.find(training(m_sources, 8, 6))->number, number);
        QVERIFY(!kept.find(training(m_sources, 9, 6)));
        QVERIFY(!kept.find(training(m_sources, 8, 7)));
        auto whole = training(m_sources, 8, 6);
        whole.parameters = m_entry->request.parameters; // complete: the same
        QCOMPARE(kept.find(whole)->number, number);
        auto k = training(m_sources, 8, 6);
        k.k = 16; // the autoencoder's own
        QCOMPARE(kept.find(k)->number, number);
        k.k = 8;
        QVERIFY(!kept.find(k));
        const auto again = openEncoderSources({kSaes / "vit20.block3.k16" / "sparsify", {}, {}}, {}); // opened anew, other tokens
        QCOMPARE(kept.find(training(again, 8, 6))->number, number);
        const auto other = openEncoderSources({kSaes / "vit20.block3.k32" / "sparsify", {}, {}}, {});
        auto there = training(other, 8, 6);
        there.k = 16;
        QVERIFY(!kept.find(there));
        auto bad = training(m_sources, 8, 6);
        bad.parameters.set("rank", std::string("much"));
        QVERIFY(!kept.find(bad));
    }
    void anAutoencoderReadOtherwiseIsAnother()
    {
        const EncoderRequest own = training(m_sources, 8, 6);
        auto read = std::make_shared<EncoderSources>(*m_sources);
        EncoderRequest other = training(read, 8, 6);
        QVERIFY(sameDictionary(own, other));
        read->paths.assumed = {"input-scale=1"};
        QVERIFY(!sameDictionary(own, other));
        read->paths.assumed.clear();
        auto rewritten = std::make_shared<io::SparseAutoencoder>(*m_sources->autoencoder);
        rewritten->encoderBias[3] += 1;
        read->autoencoder = rewritten; // the file was written anew
        QVERIFY(!sameDictionary(own, other));
    }
    /// The candidates are chosen after training: the same encoder, restored, that training with them gives.
    void theCutMovesWithoutTraining()
    {
        auto kept = std::make_shared<TrainedEncoders>();
        const int number = kept->keep(*m_entry);
        QVERIFY(kept->at(number)->request.sources->measured.empty()); // closed sources go
        auto request = training(m_sources, 8, 6);
        request.parameters.set("candidates", std::int64_t{100});
        const auto found = kept->find(request);
        QVERIFY(found && found->number == number);
        const auto anew = buildEncoder(request, {});
        const auto dictionary = dictionaryOf(request);
        const auto rows = dictionary->prepared(m_sources->measured.view());
        const auto restored = builtFor(*found, anew.request.parameters, dictionary, {});
        const auto expected = anew.built.encoder->encode(rows.view()), codes = restored.encoder->encode(rows.view());
        QCOMPARE(codes.latents, expected.latents);
        QCOMPARE(codes.values, expected.values);
        QVERIFY(codes.latents != m_entry->built.encoder->encode(rows.view()).latents); // the trained scores alone choose others
        QCOMPARE(restored.trained->parameters.integer("candidates"), std::int64_t(100));
        auto few = anew.request.parameters;
        few.set("candidates", std::int64_t{3}); // fewer than k
        QCOMPARE(builtFor(*found, few, dictionary, {}).warnings.size(), std::size_t(1));
        EncoderWork work(kept);
        request.trained = number;
        const auto whole = work.refine(request, {}, {});
        QVERIFY(whole && whole->complete);
        QCOMPARE(whole->report->cost.macs, anew.built.encoder->cost().macs);
        QCOMPARE(kept->keep(anew), number + 1); // one family, one entry
        QCOMPARE(kept->entries().size(), std::size_t(1));
        request.parameters.set("rank", std::int64_t{9});
        QVERIFY(!kept->find(request));
    }
    void methodsSayWhatTrainingNeverReads()
    {
        const auto names = [](const char* id, const char* name, const ParameterValue& value) {
            const auto& method = *encoder::findMethod(id);
            auto parameters = method.declaration.schema.defaults();
            parameters.set(name, value);
            const auto found = method.afterTraining(parameters);
            const bool known = method.restore && std::ranges::all_of(found, [&](const std::string& each) { return method.declaration.schema.find(each) != nullptr; });
            return known ? found : std::vector<std::string>{"unknown"};
        };
        using Names = std::vector<std::string>;
        for (const char* id : {"encoder.low-rank-trained", "encoder.tiled-trained", "encoder.distilled"})
            QCOMPARE(names(id, "steps", std::int64_t{5}), Names{"candidates"});
        QCOMPARE(names("encoder.hierarchical", "steps", std::int64_t{5}), Names{"beam"});
        QCOMPARE(names("encoder.mixture", "routing", std::string("top-e")), Names{"active"});
        QCOMPARE(names("encoder.mixture", "routing", std::string("relu")), Names()); // trained towards it
        QCOMPARE(names("encoder.mixture", "balance", 0.5), Names());
    }
    void oneTrainedAgainTakesThePlace()
    {
        TrainedEncoders kept;
        const int first = kept.keep(*m_entry), second = kept.keep(*m_entry);
        QVERIFY(second != first); // pictures of the first are not of the second
        QCOMPARE(kept.entries().size(), std::size_t(1));
        QVERIFY(!kept.at(first) && kept.at(second));
        kept.setFile(second, "/somewhere.safetensors");
        QCOMPARE(kept.at(second)->file, fs::path("/somewhere.safetensors"));
        kept.forget(second);
        QVERIFY(kept.entries().empty() && !kept.find(training(m_sources, 8, 6)));
        for (std::int64_t rank = 1; rank <= static_cast<std::int64_t>(TrainedEncoders::kMost) + 3; ++rank) {
            auto entry = *m_entry;
            entry.request.parameters.set("rank", rank);
            kept.keep(std::move(entry));
        }
        QCOMPARE(kept.entries().size(), TrainedEncoders::kMost);
        QVERIFY(!kept.find(training(m_sources, 1, 6)));
    }
    void filesBringTheSameEncoderBack()
    {
        QTemporaryDir folder;
        const fs::path file = fs::path(folder.path().toStdString()) / "low-rank.safetensors";
        saveTrained(*m_entry, file, {});
        const auto again = openTrained(file, m_sources, {});
        QCOMPARE(again.request.method, std::string(kMethod));
        QCOMPARE(again.request.parameters, m_entry->request.parameters);
        QCOMPARE(again.request.k, std::int64_t(0));
        QCOMPARE(again.file, file);
        const auto rows = dictionaryOf(again.request)->prepared(m_sources->measured.view());
        const auto before = m_entry->built.encoder->encode(rows.view()), after = again.built.encoder->encode(rows.view());
        QCOMPARE(after.latents, before.latents);
        QCOMPARE(after.values, before.values);
        const auto other = openEncoderSources({kSaes / "tinylm.block3.k32" / "sparsify", {}, {}}, {});
        QVERIFY(tamis::test::failure([&] { (void)openTrained(file, other, {}); }, ErrorCode::InvalidParameter).contains("fingerprint"));
        QVERIFY(tamis::test::failure([&] { (void)openTrained(folder.filePath("none.safetensors").toStdString(), m_sources, {}); }, ErrorCode::IoFailure).contains("none.safetensors"));
        QVERIFY(tamis::test::failure([&] { (void)openTrained(kSaes / "vit20.block3.k16" / "sparsify" / "sae.safetensors", m_sources, {}); }, ErrorCode::MalformedFile).contains("sae.safetensors"));
        const auto untrained = buildEncoder({m_sources, 0, "encoder.low-rank", {}, 0}, {});
        QVERIFY(tamis::test::failure([&] { saveTrained(untrained, file, {}); }, ErrorCode::InvalidParameter).contains("trained"));
    }
    void picturesAreOfTheTrainedEncoder()
    {
        auto kept = std::make_shared<TrainedEncoders>();
        EncoderWork work(kept);
        auto request = training(m_sources, 8, 6);
        QVERIFY(!work.coarse(request));
        QVERIFY(!work.refine(request, {}, {})); // not trained with these settings
        request.trained = kept->keep(*m_entry);
        const auto first = work.coarse(request);
        QVERIFY(first);
        QVERIFY2(!first->complete, std::to_string(first->report->tokens).c_str());
        const auto whole = work.refine(request, {}, {});
        QVERIFY(whole && whole->complete && !whole->report->training.empty());
        QCOMPARE(whole->report->cost.parameters, m_entry->built.encoder->cost().parameters);
        auto better = buildEncoder(training(m_sources, 16, 6), {}); // told apart by its size
        better.request.parameters = m_entry->request.parameters;
        const auto parameters = better.built.encoder->cost().parameters;
        request.trained = kept->keep(std::move(better));
        QCOMPARE(work.refine(request, {}, {})->report->cost.parameters, parameters);
    }
    void theyAreComparedWithTheOthers()
    {
        QTemporaryDir folder;
        auto few = std::make_shared<EncoderSources>(*openEncoderSources({app::test::writeCutAutoencoder(folder.path().toStdString()), {}, {}}, {}));
        few->measured = someRows(few->measured, 0, few->measured.rows(), 20);
        const auto entry = buildEncoder(training(few, 8, 6), {});
        std::size_t told = 0;
        const auto comparison = compareAll({few, 0, "encoder.exact", {}, 0}, {entry}, {}, [&](const auto& soFar) { told = soFar.points.size(); }, 0.001);
        QCOMPARE(told, comparison.points.size());
        const auto found = std::ranges::find(comparison.points, kMethod, &report::EncoderPoint::method);
        QVERIFY(found != comparison.points.end());
        QVERIFY2(found->failure.empty(), found->failure.c_str());
        QVERIFY(found->quality.recallMean > 0 && found->settings.find("rank 8") != std::string::npos);
    }
};

TAMIS_BLAS_TEST_MAIN(TstTrainedEncoders)
#include "tst_trained_encoders.moc"
