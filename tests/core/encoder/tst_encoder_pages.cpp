// SPDX-License-Identifier: GPL-3.0-or-later
// Every method has a page that names its parameters, and a complete declaration.
#include "core/encoder/method.h"

#include <QFile>
#include <QTest>

#include <set>

using namespace tamis;

class TestEncoderPages : public QObject
{
    Q_OBJECT
private slots:
    void everyMethodHasAPageThatNamesItsParameters_data()
    {
        QTest::addColumn<QString>("id");
        for (const auto& method : encoder::methods())
            QTest::newRow(method.declaration.id.c_str()) << QString::fromStdString(method.declaration.id);
    }
    void everyMethodHasAPageThatNamesItsParameters()
    {
        QFETCH(QString, id);
        const auto* method = encoder::findMethod(id.toStdString());
        QVERIFY(method);
        QFile page(QStringLiteral(TAMIS_SOURCE_DIR "/docs/methods/%1.md").arg(id));
        QVERIFY2(page.open(QIODevice::ReadOnly), qPrintable(page.fileName()));
        const QString text = QString::fromUtf8(page.readAll());
        for (const auto& spec : method->declaration.schema.specs()) {
            QVERIFY2(text.contains(QStringLiteral("`%1`").arg(QString::fromStdString(spec.name))), spec.name.c_str());
            QVERIFY2(!spec.title.empty() && !spec.help.empty(), spec.name.c_str());
        }
        for (const char* heading : {"Formula", "Cost", "Limits"})
            QVERIFY2(text.contains(QLatin1String(heading)), heading);
        QVERIFY(!method->declaration.reference.empty());
    }
    void idsAreUniqueAndOfTheLab()
    {
        std::set<std::string> seen;
        for (const auto& method : encoder::methods()) {
            QVERIFY(seen.insert(method.declaration.id).second);
            QVERIFY(method.declaration.id.rfind(method.declaration.lab + ".", 0) == 0);
            QVERIFY(method.build);
        }
    }
};

QTEST_GUILESS_MAIN(TestEncoderPages)
#include "tst_encoder_pages.moc"
