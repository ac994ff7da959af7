// SPDX-License-Identifier: GPL-3.0-or-later
// Factors in the place of linear operators on the tape: gradients, and the same model as nn runs.
#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/lowrank/factors_on_tape.h"
#include "core/nn/model.h"
#include "core/train/decoder_on_tape.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/vit_on_tape.h"
#include "tests/core/train/gradient_check.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using train::Tape;

namespace {
const std::filesystem::path kModels = std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "models";

std::vector<std::int32_t> idsOf(const io::NpzArchive& archive, std::int64_t& sequences)
{
    const auto ids = archive.read("input_ids");
    sequences = ids.shape[0];
    const auto values = ids.toDoubles();
    return {values.begin(), values.end()};
}

/// Random factors of rank `rank` for every linear operator of the blocks, with the model's biases; a spread of 0.1 keeps
/// activations of the order of one.
std::vector<lowrank::OperatorFactors> randomFactors(const nn::Model& model, std::int64_t rank)
{
    std::vector<lowrank::OperatorFactors> all;
    for (const nn::LinearSlot* slot : model.linears()) {
        if (slot->layer < 0)
            continue;
        const auto seed = static_cast<unsigned>(11 * all.size() + 5);
        all.push_back({slot->name, test::gaussian(slot->op->outFeatures(), rank, seed, 0.3), test::gaussian(rank, slot->op->inFeatures(), seed + 1, 0.3), slot->op->bias()});
    }
    return all;
}

std::shared_ptr<const nn::Model> replaced(const nn::Model& model, const std::vector<lowrank::OperatorFactors>& factors)
{
    std::vector<nn::Model::Replacement> replacements;
    for (const auto& each : factors) {
        tensor::Matrix<float> b(each.b.rows(), each.b.cols()), a(each.a.rows(), each.a.cols());
        std::ranges::copy(each.b.values(), b.data());
        std::ranges::copy(each.a.values(), a.data());
        replacements.push_back({each.name, nn::factorsOp(b.view(), a.view(), each.bias)});
    }
    return model.replaced(replacements);
}

/// Largest difference over the largest size.
double distance(train::View<const double> tape, std::span<const float> plain)
{
    double worst = 0, size = 0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        worst = std::max(worst, std::abs(tape.data[i] - static_cast<double>(plain[i])));
        size = std::max(size, std::abs(tape.data[i]));
    }
    return worst / size;
}
} // namespace

class TestFactorsOnTape : public QObject {
    Q_OBJECT
private slots:
    /// Derivative along a random direction in the space of all factors and biases, against difference quotients in double; and
    /// the logits are those of the model that runs the same factors, but for float's rounding in nn (some 1e-6 a block).
    void decoder()
    {
        for (const char* variant : {"qwen3", "llama_linear_rope_tied", "qwen2_tied"}) {
            const auto checkpoint = io::Checkpoint::open(kModels / variant);
            const auto archive = io::NpzArchive::open(kModels / variant / "golden.npz");
            std::int64_t sequences = 0;
            const auto ids = idsOf(*archive, sequences);
            const auto model = nn::Model::load(*checkpoint);
            auto onTape = train::DecoderOnTape<double>::load(*checkpoint);
            for (auto& parameter : onTape.parameters().all())
                parameter.rate = 0;
            const auto start = randomFactors(*model, 3);
            QVERIFY(start.size() == 7 * model->blocks().size());
            lowrank::FactorsOnTape<double> factors(start, true);
            Tape<double> tape;
            train::ForwardHooks<double> hooks;
            hooks.replaceLinear = factors.replacement(tape);
            const auto logits = [&] {
                tape.reset();
                return onTape.logits(tape, ids, sequences, hooks);
            };
            const auto plain = replaced(*model, start);
            const std::size_t length = ids.size() / static_cast<std::size_t>(sequences);
            std::vector<float> expected;
            for (std::int64_t s = 0; s < sequences; ++s) {
                const nn::Sample sample{{}, std::span(ids).subspan(static_cast<std::size_t>(s) * length, length), {}};
                const auto output = nn::runBatch(*plain, {&sample, 1});
                expected.insert(expected.end(), output[0].values().begin(), output[0].values().end());
            }
            QVERIFY2(distance(logits().value(), expected) < 2e-5, variant);
            const auto loss = [&] { return train::crossEntropy<double>(logits(), train::nextTokens(ids, sequences)); };
            tape.backward(loss());
            const std::string complaint = test::checkDirection(factors.parameters(), [&] { return tape.scalar(loss()); });
            QVERIFY2(complaint.empty(), (std::string(variant) + ": " + complaint).c_str());
            for (const auto& parameter : onTape.parameters().all()) // constants: nothing was computed for them
                QVERIFY2(std::ranges::all_of(parameter.gradient.values(), [](double g) { return g == 0; }), parameter.name.c_str());
        }
    }

    void vit()
    {
        for (const char* variant : {"timm_vit", "hf_dinov2"}) {
            const auto checkpoint = io::Checkpoint::open(kModels / variant);
            const auto archive = io::NpzArchive::open(kModels / variant / "golden.npz");
            const auto model = nn::Model::load(*checkpoint);
            auto onTape = train::VitOnTape<double>::load(*checkpoint);
            for (auto& parameter : onTape.parameters().all())
                parameter.rate = 0;
            const auto start = randomFactors(*model, 3);
            lowrank::FactorsOnTape<double> factors(start, true);
            std::vector<float> image(static_cast<std::size_t>(onTape.shape().imageValues()));
            for (std::size_t i = 0; i < image.size(); ++i)
                image[i] = static_cast<float>(std::sin(static_cast<double>(i) / 17));
            std::vector<double> rows(image.size());
            onTape.cutPatches(image, rows.data());
            Tape<double> tape;
            train::ForwardHooks<double> hooks;
            hooks.replaceLinear = factors.replacement(tape);
            const std::int64_t values = onTape.shape().patchValues();
            const auto logits = [&] {
                tape.reset();
                return onTape.logits(tape, tape.constant({rows.data(), onTape.shape().patches(), values, values}), 1, hooks);
            };
            const nn::Sample sample{image, {}, {}};
            QVERIFY2(distance(logits().value(), nn::runBatch(*replaced(*model, start), {&sample, 1})[0].values()) < 2e-5, variant);
            const auto loss = [&] { return train::sumSquares<double>(logits()); };
            tape.backward(loss());
            const std::string complaint = test::checkDirection(factors.parameters(), [&] { return tape.scalar(loss()); });
            QVERIFY2(complaint.empty(), (std::string(variant) + ": " + complaint).c_str());
        }
    }

    /// Balanced factors have the same product, and sides of equal length.
    void balanceKeepsTheProduct()
    {
        lowrank::OperatorFactors factors{"w", test::gaussian(5, 3, 1, 10), test::gaussian(3, 7, 2, 0.01), {}};
        for (std::int64_t j = 0; j < 7; ++j)
            factors.a(1, j) = 0; // a component that carries nothing stays as it is
        const auto before = factors;
        lowrank::balance(factors);
        for (std::int64_t i = 0; i < 5; ++i)
            for (std::int64_t j = 0; j < 7; ++j) {
                double was = 0, is = 0;
                for (std::int64_t k = 0; k < 3; ++k) {
                    was += before.b(i, k) * before.a(k, j);
                    is += factors.b(i, k) * factors.a(k, j);
                }
                QVERIFY(std::abs(is - was) < 1e-14); // elements of size 0.3, three terms, each rounded a few times
            }
        for (std::int64_t k = 0; k < 3; ++k) {
            double left = 0, right = 0;
            for (std::int64_t i = 0; i < 5; ++i)
                left += factors.b(i, k) * factors.b(i, k);
            for (std::int64_t j = 0; j < 7; ++j)
                right += factors.a(k, j) * factors.a(k, j);
            QVERIFY(k == 1 ? right == 0 : std::abs(left - right) < 1e-12 * left);
        }
        QVERIFY_EXCEPTION_THROWN(lowrank::FactorsOnTape<float>({factors, factors}, false), Error);
    }
};

QTEST_APPLESS_MAIN(TestFactorsOnTape)
#include "tst_factors_on_tape.moc"
