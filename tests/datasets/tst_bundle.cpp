// SPDX-License-Identifier: GPL-3.0-or-later
// datasets/: nothing missing, nothing changed, nothing unexplained, and within its 40 MB.
#include "core/io/checkpoint.h"
#include "core/io/npy.h"
#include "core/io/npz.h"

#include <QCryptographicHash>
#include <QDir>
#include <QDirIterator>
#include <QImage>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

namespace
{
const QString kRoot = QStringLiteral(TAMIS_SOURCE_DIR "/datasets/");
constexpr qint64 kBudget = 40'000'000;

QByteArray contentOf(const QString& path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// Every file, relative to datasets/; what Python leaves behind does not count.
QStringList everyFile()
{
    QStringList files;
    QDirIterator each(kRoot, QDir::Files | QDir::Hidden, QDirIterator::Subdirectories);
    while (each.hasNext())
        if (const QString path = each.next(); !path.contains("__pycache__"))
            files.append(path.mid(kRoot.size()));
    files.sort();
    return files;
}

// Grey value at a point between pixel centres; x and y count from the corner, a pixel's centre lies at + 0.5.
double sample(const QImage& image, double x, double y)
{
    const double u = x - 0.5, v = y - 0.5;
    const int i = static_cast<int>(std::floor(u)), j = static_cast<int>(std::floor(v));
    const auto at = [&](int a, int b) { return static_cast<double>(qGray(image.pixel(a, b))); };
    const double fu = u - i, fv = v - j;
    return (1 - fv) * ((1 - fu) * at(i, j) + fu * at(i + 1, j)) +
           fv * ((1 - fu) * at(i, j + 1) + fu * at(i + 1, j + 1));
}

struct Step {
    double dx = 0, dy = 0, zoom = 1;
};

// Mean absolute difference between `after` and `before` moved by the step, a margin of 16 pixels left out.
double error(const QImage& before, const QImage& after, const Step& step)
{
    double sum = 0;
    int count = 0;
    const double centreX = before.width() / 2.0, centreY = before.height() / 2.0;
    for (int y = 16; y < after.height() - 16; y += 2)
        for (int x = 16; x < after.width() - 16; x += 2) {
            const double fromX = centreX + (x + 0.5 - centreX - step.dx) / step.zoom,
                         fromY = centreY + (y + 0.5 - centreY - step.dy) / step.zoom;
            if (fromX < 1 || fromY < 1 || fromX > before.width() - 1 || fromY > before.height() - 1)
                continue;
            sum += std::abs(sample(before, fromX, fromY) - qGray(after.pixel(x, y)));
            ++count;
        }
    return sum / count;
}
} // namespace

class TstBundle : public QObject
{
    Q_OBJECT
private slots:
    void keepsWithinItsBudget()
    {
        qint64 bytes = 0;
        for (const QString& file : everyFile())
            bytes += QFileInfo(kRoot + file).size();
        qInfo("datasets/ holds %lld bytes", static_cast<long long>(bytes));
        QVERIFY2(bytes <= kBudget, qPrintable(QString::number(bytes)));
    }
    void everyFolderAndScriptIsExplained()
    {
        const QString readme = QString::fromUtf8(contentOf(kRoot + "README.md"));
        const QDir root(kRoot);
        for (const QString& folder : root.entryList(QDir::Dirs | QDir::NoDotAndDotDot))
            QVERIFY2(folder == "making" || readme.contains("| `" + folder + "/"), qPrintable(folder));
        for (const QString& file : root.entryList({"make_*"}, QDir::Files))
            QVERIFY2(readme.contains(file), qPrintable(file));
    }
    // SHA256SUMS lists all but the texts about the bundle and the scripts that make it.
    void everyFileIsAsItWasMade()
    {
        QStringList listed;
        for (const QByteArray& line : contentOf(kRoot + "SHA256SUMS").split('\n')) {
            if (line.isEmpty())
                continue;
            const QString file = QString::fromUtf8(line.mid(66));
            const QByteArray content = contentOf(kRoot + file);
            QVERIFY2(!content.isEmpty(), qPrintable(file));
            QVERIFY2(QCryptographicHash::hash(content, QCryptographicHash::Sha256).toHex() == line.left(64),
                     qPrintable(file));
            listed.append(file);
        }
        QStringList expected = everyFile();
        expected.removeIf([](const QString& file) {
            return file.endsWith(".md") || file.startsWith("make_") || file.startsWith("making/") ||
                   file == "SHA256SUMS";
        });
        listed.sort();
        QCOMPARE(listed, expected);
    }

    void tinylmIsWhatItsConfigSays()
    {
        const auto checkpoint = io::Checkpoint::open((kRoot + "tinylm").toStdString());
        const io::ModelConfig& config = checkpoint->config();
        QCOMPARE(config.modelType, std::string("llama"));
        QVERIFY(config.layers == 6 && config.hiddenSize == 128 && config.heads == 4 && config.keyValueHeads == 2);
        const io::TensorEntry* embedding = checkpoint->find("model.embed_tokens.weight");
        QVERIFY(embedding && embedding->shape == (std::vector<std::int64_t>{1024, 128}));
        for (const io::TensorEntry& entry : checkpoint->tensors())
            for (const float value : checkpoint->readFloats(entry))
                QVERIFY2(std::isfinite(value), entry.name.c_str());
        const QJsonObject model =
            QJsonDocument::fromJson(contentOf(kRoot + "tinylm/tokenizer.json")).object()["model"].toObject();
        QCOMPARE(model["vocab"].toObject().size(), 1024);
        QCOMPARE(model["merges"].toArray().size(), 1024 - 256 - 1);
        const io::NpyArray heldOut = io::readNpy((kRoot + "tinylm/heldout.npy").toStdString());
        QVERIFY(heldOut.dtype == tensor::DType::I32 && heldOut.elements() > 50'000);
        const std::vector<double> ids = heldOut.toDoubles();
        QVERIFY(std::all_of(ids.begin(), ids.end(), [](double id) { return id >= 0 && id < 1024; }));
        const auto golden = io::NpzArchive::open((kRoot + "tinylm/golden.npz").toStdString());
        const std::vector<std::int64_t> shape = golden->read("input_ids").shape;
        QCOMPARE(golden->read("logits").shape, (std::vector<std::int64_t>{shape[0], shape[1], 1024}));
        for (int block = 0; block < 6; ++block)
            QCOMPARE(golden->read("block" + std::to_string(block)).shape,
                     (std::vector<std::int64_t>{shape[0], shape[1], 128}));
    }
    // report.tsv is the last word of make_tinylm: perplexity well below the trigram's.
    void tinylmBeatsItsBaseline()
    {
        QHash<QString, QString> report;
        for (const QByteArray& line : contentOf(kRoot + "tinylm/report.tsv").split('\n'))
            if (const QList<QByteArray> fields = line.split('\t'); fields.size() == 2)
                report.insert(fields[0], fields[1]);
        const double ours = report["model perplexity"].toDouble(), theirs = report["trigram perplexity"].toDouble();
        QVERIFY(ours > 1 && ours < 0.9 * theirs);
        const QByteArray weights = contentOf(kRoot + "tinylm/model.safetensors");
        QCOMPARE(report["sha256 of model.safetensors"].toUtf8(),
                 QCryptographicHash::hash(weights, QCryptographicHash::Sha256).toHex());
    }

    // Each frame follows from the one before as motion.tsv says: better than unmoved, and better than half a pixel
    // aside.
    void motionIsTrue()
    {
        const QList<QByteArray> lines = contentOf(kRoot + "motion/motion.tsv").trimmed().split('\n');
        QCOMPARE(lines.size(), 61);
        QCOMPARE(lines.front(), QByteArray("frame\tdx\tdy\tzoom\tcut\tphoto"));
        QImage before;
        int cuts = 0, rests = 0;
        for (const QByteArray& line : lines.mid(1)) {
            const QList<QByteArray> fields = line.split('\t');
            QCOMPARE(fields.size(), 6);
            const QImage after(kRoot + "motion/" + fields[0]);
            QCOMPARE(after.size(), QSize(256, 192));
            QVERIFY(QFile::exists(kRoot + "photos/" + fields[5]));
            const Step step{fields[1].toDouble(), fields[2].toDouble(), fields[3].toDouble()};
            if (fields[4] == "1") {
                ++cuts;
                QVERIFY(step.dx == 0 && step.dy == 0 && step.zoom == 1);
            } else {
                const double moved = error(before, after, step), unmoved = error(before, after, {});
                if (std::hypot(step.dx, step.dy) < 0.01) {
                    ++rests;
                    QVERIFY(moved < 0.5);
                } else {
                    QVERIFY2(moved < unmoved, fields[0]);
                    for (const auto& [asideX, asideY] : {std::pair{0.5, 0.0}, {-0.5, 0.0}, {0.0, 0.5}, {0.0, -0.5}})
                        QVERIFY2(moved < error(before, after, {step.dx + asideX, step.dy + asideY, step.zoom}),
                                 fields[0]);
                }
            }
            before = after;
        }
        QCOMPARE(cuts, 2); // the first frame and the change of photo
        QCOMPARE(rests, 8);
    }
};

QTEST_GUILESS_MAIN(TstBundle)
#include "tst_bundle.moc"
