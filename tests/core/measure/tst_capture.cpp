// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/capture.h"

#include "core/base/atomic_file.h"
#include "core/base/parallel.h"
#include "core/base/sha256.h"
#include "core/io/calibration.h"
#include "core/measure/capture_state.h"
#include "core/train/output_gradients.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/measure/sample_list.h"

#include <QTemporaryDir>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

using namespace tamis;
using measure::CaptureOptions;
using measure::captureCalibration;
using test::refusal;

namespace {

std::string bytesOf(const std::filesystem::path& file)
{
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

} // namespace

class TstCapture : public QObject
{
    Q_OBJECT
    QTemporaryDir m_folder;
    std::filesystem::path path(const char* name) const { return m_folder.filePath(name).toStdString(); }
    CaptureOptions options(const char* name) const
    {
        CaptureOptions options;
        options.out = path(name);
        options.modelSha256 = "model";
        options.stateSeconds = -1;
        return options;
    }

    /// Means over batches of another size: the same but for the rounding of float sums, 1e-5 of the largest.
    static void checkGradients(const std::filesystem::path& file, const std::vector<train::OutputGradient>& expected, int least)
    {
        const auto set = io::CalibrationSet::open(file);
        int compared = 0;
        for (const auto& gradient : expected) {
            if (!set->features(gradient.name))
                continue; // patches are no site
            ++compared;
            const auto found = set->read(gradient.name).outputGradSq;
            QCOMPARE(found.size(), gradient.squares.size());
            const double largest = *std::ranges::max_element(gradient.squares);
            QVERIFY(largest > 0);
            for (std::size_t i = 0; i < found.size(); ++i)
                QVERIFY2(std::abs(found[i] - gradient.squares[i]) <= 1e-5 * largest, gradient.name.c_str());
        }
        QVERIFY2(compared >= least, qPrintable(QString::number(compared)));
    }

private slots:
    void agreesWithPyTorch_data()
    {
        QTest::addColumn<QString>("variant");
        for (const auto& name : nn::golden::variants())
            QTest::newRow(name.c_str()) << QString::fromStdString(name);
    }
    /// Second moments, means and rows of what PyTorch, in double precision, saw at every linear input.
    void agreesWithPyTorch()
    {
        QFETCH(QString, variant);
        const auto folder = nn::golden::folder(variant.toStdString());
        const nn::golden::Golden golden(folder / "golden.npz");
        if (golden.has("attention_mask"))
            QSKIP("the reference ran padded tokens, which no sample has");
        const nn::golden::Inputs inputs(golden);
        const auto model = nn::Model::load(*io::Checkpoint::open(folder), {}, inputs.height(), inputs.width());
        auto all = options("golden.h5");
        all.heldOut = 0;
        all.rows = 1'000'000; // every row
        const auto report = captureCalibration(*model, test::listOf(inputs), all, {});
        QCOMPARE(report.samples, inputs.samples.size());
        const auto set = io::CalibrationSet::open(all.out);
        QVERIFY(!set->siteNames().empty());
        for (const std::string& name : set->siteNames()) {
            QVERIFY2(golden.has("in." + name), name.c_str());
            const auto expected = golden.read("in." + name);
            const auto site = set->read(name);
            QCOMPARE(static_cast<std::int64_t>(site.count), expected.rows());
            QCOMPARE(site.samples.rows(), expected.rows());
            double largest = 0;
            for (const float value : expected.values)
                largest = std::max(largest, std::abs(static_cast<double>(value)));
            // The forward pass is within 2e-5 of the largest value of an array (tst_models): e. A product of two values is then
            // off by at most 2 e largest^2, and a sum of `count` of them by `count` times that.
            const double e = 2e-5 * largest, count = static_cast<double>(site.count);
            const std::int64_t n = site.gram.rows();
            for (std::int64_t t = 0; t < expected.rows(); ++t)
                for (std::int64_t j = 0; j < n; ++j)
                    QVERIFY(std::abs(static_cast<double>(site.samples(t, j)) - static_cast<double>(expected.values[static_cast<std::size_t>(t * n + j)])) <= e);
            for (std::int64_t i = 0; i < n; ++i)
                for (std::int64_t j = 0; j < n; ++j) {
                    double sum = 0;
                    for (std::int64_t t = 0; t < expected.rows(); ++t)
                        sum += static_cast<double>(expected.values[static_cast<std::size_t>(t * n + i)]) * static_cast<double>(expected.values[static_cast<std::size_t>(t * n + j)]);
                    QVERIFY2(std::abs(site.gram(i, j) - sum) <= 2 * e * largest * count, name.c_str());
                }
        }
    }

    void projectionsOfOneInputShareIt()
    {
        const auto model = test::modelAt(nn::golden::folder("llama_yarn_rope"));
        const nn::golden::Inputs inputs(nn::golden::Golden(nn::golden::folder("llama_yarn_rope") / "golden.npz"));
        auto all = options("shared.h5");
        all.heldOut = 0;
        const auto report = captureCalibration(*model, test::listOf(inputs), all, {});
        std::set<std::string> shared;
        for (const auto& site : report.sites)
            if (!site.sharedWith.empty())
                shared.insert(site.name + " " + site.sharedWith);
        std::set<std::string> expected;
        for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
            const std::string at = layer;
            expected.insert(at + "self_attn.k_proj " + at + "self_attn.q_proj");
            expected.insert(at + "self_attn.v_proj " + at + "self_attn.q_proj");
            expected.insert(at + "mlp.up_proj " + at + "mlp.gate_proj");
        }
        QCOMPARE(shared, expected);
        const auto set = io::CalibrationSet::open(all.out);
        QVERIFY(set->read("model.layers.0.self_attn.v_proj").gram == set->read("model.layers.0.self_attn.q_proj").gram);
        QCOMPARE(set->siteNames().size(), 15u); // 7 operators in each of two blocks, and the head
    }

    void aShareIsHeldOut()
    {
        const auto model = test::vit20();
        const auto source = test::noise(10, 64, 1);
        auto half = options("held-out.h5");
        half.heldOut = 0.3;
        half.rows = 20;
        half.heldOutRows = 9;
        half.seed = 4;
        const auto report = captureCalibration(*model, source, half, {});
        QCOMPARE(report.samples, 7u);
        QCOMPARE(report.heldOutSamples, 3u);
        QCOMPARE(report.tokens, 7u * 257u);
        const auto set = io::CalibrationSet::open(half.out);
        QCOMPARE(set->tokens(), report.tokens);
        QCOMPARE(set->modelSha256(), std::string("model"));
        QCOMPARE(set->inputs(), std::string("samples of a test; 3 of the 10 samples held out"));
        QCOMPARE(set->inputsSha256(), std::string("hash of 10 samples"));
        QCOMPARE(set->siteNames().size(), 25u);
        for (const auto& name : set->siteNames()) {
            const auto site = set->read(name);
            const bool head = name == "head"; // one token a photo
            QCOMPARE(site.count, head ? 7u : 7u * 257u);
            QCOMPARE(site.samples.rows(), head ? 7 : 20);
            QCOMPARE(site.heldOut.rows(), head ? 3 : 9);
        }
    }

    void threadsAndBuffersDoNotMatter()
    {
        const auto model = test::vit20();
        const auto source = test::noise(9, 64, 1);
        const auto captured = [&](const char* name, std::uint64_t buffer) {
            auto some = options(name);
            some.bufferBytes = buffer;
            captureCalibration(*model, source, some, {});
            return bytesOf(path(name));
        };
        const auto batches = captured("a.h5", 1u << 30);
        QVERIFY(batches.size() > 1'000'000);
        QVERIFY(captured("b.h5", 0) == batches);         // one sample at a time
        QVERIFY(captured("c.h5", 12'000'000) == batches); // two
        const ThreadLimit one(1);
        QVERIFY(captured("d.h5", 1u << 30) == batches);
    }

    void anInterruptedCaptureContinuesBitForBit()
    {
        const auto model = test::vit20();
        auto source = test::noise(12, 64, 3);
        captureCalibration(*model, source, options("whole.h5"), {});
        auto some = options("part.h5");
        some.stateSeconds = 0;
        some.bufferBytes = 12'000'000; // two samples
        some.resume = true;
        std::uint64_t resumedFrom = 0;
        for (const std::size_t last : {5u, 8u, 99u}) { // killed twice
            std::stop_source stop;
            source.beforeLoad = [&](std::size_t index) {
                if (index >= last)
                    stop.request_stop();
            };
            const RunContext context(stop.get_token());
            if (last == 99) {
                const auto report = captureCalibration(*model, source, some, context);
                QVERIFY(report.resumedFrom > resumedFrom);
                break;
            }
            QVERIFY(refusal([&] { captureCalibration(*model, source, some, context); }).startsWith("cancelled"));
            QVERIFY(std::filesystem::exists(measure::captureStatePath(some.out)));
            QVERIFY(!std::filesystem::exists(some.out));
            resumedFrom = 1;
        }
        QVERIFY(bytesOf(some.out) == bytesOf(path("whole.h5")));
        QVERIFY(!std::filesystem::exists(measure::captureStatePath(some.out)));
    }

    void aStateOfAnotherCaptureIsRefused()
    {
        const auto model = test::vit20();
        auto source = test::noise(6, 64, 3);
        auto some = options("mismatch.h5");
        some.stateSeconds = 0;
        some.bufferBytes = 0;
        std::stop_source stop;
        source.beforeLoad = [&](std::size_t index) {
            if (index == 4)
                stop.request_stop();
        };
        QVERIFY(refusal([&] { captureCalibration(*model, source, some, RunContext(stop.get_token())); }).startsWith("cancelled"));
        source.beforeLoad = {};
        some.resume = true;
        const auto refused = [&](const CaptureOptions& others) { return refusal([&] { captureCalibration(*model, source, others, {}); }); };
        auto other = some;
        other.modelSha256 = "another";
        QVERIFY(refused(other).contains("the interrupted capture had another model: found SHA-256 model, expected another"));
        other = some;
        other.rows = 7;
        QVERIFY(refused(other).contains("the interrupted capture had another setting"));
        other = some;
        other.seed = 7;
        QVERIFY(refused(other).contains("seed 0"));
        auto fewer = source;
        fewer.samples.pop_back();
        QVERIFY(refusal([&] { captureCalibration(*model, fewer, some, {}); }).contains("had another set of samples"));
        QVERIFY(!std::filesystem::exists(some.out));
        // a damaged state: every byte counts
        const auto state = measure::captureStatePath(some.out);
        const std::string good = bytesOf(state);
        for (const std::size_t at : {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{30}, std::size_t{200}, good.size() / 2, good.size() - 1}) {
            std::string bad = good;
            bad[at] = static_cast<char>(bad[at] ^ 0x41);
            writeFileAtomically(state, bad);
            const QString answer = refused(some);
            QVERIFY2(answer.startsWith("malformed file") || answer.startsWith("unsupported feature"), qPrintable(answer));
        }
        for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{24}, good.size() / 3, good.size() - 1}) {
            writeFileAtomically(state, std::string_view(good).substr(0, size));
            QVERIFY2(refused(some).startsWith("malformed file"), qPrintable(refused(some)));
        }
        // with good checksums, but not of this model
        writeFileAtomically(state, good);
        const auto altered = [&](const std::function<void(measure::CaptureState&)>& change) {
            auto content = measure::readCaptureState(state, {});
            change(content);
            measure::writeCaptureState(state, content, {});
            const QString answer = refused(some);
            writeFileAtomically(state, good);
            return answer;
        };
        QVERIFY(altered([](auto& content) { content.sums[3] = measure::GramAccumulator("nobody", 4); }).contains("has the site 'nobody'"));
        QVERIFY(altered([](auto& content) { content.sums[3] = measure::GramAccumulator("head", 4); }).contains("has the site 'head'"));
        QVERIFY(altered([](auto& content) { content.sums[3] = content.sums[2]; }).contains("not once"));
        QVERIFY(altered([](auto& content) { content.links.push_back({"head", "nobody", {}}); }).startsWith("malformed file"));
        QVERIFY(altered([](auto& content) { content.sums.pop_back(); }).contains("which no sample before it ran"));
        QVERIFY(altered([](auto& content) { content.nextSample = 7; }).contains("claims 7 of 6 samples"));
        QCOMPARE(refused(some), QString("accepted"));
        QVERIFY(std::filesystem::exists(some.out));
    }

    void gradientsOfPhotos()
    {
        const auto checkpoint = io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20");
        const auto model = nn::Model::load(*checkpoint);
        auto source = test::noise(5, 64, 1);
        std::vector<std::span<const float>> images;
        std::vector<std::int32_t> labels;
        for (auto& sample : source.samples) {
            sample.label = static_cast<int>(images.size());
            labels.push_back(sample.label);
            images.push_back(sample.image);
        }
        auto some = options("gradients.h5");
        some.heldOut = 0;
        some.gradients = checkpoint.get();
        captureCalibration(*model, source, some, {});
        auto tape = train::VitOnTape<float>::load(*checkpoint);
        const auto expected = train::outputGradients(tape, {images, labels});
        checkGradients(some.out, expected, 25);
        for (auto& sample : source.samples)
            sample.label = -1; // the likeliest class: another loss
        some.out = path("likeliest.h5");
        captureCalibration(*model, source, some, {});
        checkGradients(some.out, train::outputGradients(tape, {images, {}}), 25);
        QVERIFY(io::CalibrationSet::open(some.out)->read("head").outputGradSq != io::CalibrationSet::open(path("gradients.h5"))->read("head").outputGradSq);
    }

    void gradientsOfText()
    {
        const auto checkpoint = io::Checkpoint::open(nn::golden::folder("llama_linear_rope_tied"));
        const auto model = nn::Model::load(*checkpoint);
        const nn::golden::Inputs inputs(nn::golden::Golden(nn::golden::folder("llama_linear_rope_tied") / "golden.npz"));
        auto some = options("text-gradients.h5");
        some.heldOut = 0;
        some.gradients = checkpoint.get();
        const auto source = test::listOf(inputs);
        captureCalibration(*model, source, some, {});
        std::vector<std::int32_t> ids;
        for (const auto& sample : source.samples)
            ids.insert(ids.end(), sample.tokens.begin(), sample.tokens.end());
        train::DecoderOnTape<float> tape(train::DecoderOnTape<float>::load(*checkpoint));
        checkGradients(some.out, train::outputGradients(tape, ids, static_cast<std::int64_t>(source.samples[0].tokens.size())), 14);
        const auto set = io::CalibrationSet::open(some.out);
        const auto query = set->read("model.layers.0.self_attn.q_proj"), key = set->read("model.layers.0.self_attn.k_proj");
        QVERIFY(query.gram == key.gram && query.outputGradSq != key.outputGradSq); // one input, outputs of their own
        QCOMPARE(static_cast<std::int64_t>(key.outputGradSq.size()), model->find("model.layers.0.self_attn.k_proj")->op->outFeatures());
        const auto gpt = io::Checkpoint::open(nn::golden::folder("gpt2"));
        some.gradients = gpt.get();
        QVERIFY(refusal([&] { captureCalibration(*nn::Model::load(*gpt), source, some, {}); }).startsWith("unsupported feature"));
    }

    void badSamplesAreNamed()
    {
        const auto model = test::vit20();
        auto source = test::noise(4, 64, 1);
        source.samples[2].image[77] = std::nanf("");
        const QString nan = refusal([&] { captureCalibration(*model, source, options("nan.h5"), {}); });
        QVERIFY2(nan.contains("sample 2: the input of 'blocks.0.attn.qkv' holds NaN at token"), qPrintable(nan));
        source.samples[2].image.resize(100);
        const QString size = refusal([&] { captureCalibration(*model, source, options("nan.h5"), {}); });
        QVERIFY2(size.startsWith("invalid parameter: sample 2: ") && size.contains("100"), qPrintable(size));
        QVERIFY(refusal([&] { captureCalibration(*model, test::SampleList(), options("nan.h5"), {}); }).contains("found no sample"));
        QVERIFY(!std::filesystem::exists(path("nan.h5")));
    }
};

TAMIS_BLAS_TEST_MAIN(TstCapture)
#include "tst_capture.moc"
