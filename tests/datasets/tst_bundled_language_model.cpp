// SPDX-License-Identifier: GPL-3.0-or-later
// datasets/tinylm, run: PyTorch's logits and block outputs, Python's token ids, and a perplexity below its trigram
// baseline's.
#include "core/inputs/tokenizer.h"
#include "core/io/npy.h"
#include "core/io/npz.h"
#include "core/nn/model.h"

#include <QFile>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

namespace
{
const std::filesystem::path kDatasets = TAMIS_SOURCE_DIR "/datasets";
constexpr std::size_t kContext = 256;

std::vector<std::int32_t> heldOut()
{
    const std::vector<double> ids = io::readNpy(kDatasets / "tinylm/heldout.npy").toDoubles();
    return {ids.begin(), ids.end()};
}

double reported(const QByteArray& name)
{
    QFile file(QString::fromStdString((kDatasets / "tinylm/report.tsv").string()));
    if (file.open(QIODevice::ReadOnly))
        for (const QByteArray& line : file.readAll().split('\n'))
            if (line.startsWith(name + '\t'))
                return line.mid(name.size() + 1).toDouble();
    return 0;
}

class BlockOutputs : public nn::Observer
{
public:
    std::vector<tensor::Matrix<float>> outputs;
    void blockOutput(std::size_t, int, kernels::ConstRows x) override
    {
        tensor::Matrix<float>& copy = outputs.emplace_back(x.rows, x.cols);
        for (std::int64_t i = 0; i < x.rows; ++i)
            for (std::int64_t j = 0; j < x.cols; ++j)
                copy(i, j) = x(i, j);
    }
};
} // namespace

class TstBundledLanguageModel : public QObject
{
    Q_OBJECT
private slots:
    // golden.npz is in double precision; tst_models argues the tolerance, relative to the largest value of an array.
    void agreesWithPyTorch()
    {
        const auto model = nn::Model::load(*io::Checkpoint::open(kDatasets / "tinylm"));
        const auto golden = io::NpzArchive::open(kDatasets / "tinylm/golden.npz");
        const io::NpyArray stored = golden->read("input_ids");
        const std::vector<double> ids = stored.toDoubles();
        const std::int64_t length = stored.shape.at(1);
        nn::Scratch scratch;
        for (std::int64_t s = 0; s < stored.shape.at(0); ++s) {
            const std::vector<std::int32_t> tokens(ids.begin() + s * length, ids.begin() + (s + 1) * length);
            BlockOutputs blocks;
            tensor::Matrix<float> logits(length, 1024);
            model->run({{}, tokens, {}}, logits.view(), scratch, 0, &blocks);
            compare(golden->read("logits"), s, logits);
            QCOMPARE(blocks.outputs.size(), std::size_t{6});
            for (std::size_t b = 0; b < blocks.outputs.size(); ++b)
                compare(golden->read("block" + std::to_string(b)), s, blocks.outputs[b]);
        }
    }
    // The script cut the text with Python's regex and merged in Python; here the ids come from tokenizer.json.
    void tokensAgreeWithPython()
    {
        const auto tokenizer = inputs::Tokenizer::read(kDatasets / "tinylm");
        QCOMPARE(tokenizer->vocabularySize(), std::int64_t{1024});
        QFile file(QString::fromStdString((kDatasets / "text/heldout.txt").string()));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const std::string text =
            file.readAll().left(3900).toStdString(); // of the first document, whose beginning has 4,000 characters
        std::vector<std::int32_t> ids = tokenizer->encode(text, false);
        ids.resize(ids.size() - 4); // the last word is cut here, and not in the document
        const std::vector<std::int32_t> expected = heldOut();
        QVERIFY(ids.size() > 800);
        QCOMPARE(expected.front(), 0); // the separator
        QVERIFY(std::equal(ids.begin(), ids.end(), expected.begin() + 1));
        const std::string back = tokenizer->decode(ids);
        QCOMPARE(back, text.substr(0, back.size()));
    }
    // Of the first 16 windows of 256 tokens. They are not the whole of what report.tsv is about, but the same kind of
    // text.
    void perplexityIsBelowTheTrigrams()
    {
        const auto model = nn::Model::load(*io::Checkpoint::open(kDatasets / "tinylm"));
        const std::vector<std::int32_t> ids = heldOut();
        std::vector<nn::Sample> windows;
        for (std::size_t i = 0; i < 16; ++i)
            windows.push_back({{}, std::span(ids).subspan(i * kContext, kContext), {}});
        const std::vector<tensor::Matrix<float>> logits = nn::runBatch(*model, windows);
        double loss = 0;
        for (std::size_t i = 0; i < windows.size(); ++i)
            for (std::size_t t = 0; t < kContext; ++t) {
                const std::span<const float> row = logits[i].view().row(static_cast<std::int64_t>(t));
                double sum = 0;
                for (const float value : row)
                    sum += std::exp(static_cast<double>(value));
                loss += std::log(sum) - row[static_cast<std::size_t>(ids[i * kContext + t + 1])];
            }
        const double perplexity = std::exp(loss / static_cast<double>(windows.size() * kContext));
        qInfo("perplexity %.3f; of all held-out tokens by PyTorch %.3f, trigram %.3f", perplexity,
              reported("model perplexity"), reported("trigram perplexity"));
        QVERIFY(perplexity > 1 && perplexity < reported("trigram perplexity"));
    }

private:
    static void compare(const io::NpyArray& golden, std::int64_t sequence, const tensor::Matrix<float>& found)
    {
        const std::vector<float> expected = golden.toFloats();
        QCOMPARE(golden.shape, (std::vector<std::int64_t>{2, found.rows(), found.cols()}));
        float largest = 0;
        for (const float value : expected)
            largest = std::max(largest, std::abs(value));
        const std::size_t first = static_cast<std::size_t>(sequence) * found.size();
        for (std::size_t i = 0; i < found.size(); ++i)
            QVERIFY(std::abs(found.values()[i] - expected[first + i]) <= 2e-5F * largest);
    }
};

QTEST_GUILESS_MAIN(TstBundledLanguageModel)
#include "tst_bundled_language_model.moc"
