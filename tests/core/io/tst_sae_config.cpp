// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/sae_config.h"

#include <QTest>

using namespace tamis;
using namespace tamis::io;

namespace
{
SaeConfig sized(SaeLayout layout)
{
    SaeConfig config;
    config.layout = layout;
    config.width = 8;
    config.latents = 20; // not a multiple of the width: num_latents must carry it
    config.k = 3;
    return config;
}

ErrorCode codeOf(const SaeConfig& config)
{
    try {
        formatSaeConfig(config, "float32");
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::IoFailure;
}
} // namespace

class TstSaeConfig : public QObject
{
    Q_OBJECT
private slots:
    void defaultsOfTheLibraries()
    {
        const SaeConfig sparsify = parseSaeConfig(R"({"d_in":768})", SaeLayout::Sparsify, "x");
        QVERIFY(sparsify.activation == SaeActivation::TopK && sparsify.k == 32 && sparsify.latents == 768 * 32);
        QVERIFY(sparsify.subtractDecoderBias && !sparsify.transcodes && !sparsify.skips);
        const SaeConfig saeLens = parseSaeConfig(R"({"d_in":768,"d_sae":24576})", SaeLayout::SaeLens, "x");
        QVERIFY(saeLens.activation == SaeActivation::Relu && saeLens.k == 0 && saeLens.latents == 24576);
        QVERIFY(saeLens.subtractDecoderBias && saeLens.normalisation == SaeNormalisation::None &&
                !saeLens.rescaleByDecoderNorm);
    }
    void numLatentsComesBeforeTheExpansionFactor()
    {
        QVERIFY(
            parseSaeConfig(R"({"d_in":8,"num_latents":20,"expansion_factor":4})", SaeLayout::Sparsify, "x").latents ==
            20);
        QVERIFY(
            parseSaeConfig(R"({"d_in":8,"num_latents":0,"expansion_factor":4})", SaeLayout::Sparsify, "x").latents ==
            32);
        QVERIFY(!parseSaeConfig(R"({"expansion_factor":4})", SaeLayout::Sparsify, "x").latents);
    }
    void aTranscoderDoesNotSubtract()
    {
        QVERIFY(!parseSaeConfig(R"({"transcode":true})", SaeLayout::Sparsify, "x").subtractDecoderBias);
    }
    void bothAgesOfSaeLensSayTheSame()
    {
        const SaeConfig now = parseSaeConfig(
            R"({"architecture":"topk","d_in":8,"d_sae":20,"k":3,"metadata":{"model_name":"m","hook_name":"h"}})",
            SaeLayout::SaeLens, "x");
        const SaeConfig then = parseSaeConfig(
            R"({"d_in":8,"d_sae":20,"activation_fn":"topk","activation_fn_kwargs":{"k":3},"model_name":"m","hook_name":"h"})",
            SaeLayout::SaeLens, "x");
        QCOMPARE(formatSaeConfig(now, "float32"), formatSaeConfig(then, "float32"));
        QVERIFY(then.model == "m" && then.site == "h" && then.k == 3);
    }
    void whatIsWrittenReadsBack()
    {
        SaeConfig sparsify = sized(SaeLayout::Sparsify);
        for (const SaeActivation activation : {SaeActivation::TopK, SaeActivation::SignedTopK, SaeActivation::GroupMax})
            for (const bool transcodes : {false, true}) {
                sparsify.activation = activation;
                sparsify.transcodes = sparsify.skips = transcodes;
                sparsify.subtractDecoderBias = !transcodes;
                const SaeConfig read = parseSaeConfig(formatSaeConfig(sparsify, "float32"), SaeLayout::Sparsify, "x");
                QVERIFY(read.activation == activation && read.transcodes == transcodes && read.skips == transcodes &&
                        read.subtractDecoderBias == !transcodes && read.k == 3 && read.latents == 20 &&
                        read.width == 8);
            }
        SaeConfig saeLens = sized(SaeLayout::SaeLens);
        saeLens.model = "quote \" and \n";
        for (const SaeActivation activation : {SaeActivation::TopK, SaeActivation::Relu, SaeActivation::JumpRelu})
            for (const SaeNormalisation normalisation :
                 {SaeNormalisation::None, SaeNormalisation::ConstantNorm, SaeNormalisation::LayerNorm}) {
                saeLens.activation = activation;
                saeLens.normalisation = normalisation;
                saeLens.subtractDecoderBias = normalisation == SaeNormalisation::LayerNorm;
                const SaeConfig read = parseSaeConfig(formatSaeConfig(saeLens, "float32"), SaeLayout::SaeLens, "x");
                QVERIFY(read.activation == activation && read.normalisation == normalisation &&
                        read.model == saeLens.model && read.subtractDecoderBias == saeLens.subtractDecoderBias &&
                        read.k == (activation == SaeActivation::TopK ? 3 : 0));
            }
    }
    void whatALayoutCannotSayIsRefused()
    {
        SaeConfig config = sized(SaeLayout::Sparsify);
        config.activation = SaeActivation::JumpRelu;
        QCOMPARE(codeOf(config), ErrorCode::InvalidParameter);
        config = sized(SaeLayout::Sparsify);
        config.normalisation = SaeNormalisation::LayerNorm;
        QCOMPARE(codeOf(config), ErrorCode::InvalidParameter);
        config = sized(SaeLayout::Sparsify);
        config.subtractDecoderBias = false;
        QCOMPARE(codeOf(config), ErrorCode::InvalidParameter);
        config = sized(SaeLayout::Sparsify);
        config.latents.reset();
        QCOMPARE(codeOf(config), ErrorCode::InvalidParameter);
        config = sized(SaeLayout::SaeLens);
        config.activation = SaeActivation::GroupMax;
        QCOMPARE(codeOf(config), ErrorCode::InvalidParameter);
        config = sized(SaeLayout::SaeLens);
        config.skips = true;
        QCOMPARE(codeOf(config), ErrorCode::InvalidParameter);
    }
};

QTEST_GUILESS_MAIN(TstSaeConfig)
#include "tst_sae_config.moc"
