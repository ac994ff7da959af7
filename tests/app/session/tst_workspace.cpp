// SPDX-License-Identifier: GPL-3.0-or-later
// Opening a model with its calibration set, on the bundled vision transformer.
#include "app/session/workspace.h"
#include "core/base/error.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <set>

using namespace tamis;
using namespace tamis::app;

namespace {
const std::filesystem::path kVit = TAMIS_SOURCE_DIR "/datasets/vit20";

std::filesystem::path in(const QTemporaryDir& dir) { return QDir(dir.path()).canonicalPath().toStdString(); }
bool copyModel(const QTemporaryDir& dir)
{
    for (const char* name : {"model.safetensors", "config.json"})
        std::filesystem::copy_file(kVit / name, in(dir) / name);
    return true;
}
} // namespace

class TstWorkspace : public QObject
{
    Q_OBJECT
private slots:
    void theModelsFolderBringsItsCalibration()
    {
        const auto workspace = openWorkspace(kVit, {}, {});
        QVERIFY(workspace->checkpoint && workspace->calibration);
        QVERIFY(workspace->warnings.empty()); // made for these weights: the hash was compared
        QVERIFY(workspace->calibration->modelSha256() == workspace->checkpoint->sha256());
        const auto& outline = workspace->outline;
        QVERIFY(outline.matrices.size() >= 25);
        QCOMPARE(outline.modelPath, kVit.string());
        QCOMPARE(outline.calibrationPath, (kVit / "calibration.h5").string());
        QCOMPARE(outline.parameters, workspace->checkpoint->parameters());
        QCOMPARE(outline.bytes, workspace->checkpoint->bytes());
        QCOMPARE(outline.calibrationTokens, workspace->calibration->tokens());
        QVERIFY(outline.layers > 0 && outline.calibrationTokens > 0 && !outline.calibrationInputs.empty());
        std::set<std::string> names;
        for (const auto& matrix : outline.matrices) {
            names.insert(matrix.name);
            QVERIFY2(matrix.rows > 0 && matrix.cols > 0 && !matrix.role.empty(), matrix.name.c_str());
            QVERIFY2(matrix.layer < outline.layers, matrix.name.c_str());
            // float32: four bytes an entry
            QCOMPARE(matrix.dtype, std::string("F32"));
            QCOMPARE(matrix.bytes, static_cast<std::uint64_t>(matrix.rows * matrix.cols) * 4);
            const auto site = std::find_if(outline.sites.begin(), outline.sites.end(), [&](const auto& s) { return s.name == matrix.name; });
            QCOMPARE(matrix.calibrated, site != outline.sites.end());
            if (matrix.calibrated)
                QCOMPARE(site->features, matrix.cols);
        }
        QCOMPARE(names.size(), outline.matrices.size());
        QVERIFY(std::count_if(outline.matrices.begin(), outline.matrices.end(), [](const auto& m) { return m.calibrated; }) >= 25);
    }
    void theWeightsFileBringsItToo()
    {
        const auto workspace = openWorkspace(kVit / "model.safetensors", {}, {});
        QVERIFY(workspace->calibration);
        QVERIFY(workspace->outline.matrices.size() >= 25);
    }
    void aModelWithoutCalibrationIsFine()
    {
        QTemporaryDir dir;
        QVERIFY(copyModel(dir));
        const auto workspace = openWorkspace(in(dir), {}, {});
        QVERIFY(!workspace->calibration && workspace->warnings.empty());
        QVERIFY(workspace->outline.calibrationPath.empty() && workspace->outline.sites.empty());
        for (const auto& matrix : workspace->outline.matrices)
            QVERIFY(!matrix.calibrated);
        const auto named = openWorkspace(in(dir), kVit / "calibration.h5", {}); // from elsewhere, when it is named
        QVERIFY(named->calibration && named->warnings.empty());
    }
    void otherWeightsAreWarnedOf()
    {
        QTemporaryDir dir;
        QVERIFY(copyModel(dir));
        QFile weights(QString::fromStdString((in(dir) / "model.safetensors").string()));
        QVERIFY(weights.setPermissions(QFile::ReadOwner | QFile::WriteOwner) && weights.open(QIODevice::ReadWrite));
        QVERIFY(weights.seek(weights.size() - 4)); // the last weight becomes another
        const QByteArray before = weights.read(4);
        QVERIFY(weights.seek(weights.size() - 4) && weights.write(before == QByteArray(4, '\0') ? "\0\0\x80?" : "\0\0\0\0", 4) == 4);
        weights.close();
        const auto workspace = openWorkspace(in(dir), kVit / "calibration.h5", {});
        QVERIFY(workspace->calibration);
        QCOMPARE(workspace->warnings.size(), std::size_t(1));
        QVERIFY2(workspace->warnings[0].find("other weights") != std::string::npos, workspace->warnings[0].c_str());
    }
    void whatCannotBeOpenedThrows_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("calibration");
        QTest::addColumn<QString>("subject");
        QTest::newRow("no model") << "none" << "" << "none";
        QTest::newRow("no weights in the folder") << "folder" << "" << "folder";
        QTest::newRow("weights that are none") << "broken.safetensors" << "" << "broken.safetensors";
        QTest::newRow("named calibration missing") << "" << "none.h5" << "none.h5";
        QTest::newRow("calibration that is none") << "" << "broken.h5" << "broken.h5";
    }
    void whatCannotBeOpenedThrows()
    {
        QFETCH(QString, model);
        QFETCH(QString, calibration);
        QFETCH(QString, subject);
        QTemporaryDir dir;
        QVERIFY(QDir(dir.path()).mkdir("folder"));
        for (const char* name : {"broken.safetensors", "broken.h5"}) {
            QFile file(dir.filePath(name));
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write("not what the name says") > 0);
        }
        const auto modelPath = model.isEmpty() ? kVit : in(dir) / model.toStdString();
        const auto calibrationPath = calibration.isEmpty() ? std::filesystem::path() : in(dir) / calibration.toStdString();
        std::shared_ptr<const Workspace> workspace;
        try {
            workspace = openWorkspace(modelPath, calibrationPath, {});
            QFAIL("opened");
        } catch (const Error& error) {
            QVERIFY2(QString(error.what()).contains(subject), error.what());
        }
        QVERIFY(!workspace);
        // Nothing is left open: no descriptor of this process leads into the folder.
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code gone; // of the iterator itself
            const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
            QVERIFY2(target.rfind(in(dir).string(), 0) != 0, target.c_str());
        }
    }
    void canBeStopped()
    {
        std::stop_source stop;
        stop.request_stop();
        try {
            openWorkspace(kVit, {}, RunContext(stop.get_token()));
            QFAIL("opened");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TstWorkspace)
#include "tst_workspace.moc"
