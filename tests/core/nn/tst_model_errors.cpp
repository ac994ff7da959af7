// SPDX-License-Identifier: GPL-3.0-or-later
// Models that cannot run are refused in one sentence that names the key or the tensor.
#include "core/base/error.h"
#include "core/nn/model.h"
#include "tests/core/nn/listed_source.h"

#include <QFile>
#include <QTest>

using namespace tamis;
using namespace tamis::nn;

namespace {
struct Listing {
    std::string config;
    ListedSource source;
};

Listing listing(const QString& variant)
{
    QFile file(QStringLiteral(TAMIS_SOURCE_DIR "/tests/corpus/model/%1.txt").arg(variant));
    if (!file.open(QIODevice::ReadOnly))
        qFatal("no listing of %s", qPrintable(variant));
    const std::string text = file.readAll().toStdString();
    const std::size_t cut = text.find("\n---\n");
    return {text.substr(0, cut), ListedSource::parse(text.substr(cut + 5))};
}

QString failure(const Listing& l, std::int64_t height = 0, std::int64_t width = 0)
{
    try {
        Model::load(io::parseModelConfig(l.config, "config.json"), l.source, {}, height, width);
    } catch (const Error& error) {
        return QString::fromUtf8(error.what());
    }
    return {};
}

void replace(std::string& text, const std::string& from, const std::string& to)
{
    std::size_t at = text.find(from);
    if (at == std::string::npos)
        qFatal("no %s to replace", from.c_str());
    for (; at != std::string::npos; at = text.find(from, at + to.size())) // timm writes a setting twice
        text.replace(at, from.size(), to);
}
} // namespace

class TestModelErrors : public QObject {
    Q_OBJECT
private slots:
    void everyMissingTensorIsNamed_data() { variants(); }
    void everyMissingTensorIsNamed();
    void everyWrongShapeIsNamed_data() { variants(); }
    void everyWrongShapeIsNamed();
    void configsAreRefused_data();
    void configsAreRefused();
    void samplesAreChecked();

private:
    static void variants()
    {
        QTest::addColumn<QString>("variant");
        for (const char* v : {"timm_vit", "timm_vit_remapped", "hf_vit", "hf_dinov3", "hf_beit", "hf_beit_shared", "hf_clip_vision", "hf_swin", "timm_swin_old", "llama_llama3_rope", "qwen3", "gpt2", "opt", "bert_classifier", "roberta_masked"})
            QTest::newRow(v) << QString(v);
    }
};

void TestModelErrors::everyMissingTensorIsNamed()
{
    QFETCH(QString, variant);
    const Listing whole = listing(variant);
    QCOMPARE(failure(whole), QString());
    int named = 0, otherwise = 0;
    for (const auto& [name, shape] : whole.source.tensors) {
        Listing l = whole;
        l.source.tensors.erase(name);
        const QString sentence = failure(l);
        const QString stem = QString::fromStdString(name).section('.', 0, -2);
        if (sentence.contains(QString::fromStdString(name)) || (!stem.isEmpty() && sentence.contains(stem)))
            ++named;
        else
            ++otherwise; // an optional part (a bias, a norm, LayerScale), or the name that tells the family
    }
    QVERIFY2(named > otherwise / 2, qPrintable(QString("%1 named, %2 not").arg(named).arg(otherwise)));
    // norms and projections of a block are never optional
    for (const auto& [name, shape] : whole.source.tensors) {
        const bool needed = name.ends_with("norm1.weight") || name.ends_with("input_layernorm.weight") || name.ends_with("down_proj.weight") ||
                            name.ends_with("c_proj.weight") || name.ends_with("fc2.weight") || name.ends_with("output.dense.weight");
        if (!needed)
            continue;
        Listing l = whole;
        l.source.tensors.erase(name);
        QVERIFY2(failure(l).contains(QString::fromStdString(name)), qPrintable(QString::fromStdString(name) + ": " + failure(l)));
    }
}

void TestModelErrors::everyWrongShapeIsNamed()
{
    QFETCH(QString, variant);
    const Listing whole = listing(variant);
    for (const auto& [name, shape] : whole.source.tensors) {
        if (name.find("position_ids") != std::string::npos || name.find("relative_position_index") != std::string::npos || name.ends_with("attn.bias") || name.ends_with("attn_mask") ||
            name == "visual_projection.weight" || name.ends_with("mask_token") || name.starts_with("classifier.") || name == "classifier.weight" || name == "head.weight" || name == "cls_token")
            continue; // not read, or the tensor itself gives the number
        Listing l = whole;
        l.source.tensors[name].back() += 1;
        const QString sentence = failure(l);
        QVERIFY2(!sentence.isEmpty(), qPrintable(QString::fromStdString(name) + " with another shape was taken"));
        QVERIFY2(sentence.contains("expected"), qPrintable(sentence));
    }
}

void TestModelErrors::configsAreRefused_data()
{
    QTest::addColumn<QString>("variant");
    QTest::addColumn<QString>("from");
    QTest::addColumn<QString>("to");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* variant, const char* from, const char* to, const char* says) {
        QTest::addRow("%s %s", variant, to) << QString(variant) << QString(from) << QString(to) << QString(says);
    };
    row("timm_vit", "\"num_heads\":3", "\"num_heads\":5", "not a multiple of 5 heads");
    row("timm_vit", "\"num_heads\":3", "\"num_heads\":\"3\"", "num_heads");
    row("timm_vit", "\"depth\":2", "\"depth\":9", "blocks.2.");
    row("timm_vit", "\"depth\":2", "\"depth\":60000", "4096 blocks");
    row("timm_vit", "\"embed_dim\":24", "\"embed_dim\":48", "expected");
    row("timm_vit", "\"patch_size\":4", "\"patch_size\":3", "whole patches");
    row("timm_vit", "\"patch_size\":4", "\"patch_size\":0", "patch_size");
    row("timm_vit", "\"hidden_act\":\"gelu\"", "\"hidden_act\":\"mish\"", "hidden_act");
    row("timm_vit", "\"global_pool\":\"token\"", "\"global_pool\":\"map\"", "global_pool");
    row("llama_llama3_rope", "\"rope_type\":\"llama3\"", "\"rope_type\":\"longrope\"", "rope_scaling");
    row("llama_llama3_rope", "\"factor\":8.0", "\"factor\":0.5", "factor");
    row("llama_llama3_rope", "\"num_key_value_heads\":2", "\"num_key_value_heads\":3", "key-value heads");
    row("llama_llama3_rope", "\"vocab_size\":48", "\"vocab_size\":50", "embed_tokens");
    row("llama_llama3_rope", "\"model_type\":\"llama\"", "\"model_type\":\"gemma\"", "model_type");
    row("hf_swin", "\"window_size\":4", "\"window_size\":1000", "windows");
    row("hf_swin", "\"num_heads\":[2,4]", "\"num_heads\":[2]", "depths");
    row("hf_dinov3", "\"rope_theta\":100.0", "\"rope_theta\":0.5", "theta");
    row("hf_dinov3", "\"num_attention_heads\":2", "\"num_attention_heads\":8", "a multiple of 4");
    row("hf_dinov3", "\"num_register_tokens\":2", "\"num_register_tokens\":3", "register_tokens");
    row("hf_dinov3", "\"num_register_tokens\":2", "\"num_register_tokens\":5000", "4096 register tokens");
    row("hf_dinov3", "\"use_gated_mlp\":false", "\"use_gated_mlp\":true", "gate_proj");
    row("hf_dinov3", "\"rope_theta\":100.0", "\"rope_parameters\":{\"rope_type\":\"yarn\"}", "rope_type");
    row("hf_beit", "\"image_size\":16", "\"image_size\":20", "relative_position_bias_table");
    row("hf_beit", "\"image_size\":16", "\"image_size\":2", "whole patches");
    row("hf_beit", "\"use_relative_position_bias\":true", "\"use_relative_position_bias\":false", "does not ask for");
    row("hf_beit", "\"use_shared_relative_position_bias\":false", "\"use_shared_relative_position_bias\":true", "one of them");
    row("hf_beit", "\"use_mean_pooling\":true", "\"use_mean_pooling\":false", "layernorm");
    row("bert_classifier", "BertForSequenceClassification", "BertForTokenClassification", "BertForTokenClassification");
    row("bert_classifier", "\"position_embedding_type\":\"absolute\"", "\"position_embedding_type\":\"relative_key\"", "position_embedding_type");
    row("opt", "\"layer_norm_elementwise_affine\":true", "\"layer_norm_elementwise_affine\":false", "layer_norm_elementwise_affine");
}

void TestModelErrors::configsAreRefused()
{
    QFETCH(QString, variant);
    QFETCH(QString, from);
    QFETCH(QString, to);
    QFETCH(QString, says);
    Listing l = listing(variant);
    replace(l.config, from.toStdString(), to.toStdString());
    const QString sentence = failure(l);
    QVERIFY2(sentence.contains(says), qPrintable("said: " + sentence));
    QVERIFY(!sentence.contains('\n'));
}

void TestModelErrors::samplesAreChecked()
{
    const auto refuses = [](const Model& model, const Sample& sample, const char* says) {
        try {
            model.check(sample);
        } catch (const Error& error) {
            return QString::fromUtf8(error.what()).contains(says);
        }
        return false;
    };
    const Listing vit = listing("timm_vit");
    const auto image = Model::load(io::parseModelConfig(vit.config, "c"), vit.source);
    const std::vector<float> small(3 * 15 * 16);
    QVERIFY(refuses(*image, {small, {}, {}}, "3 x 16 x 16"));
    QVERIFY(failure(vit, 17, 16).contains("whole patches"));
    const Listing gpt = listing("gpt2");
    const auto text = Model::load(io::parseModelConfig(gpt.config, "c"), gpt.source);
    const std::vector<std::int32_t> beyond{1, 2, 48}, negative{-1}, many(25, 1);
    QVERIFY(refuses(*text, {{}, beyond, {}}, "token id 48 at position 2 is beyond the vocabulary of 48"));
    QVERIFY(refuses(*text, {{}, negative, {}}, "token id -1"));
    QVERIFY(refuses(*text, {{}, many, {}}, "longer than the model's 24 positions"));
    QVERIFY(refuses(*text, {}, "without tokens"));
    const Listing bert = listing("bert_classifier");
    const auto typed = Model::load(io::parseModelConfig(bert.config, "c"), bert.source);
    const std::vector<std::int32_t> three{1, 2, 3}, types{0, 1, 2}, two{0, 1};
    QVERIFY(refuses(*typed, {{}, three, types}, "token type 2"));
    QVERIFY(refuses(*typed, {{}, three, two}, "2 token types"));
}

QTEST_APPLESS_MAIN(TestModelErrors)
#include "tst_model_errors.moc"
