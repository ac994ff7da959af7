// SPDX-License-Identifier: GPL-3.0-or-later
// Every method against PyTorch's numbers in double: who holds whom after each block exactly, sizes exactly, logits to 1e-4.
#include "tests/core/tokens/golden_chain.h"

#include <algorithm>
#include <cmath>

using namespace tamis;
using Settings = std::vector<std::pair<std::string, std::string>>;

struct GoldenCase {
    const char* model;
    const char* name;
    const char* method;
    Settings settings;
};

static Settings rho(const char* score) { return {{"score", score}, {"blocks", "1,3,4"}, {"schedule", "0.8,0.6,0.7"}}; }

static const std::vector<GoldenCase>& goldenCases()
{
    static const std::vector<GoldenCase> cases{
        {"vit20", "tome17", "tokens.tome", {{"r", "17"}}},
        {"vit20", "tome60", "tokens.tome", {{"r", "60"}}},
        {"vit20", "tome_falling", "tokens.tome", {{"r", "20"}, {"inflection", "-1"}}},
        {"vit20", "tome_plain", "tokens.tome", {{"r", "24"}, {"proportional-attention", "false"}}},
        {"vit20", "tome_list", "tokens.tome", {{"schedule", "0,40,0,30"}}},
        {"vit20", "evit_fused", "tokens.evit", {{"keep", "0.7"}}},
        {"vit20", "evit_pruned", "tokens.evit", {{"keep", "0.5"}, {"fuse", "false"}}},
        {"vit20", "rho_class-attention", "tokens.top-rho", rho("class-attention")},
        {"vit20", "rho_attention-received", "tokens.top-rho", rho("attention-received")},
        {"vit20", "rho_attention-value-norm", "tokens.top-rho", rho("attention-value-norm")},
        {"vit20", "rho_rollout", "tokens.top-rho", rho("rollout")},
        {"vit20", "rho_gradient", "tokens.top-rho", rho("gradient")},
        {"vit20", "rho_feature-norm", "tokens.top-rho", rho("feature-norm")},
        {"vit20", "rho_channel-variance", "tokens.top-rho", rho("channel-variance")},
        {"vit20", "rho_entropy", "tokens.top-rho", rho("entropy")},
        {"vit20", "dynamic", "tokens.dynamicvit", {{"keep", "0.7"}}},
        {"vit20", "ats", "tokens.ats", {}},
        {"vit20", "pitome", "tokens.pitome", {{"keep", "0.86"}}},
        {"vit20", "diffrate", "tokens.diffrate", {{"file", TAMIS_SOURCE_DIR "/tests/golden/token_reduction/diffrate.json"}, {"entry", "vit20/list"}}},
        {"deit", "tome5", "tokens.tome", {{"r", "5"}}},
        {"deit", "evit_fused", "tokens.evit", {{"keep", "0.6"}, {"blocks", "1,2"}}},
        {"deit", "rho_gradient", "tokens.top-rho", {{"score", "gradient"}, {"blocks", "1,2"}}},
        {"timm_vit_avg_prenorm", "tome3", "tokens.tome", {{"r", "3"}}},
        {"timm_vit_avg_prenorm", "rho_gradient", "tokens.top-rho", {{"score", "gradient"}, {"blocks", "1"}, {"keep", "0.6"}}},
    };
    return cases;
}

class TestTokenGoldens : public QObject {
    Q_OBJECT
private slots:
    void whoHoldsWhomAndWhatTheModelSays_data()
    {
        QTest::addColumn<int>("index");
        for (std::size_t i = 0; i < goldenCases().size(); ++i)
            QTest::addRow("%s.%s", goldenCases()[i].model, goldenCases()[i].name) << static_cast<int>(i);
    }
    void whoHoldsWhomAndWhatTheModelSays()
    {
        QFETCH(int, index);
        const GoldenCase& c = goldenCases()[static_cast<std::size_t>(index)];
        const auto model = test::tokenModel(c.model);
        test::verifyGolden(test::tokenGolden, c.model, c.name, *model, test::chainOf(c.method, model, c.settings, 0, test::tokenCheckpoint(c.model)));
    }
};

QTEST_GUILESS_MAIN(TestTokenGoldens)
#include "tst_token_goldens.moc"
