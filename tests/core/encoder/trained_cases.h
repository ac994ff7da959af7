// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every trained encoder must do. Each verifies and returns: the last call of a test function.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/method.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"

#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <thread>

namespace tamis::test {

using Settings = std::vector<std::pair<std::string, ParameterValue>>;

inline Parameters settingsOf(const encoder::Method& method, const Settings& values)
{
    Parameters parameters;
    for (const auto& [name, value] : values)
        parameters.set(name, value);
    return method.declaration.schema.complete(parameters);
}

/// 40 steps on 64 rows each and what is `own` to a test, unless `more` says otherwise.
inline Parameters briefTraining(const encoder::Method& method, const Settings& own, const Settings& more)
{
    Settings all{{"steps", std::int64_t{40}}, {"batch", std::int64_t{64}}, {"check-every", std::int64_t{10}}};
    all.insert(all.end(), own.begin(), own.end());
    all.insert(all.end(), more.begin(), more.end());
    return settingsOf(method, all);
}
inline ParameterValue text(const char* value) { return std::string(value); }

/// An autoencoder of datasets/sae with rows of its own model to train on: the first `rows`, the rest is for measuring.
inline encoder::Inputs bundledInputs(const std::string& name, std::int64_t rows)
{
    encoder::Inputs inputs;
    inputs.dictionary = bundledDictionary(name);
    inputs.calibration = inputs.dictionary->prepared(bundledRows(name.substr(0, name.find('.')), 0, rows).view());
    return inputs;
}

/// Written, read and restored it gives the same codes, bit for bit; and it is refused where it does not belong.
inline void verifyRoundTrip(const encoder::Method& method, const encoder::Inputs& inputs, const encoder::Built& built)
{
    QTemporaryDir directory;
    const std::filesystem::path file = directory.filePath("encoder.safetensors").toStdString();
    QVERIFY(built.trained && built.training.size() == 2);
    encoder::writeTrainedEncoder(file, *built.trained);
    const encoder::TrainedEncoder read = encoder::readTrainedEncoder(file);
    encoder::Inputs bare;
    bare.dictionary = inputs.dictionary;
    const auto restored = method.restore(bare, read, {});
    QVERIFY(sameCodes(built.encoder->encode(inputs.calibration.view()), restored->encode(inputs.calibration.view())));
    QCOMPARE(restored->cost().parameters, built.encoder->cost().parameters);
    const auto refusal = [&](const encoder::TrainedEncoder& trained) {
        try {
            method.restore(bare, trained, {});
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Cancelled;
    };
    for (std::size_t i = 0; i < read.tensors.size(); ++i) {
        encoder::TrainedEncoder damaged = read;
        damaged.tensors.erase(damaged.tensors.begin() + static_cast<std::ptrdiff_t>(i));
        QCOMPARE(refusal(damaged), ErrorCode::MalformedFile);
        damaged = read;
        damaged.tensors[i].shape.push_back(1);
        QCOMPARE(refusal(damaged), ErrorCode::MalformedFile);
    }
    encoder::TrainedEncoder other = read;
    other.method = "encoder.other";
    QCOMPARE(refusal(other), ErrorCode::InvalidParameter);
    other = read;
    other.dictionary[0] = other.dictionary[0] == 'a' ? 'b' : 'a';
    QCOMPARE(refusal(other), ErrorCode::InvalidParameter);
    other = read;
    other.parameters.set("batch", std::string("many"));
    QCOMPARE(refusal(other), ErrorCode::InvalidParameter);
}

/// The scores that NumPy makes of the file are those that the encoder chooses by: its latent at every place, or one whose score is equal to it
/// within 1e-4 of the row's largest (float sums of some hundred terms here, double ones there), and its value.
inline void verifyNumPyAgrees(const encoder::Built& built, const std::string& model, std::int64_t rows)
{
    QTemporaryDir directory;
    const QString file = directory.filePath("encoder.safetensors");
    encoder::writeTrainedEncoder(file.toStdString(), *built.trained);
    QProcess python;
    python.start("/usr/bin/python3", {TAMIS_SOURCE_DIR "/tests/golden/check_trained_encoder.py", file,
                                      QString::fromStdString(std::string(TAMIS_SOURCE_DIR "/datasets/sae/") + model + ".block3.heldout.npy"), QString::number(rows)});
    if (!python.waitForStarted() || !python.waitForFinished(60'000) || python.exitCode() == 77) {
        qInfo("not compared with NumPy: it is not installed");
        return;
    }
    QVERIFY2(python.exitCode() == 0, python.readAllStandardError());
    const auto lines = python.readAllStandardOutput().trimmed().split('\n');
    QCOMPARE(lines.size(), rows);
    const auto dictionary = bundledDictionary(model + ".block3.k16/sparsify");
    const auto codes = built.encoder->encode(dictionary->prepared(bundledRows(model, 0, rows).view()).view());
    std::size_t same = 0;
    for (std::int64_t t = 0; t < rows; ++t) {
        const auto pairs = lines[t].split(' ');
        for (std::size_t c = 0; c < codes.latentsOf(t).size(); ++c) {
            const auto pair = pairs[static_cast<qsizetype>(c)].split(':');
            const double tolerance = 1e-4 * std::abs(pairs[0].split(':')[1].toDouble());
            QVERIFY(std::abs(pair[1].toDouble() - static_cast<double>(codes.valuesOf(t)[c])) < tolerance);
            same += pair[0].toInt() == codes.latentsOf(t)[c];
        }
    }
    QVERIFY(static_cast<double>(same) > 0.995 * static_cast<double>(codes.latents.size())); // ties aside
}

/// Bits do not depend on the threads, and do depend on the seed where `random`.
inline void verifyReproducible(const encoder::Method& method, const encoder::Inputs& inputs, const Parameters& parameters)
{
    std::vector<encoder::TrainedTensor> first;
    for (const int threads : {1, 2, 1}) {
        const ThreadLimit limit(threads);
        const auto built = method.build(inputs, parameters, {});
        if (first.empty())
            first = built.trained->tensors;
        for (std::size_t i = 0; i < first.size(); ++i)
            QVERIFY2(first[i].values == built.trained->tensors[i].values && first[i].integers == built.trained->tensors[i].integers, first[i].name.c_str());
    }
    Parameters other = parameters;
    other.set("seed", std::int64_t{5});
    QVERIFY(method.build(inputs, other, {}).trained->tensors[0].values != first[0].values);
}

/// `enough` ends it with what there is; a stop leaves it at once.
inline void verifyEnds(const encoder::Method& method, encoder::Inputs inputs, Parameters parameters)
{
    parameters.set("steps", std::int64_t{1'000'000});
    parameters.set("patience", std::int64_t{0});
    int asked = 0, seen = 0;
    inputs.enough = [&asked] { return ++asked == 9; };
    inputs.trainingSeen = [&seen](const auto& series) { seen += series.size() == 2; };
    const auto built = method.build(inputs, parameters, {});
    QCOMPARE(built.training[0].points.size(), std::size_t{9});
    QVERIFY(seen >= 1 && built.warnings.empty());
    inputs.enough = {};
    std::stop_source stop;
    StopClock clock;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(400));
        clock.ask(stop);
    });
    try {
        method.build(inputs, parameters, RunContext(stop.get_token()));
        QFAIL("was not stopped");
    } catch (const Error& error) {
        QCOMPARE(error.code(), ErrorCode::Cancelled);
        QVERIFY2(clock.seconds() < kSoonSeconds, std::to_string(clock.seconds()).c_str());
    }
}

/// With candidates it is the exact re-ranking of its own coarse scores; with all latents as candidates it is exact.
inline void verifyReranks(const encoder::Method& method, const encoder::Inputs& inputs, Parameters parameters)
{
    parameters.set("candidates", std::int64_t{0});
    const auto plain = method.build(inputs, parameters, {});
    parameters.set("candidates", std::int64_t{200});
    const auto reranked = method.build(inputs, parameters, {});
    const auto* coarse = dynamic_cast<const encoder::CoarseEncoder*>(plain.encoder.get());
    const auto* second = dynamic_cast<const encoder::CoarseEncoder*>(reranked.encoder.get());
    QVERIFY(coarse && second);
    const auto some = tensor::MatrixView<const float>{inputs.calibration.data(), 64, inputs.calibration.cols(), inputs.calibration.cols()};
    QVERIFY(encoder::allScores(*coarse->scorer(), some) == encoder::allScores(*second->scorer(), some));
    const auto exact = encoder::exactTokens(inputs.dictionary, bundledRows("vit20", 512, 256));
    const auto recall = [&](const encoder::TopKEncoder& each) { return encoder::measureEncoder(*exact, each, method.declaration.id, parameters, {}).quality.recallMean; };
    QVERIFY(recall(*reranked.encoder) > recall(*plain.encoder));
    parameters.set("candidates", std::int64_t{100'000});
    const auto all = method.build(inputs, parameters, {});
    QCOMPARE(recall(*all.encoder), 1.0);
    QVERIFY(!all.warnings.empty() && all.warnings[0].starts_with("The candidates are 2048, not 100000"));
    QCOMPARE(all.trained->parameters.integer("candidates"), std::int64_t{2048});
}

} // namespace tamis::test
