// SPDX-License-Identifier: GPL-3.0-or-later
// The tensor lists of each family as its published checkpoints have them (names and shapes of the smallest or the best
// known model, two blocks of it).
#include "core/io/checkpoint.h"

#include <QTest>

#include <algorithm>
#include <map>
#include <tuple>

using namespace tamis::io;
using tamis::tensor::DType;

namespace {
using Shape = std::vector<std::int64_t>;
using Names = std::vector<std::pair<std::string, Shape>>;

std::vector<TensorEntry> entries(const Names& names)
{
    std::vector<TensorEntry> tensors;
    for (const auto& [name, shape] : names) {
        TensorEntry& entry = tensors.emplace_back();
        entry.name = name;
        entry.shape = shape;
        entry.bytes = 4 * entry.elements();
    }
    return tensors;
}

/// A linear layer of transformers or timm: weight [out, in] and bias.
void linear(Names& names, const std::string& name, std::int64_t out, std::int64_t in, bool bias = true)
{
    names.push_back({name + ".weight", {out, in}});
    if (bias)
        names.push_back({name + ".bias", {out}});
}

void norm(Names& names, const std::string& name, std::int64_t width, bool bias = true)
{
    names.push_back({name + ".weight", {width}});
    if (bias)
        names.push_back({name + ".bias", {width}});
}

Names timm(int blocks) // vit_base_patch16_224
{
    Names names{{"cls_token", {1, 1, 768}}, {"pos_embed", {1, 197, 768}}, {"patch_embed.proj.weight", {768, 3, 16, 16}}, {"patch_embed.proj.bias", {768}}};
    for (int i = 0; i < blocks; ++i) {
        const std::string block = "blocks." + std::to_string(i) + ".";
        norm(names, block + "norm1", 768);
        linear(names, block + "attn.qkv", 2304, 768);
        linear(names, block + "attn.proj", 768, 768);
        norm(names, block + "norm2", 768);
        linear(names, block + "mlp.fc1", 3072, 768);
        linear(names, block + "mlp.fc2", 768, 3072);
    }
    norm(names, "norm", 768);
    linear(names, "head", 1000, 768);
    return names;
}

Names hfVit(const std::string& prefix) // google/vit-base-patch16-224
{
    Names names{{prefix + "embeddings.cls_token", {1, 1, 768}}, {prefix + "embeddings.position_embeddings", {1, 197, 768}}};
    names.push_back({prefix + "embeddings.patch_embeddings.projection.weight", {768, 3, 16, 16}});
    names.push_back({prefix + "embeddings.patch_embeddings.projection.bias", {768}});
    for (int i = 0; i < 2; ++i) {
        const std::string block = prefix + "encoder.layer." + std::to_string(i) + ".";
        for (const char* part : {"query", "key", "value"})
            linear(names, block + "attention.attention." + part, 768, 768);
        linear(names, block + "attention.output.dense", 768, 768);
        linear(names, block + "intermediate.dense", 3072, 768);
        linear(names, block + "output.dense", 768, 3072);
        norm(names, block + "layernorm_before", 768);
        norm(names, block + "layernorm_after", 768);
    }
    norm(names, prefix + "layernorm", 768);
    linear(names, "classifier", 1000, 768);
    return names;
}

Names llama(const std::string& prefix, bool attentionBias, bool queryNorm) // 7B shapes with grouped keys
{
    Names names{{prefix + "embed_tokens.weight", {32000, 4096}}};
    for (int i = 0; i < 2; ++i) {
        const std::string block = prefix + "layers." + std::to_string(i) + ".";
        linear(names, block + "self_attn.q_proj", 4096, 4096, attentionBias);
        linear(names, block + "self_attn.k_proj", 1024, 4096, attentionBias);
        linear(names, block + "self_attn.v_proj", 1024, 4096, attentionBias);
        linear(names, block + "self_attn.o_proj", 4096, 4096, false);
        if (queryNorm)
            for (const char* part : {"q_norm", "k_norm"})
                norm(names, block + "self_attn." + part, 128, false);
        for (const char* part : {"gate_proj", "up_proj"})
            linear(names, block + "mlp." + part, 14336, 4096, false);
        linear(names, block + "mlp.down_proj", 4096, 14336, false);
        norm(names, block + "input_layernorm", 4096, false);
        norm(names, block + "post_attention_layernorm", 4096, false);
        names.push_back({block + "self_attn.rotary_emb.inv_freq", {64}});
    }
    norm(names, prefix + "norm", 4096, false);
    linear(names, "lm_head", 32000, 4096, false);
    return names;
}

Names gpt2(const std::string& prefix) // openai-community/gpt2: Conv1D stores [in, out]; attn.bias is the causal mask
{
    Names names{{prefix + "wte.weight", {50257, 768}}, {prefix + "wpe.weight", {1024, 768}}};
    for (int i = 0; i < 2; ++i) {
        const std::string block = prefix + "h." + std::to_string(i) + ".";
        norm(names, block + "ln_1", 768);
        names.push_back({block + "attn.bias", {1, 1, 1024, 1024}});
        names.push_back({block + "attn.c_attn.weight", {768, 2304}});
        names.push_back({block + "attn.c_attn.bias", {2304}});
        names.push_back({block + "attn.c_proj.weight", {768, 768}});
        names.push_back({block + "attn.c_proj.bias", {768}});
        norm(names, block + "ln_2", 768);
        names.push_back({block + "mlp.c_fc.weight", {768, 3072}});
        names.push_back({block + "mlp.c_fc.bias", {3072}});
        names.push_back({block + "mlp.c_proj.weight", {3072, 768}});
        names.push_back({block + "mlp.c_proj.bias", {768}});
    }
    norm(names, prefix + "ln_f", 768);
    return names;
}

Names opt(const std::string& prefix) // facebook/opt-350m: with project_in and project_out
{
    Names names{{prefix + "embed_tokens.weight", {50272, 512}}, {prefix + "embed_positions.weight", {2050, 1024}}};
    linear(names, prefix + "project_in", 1024, 512, false);
    linear(names, prefix + "project_out", 512, 1024, false);
    for (int i = 0; i < 2; ++i) {
        const std::string block = prefix + "layers." + std::to_string(i) + ".";
        for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"})
            linear(names, block + "self_attn." + part, 1024, 1024);
        norm(names, block + "self_attn_layer_norm", 1024);
        linear(names, block + "fc1", 4096, 1024);
        linear(names, block + "fc2", 1024, 4096);
        norm(names, block + "final_layer_norm", 1024);
    }
    linear(names, "lm_head", 50272, 512, false);
    return names;
}

Names bert(const std::string& prefix) // google-bert/bert-base-uncased
{
    Names names{{prefix + "embeddings.word_embeddings.weight", {30522, 768}},
                {prefix + "embeddings.position_embeddings.weight", {512, 768}},
                {prefix + "embeddings.token_type_embeddings.weight", {2, 768}}};
    norm(names, prefix + "embeddings.LayerNorm", 768);
    for (int i = 0; i < 2; ++i) {
        const std::string block = prefix + "encoder.layer." + std::to_string(i) + ".";
        for (const char* part : {"query", "key", "value"})
            linear(names, block + "attention.self." + part, 768, 768);
        linear(names, block + "attention.output.dense", 768, 768);
        norm(names, block + "attention.output.LayerNorm", 768);
        linear(names, block + "intermediate.dense", 3072, 768);
        linear(names, block + "output.dense", 768, 3072);
        norm(names, block + "output.LayerNorm", 768);
    }
    linear(names, prefix + "pooler.dense", 768, 768);
    linear(names, "cls.predictions.transform.dense", 768, 768);
    names.push_back({"cls.predictions.bias", {30522}});
    linear(names, "cls.seq_relationship", 2, 768);
    return names;
}

/// "name layer role rows x cols" and marks: T transposed, - not linear.
QString line(const MatrixRef& matrix)
{
    return QString("%1 %2 %3 %4x%5%6%7")
        .arg(QString::fromStdString(matrix.name))
        .arg(matrix.layer)
        .arg(QString::fromUtf8(roleName(matrix.role).data()))
        .arg(matrix.rows)
        .arg(matrix.cols)
        .arg(matrix.transposed ? " T" : "", matrix.linear ? "" : " -");
}

void compare(const ModelLayout& layout, const QStringList& expected)
{
    QStringList found;
    for (const MatrixRef& matrix : layout.matrices)
        found.append(line(matrix));
    QCOMPARE(found.join('\n'), expected.join('\n'));
}
} // namespace

class TstLayout : public QObject
{
    Q_OBJECT
private slots:
    void timmAndDeit()
    {
        const ModelLayout layout = recogniseLayout(entries(timm(2)), {});
        QVERIFY(layout.family == Family::TimmVit && layout.layers == 2);
        compare(layout, {"patch_embed.proj -1 patch 768x768", "pos_embed -1 position 197x768 -",
                         "blocks.0.attn.qkv 0 qkv 2304x768", "blocks.0.attn.proj 0 o 768x768", "blocks.0.mlp.fc1 0 up 3072x768", "blocks.0.mlp.fc2 0 down 768x3072",
                         "blocks.1.attn.qkv 1 qkv 2304x768", "blocks.1.attn.proj 1 o 768x768", "blocks.1.mlp.fc1 1 up 3072x768", "blocks.1.mlp.fc2 1 down 768x3072",
                         "head -1 head 1000x768"});
        Names distilled = timm(1); // deit_base_distilled_patch16_224
        distilled.push_back({"dist_token", {1, 1, 768}});
        linear(distilled, "head_dist", 1000, 768);
        const ModelLayout deit = recogniseLayout(entries(distilled), {});
        QCOMPARE(line(deit.matrices.back()), QString("head_dist -1 head 1000x768"));
        QCOMPARE(deit.matrices.size(), 8u);
    }
    void blocksComeInNumericalOrder()
    {
        const ModelLayout layout = recogniseLayout(entries(timm(12)), {});
        QCOMPARE(layout.layers, 12);
        QVERIFY(std::ranges::is_sorted(layout.matrices.begin() + 2, layout.matrices.end() - 1, {}, &MatrixRef::layer));
        QCOMPARE(layout.matrices[2 + 4 * 10].name, std::string("blocks.10.attn.qkv"));
    }
    void huggingFaceVit_data()
    {
        QTest::addColumn<QString>("prefix");
        QTest::newRow("vit") << "vit.";
        QTest::newRow("deit") << "deit.";
        QTest::newRow("none") << "";
    }
    void huggingFaceVit()
    {
        QFETCH(QString, prefix);
        const std::string p = prefix.toStdString();
        const ModelLayout layout = recogniseLayout(entries(hfVit(p)), {});
        QVERIFY(layout.family == Family::HfVit && layout.layers == 2);
        QStringList expected{prefix + "embeddings.patch_embeddings.projection -1 patch 768x768", prefix + "embeddings.position_embeddings -1 position 197x768 -"};
        for (const QString& i : {QString("0"), QString("1")}) {
            const QString block = prefix + "encoder.layer." + i + ".";
            expected << block + "attention.attention.query " + i + " q 768x768" << block + "attention.attention.key " + i + " k 768x768"
                     << block + "attention.attention.value " + i + " v 768x768" << block + "attention.output.dense " + i + " o 768x768"
                     << block + "intermediate.dense " + i + " up 3072x768" << block + "output.dense " + i + " down 768x3072";
        }
        compare(layout, expected << "classifier -1 head 1000x768");
    }
    void llamaMistralQwen_data()
    {
        QTest::addColumn<QString>("type");
        QTest::addColumn<bool>("bias");
        QTest::addColumn<bool>("queryNorm");
        QTest::addColumn<QString>("family");
        QTest::newRow("llama") << "llama" << false << false << "llama";
        QTest::newRow("mistral") << "mistral" << false << false << "mistral";
        QTest::newRow("qwen2") << "qwen2" << true << false << "qwen2";
        QTest::newRow("qwen3") << "qwen3" << false << true << "qwen3";
        QTest::newRow("no configuration") << "" << false << false << "llama";
        QTest::newRow("no configuration, biases") << "" << true << false << "qwen2";
        QTest::newRow("no configuration, norms") << "" << false << true << "qwen3";
        QTest::newRow("another one's names") << "internlm2x" << false << false << "llama";
    }
    void llamaMistralQwen()
    {
        QFETCH(QString, type);
        QFETCH(bool, bias);
        QFETCH(bool, queryNorm);
        QFETCH(QString, family);
        ModelConfig config;
        config.modelType = type.toStdString();
        const ModelLayout layout = recogniseLayout(entries(llama("model.", bias, queryNorm)), config);
        QCOMPARE(QString::fromUtf8(familyName(layout.family).data()), family);
        QStringList expected{"model.embed_tokens -1 embedding 32000x4096 -"};
        for (const QString& i : {QString("0"), QString("1")}) {
            const QString block = "model.layers." + i + ".";
            expected << block + "self_attn.q_proj " + i + " q 4096x4096" << block + "self_attn.k_proj " + i + " k 1024x4096"
                     << block + "self_attn.v_proj " + i + " v 1024x4096" << block + "self_attn.o_proj " + i + " o 4096x4096"
                     << block + "mlp.up_proj " + i + " up 14336x4096" << block + "mlp.gate_proj " + i + " gate 14336x4096"
                     << block + "mlp.down_proj " + i + " down 4096x14336";
        }
        compare(layout, expected << "lm_head -1 head 32000x4096");
    }
    void llamaWithoutPrefixAndWithExperts()
    {
        QVERIFY(recogniseLayout(entries(llama("", false, false)), {}).family == Family::Llama);
        Names names{{"model.embed_tokens.weight", {32000, 4096}}}; // Mixtral: w1 is the gate, w3 up, w2 down
        linear(names, "model.layers.0.self_attn.q_proj", 4096, 4096, false);
        linear(names, "model.layers.0.self_attn.o_proj", 4096, 4096, false);
        linear(names, "model.layers.0.block_sparse_moe.gate", 8, 4096, false);
        for (const char* expert : {"0", "1"}) {
            linear(names, std::string("model.layers.0.block_sparse_moe.experts.") + expert + ".w1", 14336, 4096, false);
            linear(names, std::string("model.layers.0.block_sparse_moe.experts.") + expert + ".w2", 4096, 14336, false);
        }
        names.push_back({"model.layers.0.mlp.experts.down_proj", {8, 4096, 14336}}); // stacked, as newer files have it
        ModelConfig config;
        config.modelType = "mixtral";
        const ModelLayout layout = recogniseLayout(entries(names), config);
        QVERIFY(layout.family == Family::Mistral && layout.layers == 1);
        compare(layout, {"model.embed_tokens -1 embedding 32000x4096 -", "model.layers.0.self_attn.q_proj 0 q 4096x4096", "model.layers.0.self_attn.o_proj 0 o 4096x4096",
                         "model.layers.0.block_sparse_moe.experts.0.w1 0 gate 14336x4096", "model.layers.0.block_sparse_moe.experts.1.w1 0 gate 14336x4096",
                         "model.layers.0.block_sparse_moe.experts.0.w2 0 down 4096x14336", "model.layers.0.block_sparse_moe.experts.1.w2 0 down 4096x14336",
                         "model.layers.0.block_sparse_moe.gate 0 other 8x4096", "model.layers.0.mlp.experts.down_proj 0 other 8x58720256 -"});
    }
    void gpt2_data()
    {
        QTest::addColumn<QString>("prefix");
        QTest::newRow("transformer") << "transformer.";
        QTest::newRow("none") << "";
    }
    void gpt2()
    {
        QFETCH(QString, prefix);
        Names names = ::gpt2(prefix.toStdString());
        const ModelLayout layout = recogniseLayout(entries(names), {});
        QVERIFY(layout.family == Family::Gpt2 && layout.layers == 2);
        QStringList expected{prefix + "wte -1 embedding 50257x768 -", prefix + "wpe -1 position 1024x768 -"};
        for (const QString& i : {QString("0"), QString("1")}) {
            const QString block = prefix + "h." + i + ".";
            expected << block + "attn.c_attn " + i + " qkv 2304x768 T" << block + "attn.c_proj " + i + " o 768x768 T"
                     << block + "mlp.c_fc " + i + " up 3072x768 T" << block + "mlp.c_proj " + i + " down 768x3072 T"
                     << block + "attn.bias " + i + " other 1024x1024 -";
        }
        compare(layout, expected);
    }
    void opt_data()
    {
        QTest::addColumn<QString>("prefix");
        QTest::newRow("model.decoder") << "model.decoder.";
        QTest::newRow("decoder") << "decoder.";
    }
    void opt()
    {
        QFETCH(QString, prefix);
        const ModelLayout layout = recogniseLayout(entries(::opt(prefix.toStdString())), {});
        QVERIFY(layout.family == Family::Opt && layout.layers == 2);
        QStringList expected{prefix + "embed_tokens -1 embedding 50272x512 -", prefix + "embed_positions -1 position 2050x1024 -"};
        for (const QString& i : {QString("0"), QString("1")}) {
            const QString block = prefix + "layers." + i + ".";
            expected << block + "self_attn.q_proj " + i + " q 1024x1024" << block + "self_attn.k_proj " + i + " k 1024x1024"
                     << block + "self_attn.v_proj " + i + " v 1024x1024" << block + "self_attn.out_proj " + i + " o 1024x1024"
                     << block + "fc1 " + i + " up 4096x1024" << block + "fc2 " + i + " down 1024x4096";
        }
        compare(layout, expected << "lm_head -1 head 50272x512" << prefix + "project_in -1 other 1024x512" << prefix + "project_out -1 other 512x1024");
    }
    void anEncoderBesideTheDecoderIsNotOpt() // BART
    {
        Names names = ::opt("model.decoder.");
        linear(names, "model.encoder.layers.0.self_attn.q_proj", 1024, 1024);
        const ModelLayout layout = recogniseLayout(entries(names), {});
        QVERIFY(layout.family == Family::Unknown);
        QCOMPARE(layout.layers, 2);
    }
    void bert_data()
    {
        QTest::addColumn<QString>("prefix");
        QTest::newRow("bert") << "bert.";
        QTest::newRow("none") << "";
    }
    void bert()
    {
        QFETCH(QString, prefix);
        Names names = ::bert(prefix.toStdString());
        std::vector<TensorEntry> tensors = entries(names);
        TensorEntry ids;
        ids.name = prefix.toStdString() + "embeddings.position_ids"; // a buffer of whole numbers
        ids.dtype = DType::I64;
        ids.shape = {1, 512};
        tensors.push_back(ids);
        const ModelLayout layout = recogniseLayout(tensors, {});
        QVERIFY(layout.family == Family::Bert && layout.layers == 2);
        QStringList expected{prefix + "embeddings.token_type_embeddings -1 embedding 2x768 -", prefix + "embeddings.word_embeddings -1 embedding 30522x768 -",
                             prefix + "embeddings.position_embeddings -1 position 512x768 -"};
        for (const QString& i : {QString("0"), QString("1")}) {
            const QString block = prefix + "encoder.layer." + i + ".";
            expected << block + "attention.self.query " + i + " q 768x768" << block + "attention.self.key " + i + " k 768x768"
                     << block + "attention.self.value " + i + " v 768x768" << block + "attention.output.dense " + i + " o 768x768"
                     << block + "intermediate.dense " + i + " up 3072x768" << block + "output.dense " + i + " down 768x3072";
        }
        QStringList rest{prefix + "pooler.dense -1 other 768x768", prefix + "embeddings.position_ids -1 other 1x512 -"};
        rest << "cls.predictions.transform.dense -1 other 768x768";
        rest.sort();
        compare(layout, expected << "cls.seq_relationship -1 head 2x768" << rest);
    }
    void factorsKeepTheRoleOfTheirOperator()
    {
        Names names;
        for (const char* part : {"attn.c_attn", "mlp.c_fc"}) {
            names.push_back({std::string("h.3.") + part + ".lowrank_a", {16, 768}});
            names.push_back({std::string("h.3.") + part + ".lowrank_b", {3072, 16}});
            names.push_back({std::string("h.3.") + part + ".lowrank_perm", {768}});
        }
        const ModelLayout layout = recogniseLayout(entries(names), {});
        QVERIFY(layout.family == Family::Gpt2 && layout.layers == 4);
        compare(layout, {"h.3.attn.c_attn.lowrank_a 3 qkv 16x768", "h.3.attn.c_attn.lowrank_b 3 qkv 3072x16", "h.3.mlp.c_fc.lowrank_a 3 up 16x768",
                         "h.3.mlp.c_fc.lowrank_b 3 up 3072x16"});
    }
    void unknownNamesAreStillMatrices()
    {
        std::vector<TensorEntry> tensors = entries({{"stages.1.blocks.3.conv.weight", {64, 32, 3, 3}}, {"stages.10.fc.weight", {10, 20}}, {"stages.2.fc.weight", {10, 20}},
                                                    {"W", {5, 6}}, {"stack", {4, 5, 6}}, {"bias", {7}}, {"scalar", {}}, {"token", {1, 1, 9}}, {"nothing", {0, 5}},
                                                    {"row", {1, 9}}, {"x.123456789.w", {2, 2}}, {"x.-3.w", {2, 2}}, {"weight", {3, 3}}});
        tensors.push_back(tensors[3]);
        tensors.back().name = "quantised";
        tensors.back().dtype = DType::I8; // without its scale no linear operator
        const ModelLayout layout = recogniseLayout(tensors, {});
        QVERIFY(layout.family == Family::Unknown && layout.layers == 11);
        compare(layout, {"stages.1.blocks.3.conv 1 other 64x288 -", "stages.2.fc 2 other 10x20", "stages.10.fc 10 other 10x20", "W -1 other 5x6",
                         "quantised -1 other 5x6 -", "row -1 other 1x9", "stack -1 other 4x30 -", "weight -1 other 3x3", "x.-3.w -1 other 2x2", "x.123456789.w -1 other 2x2"});
    }
    void nothingIsNothing()
    {
        const ModelLayout layout = recogniseLayout({}, {});
        QVERIFY(layout.family == Family::Unknown && layout.layers == 0 && layout.matrices.empty());
    }
    void theBundledModel()
    {
        const auto model = Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20");
        const ModelLayout& layout = model->layout();
        QVERIFY(layout.family == Family::TimmVit && layout.layers == 6);
        QCOMPARE(layout.matrices.size(), 27u); // patch, position, 6 x 4, head
        QCOMPARE(line(layout.matrices.front()), QString("patch_embed.proj -1 patch 128x48"));
        QCOMPARE(line(layout.matrices.back()), QString("head -1 head 20x128"));
        std::uint64_t inMatrices = 0;
        for (const MatrixRef& matrix : layout.matrices)
            inMatrices += static_cast<std::uint64_t>(matrix.rows * matrix.cols);
        // What is left: biases, norms, the class token.
        QCOMPARE(model->parameters() - inMatrices, 128u + 6u * (384 + 128 + 512 + 128 + 4 * 128) + 2u * 128 + 20 + 128);
    }
    void swinBlocksAreCountedThroughTheStages()
    {
        for (const char* variant : {"timm_swin_old", "timm_swin_padded", "hf_swin"}) {
            const auto model = Checkpoint::open(std::filesystem::path(TAMIS_SOURCE_DIR "/tests/golden/models") / variant);
            const ModelLayout& layout = model->layout();
            QVERIFY(layout.family == Family::Swin);
            QCOMPARE(layout.layers, std::string(variant) == "timm_swin_old" ? 5 : 4); // depths 2, 2, 1 and 2, 2
            std::map<int, int> downs;
            for (const MatrixRef& matrix : layout.matrices)
                if (matrix.role == Role::Down)
                    ++downs[matrix.layer];
            QCOMPARE(downs.size(), std::size_t(layout.layers)); // one in every block
            for (const MatrixRef& matrix : layout.matrices)
                QVERIFY(matrix.role != Role::Position || !matrix.linear); // bias tables
        }
    }
    void clipsImageTower()
    {
        const auto model = Checkpoint::open(TAMIS_SOURCE_DIR "/tests/golden/models/hf_clip_vision");
        QVERIFY(model->layout().family == Family::HfVit && model->layout().layers == 2);
        std::map<Role, int> roles;
        for (const MatrixRef& matrix : model->layout().matrices)
            ++roles[matrix.role];
        QVERIFY(roles[Role::Query] == 2 && roles[Role::Output] == 2 && roles[Role::Up] == 2 && roles[Role::Patch] == 1 && roles[Role::Head] == 1);
    }
    void positionsInTheAttention()
    {
        for (const auto& [variant, layers, tables] : {std::tuple{"hf_dinov3", 3, 0}, {"hf_dinov3_gated", 3, 0}, {"hf_beit", 2, 2}, {"hf_beit_shared", 2, 1}}) {
            const auto model = Checkpoint::open(std::filesystem::path(TAMIS_SOURCE_DIR "/tests/golden/models") / variant);
            QVERIFY(model->layout().family == Family::HfVit);
            QCOMPARE(model->layout().layers, layers);
            std::map<Role, int> roles;
            int biases = 0;
            for (const MatrixRef& matrix : model->layout().matrices) {
                ++roles[matrix.role];
                biases += matrix.name.ends_with("relative_position_bias_table") && matrix.role == Role::Position && !matrix.linear ? 1 : 0;
            }
            QVERIFY(roles[Role::Query] == layers && roles[Role::Key] == layers && roles[Role::Output] == layers && roles[Role::Up] == layers && roles[Role::Down] == layers);
            QCOMPARE(roles[Role::Gate], std::string(variant) == "hf_dinov3_gated" ? layers : 0);
            QVERIFY(roles[Role::Patch] == 1);
            QCOMPARE(biases, tables);
        }
    }
    void streetScenesWithoutTheirOddMlps()
    {
        const std::filesystem::path folder = TAMIS_SOURCE_DIR "/../shared/data/m3vit-tiny";
        if (!std::filesystem::exists(folder / "model.safetensors"))
            QSKIP("../shared/data/m3vit-tiny is not there");
        const auto model = Checkpoint::open(folder);
        QVERIFY(model->layout().family == Family::TimmVit && model->layout().layers == 12);
        QCOMPARE(model->config().heads.value_or(0), 3);
        std::map<Role, int> roles;
        for (const MatrixRef& matrix : model->layout().matrices)
            ++roles[matrix.role];
        QVERIFY((roles == std::map<Role, int>{{Role::QueryKeyValue, 12}, {Role::Output, 12}, {Role::Up, 6}, {Role::Down, 6}, {Role::Patch, 1}, {Role::Position, 1}}));
    }
};

QTEST_GUILESS_MAIN(TstLayout)
#include "tst_layout.moc"
