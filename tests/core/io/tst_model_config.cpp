// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/model_config.h"
#include "tests/core/io/corpus_case.h"

#include <QTest>

using namespace tamis;
using namespace tamis::io;

class TstModelConfig : public QObject
{
    Q_OBJECT
private slots:
    void corpus_data()
    {
        QTest::addColumn<int>("number");
        const auto cases = test::readCorpus("config");
        for (int i = 0; i < cases.size(); ++i)
            QTest::newRow(qPrintable(cases[i].path.section('/', -1))) << i;
    }
    void corpus()
    {
        QFETCH(int, number);
        const test::CorpusCase each = test::readCorpus("config")[number];
        const QString verdict = test::corpusVerdict(each, [&] { readModelConfig(each.path.toStdString()); });
        QVERIFY2(verdict.isEmpty(), qPrintable(verdict));
    }
    void corpusIsListed() { QVERIFY(test::corpusIsComplete("config")); }

    void transformersSpellings()
    {
        const ModelConfig llama = parseModelConfig(
            R"({"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"intermediate_size":14336})", "x");
        QCOMPARE(llama.modelType, std::string("llama"));
        QVERIFY(llama.hiddenSize == 4096 && llama.layers == 32 && llama.heads == 32 && llama.keyValueHeads == 8 && llama.headDim == 128 &&
                llama.intermediateSize == 14336);
        const ModelConfig gpt2 = parseModelConfig(R"({"model_type":"gpt2","n_embd":768,"n_layer":12,"n_head":16,"n_inner":null})", "x");
        QVERIFY(gpt2.hiddenSize == 768 && gpt2.layers == 12 && gpt2.heads == 16 && !gpt2.intermediateSize && !gpt2.keyValueHeads && !gpt2.headDim);
        const ModelConfig opt = parseModelConfig(R"({"model_type":"opt","hidden_size":512,"ffn_dim":2048})", "x");
        QVERIFY(opt.hiddenSize == 512 && opt.intermediateSize == 2048);
    }
    void timmSpellings()
    {
        const std::filesystem::path file = TAMIS_SOURCE_DIR "/datasets/vit20/config.json";
        const ModelConfig vit = readModelConfig(file);
        QCOMPARE(vit.modelType, std::string("vit_tamis20_patch4_64"));
        QVERIFY(vit.hiddenSize == 128 && vit.layers == 6 && vit.heads == 4 && vit.intermediateSize == 512);
        QVERIFY(vit.rawJson.find("\"patch_size\": 4") != std::string::npos);
    }
    void listsOfHierarchicalModelsAreLeftAside()
    {
        const ModelConfig swin = parseModelConfig(R"({"model_type":"swin","embed_dim":96,"num_heads":[3,6],"depths":[2,2]})", "x");
        QVERIFY(swin.hiddenSize == 96 && !swin.heads && !swin.layers);
    }
    void withoutAFileNothingIsClaimed()
    {
        const ModelConfig none;
        QVERIFY(none.rawJson == "{}" && none.modelType.empty() && !none.hiddenSize);
    }
    void limits()
    {
        try {
            parseModelConfig("{\"a\":\"" + std::string(17u << 20, 'x') + "\"}", "big");
            QFAIL("accepted");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::LimitExceeded);
        }
    }
};

QTEST_GUILESS_MAIN(TstModelConfig)
#include "tst_model_config.moc"
