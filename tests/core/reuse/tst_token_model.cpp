// SPDX-License-Identifier: GPL-3.0-or-later
// A vision transformer on some of its tokens: all of them are the model; in a model of one block, where keys and values do not depend on other
// patches, some of them are the model, too.
#include "core/base/error.h"
#include "core/cost/model_cost.h"
#include "core/reuse/token_model.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <cmath>
#include <numeric>

using namespace tamis;
using namespace tamis::reuse;

namespace {
std::shared_ptr<const nn::Model> golden(const QString& name)
{
    return nn::Model::load(*io::Checkpoint::open((QStringLiteral(TAMIS_SOURCE_DIR "/tests/golden/models/") + name).toStdString()));
}

std::vector<float> wholeOutput(const nn::Model& model, const std::vector<float>& image)
{
    nn::Scratch scratch;
    std::vector<float> output(static_cast<std::size_t>(model.outputWidth()));
    model.run({image, {}, {}}, {output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch);
    return output;
}

/// Rows through the blocks; all of them where `state` is empty.
Answer run(const TokenModel& model, const std::vector<float>& image, TokenState& state, std::vector<std::int32_t> rows = {})
{
    nn::Scratch scratch;
    tensor::Matrix<float> x(model.tokens(), model.width());
    model.embed(image, x.view(), scratch);
    if (state.empty()) {
        state = model.emptyState(model.tokens());
        rows.resize(static_cast<std::size_t>(model.tokens()));
        std::iota(rows.begin(), rows.end(), 0);
    }
    tensor::Matrix<float> some(static_cast<std::int64_t>(rows.size()), model.width());
    gatherRows(x.view(), rows, some.view());
    model.runRows(some.view(), rows, state, scratch);
    Answer answer;
    model.answer(state.hidden.view(), answer, scratch);
    return answer;
}

double worst(const std::vector<float>& a, const std::vector<float>& b)
{
    double worst = a.size() == b.size() ? 0 : 1e9;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return worst;
}
} // namespace

class TstTokenModel : public QObject {
    Q_OBJECT

private slots:
    void allRowsAreTheModel_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"timm_vit", "timm_vit_avg_prenorm", "timm_vit_qk_norm", "timm_vit_registers", "timm_deit_distilled", "hf_vit", "hf_dinov2", "hf_clip_vision"})
            QTest::newRow(name) << name;
    }
    void allRowsAreTheModel()
    {
        QFETCH(QString, name);
        const auto model = golden(name);
        const TokenModel tokens(model);
        const auto image = test::wavyImage(*model);
        TokenState state;
        QCOMPARE(run(tokens, image, state).output, wholeOutput(*model, image)); // the same products over the same rows: the same bits
        QCOMPARE(tokens.wholeMacs(), static_cast<double>(cost::modelCost(*model).macs));
    }

    /// In one block the keys and values of a patch are its own: the class token sees what the model on the new image would show it.
    void someRowsAreTheModelOfOneBlock()
    {
        const auto model = test::narrowVit(1, 32, 8);
        const TokenModel tokens(model);
        const auto first = test::wavyImage(*model);
        auto second = first;
        for (std::size_t channel = 0; channel < 3; ++channel)
            for (std::size_t y = 8; y < 16; ++y)
                for (std::size_t x = 16; x < 32; ++x) // patches 6 and 7
                    second[(channel * 32 + y) * 32 + x] += 0.5f;
        TokenState state;
        run(tokens, first, state);
        const auto answer = run(tokens, second, state, withPrefix(tokens.prefix(), std::vector<std::int32_t>{6, 7}));
        const auto whole = wholeOutput(*model, second);
        QVERIFY(worst(whole, wholeOutput(*model, first)) > 1e-3); // it matters
        QVERIFY(worst(answer.output, whole) < 1e-6);              // other tiles of the same products
    }

    void refuses_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("says");
        QTest::newRow("windows") << "timm_swin_padded" << "windows";
        QTest::newRow("rotary") << "hf_dinov3" << "rotary";
        QTest::newRow("relative") << "hf_beit" << "relative position bias";
        QTest::newRow("text") << "llama_yarn_rope" << "reads text";
    }
    void refuses()
    {
        QFETCH(QString, name);
        QFETCH(QString, says);
        try {
            const TokenModel tokens(golden(name));
            QFAIL("was taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::UnsupportedFeature);
            QVERIFY2(QString::fromStdString(error.what()).contains(says), error.what());
        }
    }
};

QTEST_APPLESS_MAIN(TstTokenModel)
#include "tst_token_model.moc"
